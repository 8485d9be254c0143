"""A bell: what somebody who waits for news in this process has to listen to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

LOOK_SECONDS: Final = 5.0
"""After which whoever waits looks again, though nothing rang: who should have may have died."""


class Bell(asyncio.Event):
    """Clear it, look for news, and wait: nothing that comes in between is missed."""

    async def rings(self, within: float = LOOK_SECONDS) -> None:
        """Return when it has rung, or when so many seconds have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.wait()

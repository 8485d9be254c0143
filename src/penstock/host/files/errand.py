"""Errands: what would block the loop, done on a thread."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from penstock.host.problem import Refused

T = TypeVar("T")

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def errand(work: Callable[[], T]) -> T:
    """What the work returns. Raises Refused with status 507 where the disk has no room for it."""
    with needing_room():
        return await asyncio.to_thread(work)


@contextmanager
def needing_room() -> Iterator[None]:
    """Within it, a full disk is a refusal: Refused with status 507."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Refused(
            507,
            "the host has no room for this file",
            kind="storage-full",
            remedy="try again later, or ask who runs the host to make room",
        ) from error

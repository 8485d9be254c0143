"""Times on the wire: RFC 3339 in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, overload

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time on the wire, which always says its zone."""


@overload
def moment(seconds: float) -> datetime: ...
@overload
def moment(seconds: None) -> None: ...
@overload
def moment(seconds: float | None) -> datetime | None: ...


def moment(seconds: float | None) -> datetime | None:
    """Epoch seconds as the wire has them."""
    if seconds is None:
        return None
    # As whole milliseconds: the digits of a float would show in the text.
    whole, rest = divmod(round(seconds * 1000), 1000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest * 1000)

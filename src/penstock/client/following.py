"""Following a run's events: through cuts of the line, each event once and in order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from penstock.api import EventPage
from penstock.client.effects import Found, Items, Next, Notice, Open, Steps, get
from penstock.client.line import Line
from penstock.core.errors import HostAway, HostError
from penstock.core.events import Event
from penstock.core.payload import Error
from penstock.core.record import RunRecord

PAGE: Final = 1000
"""Events that are asked for at once."""

STEADY_SECONDS: Final = 10.0
"""A stream that was open for so long was no failure."""

END: Final = "eof"
"""The type of the notice behind the last event."""

_HEAD: Final = frozenset({"seq", "at", "type", "node"})
_FLAT: Final = msgspec.json.Decoder(dict[str, Any])


def follow(line: Line, fid: str, *, after: int, types: tuple[str, ...], node: str) -> Items[Event]:
    """The run's events behind `after`, and then as they come, until the last one.

    A stream that is cut is asked for again from the last event that came. Raises HostAway when
    the host does not come back.
    """
    failures = 0
    while True:
        ask = get("runs", fid, "events", after=after, type=types, node=node)
        yield from line.open(Open(ask, events=True))
        opened = line.clock.monotonic()
        try:
            while True:
                notice: Notice | None = yield Next()
                if notice is None:
                    break  # the host ends, or something before it has had enough
                if notice.event == END:
                    return
                if not notice.data:
                    continue  # only how long to wait before one comes again
                event = event_of(_flat(notice.data))
                if event.seq > after:
                    after, failures = event.seq, 0
                    yield Found(event)
        except HostAway:
            pass  # cut in the middle, which is no worse
        if line.clock.monotonic() - opened > STEADY_SECONDS:
            failures = 0  # it stood, though nothing happened that was asked for
        failures += 1
        if not line.patient(failures):
            raise HostAway(
                f"the host ends the stream of run {fid} again and again before its last event",
                remedy="its log says why; what stands before it may cut streams, too",
            )
        yield from line.wait(failures)


def recorded(line: Line, fid: str, *, after: int, types: tuple[str, ...], node: str) -> Items[Event]:
    """The run's events behind `after` that are there already."""
    end = False
    while not end:
        ask = get("runs", fid, "events", after=after, type=types, node=node, limit=PAGE)
        page = yield from line.fetch(EventPage, ask)
        for flat in page.items:
            yield Found(event_of(flat))
        end = page.eof or page.next <= after
        after = page.next


def fold(line: Line, fid: str) -> Steps[RunRecord]:
    """All the run's events that are there already, as one picture."""
    record, end = RunRecord(fid=fid), False
    while not end:
        ask = get("runs", fid, "events", after=record.seq, limit=PAGE)
        page = yield from line.fetch(EventPage, ask)
        for flat in page.items:
            record.apply(event_of(flat))
        end = page.eof or not page.items
    return record


def event_of(flat: Mapping[str, Any]) -> Event:
    """The event that `Event.to_mapping` made flat. Its `error`, if any, is an Error again."""
    try:
        time = datetime.fromisoformat(flat["at"]).timestamp()
        data = {name: value for name, value in flat.items() if name not in _HEAD}
        error = data.get("error")
        if isinstance(error, dict):
            data["error"] = Error(**{"code": "error", **error})
        return Event(flat["seq"], time, flat["type"], flat.get("node", ""), data)
    except (KeyError, TypeError, ValueError) as error:
        raise HostError(
            f"the host sent an event that is none: {error!r}",
            remedy="a client must not be much older than its host; is it?",
        ) from error


def _flat(text: str) -> dict[str, Any]:
    try:
        return _FLAT.decode(text)
    except msgspec.MsgspecError as error:
        raise HostError(f"the host sent an event that is no JSON: {error}") from error

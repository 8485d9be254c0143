"""A run as plain lines: one for each event that a person would want to know of."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from penstock.cli.console import Console
from penstock.cli.marks import MARKS
from penstock.core.duration import format_seconds
from penstock.core.events import Event, EventType
from penstock.core.record import RunRecord, ancestors

MAX_INSIDE: Final = 50
"""How many completions inside of one firing get a line of their own."""

_LEVELS = {"error": "red", "critical": "red", "warning": "yellow", "debug": "dim"}


Words = tuple[str, str]
"""What to say, and in which style."""


def line(event: Event, record: RunRecord, *, detail: bool = False) -> Words | None:
    """The words for an event, or None for one that is not worth a line.

    detail: say what starts and is skipped as well.
    """
    if event.type.startswith("lock."):
        return _lock_line(event, record)
    if event.node:
        return _node_line(event, detail=detail) or said(event, detail=detail)
    return _run_line(event, record) or said(event, detail=detail)


def _run_line(event: Event, record: RunRecord) -> Words | None:
    data = event.data
    match event.type:
        case EventType.RUN_STARTED:
            return f"run {record.fid} of `{record.flow}` started", "bold"
        case EventType.RUN_WAITING:
            if data.get("for"):
                return f"waiting for a {data['for']}", "cyan"
            return f"waiting{_until(data.get('until'))}", "cyan"
        case EventType.RUN_RESUMED:
            if "lost" in data:
                return f"goes on in another worker: {_first_line(data.get('error'))}", "yellow"
            return f"resumed ({data.get('reason', '')})", "cyan"
        case EventType.RUN_COMPLETED:
            return f"completed{_took(record.duration_ms)}", "green"
        case EventType.RUN_FAILED:
            return f"failed{_took(record.duration_ms)}: {_first_line(data.get('error'))}", "red"
        case EventType.RUN_CANCELLED:
            reason = f": {data['reason']}" if data.get("reason") else ""
            return f"cancelled{_took(record.duration_ms)}{reason}", "yellow"
        case _:
            return None


def _lock_line(event: Event, record: RunRecord) -> Words | None:
    data = event.data
    by = f" by {data['by']}" if data.get("by") else ""
    match event.type:
        case EventType.LOCK_OPENED:
            title = data.get("title") or data.get("name", "")
            return f"asks: {title}; `penstock locks show {record.fid} {data['lock']}`", "cyan"
        case EventType.LOCK_CANDIDATE:
            return f"a candidate{by}", "cyan"
        case EventType.LOCK_DENIED:
            return f"denied: {'; '.join(reason['detail'] for reason in data['reasons'])}", "yellow"
        case EventType.LOCK_RELEASED:
            return f"released{by}", "green"
        case EventType.LOCK_EXPIRED if data.get("reason") == "timeout":
            return "expired: nobody answered in time", "yellow"
        case _:
            return None


def _node_line(event: Event, *, detail: bool) -> Words | None:
    data = event.data
    match event.type:
        case EventType.NODE_COMPLETED:
            return f"completed{_took(data.get('duration_ms'))}", "green"
        case EventType.NODE_FAILED:
            return f"failed{_took(data.get('duration_ms'))}: {_first_line(data.get('error'))}", "red"
        case EventType.NODE_RETRYING:
            wait = format_seconds((data.get("delay_ms") or 0) / 1000)
            attempt = f"attempt {data.get('attempt')} failed, again in {wait}"
            return f"{attempt}: {_first_line(data.get('error'))}", "yellow"
        case EventType.NODE_WAITING if detail or _is_long(event):
            return f"waiting{_until(data.get('until'))}", "cyan"
        case EventType.NODE_STARTED if detail:
            return f"started ({data.get('kind', '')})", "dim"
        case EventType.NODE_SKIPPED if detail:
            return "skipped", "dim"
        case _:
            return None


def said(event: Event, *, detail: bool = False) -> Words | None:
    """What a node said, or None when the event is none of its words."""
    data = event.data
    match event.type:
        case EventType.NODE_MESSAGE:
            return str(data.get("message", "")), _LEVELS.get(str(data.get("level", "")), "")
        case EventType.NODE_STDOUT:
            return str(data.get("line", "")), ""
        case EventType.NODE_STDERR:
            return str(data.get("line", "")), "yellow"
        case EventType.NODE_DATA if detail:
            from penstock.core.payload import to_json

            return to_json(data.get("value")).decode(), "dim"
        case EventType.AGENT_ACTION | EventType.AGENT_RESULT | EventType.AGENT_FINAL:
            return _agent_words(event, detail=detail)
        case _:
            return None


def _agent_words(event: Event, *, detail: bool) -> Words | None:
    """What an agent does with tools, and what failed; every step of it in detail."""
    data = event.data
    of = str(data.get("of", ""))
    wrong = data.get("error")
    if not (detail or wrong or (of == "tool" and event.type == EventType.AGENT_ACTION)):
        return None
    name = data.get("agent") if of in ("agent", "llm") else data.get(of)
    what = " ".join(str(part) for part in (of, name) if part)
    if wrong:
        return f"{what}: {_first_line(wrong)}", "yellow"
    if event.type == EventType.AGENT_ACTION:
        from penstock.core.payload import to_json

        given = to_json(data["arguments"]).decode() if data.get("arguments") else ""
        return f"{what} {given}".rstrip(), "dim"
    said = data.get("output")
    return f"{what}: {_first_line(said)}" if isinstance(said, str) else what, "dim"


class LineView:
    """Prints the lines as the events come. Without detail, of a long loop only the beginning."""

    def __init__(self, console: Console, *, detail: bool = False) -> None:
        self._console = console
        self._detail = detail
        self._done_inside: Counter[str] = Counter()

    def event(self, event: Event, record: RunRecord) -> None:
        found = line(event, record, detail=self._detail)
        if event.type == EventType.NODE_COMPLETED and not self._detail:
            found = self._unless_many(event, record, found)
        if found is not None:
            self._print(event, record, *found)

    def _unless_many(self, event: Event, record: RunRecord, words: Words | None) -> Words | None:
        """The words for a firing that completed, unless many inside of the same one have."""
        *_, outermost = ("", *ancestors(event.node))
        if not outermost:
            return words
        self._done_inside[outermost] += 1
        count = self._done_inside[outermost]
        if count <= MAX_INSIDE:
            return words
        if count > MAX_INSIDE + 1:
            return None
        return f"and so on; `penstock runs show {record.fid} --full` shows all of it", "dim"

    def _print(self, event: Event, record: RunRecord, text: str, style: str) -> None:
        seconds = event.time - (record.started if record.started is not None else event.time)
        head = self._console.style(f"{seconds:9.3f}", "dim")
        node = f"{event.node}: " if event.node else ""
        first, *more = text.splitlines() or [""]
        self._console.say(f"{head}  {node}{self._console.style(first, style)}")
        for part in more:
            self._console.say(f"{'':9}  {self._console.style(part, style)}")

    def tick(self, record: RunRecord, now: float) -> None:
        """Nothing to redraw."""

    def close(self, record: RunRecord, now: float) -> None:
        """Nothing to take down."""


class EventView:
    """Prints every event as one line of JSON on stderr, for `--events`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def event(self, event: Event, record: RunRecord) -> None:
        del record
        from penstock.core.payload import to_json

        self._console.stderr.write(to_json(event.to_mapping()).decode() + "\n")
        self._console.stderr.flush()

    def tick(self, record: RunRecord, now: float) -> None:
        """Nothing to redraw."""

    def close(self, record: RunRecord, now: float) -> None:
        """Nothing to take down."""


def summary(record: RunRecord) -> str:
    """How a run ended, in one line."""
    mark = MARKS[record.state]
    return f"{mark.symbol} {record.flow} {record.state}{_took(record.duration_ms)}"


def _took(duration_ms: Any) -> str:
    return f" in {format_seconds(duration_ms / 1000)}" if isinstance(duration_ms, int | float) else ""


def _is_long(event: Event) -> bool:
    until = event.data.get("until")
    return not isinstance(until, int | float) or until - event.time >= 1


def _until(until: Any) -> str:
    if not isinstance(until, int | float):
        return ""
    return f" until {datetime.fromtimestamp(until).astimezone():%Y-%m-%d %H:%M:%S}"


def _first_line(error: Any) -> str:
    return str(error).partition("\n")[0] if error is not None else ""

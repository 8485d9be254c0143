"""The screen: what a person at a terminal sees of a resident runtime."""

# ruff: noqa: ARG002 - an observer is told more than it shows

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from penstock.cli.lines import said
from penstock.cli.start.view import View
from penstock.core.duration import format_seconds
from penstock.core.events import Event
from penstock.engine.catalog.draft import Action
from penstock.engine.observer import Outcome, Subject
from penstock.engine.resident.symbol import Status

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.core.errors import PenstockError
    from penstock.core.payload import Error, Payload
    from penstock.engine.catalog.draft import Change
    from penstock.engine.redaction import Redactor
    from penstock.engine.resident.symbol import Report

_MARKS: Final[Mapping[Status, tuple[str, str]]] = {
    Status.ACTIVE: ("●", "green"),
    Status.WAITING: ("○", "yellow"),
    Status.BROKEN: ("✗", "red"),
}
_NAMED: Final = 5
"""How many changed nodes a line names."""


class Screen(View):
    """Lines on stderr: what is served, what becomes of it, and what goes wrong."""

    def __init__(self, console: Console, namespace: str) -> None:
        super().__init__()
        self._console = console
        self._namespace = namespace
        self._began = False
        self._failed: dict[str, str] = {}  # what was told already of nodes that would not load

    # --- told by the command ------------------------------------------------------

    def applied(self, changes: Sequence[Change]) -> None:
        if self._began and any(change.action is not Action.UNCHANGED for change in changes):
            return  # the reload that follows tells more
        counts = Counter(change.action for change in changes)
        told = ", ".join(f"{count} {action}" for action, count in counts.items())
        self._console.say(f"applied: {told}", "dim")

    def refused(self, error: PenstockError) -> None:
        self._console.error(error.message, error.remedy)
        self._console.say("nothing of it was applied; what was there serves on", "dim")

    def observed(self, address: str) -> None:
        self._console.say(f"metrics and health at {address}", "dim")

    def hosted(self, address: str, flows: Sequence[str]) -> None:
        mark, color = _MARKS[Status.ACTIVE]
        told = f"{len(flows)} flows: {_some(flows)}" if flows else "no flows yet"
        place = self._console.style(address, "bold")
        self._console.say(f"{self._console.style(mark, color)} host at {place}, {told}")

    def welcomed(self, token: str) -> None:
        self._console.say("the token of the administrator, shown this once and kept for your commands:")
        self._console.say(f"  {self._console.style(token, 'bold')}")

    def stopping(self) -> None:
        if self._console.interactive:
            self._console.say()  # behind the ^C that the terminal has shown
        self._console.say("stopping when all is done; Ctrl-C again leaves at once", "dim")

    # --- what becomes of the nodes --------------------------------------------------

    def changed(self, before: Mapping[str, Report], now: Mapping[str, Report], seconds: float) -> None:
        changed = [key for key in sorted(now) if before.get(key) != now[key]]
        for key in changed:
            if now[key].status is not Status.ACTIVE or _was_not(before.get(key)):
                self._tell_status(now[key])
        if self._began:
            gone = sorted(before.keys() - now.keys())
            self._console.say(f"reloaded in {format_seconds(seconds)}: {_named(changed, gone)}")
            return
        self._began = True
        active = sum(report.status is Status.ACTIVE for report in now.values())
        nodes = f"{active} of {len(now)} nodes active" if now else "empty; waiting for specs"
        self._console.say(f"{self._console.style(self._namespace, 'bold')}: {nodes}")

    def _tell_status(self, report: Report) -> None:
        mark, color = _MARKS[report.status]
        known = self._failed.pop(report.key, "")
        reason = f": {report.reason}" if report.reason and report.reason not in known else ""
        head = f"{self._console.style(mark, color)} {report.key} ({report.kind})"
        self._console.say(f"{head} is {report.status}{reason}")

    def serves(self, key: str, kind: str, place: str) -> None:
        mark, color = _MARKS[Status.ACTIVE]
        about = f"  {self._console.style(place, 'bold')}" if place else ""
        self._console.say(f"{self._console.style(mark, color)} {key} ({kind}){about}")

    # --- what nodes say, and what goes wrong ------------------------------------------

    def said(
        self,
        subject: Subject,
        node: str,
        type: str,  # noqa: A002 - the field's word
        data: Mapping[str, Payload],
        redactor: Redactor | None,
    ) -> None:
        shown: dict[str, Any] = dict(data) if redactor is None else redactor.event(dict(data))
        words = said(Event(seq=0, time=0.0, type=type, node=node, data=shown))
        if words is not None:
            self._console.say(f"{node}: {words[0]}", words[1])

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        if error is not None:
            self._fail(f"a process of {process.name} failed", error)

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        self._fail(f"a process of {trigger.name} failed", error)

    def run_ended(self, run: Subject, outcome: Outcome, seconds: float, error: Error | None) -> None:
        if error is not None:
            self._fail(f"run {run.fid} of {run.name} failed", error)

    def warned(self, trigger: Subject, message: str, fields: Mapping[str, Any]) -> None:
        facts = "".join(f", {name}: {value}" for name, value in fields.items())
        self._console.warn(f"{trigger.name}: {message}{facts}")

    def trigger_failed(self, trigger: Subject, error: Error) -> None:
        self._failed[trigger.name] = error.message
        self._fail(trigger.name or self._namespace, error)

    def _fail(self, what: str, error: Error) -> None:
        at = f" in {error.node}" if error.node and error.node != what else ""
        self._console.say(f"{self._console.style('✗', 'red')} {what}{at}: {error.code}: {error.message}")
        self._console.hint(error.remedy)


def _was_not(before: Report | None) -> bool:
    """Whether there was a node that was not active."""
    return before is not None and before.status is not Status.ACTIVE


def _named(changed: Sequence[str], gone: Sequence[str]) -> str:
    told = []
    for keys, what in ((changed, "changed"), (gone, "gone")):
        if keys:
            told.append(f"{_some(keys)} {what}")
    return "; ".join(told) or "values changed"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"

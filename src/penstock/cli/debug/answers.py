"""Answers: what each command of the debugger does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from penstock.cli.debug import words
from penstock.cli.debug.commands import explanation, find, overview
from penstock.cli.debug.focus import Focus
from penstock.cli.debug.places import read_breakpoint, split_place
from penstock.core.duration import format_seconds
from penstock.core.errors import EntryNotFound, PayloadError, PenstockError
from penstock.core.payload import Payload, normalise
from penstock.core.problems import suggest
from penstock.engine.inspection.breakpoint import ANY
from penstock.engine.inspection.debugger import Pace, Stop

if TYPE_CHECKING:
    from penstock.cli.debug.session import Session
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.resident.resident import Resident

MOMENT_SECONDS: Final = 0.2
"""How long the next command waits for what the last one sets going."""


class Answers:
    """Carries commands out. Each raises PenstockError for what makes no sense."""

    def __init__(self, session: Session, resident: Resident, specs: Specs) -> None:
        self._session = session
        self._debugger = session.debugger
        self._resident = resident
        self._runtime = resident.runtime
        self._specs = specs
        self.focus = Focus(session.debugger, resident)

    async def to(self, command: str, rest: str) -> str:
        """The answer to a command, by its full name."""
        return await _ANSWERS[command](self, rest)

    def words_for(self, command: str) -> list[str]:
        """What may stand behind a command."""
        match command:
            case "break" | "send":
                symbols = self._resident.table.symbols
                ports = (
                    f"{key}.{port}"
                    for key, symbol in symbols.items()
                    for declared in symbol.node.ports()
                    for port in declared
                )
                return sorted({*symbols, *ports})
            case "unbreak":
                return [str(number) for number in self._debugger.breakpoints] + [ANY]
            case "symbol":
                return sorted(self._resident.table.reports)
            case "process" | "kill":
                return [*self._resident.roots.processes]
            case "events":
                return ["off", "on"]
            case "hold":
                return ["all", "one"]
            case "continue":
                return ["all"]
            case "help":
                return sorted(_ANSWERS)
        return []

    # --- breakpoints ------------------------------------------------------------------

    async def break_(self, rest: str) -> str:
        if rest == "all" and rest not in self._resident.table.symbols:
            return await self.hold(rest)
        point, doubt = read_breakpoint(rest, self._resident.table.symbols)
        self._debugger.add(point)
        return f"breakpoint {point.number}: {point}" + (f"\n  {doubt}" if doubt else "")

    async def unbreak(self, rest: str) -> str:
        points = self._debugger.breakpoints
        numbers = [
            number
            for number, point in points.items()
            if rest in (ANY, str(number), str(point), str(point).partition(" if ")[0])
        ]
        if not numbers:
            raise PenstockError(f"there is no breakpoint `{rest}`", remedy="`breaks` lists them")
        for number in numbers:
            self._debugger.remove(number)
        return f"removed: {', '.join(map(str, numbers))}"

    async def breaks(self, _: str) -> str:
        points = self._debugger.breakpoints.values()
        rows = [(str(point.number), str(point), f"{point.hits} stops") for point in points]
        return words.table(rows) if rows else "no breakpoints"

    async def hold(self, rest: str) -> str:
        if rest not in ("all", "one"):
            raise PenstockError("hold what?", remedy="hold all|one")
        self._debugger.hold_all = rest == "all"
        others = "all others wait" if rest == "all" else "the others go on"
        return f"while a process is stopped, {others}"

    # --- going on ---------------------------------------------------------------------

    async def continue_(self, rest: str) -> str:
        if rest not in ("", "all"):
            raise PenstockError(f"continue what? `{rest}` is nothing", remedy="continue [all]")
        stops = list(self._debugger.stops.values()) if rest else [self.focus.stop]
        return await self._go_on(stops, Pace.FREE)

    async def step(self, _: str) -> str:
        return await self._go_on([self.focus.stop], Pace.STEP)

    async def next(self, _: str) -> str:
        return await self._go_on([self.focus.stop], Pace.OVER)

    async def _go_on(self, stops: Sequence[Stop], pace: Pace) -> str:
        self._session.news.clear()
        for stop in stops:
            self._session.followed.add(stop.spot.fid)
            stop.resume(pace)
        return await self._moment()

    async def _moment(self) -> str:
        """Wait until something stops or ends, so that it is told before the next command.

        Not for long: it may take its time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(MOMENT_SECONDS):
                await self._session.news.wait()
        return ""

    # --- processes and packets --------------------------------------------------------

    async def processes(self, _: str) -> str:
        now = self._runtime.clock.now()
        rows = [
            (
                each.id,
                f"{each.node}.{each.port}",
                format_seconds(now - each.started),
                self._state(each.id, "running"),
            )
            for each in self._resident.roots.processes.values()
        ]
        rows += [
            (row.fid, row.flow, format_seconds(now - row.started), self._state(row.fid, row.state))
            for row in await self.focus.runs()
        ]
        return words.table(rows) if rows else "no processes"

    def _state(self, fid: str, state: str) -> str:
        """Where a process is stopped, else its state."""
        stop = self.focus.stop_of(fid)
        return state if stop is None else f"stopped at {stop.spot}"

    async def process(self, rest: str) -> str:
        fid = await self.focus.fid(rest) if rest else self.focus.stop.spot.fid
        stop = self.focus.stop_of(fid)
        if stop is not None:
            self.focus.choose(fid)
        root = self._resident.roots.processes.get(fid)
        run = stop.run if stop is not None else root.live if root is not None else None
        if run is None:
            return f"{fid} is a run that waits, or that another runtime executes"
        passed = self._debugger.trace(run).latest
        lines = [
            f"{fid} of {self.focus.origin(fid)}, {self._state(fid, 'running')}",
            *words.ways(passed, run.journal.redactor),
        ]
        return "\n".join(lines)

    async def packet(self, _: str) -> str:
        stop = self.focus.stop
        return words.packet_page(stop, self._debugger.trace(stop.run).history(stop.spot.firing))

    async def set(self, rest: str) -> str:
        stop, payload = self.focus.stop, _payload(rest)
        if len(stop.packets) == 1:
            stop.packets = dict.fromkeys(stop.packets, payload)
        elif isinstance(payload, dict) and payload.keys() == stop.packets.keys():
            stop.packets = payload
        else:
            ports = ", ".join(stop.packets) or "none"
            raise PenstockError(
                f"the ports here are {ports}", remedy="write a mapping with one packet for each"
            )
        return ""

    async def send(self, rest: str) -> str:
        place, _, text = rest.partition(" ")
        node, port = split_place(place)
        payload = _payload(text) if text.strip() else None
        try:
            entry = self._resident.table.entry(node, port or "in")
        except KeyError as error:
            near = suggest(node, self._resident.table.symbols)
            message = f"no active node takes a packet at `{node}.{port or 'in'}`"
            raise PenstockError(message, remedy=near) from error

        async def answer() -> None:
            try:
                response = await entry.answer(payload)
                told = f"{place} answered {words.short(response, self._resident.roots.flow.redactor)}"
            except PenstockError as error:
                told = self._hide(f"{place} failed: {error.message}")
            self._session.say(told)
            self._session.news.set()

        self._session.news.clear()
        self._runtime.own(answer(), f"penstock:debug:{node}")
        return await self._moment()

    async def kill(self, rest: str) -> str:
        fid = await self.focus.fid(rest)
        self._session.followed.add(fid)
        self._session.news.clear()
        if not self._resident.roots.cancel(fid):
            await self._runtime.cancel(fid, "the debugger")
        return ""

    # --- nodes ------------------------------------------------------------------------

    async def symbols(self, _: str) -> str:
        reports = self._resident.reports
        rows = [(each.key, each.kind, str(each.status), self._hide(each.reason)) for each in reports]
        return words.table(rows) if rows else f"the namespace `{self._resident.namespace}` is empty"

    async def symbol(self, rest: str) -> str:
        if not rest:
            raise PenstockError("which node?", remedy="`symbols` lists them")
        try:
            spec = await self._specs.one(rest, namespace=self._resident.namespace)
        except EntryNotFound as error:
            remedy = error.remedy if error.remedy.startswith("did") else "`symbols` lists them"
            raise EntryNotFound(error.message, remedy=remedy) from error
        table = self._resident.table
        return self._hide(words.symbol_page(spec, table.reports.get(spec.key), table.symbols))

    def _hide(self, text: str) -> str:
        """The text without secrets."""
        redactor = self._resident.roots.flow.redactor
        return text if redactor is None else redactor.text(text)

    # --- the rest ---------------------------------------------------------------------

    async def events(self, rest: str) -> str:
        if rest not in ("on", "off"):
            raise PenstockError("on or off?", remedy="events on|off")
        self._session.events = rest == "on"
        return ""

    async def help(self, rest: str) -> str:
        return explanation(find(rest)) if rest else overview()


def _payload(text: str) -> Payload:
    try:
        return normalise(json.loads(text))
    except (ValueError, RecursionError, PayloadError) as error:
        raise PenstockError(
            f"this is no JSON: {error}", remedy='text stands in quotes: set "hello"'
        ) from error


_ANSWERS: Final[Mapping[str, Callable[[Answers, str], Awaitable[str]]]] = {
    "break": Answers.break_,
    "breaks": Answers.breaks,
    "continue": Answers.continue_,
    "events": Answers.events,
    "help": Answers.help,
    "hold": Answers.hold,
    "kill": Answers.kill,
    "next": Answers.next,
    "packet": Answers.packet,
    "process": Answers.process,
    "processes": Answers.processes,
    "send": Answers.send,
    "set": Answers.set,
    "step": Answers.step,
    "symbol": Answers.symbol,
    "symbols": Answers.symbols,
    "unbreak": Answers.unbreak,
}
"""What carries a command out."""

"""A session with the debugger: lines in, words out."""

# ruff: noqa: ARG002 - an observer is told more than it tells

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from penstock.cli.debug import words
from penstock.cli.debug.answers import Answers
from penstock.cli.debug.commands import COMMANDS, find
from penstock.core.errors import PenstockError
from penstock.engine.inspection.debugger import Debugger, Stop
from penstock.engine.observer import Observer, Outcome, Subject

if TYPE_CHECKING:
    from penstock.core.payload import Error
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.inspection.spot import Spot
    from penstock.engine.resident.resident import Resident

_REPEATED: Final = ("step", "next")
"""Commands that an empty line repeats."""


class Session(Observer):
    """Carries out commands, and tells of what happens meanwhile.

    say: takes words for the person who debugs. It is there before what it debugs, since the
    runtime needs its debugger; `attend` brings them together.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.debugger = Debugger(stopped=self._has_stopped, released=self._was_released)
        self.followed: set[str] = set()
        """Ids of processes whose end is of interest, because they were stopped."""
        self.news = asyncio.Event()
        """Set whenever a process stops or ends."""
        self.say = say
        self._answers: Answers | None = None
        self._repeat = ""

    def attend(self, resident: Resident, specs: Specs) -> None:
        """This is what is debugged from now on."""
        self._answers = Answers(self, resident, specs)

    async def converse(self, lines: AsyncIterator[str]) -> None:
        """Carry out lines until they end, or one of them says so; then everything goes on."""
        try:
            async for line in lines:
                if not await self.obey(line):
                    break
        finally:
            self.debugger.detach()

    async def obey(self, line: str) -> bool:
        """Carry out one line; False for the last one."""
        name, _, rest = (line.strip() or self._repeat).partition(" ")
        if not name:
            return True
        self._repeat = ""
        try:
            command = find(name)
            if command.name == "quit":
                return False
            if command.name in _REPEATED:
                self._repeat = command.name
            told = await self.answers.to(command.name, rest.strip())
        except PenstockError as error:
            told = "; ".join(filter(None, (error.message, error.remedy)))
        if told:
            self.say(told)
        return True

    @property
    def answers(self) -> Answers:
        assert self._answers is not None, "there is nothing to debug yet"
        return self._answers

    def complete(self, text: str) -> tuple[str, list[str]]:
        """The word at the end of a line, and what it may become."""
        name, space, rest = text.lstrip().partition(" ")
        if not space:
            return name, [command.name for command in COMMANDS if command.name.startswith(name)]
        word = rest.rpartition(" ")[2]
        if word != rest:  # nothing but the first word behind a command has a name
            return word, []
        try:
            known = self.answers.words_for(find(name).name)
        except PenstockError:
            return word, []
        return word, [each for each in known if each.startswith(word)]

    # --- told by the debugger -------------------------------------------------------

    def _has_stopped(self, stop: Stop) -> None:
        self.answers.focus.has_stopped(stop)
        self.say(words.stop_line(stop, self.answers.focus.origin(stop.spot.fid)))
        self.news.set()

    def _was_released(self, stop: Stop) -> None:
        if not stop.resumed.done() or stop.resumed.cancelled():
            self.followed.add(stop.spot.fid)

    def _has_passed(self, spot: Spot) -> None:
        self.say(f"{spot.fid}  {spot.side}  {spot}")

    # --- told by the engine ---------------------------------------------------------

    @property
    def events(self) -> bool:
        """Whether everything is told that happens."""
        return self.debugger.passed is not None

    @events.setter
    def events(self, wanted: bool) -> None:
        self.debugger.passed = self._has_passed if wanted else None

    def process_began(self, process: Subject, trace: str) -> None:
        if self.events:
            self.say(f"{process.fid}  began at {process.name}")

    def process_ended(
        self,
        process: Subject,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        self._tell_end(process, outcome, error)

    def run_ended(
        self,
        run: Subject,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        self._tell_end(run, outcome, error)

    def _tell_end(self, subject: Subject, outcome: Outcome, error: Error | None) -> None:
        if self.events or subject.fid in self.followed:
            why = f": {error.code}: {error.message}" if error is not None else ""
            self.say(f"process {subject.fid} of {subject.name} {outcome}{why}")
        self.news.set()
        self.followed.discard(subject.fid)

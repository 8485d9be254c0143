"""Executors: where the code of a run is executed.

What surrounds that code is the runtime's, wherever it is executed: how a run starts, its limits,
its restarts, whether it is put aside, and its one end. An executor brings it to its result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from penstock.core.errors import NonDeterminism, SettingsError
from penstock.core.payload import Payload
from penstock.core.problems import suggest
from penstock.core.store import INLINE

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun


class Kept(Protocol):
    """What is kept of a run, for those who execute it where its memory is not."""

    async def history(self) -> list[Event]:
        """Its events so far, all of them on disk. Raises StoreError."""
        ...

    async def values(self) -> Mapping[str, Payload]:
        """The value documents that its flow refers to, and no others."""
        ...


class Executor(Protocol):
    """Executes the code of runs."""

    async def execute(
        self, flow: Flow, run: LiveRun, inputs: Mapping[str, Payload], *, kept: Kept
    ) -> Payload:
        """Bring a run to its result. Raises Failure, NonDeterminism or StoreError.

        To be cancelled is the word to stop: this returns when nothing of the run is executed
        any more. Events go to the run's journal, as does what it waits for to the run itself.
        """
        ...

    async def close(self) -> None:
        """Let go of everything. No run is executed any more."""
        ...


class Inline:
    """Executes a run right here, on the loop and the threads of this process."""

    async def execute(
        self, flow: Flow, run: LiveRun, inputs: Mapping[str, Payload], *, kept: Kept | None = None
    ) -> Payload:
        del kept  # its replay is in memory
        result = await flow.execute(run, inputs)
        unasked = run.replay.unasked() if run.replay is not None else None
        if unasked is not None:
            raise NonDeterminism(
                f"the journal holds an outcome of `{unasked}`, which `{flow.name}` no longer reaches",
                fid=run.fid,
                remedy="finish running runs on the old code, or start a new run on the new one",
            )
        return result

    async def close(self) -> None:
        """Nothing to let go of."""


class Executors:
    """The executors of a runtime, by the name that a flow's settings give."""

    def __init__(self, others: Mapping[str, Executor] | None = None) -> None:
        self._here: Final = Inline()
        self._named: dict[str, Executor] = {INLINE: self._here, **(others or {})}

    def of(self, flow: Flow) -> Executor:
        """What executes the runs of a flow. Raises SettingsError when there is no such thing."""
        name = flow.settings.executor
        found = self._named.get(name)
        if found is None:
            raise SettingsError(
                f"flow `{flow.name}` wants the executor `{name}`, which this runtime does not have",
                remedy=f"{suggest(name, self._named)}; a Runtime takes others as `executors=`",
            )
        return found

    def named(self, name: str) -> Executor:
        """The executor of this name. Raises KeyError."""
        return self._named[name]

    def here(self, flow: Flow) -> bool:
        """Whether the runs of a flow are executed in this process, so that its nodes are needed here."""
        return self.of(flow) is self._here

    async def close(self) -> None:
        """Let go of all; the first error is raised when all were told."""
        errors: list[Exception] = []
        for executor in self._named.values():
            try:
                await executor.close()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

"""The focus: which process is meant when a command names none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError
from penstock.core.states import RunState
from penstock.core.store import RunQuery

if TYPE_CHECKING:
    from penstock.core.store import RunRow
    from penstock.engine.inspection.debugger import Debugger, Stop
    from penstock.engine.resident.resident import Resident

_UNFINISHED: Final = tuple(state for state in RunState if not state.terminal)


class Focus:
    """Knows the processes under way, and the one that people look at."""

    def __init__(self, debugger: Debugger, resident: Resident) -> None:
        self._debugger = debugger
        self._resident = resident
        self._chosen = ""

    def choose(self, fid: str) -> None:
        """This process is meant from now on."""
        self._chosen = fid

    def has_stopped(self, stop: Stop) -> None:
        """A process has stopped: it is meant, unless one is that has stopped before."""
        if self.stop_of(self._chosen) is None:
            self._chosen = stop.spot.fid

    @property
    def stop(self) -> Stop:
        """The stop that is meant. Raises PenstockError when no process is stopped."""
        stop = self.stop_of(self._chosen) or next(iter(self._debugger.stops.values()), None)
        if stop is None:
            raise PenstockError("no process is stopped", remedy="`break NODE` has them stop at a node")
        self._chosen = stop.spot.fid
        return stop

    def stop_of(self, fid: str) -> Stop | None:
        """Where a process is stopped, if it is."""
        return next((stop for stop in self._debugger.stops.values() if stop.spot.fid == fid), None)

    def origin(self, fid: str) -> str:
        """Where a process began."""
        found = self._resident.roots.processes.get(fid)
        return f"{found.node}.{found.port}" if found is not None else "a recorded run"

    async def fid(self, part: str) -> str:
        """The process that a part of an id means. Raises PenstockError."""
        if not part:
            raise PenstockError("which process?", remedy="`processes` lists them")
        fids = dict.fromkeys((*self._resident.roots.processes, *(row.fid for row in await self.runs())))
        found = [fid for fid in fids if fid.startswith(part) or fid.endswith(part)]
        if len(found) == 1:
            return found[0]
        if found:
            raise PenstockError(f"`{part}` may be {', '.join(found)}", remedy="write more of it")
        raise PenstockError(f"no process has the id `{part}`", remedy="`processes` lists them")

    async def runs(self) -> list[RunRow]:
        """The recorded runs that have not ended."""
        return list(await self._resident.runtime.runs(RunQuery(states=_UNFINISHED)))

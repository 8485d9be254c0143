"""The debugger: breakpoints, and the processes that stopped at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from penstock.core.ports import Emit
from penstock.engine.inspection.inspector import Inspector
from penstock.engine.inspection.spot import Side, Spot
from penstock.engine.inspection.trace import Trace

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.engine.gate import Branch
    from penstock.engine.inspection.breakpoint import Breakpoint
    from penstock.engine.live import LiveRun
    from penstock.engine.plan import Vertex
    from penstock.engine.process import Process


class Pace(StrEnum):
    """How a stopped process goes on."""

    FREE = "free"
    """To the next breakpoint."""
    STEP = "step"
    """To the next port that a packet of it passes."""
    OVER = "over"
    """The same, but what is called is not stepped into."""


class Stop:
    """A process that stopped. number: counts the stops. packets: those to go on with.

    why: the breakpoint; None after a step. trouble: what its condition raised, for people.
    """

    def __init__(
        self, number: int, run: LiveRun, spot: Spot, why: Breakpoint | None, trouble: str
    ) -> None:
        self.number = number
        self.run = run
        self.spot = spot
        self.why = why
        self.trouble = trouble
        self.packets: dict[str, Payload] = dict(spot.packets)
        self.resumed: asyncio.Future[Pace] = asyncio.get_running_loop().create_future()

    def resume(self, pace: Pace = Pace.FREE) -> None:
        """Let it go on. Doing so twice is harmless."""
        if not self.resumed.done():
            self.resumed.set_result(pace)


class _Watched:
    """What is known of one run. pace: how it goes on since its last stop, at this depth."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.stop: Stop | None = None
        self.pace = Pace.FREE
        self.depth = 0


class Debugger(Inspector):
    """Stops processes at breakpoints until somebody lets them go on.

    A run that stopped is held as a whole: its other branches wait at their next port. Other
    runs go on, unless `hold_all` says that they wait as well. stopped: told of each stop.
    released: told when one is over, because it was resumed or its process was cancelled.
    """

    def __init__(
        self, *, stopped: Callable[[Stop], None], released: Callable[[Stop], None] = lambda _: None
    ) -> None:
        self.breakpoints: dict[int, Breakpoint] = {}
        self.stops: dict[int, Stop] = {}
        self._hold_all = False
        self.passed: Callable[[Spot], None] | None = None
        self._stopped = stopped
        self._released = released
        self._watched: WeakKeyDictionary[LiveRun, _Watched] = WeakKeyDictionary()
        self._moved = asyncio.Event()
        self._numbers = count(1)
        self._stop_numbers = count(1)
        self._detached = False

    # --- asked by people ------------------------------------------------------------

    def add(self, point: Breakpoint) -> None:
        """Have processes stop there from now on; it gets a number."""
        point.number = next(self._numbers)
        self.breakpoints[point.number] = point

    def remove(self, number: int) -> None:
        """Have them stop there no more. Raises KeyError."""
        del self.breakpoints[number]

    @property
    def hold_all(self) -> bool:
        """Whether all runs wait while one is stopped."""
        return self._hold_all

    @hold_all.setter
    def hold_all(self, wanted: bool) -> None:
        self._hold_all = wanted
        self._move()

    def resume_all(self) -> None:
        """Let every process go on that is stopped."""
        for stop in list(self.stops.values()):
            stop.resume()

    def detach(self) -> None:
        """Let everything go on, and stop nothing any more."""
        self._detached = True
        self.resume_all()
        self._move()

    def trace(self, run: LiveRun) -> Trace:
        """The ways of the packets of a run; none of before it was first looked at."""
        watched = self._watched.get(run)
        return Trace() if watched is None else watched.trace

    # --- asked by the engine --------------------------------------------------------

    async def sent(self, process: Process, node: str, port: str, payload: Payload) -> Payload:
        run = process.run
        if run.replay is not None and process.path and run.replay.child(node) is not None:
            return payload
        firing = _caller(process.path) or node
        spot = _spot(process, firing, Side.OUT, {port: payload})
        packets = await self._pass(run, spot, begins=not process.path)
        trace = self._watched[run].trace
        trace.leaves(firing, port, packets[port], process.plan.feeds, process.path)
        return packets[port]

    async def arrived(
        self, process: Process, vertex: Vertex, inputs: Mapping[str, Payload], branch: Branch
    ) -> Mapping[str, Payload]:
        run, target = process.run, process.path + vertex.name
        firing = _firing(target, branch)
        if _is_past(run, firing):
            return inputs
        packets = {port: inputs[port] for port in vertex.linked if port in inputs} or dict(inputs)
        self._watch(run).trace.arrives(firing, target, packets, _caller(process.path))
        return {**inputs, **await self._pass(run, _spot(process, firing, Side.IN, packets))}

    async def left(
        self, process: Process, vertex: Vertex, outputs: Mapping[str, Payload], branch: Branch
    ) -> Mapping[str, Payload]:
        run, firing = process.run, _firing(process.path + vertex.name, branch)
        if _is_past(run, firing):
            return outputs
        many = {port for port, payload in outputs.items() if type(payload) is Emit}
        shown = {port: list(payload) if port in many else payload for port, payload in outputs.items()}
        found = await self._pass(run, _spot(process, firing, Side.OUT, shown))
        packets = {port: _emitted(found[port]) if port in many else found[port] for port in found}
        trace = self._watched[run].trace
        for port, payload in packets.items():
            trace.leaves(firing, port, payload, vertex.routes.get(port, ()), process.path)
        return packets

    # --- stopping -------------------------------------------------------------------

    async def _pass(self, run: LiveRun, spot: Spot, *, begins: bool = False) -> Mapping[str, Payload]:
        """Pass a spot, at once or after a stop; the packets to go on with."""
        watched = self._watch(run)
        if self.passed is not None:
            self.passed(spot)
        while self._is_held(watched):
            with _busy(run):
                await self._moved.wait()
        if self._detached:
            return spot.packets
        why, trouble = self._caught(spot, begins=begins)
        stepped = watched.pace is Pace.STEP or (
            watched.pace is Pace.OVER and spot.depth <= watched.depth
        )
        if why is None and not stepped:
            return spot.packets
        stop = Stop(next(self._stop_numbers), run, spot, why, trouble)
        await self._hold(stop, watched)
        return stop.packets

    def _is_held(self, watched: _Watched) -> bool:
        return not self._detached and (watched.stop is not None or (self._hold_all and bool(self.stops)))

    def _caught(self, spot: Spot, *, begins: bool) -> tuple[Breakpoint | None, str]:
        """The breakpoint to stop at, and what is wrong with its condition."""
        for point in self.breakpoints.values():
            try:
                if point.catches(spot, begins=begins):
                    return point, ""
            except Exception as error:  # a condition is code of the user's
                return point, str(error) or type(error).__name__
        return None, ""

    async def _hold(self, stop: Stop, watched: _Watched) -> None:
        watched.stop = self.stops[stop.number] = stop
        watched.pace = Pace.FREE
        if stop.why is not None:
            stop.why.hits += 1
        try:
            self._stopped(stop)
            with _busy(stop.run):
                watched.pace = await stop.resumed
            watched.depth = stop.spot.depth
        finally:
            watched.stop = None
            del self.stops[stop.number]
            self._move()
            self._released(stop)

    def _move(self) -> None:
        """Let everything that is held see whether it may go on."""
        self._moved.set()
        self._moved = asyncio.Event()

    def _watch(self, run: LiveRun) -> _Watched:
        watched = self._watched.get(run)
        if watched is None:
            watched = self._watched[run] = _Watched()
        return watched


@contextmanager
def _busy(run: LiveRun) -> Iterator[None]:
    """Within it the run does not seem to wait for a timer, and does not leave memory."""
    run.begin_work()
    try:
        yield
    finally:
        run.settle_down()


def _spot(process: Process, firing: str, side: Side, packets: Mapping[str, Payload]) -> Spot:
    depth = process.path.count("/")
    return Spot(fid=process.run.fid, firing=firing, depth=depth, side=side, packets=packets)


def _emitted(payload: Payload) -> Payload:
    """Several packets again, unless somebody has put a single one in their place."""
    return Emit(payload) if isinstance(payload, list) else payload


def _firing(target: str, branch: Branch) -> str:
    return f"{target}#{'.'.join(map(str, branch))}" if branch else target


def _caller(path: str) -> str:
    """The firing that a process belongs to, by its path: `each[3]/` is one of `each`."""
    name = path.removesuffix("/")
    return name.rpartition("[")[0] if name.endswith("]") else name


def _is_past(run: LiveRun, firing: str) -> bool:
    """Whether a replay only repeats what is recorded of a firing."""
    past = None if run.replay is None else run.replay.firing(firing)
    return past is not None and past.done

"""What lies behind a firing: everything whose outcome may depend on the firing's.

In a graph that is what the links of its node reach; in a Python flow, every later operation of
its strand. Where it is not known what a process executes, it is whatever began when the firing
had ended. The firings around it are behind it, too, and so is what lies behind those. Their
other child processes are so when they began after the one that it is in had ended; the items of
a loop that ran beside it cannot have been given anything of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from penstock.core.record import firing
from penstock.engine.flow import Flow, GraphFlow
from penstock.engine.nesting import NestedGraph
from penstock.engine.plan import Plan
from penstock.engine.program import Program
from penstock.engine.retrying.history import process_of

if TYPE_CHECKING:
    from penstock.engine.plan import Vertex
    from penstock.engine.retrying.history import History

Executed = Flow | Plan | Program | None
"""What a process executes; None where that cannot be told."""


class Behind:
    """What a retry from the firing `name` of a run does anew.

    whole: firings and child processes, with everything inside them. own: those that the firing
    is inside of: their own outcome counts no more, but what else is inside them does. vertex: its
    node in the graph, where it is one of a graph.
    """

    def __init__(self, flow: Flow, history: History, name: str) -> None:
        self._history = history
        self.whole = {name}
        self.own: set[str] = set()
        executed: Executed = flow
        for child in _processes_around(name):
            around = firing(child)
            self.own |= {around, child}
            self.whole |= self._behind_in(executed, around)
            siblings = [other for other in history.calls if firing(other) == around]
            self.whole |= self._begun_after(child, siblings)
            executed = _called(executed, around, history.calls.get(child, {}))
        self.whole |= self._behind_in(executed, name)
        self.whole -= self.own
        plan = _plan(executed)
        self.vertex = None if plan is None else _vertex(plan, name)

    def covers(self, name: str) -> bool:
        """Whether a firing or a child process is done anew."""
        return name in self.own or any(part in self.whole for part in parts(name))

    def _behind_in(self, executed: Executed, name: str) -> set[str]:
        """What lies behind a firing in its own process."""
        others = [other for other in self._history.firings(process_of(name)) if other != name]
        plan = _plan(executed)
        if plan is not None:
            return _behind_in_plan(plan, others, name)
        if isinstance(executed, Program):
            return _behind_in_program(others, name)
        return self._begun_after(name, others)

    def _begun_after(self, name: str, others: Iterable[str]) -> set[str]:
        """Those that began when this one had ended."""
        ended = self._history.ended.get(name)
        return {other for other in others if ended is not None and self._history.began[other] > ended}


def _processes_around(name: str) -> list[str]:
    """The child processes that a firing is inside of, the outermost first."""
    segments = name.split("/")
    return ["/".join(segments[:end]) for end in range(1, len(segments))]


def parts(name: str) -> Iterator[str]:
    """The name, and those of all firings and child processes around it."""
    yield name
    for place, mark in enumerate(name):
        if mark in "/[":
            yield name[:place]


# --- in a graph -------------------------------------------------------------------


def _plan(executed: Executed) -> Plan | None:
    if isinstance(executed, GraphFlow):
        return executed.plan
    return executed if isinstance(executed, Plan) else None


def _called(executed: Executed, around: str, call: dict[str, object]) -> Executed:
    """What a child process of the firing `around` executes, as far as that can be told."""
    if "flow" in call:
        calls = executed.calls if isinstance(executed, GraphFlow) else ()
        return next((flow for flow in calls if flow.name == call["flow"]), None)
    plan = _plan(executed)
    vertex = None if plan is None else _vertex(plan, around)
    if vertex is None:
        return None
    nested = getattr(vertex.node, "graph", None)
    return nested.plan if isinstance(nested, NestedGraph) else vertex.called.get(str(call.get("port")))


def _vertex(plan: Plan, name: str) -> Vertex | None:
    node = _own(name).partition("#")[0]
    return next((vertex for vertex in plan.vertices if vertex.name == node), None)


def _behind_in_plan(plan: Plan, others: list[str], name: str) -> set[str]:
    """The firings that packets of this one can have led to.

    A packet bears the branch of the firing that sent it, and so do all that follow from it, up
    to a join, which pairs the packets of all branches.
    """
    vertex = _vertex(plan, name)
    if vertex is None:  # the graph is another one now
        return set(others)
    branch = _own(name).partition("#")[2]
    joined: set[str] = set()
    reached: set[str] = set()
    stack = [(vertex, False)]
    while stack:
        source, is_joined = stack.pop()
        for target in (route.target for routes in source.routes.values() for route in routes):
            behind_join = is_joined or len(target.linked) > 1
            known = joined if behind_join else reached
            if target.name not in known:
                known.add(target.name)
                stack.append((target, behind_join))
    found = set()
    for other in others:
        node, _, taken = _own(other).partition("#")
        follows = not branch or taken == branch or taken.startswith(f"{branch}.")
        if node in joined or (node in reached and follows):
            found.add(other)
    return found


def _own(name: str) -> str:
    """A firing's name without the path of its process."""
    return name.rpartition("/")[2]


# --- in a program -----------------------------------------------------------------


def _behind_in_program(others: list[str], name: str) -> set[str]:
    """The operations of a program that may have been given something of this one's outcome.

    Their places are numbers of operations and of strands in turn: `3.0.1` is the first operation
    of the first strand of the third operation. That is a gather, which has no firing, or a lock,
    which is one, and whose outcome depends on what its check did.
    """
    place = _place(name)
    above = [found for found in map(_place, others) if len(found) < len(place)]
    place = min((found for found in above if place[: len(found)] == found), key=len, default=place)
    return {other for other in others if _is_behind(_place(other), place)}


def _is_behind(other: list[int], place: list[int]) -> bool:
    """Whether an operation is at a place, inside of it, or later in the same strand."""
    for depth, (one, two) in enumerate(zip(other, place, strict=False)):
        if one != two:
            return depth % 2 == 0 and one > two
    return len(other) >= len(place)


def _place(name: str) -> list[int]:
    numbers = _own(name).partition("#")[2].split(".")
    return [int(number) for number in numbers if number]

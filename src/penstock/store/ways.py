"""Ways to the runs that a query asks for: by which index they are walked, newest first.

In each index here, the runs of one value are in the order of their ids. So a page costs what
it holds, and what is passed over on the way to it. Which way passes over the fewest is known
here better than by a planner, whose figures are old or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.core.store import RunQuery

Index = Literal["fid", "state", "flow", "launcher", "locked"]


class Way(NamedTuple):
    """The runs that an index has for one of these values after the other.

    `fid` has all runs for one value, and `locked` those with open locks.
    """

    by: Index
    values: tuple[str, ...] = ("",)


def ways(query: RunQuery) -> list[Way]:
    """The ways that lead to every run of a query, and to others besides. Some may be met twice."""
    sight = query.sight
    if query.locked:
        return [Way("locked")]
    if query.launcher:
        return [Way("launcher", (query.launcher,))]
    if sight is not None and not sight.namespaces and not query.flow:
        own = (sight.launcher,) if sight.launcher else ()
        return [Way("launcher", own), Way("flow", tuple(sorted(sight.flows)))]
    if query.flow and (not query.states or RunState.COMPLETED in query.states):
        return [Way("flow", (query.flow,))]  # most runs of most flows have completed
    if query.states:
        return [Way("state", tuple(dict.fromkeys(state.value for state in query.states)))]
    return [Way("fid")]

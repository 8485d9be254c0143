"""Blocks: how what arrives reaches the nodes inside, and how it leaves."""

from __future__ import annotations

from typing import Any

import pytest
from tests.resident.world import World, bell, world

from penstock.core.errors import NodeError
from penstock.core.payload import Error, Payload
from penstock.engine.firing import Failure
from penstock.engine.observer import Observer, Outcome, Subject
from penstock.kinds.http.exchange import begin
from penstock.server.messages import Request, Response


async def test_specs_without_links_run_one_after_the_other(home: World) -> None:
    specs = [
        {"kind": "snippet", "language": "cel", "code": "self + 1"},
        {"kind": "snippet", "language": "cel", "code": "self * 10"},
    ]
    await home.apply(bell("b"), {"kind": "block", "name": "b", "specs": specs})
    assert await home.ring(2) == 30


async def test_specs_that_bounds_reach_are_not_chained(home: World) -> None:
    specs = [
        {"kind": "snippet", "name": "l", "language": "cel", "code": "self + 1"},
        {"kind": "snippet", "name": "r", "language": "cel", "code": "self + 2"},
    ]
    block = {
        "kind": "block", "name": "b", "specs": specs,
        "inbounds": {"in": ["l", "r"]}, "outbounds": {"out[0]": "l", "out[1]": "r"},
        "links": {"out[0]": "t0", "out[1]": "t1"},
    }  # fmt: skip
    await home.apply(
        bell("b"),
        block,
        {"kind": "snippet", "name": "t0", "language": "cel", "code": "self * 10"},
        {"kind": "snippet", "name": "t1", "language": "cel", "code": "self * 100"},
    )
    assert await home.ring(1) == [20, 300]


@pytest.mark.parametrize("kind", ["block", "step"])
async def test_what_holds_plain_nodes_answers_at_once(home: World, kind: str) -> None:
    inner = {"kind": kind, "specs": [{"kind": "snippet", "language": "cel", "code": "self + 1"}]}
    await home.apply(bell("b"), {"kind": kind, "name": "b", "specs": [inner, inner]})
    assert home.bell().at_once["out"](1) == 3
    assert await home.ring(1) == 3


async def test_what_holds_more_than_plain_nodes_takes_its_time(home: World) -> None:
    delay = {"kind": "time.delay", "duration": "0s"}
    await home.apply(bell("b"), {"kind": "block", "name": "b", "specs": [delay]})
    assert "out" not in home.bell().at_once


class Failures(Observer):
    """Hears of failures alone, as a log does."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        self.told.append(("process", error.node))

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        if error is not None:
            self.told.append(("process", error.node))


class Beginnings(Failures):
    """Wants to know of everything."""

    def process_began(self, process: Subject, trace: str) -> None:
        self.told.append(("process", ""))


FAILS: dict[str, Any] = {"kind": "snippet", "name": "f", "language": "cel", "code": "self.missing"}


@pytest.mark.parametrize(
    ("spec", "node"),
    [(FAILS, "f"), ({"kind": "block", "name": "b", "specs": [FAILS]}, "b/f")],
)
async def test_who_hears_of_failures_costs_the_others_nothing(spec: dict[str, Any], node: str) -> None:
    async with world(observer=(watching := Failures())) as home:
        await home.apply(bell(spec["name"]), spec)
        with pytest.raises(Failure):
            home.bell().at_once["out"]({})
        assert watching.told == []  # whoever asked has to say what is to be done
        with pytest.raises(NodeError, match="missing"):
            await home.ring({})
        assert watching.told == [("process", node)]


async def test_what_failed_at_once_is_not_run_again() -> None:
    async with world(observer=(watching := Failures())) as home:
        await home.apply(bell("t"), {"kind": "snippet", "name": "t", "language": "text", "code": "fine"})
        failed = Failure(Error(code="told", message="as it was told", node="t"))

        def fail(_: Payload) -> Payload:
            raise failed

        home.bell().at_once = {"out": fail}
        response = begin(home.bell(), "out", Request("GET", b"/"))
        assert isinstance(response, Response)
        assert response.status == 500
        assert watching.told == [("process", "t")]


async def test_who_hears_of_everything_hears_of_what_could_be_answered_at_once() -> None:
    async with world(observer=Beginnings()) as home:
        await home.apply(bell("b"), {"kind": "block", "name": "b", "specs": [FAILS]})
        assert not home.bell().at_once

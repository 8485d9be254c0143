"""What may travel: everything JSON-shaped comes out as it went in, live and from the journal."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import result_of, seen

from penstock import NodeError, Runtime, node
from penstock.core.errors import PayloadError, RunFailed
from penstock.core.payload import Error, Payload, normalise


@dataclasses.dataclass
class Point:
    x: int
    y: float = 2.5


class Shape(msgspec.Struct):
    name: str
    at: Point | None = None


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


class Pair(NamedTuple):
    left: int
    right: str


class Text(str):
    """Text of a type of its own."""

    __slots__ = ()


CASES: dict[str, tuple[Any, Payload]] = {
    "none": (None, None),
    "true": (True, True),
    "zero": (0, 0),
    "negative": (-(2**63), -(2**63)),
    "wide": (2**80, 2**80),
    "wide negative": (-(2**80), -(2**80)),
    "wide inside": ({"a": [2**64]}, {"a": [2**64]}),
    "float": (1.5, 1.5),
    "infinity": (math.inf, math.inf),
    "text": ("ünï\x00code 🌊", "ünï\x00code 🌊"),
    "text of a type of its own": (Text("x"), "x"),
    "bytes": (b"\x00\xff", b"\x00\xff"),
    "bytearray": (bytearray(b"ab"), b"ab"),
    "bytes inside": ({"a": [b"\xff"]}, {"a": [b"\xff"]}),
    "empty": ({}, {}),
    "tuple": ((1, (2,)), [1, [2]]),
    "set": ({1}, [1]),
    "named tuple": (Pair(1, "r"), [1, "r"]),
    "ordered": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "counter": (collections.Counter("aab"), {"a": 2, "b": 1}),
    "deque": (collections.deque([1, 2]), [1, 2]),
    "date": (dt.date(2026, 11, 20), "2026-11-20"),
    "datetime": (dt.datetime(2026, 11, 20, 1, 2, 3, tzinfo=dt.UTC), "2026-11-20T01:02:03Z"),
    "decimal": (decimal.Decimal("1.10"), "1.10"),
    "uuid": (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    "enum": (Colour.RED, "red"),
    "int enum": (Size.LARGE, 3),
    "dataclass": (Point(1), {"x": 1, "y": 2.5}),
    "converted dataclass": (msgspec.convert({"x": 1}, Point), {"x": 1, "y": 2.5}),
    "struct": (Shape("s", Point(1, 2.0)), {"name": "s", "at": {"x": 1, "y": 2.0}}),
    "nested": ([{"p": (Point(1), {"c": Colour.RED})}], [{"p": [{"x": 1, "y": 2.5}, {"c": "red"}]}]),
    "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
    "int keys": ({1: "a", -2: "b"}, {"1": "a", "-2": "b"}),
    "enum keys": ({Colour.RED: 1}, {"red": 1}),
    "date keys": ({dt.date(2026, 1, 2): 1}, {"2026-01-02": 1}),
    "uuid keys": ({uuid.UUID(int=7): 1}, {"00000000-0000-0000-0000-000000000007": 1}),
    "exception": (OSError("x"), Error(code="OSError", message="OSError: x")),
    "error inside": ([Error(code="c", message="m", details={"a": [1]})],) * 2,
    "megabytes": ({"a": "x" * 2_000_000, "b": b"y" * 600_000},) * 2,
}


@pytest.mark.parametrize(("value", "expected"), CASES.values(), ids=CASES.keys())
async def test_a_value_is_the_same_live_and_from_the_journal(
    tmp_path: Path, value: Any, expected: Payload
) -> None:
    gate = asyncio.Event()
    got: list[Payload] = []

    @node("make")
    async def make() -> Any:
        return value

    @node("take")
    async def take(value: Any) -> Any:
        got.append(value)
        await gate.wait()
        return value

    text = "{flow: f, nodes: [{kind: make, name: a, links: {out: b}}, {kind: take, name: b}]}"
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(graph(text, make, take))
        await seen(run, "node.started", "b")
    gate.set()
    async with Runtime(url, scheme=scheme_with(make, take)) as second:
        again = second.get(run.fid)
        assert await result_of(again) == expected
    assert got == [expected, expected]
    assert [type(item) for item in got] == [type(expected)] * 2


async def test_nan_travels(tmp_path: Path) -> None:
    @node("make")
    async def make() -> Any:
        return [math.nan]

    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: make, name: a}]}", make))
        assert math.isnan((await result_of(run))[0])


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


REFUSED: dict[str, tuple[Any, str]] = {
    "object": (object(), "`object`"),
    "object inside": ({"rows": [1, {"x": object()}]}, r"`object` at `rows\[1\].x`"),
    "lambda": (lambda: None, "`function`"),
    "generator": ((n for n in [1]), "`generator`"),
    "module": (math, "`module`"),
    "class": ([Point], r"`type` at `\[0\]`"),
    "complex": (1j, "`complex`"),
    "itself": (endless(), "contains itself"),
    "deep": (deep(5_000), "nested too deeply"),
    "very deep": (deep(100_000), "nested too deeply"),
}


@pytest.mark.parametrize(("value", "message"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_travel_is_the_node_s_failure_and_is_named(
    runtime: Runtime, value: Any, message: str
) -> None:
    @node("make")
    async def make() -> Any:
        return value

    @node("sorry", pure=True)
    def sorry(value: Any) -> Any:
        return value

    text = "{flow: f, nodes: [{kind: make, name: a, links: {error: b}}, {kind: sorry, name: b}]}"
    found = await result_of(await runtime.start(graph(text, make, sorry)))
    assert found.code == "PayloadError"
    with pytest.raises(PayloadError, match=message):
        normalise(value)


async def test_text_that_is_not_unicode_cannot_break_the_journal(tmp_path: Path) -> None:
    @node("make")
    async def make() -> Any:
        return {"name": "\ud800"}

    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: make, name: a}]}", make))
        assert await result_of(run) == {"name": "\ud800"}
        events = await runtime.store.events(run.fid)
        assert events[-1].data["result"] == {"name": "\ufffd" * 3}, "half a character was never text"


async def test_details_of_an_error_are_payloads(runtime: Runtime) -> None:
    @node("fails")
    async def fails() -> None:
        raise NodeError("no", details={Colour.RED: (Point(1), 2**80)})

    run = await runtime.start(graph("{flow: f, nodes: [{kind: fails, name: a}]}", fails))
    with pytest.raises(RunFailed) as raised:
        await result_of(run)
    assert raised.value.error.details == {"red": [{"x": 1, "y": 2.5}, 2**80]}

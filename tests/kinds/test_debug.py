from __future__ import annotations

from typing import Any

import pytest

from penstock.core.payload import Error
from penstock.kinds.debug import Inspect, Log

from .conftest import Fire, RecordingContext, make


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("plain text", "DEBUG: plain text"),
        ({"id": 7, "raw": b"hi"}, 'DEBUG: {"id":7,"raw":"aGk="}'),
        (None, "DEBUG: null"),
        (Error(code="timeout", message="too slow"), 'DEBUG: {"code":"timeout","message":"too slow"}'),
    ],
)
async def test_log_says_what_arrives_and_passes_it_on(
    fire: Fire, ctx: RecordingContext, payload: Any, said: str
) -> None:
    assert await fire(make(Log), message=payload) == {"out": payload}
    assert ctx.messages == [said]


async def test_log_takes_prefix_and_level_from_its_config(fire: Fire, ctx: RecordingContext) -> None:
    await fire(make(Log, prefix="order", level="warning"), message=1)
    await fire(make(Log, prefix=""), message=2)
    assert ctx.messages == ["order: 1", "2"]
    assert ctx.levels == ["warning", "info"]


async def test_a_long_payload_is_said_in_part_and_passed_on_whole(
    fire: Fire, ctx: RecordingContext
) -> None:
    outputs = await fire(make(Log), message="x" * 50_000)
    assert len(outputs["out"]) == 50_000
    assert len(ctx.messages[0]) < 10_100
    assert ctx.messages[0].endswith("… (50,000 characters)")


async def test_inspect_shows_the_shape_and_no_values(fire: Fire, ctx: RecordingContext) -> None:
    people = [{"id": 1, "name": "secret"}, {"id": 2, "name": "other"}, {"id": 3, "name": None}]
    assert await fire(make(Inspect, label="people"), **{"in": people}) == {"out": people}
    shapes = "{id: integer, name: text} | {id: integer, name: null}"
    assert ctx.messages == [f"people: list of 3: [{shapes}]"]
    assert ctx.shown[0]["type"] == "list"
    assert ctx.shown[0]["size"] == 3
    assert "secret" not in str(ctx.shown)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"abc", "bytes of 3"),
        ("é", "text of 1"),
        (True, "boolean"),
        (1.5, "number"),
        ({}, "object of 0: {}"),
    ],
)
async def test_inspect_names_every_kind_of_payload(
    fire: Fire, ctx: RecordingContext, payload: Any, said: str
) -> None:
    await fire(make(Inspect), **{"in": payload})
    assert ctx.messages == [said]

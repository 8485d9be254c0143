from __future__ import annotations

from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds.time import Delay

from .conftest import Fire, RecordingContext, make


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"duration": "1.5s"}, 1.5),
        ({"duration": 2}, 2.0),
        ({"interval": "PT1M"}, 60.0),
        ({"duration_ms": 250}, 0.25),
        ({"delay_ms": 0.5}, 0.0005),
    ],
)
async def test_every_way_to_write_a_delay_waits_as_long(
    fire: Fire, ctx: RecordingContext, config: dict[str, Any], seconds: float
) -> None:
    assert await fire(make(Delay, **config), **{"in": "payload"}) == {"out": "payload"}
    assert ctx.slept == [pytest.approx(seconds)]


async def test_a_duration_may_arrive_over_a_link(fire: Fire, ctx: RecordingContext) -> None:
    await fire(make(Delay), duration="3m")
    assert ctx.slept == [180.0]


async def test_a_duration_that_is_none_fails_with_the_forms_allowed(fire: Fire) -> None:
    with pytest.raises(NodeError, match="write 500ms, 30s") as caught:
        await fire(make(Delay), duration="soon")
    assert caught.value.code == "time.duration"


def test_two_durations_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="`duration` and `delay_ms` say the same"):
        make(Delay, duration="1s", delay_ms=1000)


def test_a_negative_delay_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        make(Delay, delay_ms=-1)


def test_the_duration_port_is_there_only_when_the_config_leaves_it_open() -> None:
    assert make(Delay).ports()[0]["duration"].required
    assert "duration" not in make(Delay, delay_ms=1).ports()[0]

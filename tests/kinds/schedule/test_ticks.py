"""When the ticks of a schedule are."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kinds.conftest import make

from penstock.kinds.schedule.cron import Cron
from penstock.kinds.schedule.interval import Interval
from penstock.kinds.schedule.scheduled import Scheduled


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def following(schedule: Scheduled, moment: str, count: int) -> list[str]:
    ticks = islice(schedule.after(at(moment)), count)
    return [datetime.fromtimestamp(tick, schedule.zone).isoformat() for tick in ticks]


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        ("* * * * * *", "2027-01-15T10:07:31+00:00"),
        ("*/10 * * * * *", "2027-01-15T10:07:40+00:00"),
        ("* * * * *", "2027-01-15T10:08:00+00:00"),
        ("30 8 * * MON-FRI", "2027-01-18T08:30:00+00:00"),
        ("0 0 L * *", "2027-01-31T00:00:00+00:00"),
        ("0 9 * * FRI#2", "2027-02-12T09:00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("@hourly", "2027-01-15T11:00:00+00:00"),
        ("@Daily", "2027-01-16T00:00:00+00:00"),
        ("@weekly", "2027-01-17T00:00:00+00:00"),
        ("@monthly", "2027-02-01T00:00:00+00:00"),
        ("@yearly", "2028-01-01T00:00:00+00:00"),
    ],
)
def test_a_schedule_names_its_next_time(schedule: str, first: str) -> None:
    assert following(make(Cron, schedule=schedule), "2027-01-15T10:07:30+00:00", 1) == [first]


def test_a_schedule_follows_the_clock_of_its_zone() -> None:
    cron = make(Cron, schedule="0 9 * * *", timezone="America/New_York")
    assert following(cron, "2027-03-13T12:00:00+00:00", 2) == [
        "2027-03-13T09:00:00-05:00",
        "2027-03-14T09:00:00-04:00",
    ]


@pytest.mark.parametrize(
    ("schedule", "day", "times"),
    [
        # On 2027-03-28 in Berlin, 02:00 to 03:00 does not happen.
        ("30 2 * * *", "2027-03-28", ["03:00:00+02:00"]),
        ("0 30 2 * * *", "2027-03-28", []),
        ("30 1-3 * * *", "2027-03-28", ["01:30:00+01:00", "03:00:00+02:00", "03:30:00+02:00"]),
        # On 2027-10-31, it happens twice.
        ("30 2 * * *", "2027-10-31", ["02:30:00+02:00"]),
        ("0 30 2 * * *", "2027-10-31", ["02:30:00+02:00", "02:30:00+01:00"]),
        (
            "*/30 2 * * *",
            "2027-10-31",
            ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00"],
        ),
    ],
)
def test_a_day_on_which_clocks_change_has_the_times_that_are_documented(
    schedule: str, day: str, times: list[str]
) -> None:
    cron = make(Cron, schedule=schedule, timezone="Europe/Berlin")
    found = [time for time in following(cron, f"{day}T00:00:00+01:00", 8) if time.startswith(day)]
    assert found == [f"{day}T{time}" for time in times]


def test_the_hour_that_comes_twice_is_not_gone_through_again() -> None:
    cron = make(Cron, schedule="30 2 * * *", timezone="Europe/Berlin")
    # The second 02:10 of that night: 02:30 has been.
    assert following(cron, "2027-10-31T02:10:00+01:00", 1) == ["2027-11-01T02:30:00+01:00"]


@given(
    moment=st.floats(1e9, 3e9),
    schedule=st.sampled_from(
        ["* * * * * *", "7 */15 * * * *", "30 2 * * *", "0 5 1 * *", "*/20 1-3 * * *"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_ticks_of_a_cron_meet_at_any_moment(moment: float, schedule: str, zone: str) -> None:
    check_meeting(make(Cron, schedule=schedule, timezone=zone), moment)


@given(moment=st.floats(1e9, 3e9), every=st.integers(10_000, 10**12))
def test_ticks_of_an_interval_meet_at_any_moment(moment: float, every: int) -> None:
    check_meeting(make(Interval, every=every / 1e6), moment)


def check_meeting(schedule: Scheduled, moment: float) -> None:
    """What is before a moment is not behind it, nothing is between, and a tick belongs to its past."""
    before, behind = next(schedule.until(moment)), next(schedule.after(moment))
    assert before <= moment < behind
    assert next(schedule.until(behind)) == behind
    assert next(schedule.after(before)) == behind
    assert list(islice(schedule.until(behind), 2)) == [behind, before]


def test_an_interval_is_aligned_so_that_all_runtimes_agree() -> None:
    interval = make(Interval, every="15m")
    assert following(interval, "2027-01-15T10:07:30+00:00", 3) == [
        "2027-01-15T10:15:00+00:00",
        "2027-01-15T10:30:00+00:00",
        "2027-01-15T10:45:00+00:00",
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"schedule": "60 * * * *"},
            "is no schedule: bad minute; write `minute hour",
        ),
        ({"schedule": "* * *"}, "it has 3 fields"),
        ({"cron": ""}, "it has 0 fields"),
        ({"schedule": "@often"}, "there is no such name"),
        ({"schedule": "0 0 31 2 *"}, "bad day-of-month"),
        ({"schedule": "* * * * MONDAY"}, "bad day-of-week"),
        ({"schedule": "0 0 */31 2 MON#5"}, "never comes: no such day in 50 years"),
        ({"schedule": "@daily", "cron": "@daily"}, "say the same; keep one"),
        ({}, "it has no schedule: write `minute hour day month weekday`"),
        ({"schedule": "@daily", "timezone": "Europe/Berln"}, "did you mean `Europe/Berlin`"),
        ({"schedule": "@daily", "timezone": "Middle Earth"}, "there is no time zone `Middle Earth`"),
        ({"schedule": "@daily", "timezone": "../etc/passwd"}, "there is no time zone"),
        ({"schedule": "@daily", "timezone": "Europe"}, "there is no time zone"),
        ({"schedule": "@daily", "timezone": ""}, "there is no time zone"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_refused_with_what_is_allowed(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(Cron, **config)


@given(st.lists(st.text("0123456789*/-,L#W@MONJAx", max_size=6), min_size=4, max_size=7).map(" ".join))
def test_any_text_is_a_schedule_or_is_refused(text: str) -> None:
    try:
        cron = make(Cron, schedule=text)
    except ValueError:
        return
    check_meeting(cron, at("2027-01-15T10:07:30+00:00"))


def test_an_interval_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="`5ms` is too short; 10ms is the least"):
        make(Interval, every="5ms")

"""Following a run: each event once and in order, whatever happens to the line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.conftest import AT_ONCE, URL, had
from tests.client.fake_host import EOF, Cut, FakeHost, answer, events, problem, sent

from penstock.client import AsyncClient, Client
from penstock.client.effects import Answer, Next, Open, Pause
from penstock.client.following import event_of, follow
from penstock.client.line import Line
from penstock.core.errors import HostAway, HostError, RunCancelled, RunFailed, RunNotFound, RunTimeout
from penstock.core.events import Event
from penstock.core.payload import Error
from penstock.testing.clock import FakeClock

RESULT = "/runs/f1/result"
EVENTS = "/runs/f1/events"


async def test_a_stream_is_followed_to_its_end(host: FakeHost, client: Any) -> None:
    parts = sent(1, "run.started", inputs={}) + b": still here\n\n" + sent(2, "run.completed", result=7)
    host.answers("GET", EVENTS, events(parts[:50], parts[50:], EOF))
    found = await had(client.run("f1").events())
    assert [(event.seq, event.type) for event in found] == [(1, "run.started"), (2, "run.completed")]
    assert found[1].data == {"result": 7}
    assert host.last.headers["accept"] == "text/event-stream"
    assert len(host.asked) == 1


async def test_a_cut_stream_goes_on_behind_the_last_event(host: FakeHost, client: Any) -> None:
    host.answers(
        "GET",
        EVENTS,
        events(sent(1), sent(2), sent(3)[:-1], cut=True),
        httpx2.ConnectError("restarting"),
        problem(503, "starting"),
        events(sent(3), sent(4)),
        events(sent(5), EOF),
    )
    found = await had(client.run("f1").events(types=["node."]))
    assert [event.seq for event in found] == [1, 2, 3, 4, 5]
    assert host.lines == [
        "GET /runs/f1/events?after=0&type=node.",
        "GET /runs/f1/events?after=2&type=node.",
        "GET /runs/f1/events?after=2&type=node.",
        "GET /runs/f1/events?after=2&type=node.",
        "GET /runs/f1/events?after=4&type=node.",
    ]


async def test_an_event_that_comes_again_is_not_told_again(host: FakeHost, client: Any) -> None:
    host.answers(
        "GET", EVENTS, events(sent(1), sent(2), cut=True), events(sent(1), sent(2), sent(3), EOF)
    )
    assert [event.seq for event in await had(client.run("f1").events())] == [1, 2, 3]


async def test_a_stream_that_never_gets_on_is_given_up(host: FakeHost, client: Any) -> None:
    host.answers("GET", EVENTS, lambda _: events(b"retry: 1000\n\n: nothing\n\n", cut=True))
    with pytest.raises(HostAway, match="again and again"):
        await had(client.run("f1").events())
    assert len(host.asked) == AT_ONCE.attempts


def test_a_stream_that_stood_for_long_was_no_failure() -> None:
    clock = FakeClock()
    steps = follow(Line(retry=AT_ONCE, clock=clock), "f1", after=0, types=("run.completed",), node="")
    for _ in range(3 * AT_ONCE.attempts):
        assert isinstance(next(steps), Open)
        assert isinstance(steps.send(Answer(200, {})), Next)
        clock.advance(3600)
        assert isinstance(steps.throw(HostAway("the host was started anew")), Pause)
    assert isinstance(next(steps), Open)
    assert isinstance(steps.send(Answer(200, {})), Next)
    with pytest.raises(StopIteration):
        steps.send(SimpleNamespace(event="eof", data="{}"))


async def test_a_run_that_is_not_there_has_no_stream(host: FakeHost, client: Any) -> None:
    host.answers("GET", EVENTS, problem(404, "no run has this id", kind="run-not-found"))
    with pytest.raises(RunNotFound):
        await had(client.run("f1").events())


async def test_something_that_is_no_stream_is_one_clear_error(host: FakeHost, client: Any) -> None:
    host.answers("GET", EVENTS, lambda _: answer({"items": []}))
    with pytest.raises(HostError):
        await had(client.run("f1").events())


@pytest.mark.parametrize("data", ["{", '{"seq": 1}', '{"seq": 1, "type": "a", "at": "noon"}', "[]"])
async def test_an_event_that_is_none_is_one_clear_error(host: FakeHost, client: Any, data: str) -> None:
    host.answers("GET", EVENTS, events(f"data: {data}\n\n".encode()))
    with pytest.raises(HostError, match="event that is no"):
        await had(client.run("f1").events())


async def test_who_stops_following_closes_the_stream(host: FakeHost) -> None:
    streams = [Cut(sent(1), sent(2), sent(3)) for _ in range(2)]
    head = {"content-type": "text/event-stream"}
    host.answers("GET", EVENTS, *(httpx2.Response(200, headers=head, stream=each) for each in streams))
    with Client(URL, transport=httpx2.MockTransport(host)) as client:
        following = client.run("f1").events()
        assert next(following).seq == 1
        following.close()
    async with AsyncClient(URL, transport=httpx2.MockTransport(host)) as awaited:
        stream = awaited.run("f1").events()
        assert (await anext(stream)).seq == 1
        await stream.aclose()
    assert [each.closed for each in streams] == [True, True]


async def test_the_result_is_waited_for(host: FakeHost, client: Any) -> None:
    running = answer({"fid": "f1", "state": "running"}, 202)
    done = answer({"fid": "f1", "state": "completed", "result": {"a": [1]}})
    host.answers("GET", RESULT, running, done)
    assert await had(client.run("f1").result()) == {"a": [1]}
    assert host.lines == ["GET /runs/f1/result?wait=30.0"] * 2


async def test_a_result_that_does_not_come_in_time_is_a_timeout(host: FakeHost, client: Any) -> None:
    host.answers("GET", RESULT, lambda _: answer({"fid": "f1", "state": "waiting"}, 202))
    with pytest.raises(TimeoutError, match="run f1 is waiting"):
        await had(client.run("f1").result(timeout=0))
    assert host.lines == ["GET /runs/f1/result"]


@pytest.mark.parametrize(
    ("end", "error", "words"),
    [
        ({"state": "cancelled", "reason": "enough"}, RunCancelled, "enough"),
        (
            {"state": "failed", "error": {"code": "x", "message": "bad", "node": "get"}},
            RunFailed,
            "at `get`",
        ),
        (
            {"state": "failed", "error": {"code": "RunTimeout", "message": "too long"}},
            RunTimeout,
            "too long",
        ),
        ({"state": "failed"}, RunFailed, "does not say why"),
    ],
)
async def test_a_run_that_did_not_complete_raises_how_it_ended(
    host: FakeHost, client: Any, end: dict[str, Any], error: type[Exception], words: str
) -> None:
    host.answers("GET", RESULT, answer({"fid": "f1", **end}))
    with pytest.raises(error, match=words):
        await had(client.run("f1").result())


def test_a_failure_in_an_event_is_an_error_again() -> None:
    failure = Error(code="http.status", message="503", node="get", details={"a": 1}, remedy="wait")
    event = Event(3, 1800000000.25, "node.failed", "get", {"error": failure, "duration_ms": 2.5})
    flat = {**event.to_mapping(), "error": failure.to_mapping()}
    assert event_of(flat) == event


@given(
    seq=st.integers(1, 2**53),
    milliseconds=st.integers(0, 4 * 10**12),
    kind=st.sampled_from(["node.completed", "lock.opened", "agent.action"]),
    node=st.text(max_size=10),
    data=st.dictionaries(
        st.text(max_size=6).filter(lambda name: name not in {"seq", "at", "type", "node", "error"}),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.booleans(), max_size=3),
    ),
)
def test_an_event_comes_back_from_its_flat_form(
    seq: int,
    milliseconds: int,
    kind: str,
    node: str,
    data: dict[str, Any],
) -> None:
    event = Event(seq, milliseconds / 1000, kind, node, data)
    found = event_of(event.to_mapping())
    assert (found.seq, found.type, found.node, found.data) == (seq, kind, node, data)
    assert found.time == pytest.approx(event.time, abs=0.001)

"""What is asked again, when, and what never is."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.client.conftest import had
from tests.client.fake_host import RUN, FakeHost, answer, problem

from penstock.client.effects import Answer, Ask, Effect, Pause, get, post
from penstock.client.line import PATIENCE, Line
from penstock.core.errors import HostAway, HostError, LockUndecided
from penstock.core.reason import Reason
from penstock.testing.clock import FakeClock

REFUSED = httpx2.ConnectError("[Errno 111] Connection refused")


async def test_a_question_is_asked_again_while_the_host_is_away(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/runs/f1", REFUSED, httpx2.ReadTimeout("slow"), answer(RUN))
    assert (await had(client.run("f1").show())).fid == "f1"
    assert len(host.asked) == 3


async def test_a_host_that_stays_away_is_named(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/runs/f1", REFUSED)
    with pytest.raises(HostAway, match=r"http://host\.test:8370 cannot be reached: .*refused") as caught:
        await had(client.run("f1").show())
    assert "penstock serve" in caught.value.remedy
    assert len(host.asked) == 4


async def test_a_launch_is_asked_again_with_the_same_key(host: FakeHost, client: Any) -> None:
    gone = httpx2.RemoteProtocolError("Server disconnected without sending a response.")
    host.answers("POST", "/flows/zen/runs", gone, problem(503, "stopping"), answer(RUN, 201))
    await had(client.launch("zen"))
    keys = {request.headers["idempotency-key"] for request in host.asked}
    assert (len(host.asked), len(keys)) == (3, 1)


async def test_what_may_have_been_done_already_is_not_asked_again(host: FakeHost, client: Any) -> None:
    host.answers("POST", "/runs/f1/retry", httpx2.ReadError("cut"))
    with pytest.raises(HostAway, match="went away before it had answered POST /runs/f1/retry"):
        await had(client.run("f1").retry())
    assert len(host.asked) == 1


async def test_a_candidate_is_submitted_again_as_the_same_one(host: FakeHost, client: Any) -> None:
    decided = answer({"outcome": "released", "lid": "l1", "fid": "f1", "value": True})
    host.answers("POST", "/runs/f1/lock/l1/candidate", httpx2.ReadError("cut"), decided)
    decision = await had(client.run("f1").submit("l1", None))
    assert decision.released
    assert len({request.headers["idempotency-key"] for request in host.asked}) == 1
    assert host.last.content == b"null"


async def test_a_denied_candidate_is_a_decision_and_no_error(host: FakeHost, client: Any) -> None:
    faults = [{"detail": "too much", "pointer": "/price"}]
    denied = problem(422, "too much", kind="lock-denied", errors=faults)
    host.answers("POST", "/runs/f1/lock/l1/candidate", denied)
    decision = await had(client.run("f1").submit("l1", {"price": 9}))
    assert not decision.released
    assert decision.reasons == [Reason("too much", "/price")]


async def test_a_flow_that_does_not_decide_is_not_asked_again(host: FakeHost, client: Any) -> None:
    host.answers("POST", "/runs/f1/lock/l1/candidate", problem(504, "slow", kind="lock-undecided"))
    with pytest.raises(LockUndecided):
        await had(client.run("f1").submit("l1", 1))
    assert len(host.asked) == 1


async def test_a_fault_of_the_request_is_not_asked_again(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/runs/f1", problem(400, "no"))
    with pytest.raises(HostError, match="no"):
        await had(client.run("f1").show())
    assert len(host.asked) == 1


# --- how long it waits: the effects themselves ----------------------------------------


def talk(line: Line, ask: Ask, *answers: Answer | Exception) -> tuple[list[Effect], Any]:
    """The effects that a request wants when these are the answers, and what it comes to."""
    steps, wanted, left = line.send(ask), [], list(answers)
    effect = next(steps)
    try:
        while True:
            wanted.append(effect)
            if isinstance(effect, Pause):
                effect = steps.send(None)
            elif isinstance(found := left.pop(0), Exception):
                effect = steps.throw(found)
            else:
                effect = steps.send(found)
    except StopIteration as stop:
        return wanted, stop.value
    except (HostError, LockUndecided) as error:
        return wanted, error


def pauses(wanted: list[Effect]) -> list[float]:
    return [effect.seconds for effect in wanted if isinstance(effect, Pause)]


GOOD = Answer(200, {}, b"{}")
BUSY = Answer(503, {})


def test_the_wait_grows_with_each_failure() -> None:
    line = Line(clock=FakeClock(chances=[0.5]))
    wanted, found = talk(line, get("runs"), *[HostAway("away")] * 4, BUSY, GOOD)
    assert found is GOOD
    assert pauses(wanted) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])


def test_a_busy_host_says_when_to_come_again() -> None:
    wanted, found = talk(Line(), get("runs"), Answer(429, {"retry-after": "2"}), GOOD)
    assert found is GOOD
    assert pauses(wanted) == [2.0]


def test_a_host_that_is_busy_for_long_is_left_alone() -> None:
    wanted, found = talk(Line(), get("runs"), Answer(429, {"retry-after": "900"}))
    assert isinstance(found, HostError)
    assert found.status == 429
    assert pauses(wanted) == []


def test_a_date_of_a_busy_host_is_as_good_as_nothing() -> None:
    date = Answer(503, {"retry-after": "Fri, 15 Jan 2027 08:00:00 GMT"})
    wanted, found = talk(Line(clock=FakeClock()), get("runs"), date, GOOD)
    assert found is GOOD
    assert pauses(wanted) == pytest.approx([0.1])


def test_a_post_without_a_key_is_sent_once_even_to_a_busy_host() -> None:
    wanted, found = talk(Line(), post("runs", "f1", "retry"), BUSY)
    assert isinstance(found, HostError)
    assert len(wanted) == 1


def test_patience_ends() -> None:
    wanted, found = talk(Line(), get("runs"), *[HostAway("away")] * PATIENCE.attempts)
    assert isinstance(found, HostAway)
    assert len(pauses(wanted)) == PATIENCE.attempts - 1

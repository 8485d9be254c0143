"""What streams are made of: which events, their bytes, and the pulse of silent ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.events import Event
from penstock.core.payload import Error
from penstock.host.streams.filter import Filter
from penstock.host.streams.pulse import SLOTS, Pulse
from penstock.host.streams.sse import EventStream
from penstock.host.streams.transcript import KEPT_BYTES, Kept, Transcript
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


def event(seq: int = 1, kind: str = "node.message", node: str = "a", **data: Any) -> Event:
    return Event(seq, 1_800_000_000.0, kind, node, data)


@pytest.mark.parametrize(
    ("types", "nodes", "let"),
    [
        ([], [], True),
        (["node.message"], [], True),
        (["node."], [], True),
        (["node"], [], False),
        (["run.", "lock.opened"], [], False),
        (["run.", "node."], [], True),
        ([], ["parse"], True),
        ([], ["each[3]/parse#2"], True),
        ([], ["each[3]/parse"], False),
        ([], ["each"], False),
        (["node."], ["other"], False),
        (["run."], ["parse"], False),
    ],
)
def test_a_filter_tells_events_by_type_and_node(types: list[str], nodes: list[str], let: bool) -> None:
    wanted = Filter(types, nodes)
    message = event(node="each[3]/parse#2")
    assert wanted.lets(message) is let
    assert wanted.select([message]) == ([message] if let else [])
    assert wanted.lets_all is not (types or nodes)


def test_a_frame_has_its_seq_its_type_and_all_that_the_event_says() -> None:
    told = event(7, "node.failed", error=Error(message="two\nlines", code="odd"), raw=b"\0\1")
    frame = Transcript().frames([told], whole=True)
    assert frame.startswith(b"id: 7\nevent: node.failed\ndata: {")
    assert frame.endswith(b"}\n\n")
    assert frame.count(b"\n") == 4
    flat = json.loads(frame.split(b"data: ", 1)[1])
    assert flat["error"]["message"] == "two\nlines"
    assert (flat["raw"], flat["seq"], flat["at"]) == ("AAE=", 7, "2027-01-15T08:00:00.000Z")


def test_pieces_of_a_transcript_are_the_same_whoever_asks() -> None:
    transcript = Transcript()
    events = [event(seq, message=f"word {seq}") for seq in range(1, 6)]
    whole = transcript.frames(events, whole=True)
    assert transcript.frames(list(events), whole=True) is whole
    some = transcript.frames([events[0], events[4]], whole=False)
    assert some == transcript.frames(events[:1], whole=True) + transcript.frames(events[4:], whole=True)


def test_what_is_kept_of_a_transcript_is_bounded() -> None:
    kept = Kept()
    for seq in range(1, 101):
        kept.keep([event(seq)], bytes(KEPT_BYTES // 10))
    assert sum(map(len, kept.values())) <= KEPT_BYTES
    assert max(kept) == (100, 100)
    kept.keep([event(101)], bytes(2 * KEPT_BYTES))
    assert list(kept) == [(101, 101)]


async def test_a_pulse_calls_each_once_in_its_period_and_spreads_them() -> None:
    clock = FakeClock()
    pulse = Pulse(clock, period_seconds=15)
    called: list[int] = []

    def beat_of(number: int) -> Callable[[], None]:
        return lambda: called.append(number)

    leaves = [pulse.join(beat_of(number)) for number in range(90)]
    at_once: list[int] = []
    for _ in range(SLOTS):
        before = len(called)
        clock.advance(15 / SLOTS)
        at_once.append(len(called) - before)
    assert sorted(called) == list(range(90))
    assert at_once == [3] * SLOTS
    for leave in leaves[1:]:
        leave()
    called.clear()
    clock.advance(15)
    assert called == [0]
    leaves[0]()
    assert clock.pending == []


async def test_a_stream_is_sent_piece_by_piece_where_the_server_takes_no_iterable() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("it asks for nothing")

    await EventStream(pieces())({"type": "http"}, receive, send)
    assert [message.get("body", b"") for message in sent] == [b"", b"one", b"two", b""]
    assert (b"content-type", b"text/event-stream; charset=utf-8") in sent[0]["headers"]
    assert not any(name == b"content-length" for name, _ in sent[0]["headers"])

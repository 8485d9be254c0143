"""What a worker sends is believed only as far as it makes sense."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.payload import Error, encode
from penstock.executors.subprocess.channel import Channel, Garbled
from penstock.executors.subprocess.environment import clean_environment
from penstock.executors.subprocess.facts import pack_facts, unpack_error, unpack_facts
from penstock.executors.subprocess.messages import ENCODER, ORDERS, REPORTS, Commit, Hold, Stop, Stopped

ERROR = Error(code="x", message="y")


@pytest.mark.parametrize(
    "fact",
    [
        ("node.completed", "a", {"outputs": {"out": 1}, "duration_ms": 0.1}),
        ("node.failed", "a", {"error": ERROR, "duration_ms": 1}),
        ("node.waiting", "a", {"timer": "a@1.0", "until": 1.5}),
        ("lock.released", "a", {"lock": "l", "id": "c", "value": 1, "by": ""}),
        ("agent.action", "a", {"anything": [1]}),
        ("run.waiting", "", {"until": None}),
    ],
)
def test_what_a_run_has_to_tell_is_taken(fact: tuple[str, str, dict[str, object]]) -> None:
    assert unpack_facts(pack_facts([fact])) == [fact]


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (("run.completed", "", {"result": 1}), "may not write `run.completed`"),
        (("run.started", "", {}), "may not write"),
        (("whatever", "", {}), "may not write"),
        (("node.failed", "a", {}), "error"),
        (("node.failed", "a", {"error": "a text"}), "Error"),
        (("node.waiting", "a", {"timer": "t", "until": "soon"}), "until"),
        (("node.retrying", "a", {"attempt": 1, "error": ERROR}), "until"),
        (("lock.opened", "a", {"lock": 3}), "lock"),
        (("lock.denied", "a", {"lock": "l", "id": "c", "reasons": ["no"]}), "reasons"),
        (("node.started", 3, {}), "str"),
        (("node.started", "a"), "length"),
        ("node.started", "array"),
    ],
)
def test_what_would_break_whoever_reads_it_is_refused(fact: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        unpack_facts(encode([fact]))


@given(st.binary(max_size=200))
def test_any_bytes_are_facts_or_refused(data: bytes) -> None:
    try:
        facts = unpack_facts(data)
    except ValueError:
        return
    assert unpack_facts(pack_facts(facts)) is not None


@given(st.binary(max_size=60))
def test_any_bytes_are_an_error_or_refused(data: bytes) -> None:
    try:
        assert isinstance(unpack_error(data), Error)
    except ValueError:
        return


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel[object], asyncio.StreamWriter]]:
    """The host's end of a channel, and what writes into it."""
    own, theirs = socket.socketpair()
    channel = await Channel.over(own, REPORTS, largest=1000)
    _, writer = await asyncio.open_connection(sock=theirs)
    yield channel, writer
    writer.close()
    await channel.close()


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(8, "big") + body


async def test_messages_come_as_they_were_sent(ends) -> None:
    channel, writer = ends
    sent = [Commit(1, b"facts", True, 2), Hold(3), Stopped()]
    writer.write(b"".join(framed(ENCODER.encode(message)) for message in sent))
    assert [await channel.receive() for _ in sent] == sent
    writer.close()
    assert await channel.receive() is None


async def test_a_message_cut_in_two_by_a_cancellation_is_whole_afterwards(ends) -> None:
    channel, writer = ends
    data = framed(ENCODER.encode(Commit(1, b"x" * 100)))
    for start in range(0, len(data), 10):
        receiving = asyncio.create_task(channel.receive())
        writer.write(data[start : start + 10])
        for _ in range(5):
            await asyncio.sleep(0)
        if receiving.cancel():
            await asyncio.wait([receiving])
    found = receiving.result() if not receiving.cancelled() else await channel.receive()
    assert found == Commit(1, b"x" * 100)


@pytest.mark.parametrize(
    "data",
    [
        (10**15).to_bytes(8, "big"),
        framed(b"\xc1"),
        framed(ENCODER.encode(Stop())),
        framed(msgspec.msgpack.encode(["Commit", "one", 2])),
    ],
    ids=["too long", "no MessagePack", "an order", "wrong types"],
)
async def test_what_is_no_message_is_told_apart(ends, data: bytes) -> None:
    channel, writer = ends
    writer.write(data)
    with pytest.raises(Garbled):
        await channel.receive()


async def test_a_message_that_ends_in_the_middle_is_none(ends) -> None:
    channel, writer = ends
    writer.write(framed(b"x" * 100)[:50])
    writer.close()
    assert await channel.receive() is None


def test_an_order_is_no_report() -> None:
    with pytest.raises(msgspec.ValidationError):
        ORDERS.decode(ENCODER.encode(Stopped()))


def test_only_what_a_program_needs_is_passed_on() -> None:
    seen = clean_environment(
        {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "REGION": "north"}, ["REGION"]
    )
    assert seen == {"PATH": "/bin", "LC_ALL": "C", "REGION": "north"}

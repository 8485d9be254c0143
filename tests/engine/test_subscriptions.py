"""Following a run: from any seq, without a gap or a duplicate, at any pace."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, seen, story, until

from penstock import NodeContext, Runtime, node
from penstock.core.errors import RunNotFound
from penstock.core.events import Event
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, RunRow
from penstock.engine.stream import TAIL, Streams
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@node("talk")
async def talk(count: int, *, pause: int = 10, ctx: NodeContext) -> int:
    for number in range(count):
        ctx.message(f"word {number}")
        if number % pause == 0:
            await asyncio.sleep(0)
    return count


TALK = "{flow: f, nodes: [{kind: talk, name: a}]}"


async def test_seqs_are_dense_and_times_do_not_run_back(runtime: Runtime) -> None:
    run = await runtime.start(graph(TALK, talk), count=100)
    events = await story(run)
    assert [event.seq for event in events] == list(range(1, 105))
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert {event.at.tzname() for event in events} == {"UTC"}


async def test_a_late_subscriber_sees_what_an_early_one_saw(runtime: Runtime) -> None:
    run = await runtime.start(graph(TALK, talk), count=3000)
    early = await story(run)
    assert await story(run) == early
    assert await story(run, after=1500) == early[1500:]


@pytest.mark.parametrize("after", [0, 1, 2], ids=["at the end", "past the end", "far past it"])
async def test_following_an_ended_run_from_its_end_ends_at_once(runtime: Runtime, after: int) -> None:
    run = await runtime.start(graph(TALK, talk), count=1)
    await result_of(run)
    last = (await run.row()).seq
    assert await story(run, after=last + after * 10) == []


async def test_following_an_unknown_run_says_that_it_is_unknown(runtime: Runtime) -> None:
    with pytest.raises(RunNotFound):
        await story(runtime.get("nobody"))


async def test_a_slow_subscriber_does_not_slow_the_run_and_misses_nothing(runtime: Runtime) -> None:
    run = await runtime.start(graph(TALK, talk), count=5 * TAIL)
    read: list[int] = []
    async with aclosing(run.events()) as events:  # type: ignore[type-var]
        async for event in events:
            read.append(event.seq)
            if len(read) == 10:
                # It stops reading until the run is over: the run does not wait for it.
                assert await result_of(run) == 5 * TAIL
    assert read == list(range(1, 5 * TAIL + 5))


@pytest.mark.parametrize("url", ["memory:", "sqlite"])
async def test_a_hundred_subscribers_that_come_and_go_see_each_event_once_in_order(
    url: str, tmp_path: Path
) -> None:
    chance = random.Random(7)
    async with Runtime(url if url == "memory:" else f"sqlite:///{tmp_path}/runs.db") as runtime:
        run = await runtime.start(
            graph(TALK, talk),
            count=2000,
        )

        async def follow() -> list[Event]:
            read: list[Event] = []
            while not (read and read[-1].terminal):
                stop = len(read) + chance.randrange(1, 400)
                after = read[-1].seq if read else 0
                async with aclosing(run.events(after=after)) as events:  # type: ignore[type-var]
                    async for event in events:
                        read.append(event)
                        if chance.random() < 0.05:
                            await asyncio.sleep(0)
                        if len(read) >= stop:
                            break
            return read

        async with asyncio.timeout(20):
            found = await asyncio.gather(*(follow() for _ in range(100)))
        whole = await runtime.store.events(run.fid)
        assert [event.seq for event in whole] == list(range(1, 2005))
        assert all(read == whole for read in found)
        assert not runtime.streams._tails, "nothing is kept for subscribers that have gone"


async def test_a_subscriber_is_told_of_a_run_that_leaves_memory_and_comes_back(
    timed: Runtime, clock: FakeClock
) -> None:
    run = await timed.start(graph("{flow: f, nodes: [{kind: delay, name: a, duration: 1d}]}"))
    following = asyncio.create_task(story(run), name="following")
    await seen(run, "run.waiting")
    clock.advance(timed.evict_after)
    await until(lambda: not timed._executions)
    clock.advance(86400)
    assert [event.type for event in await following if event.type.startswith("run.")] == [
        "run.started",
        "run.waiting",
        "run.resumed",
        "run.completed",
    ]


async def test_a_run_of_another_process_can_be_followed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    go = asyncio.Event()

    @node("hold")
    async def hold() -> str:
        await go.wait()
        return "held"

    async with Runtime(url) as mine, Runtime(url) as other:
        run = await mine.start(graph("{flow: f, nodes: [{kind: hold, name: a}]}", hold))
        watched = other.get(run.fid)
        following = asyncio.create_task(story(watched), name="following")
        await seen(watched, "node.started", "a")
        go.set()
        assert [event.type for event in await following] == [
            "run.started",
            "node.started",
            "node.completed",
            "run.completed",
        ]
        assert await result_of(watched) == "held"


async def test_a_subscriber_of_a_run_that_is_put_aside_at_the_end_does_not_hang() -> None:
    async with Runtime("memory:") as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: delay, name: a, duration: 1d}]}"))
        await seen(run, "node.waiting", "a")
        following = asyncio.create_task(story(run), name="following")
        waiting = asyncio.create_task(result_of(run), name="waiting")
        await asyncio.sleep(0)
    done, late = await asyncio.wait((following, waiting), timeout=1)
    for task in late:
        task.cancel()
    assert not late, "whoever waits is told that the runtime has closed"
    for task in done:
        task.exception()


async def test_every_type_of_event_a_node_may_send_arrives_as_sent(runtime: Runtime) -> None:
    @node("chatty")
    async def chatty(*, ctx: NodeContext) -> None:
        ctx.message("hello", level="warning", colour="red")
        ctx.progress(0.25, "a quarter")
        ctx.progress(None)
        ctx.data({"rows": (1, 2)})
        ctx.stdout("out")
        ctx.stderr("err")
        ctx.emit("agent.action", tool="hammer")

    run = await runtime.start(graph("{flow: f, nodes: [{kind: chatty, name: a}]}", chatty))
    said = [(event.type, event.data) for event in await story(run)][2:-2]
    assert said == [
        ("node.message", {"level": "warning", "message": "hello", "colour": "red"}),
        ("node.progress", {"fraction": 0.25, "message": "a quarter"}),
        ("node.progress", {"fraction": None, "message": ""}),
        ("node.data", {"value": {"rows": [1, 2]}}),
        ("node.stdout", {"line": "out"}),
        ("node.stderr", {"line": "err"}),
        ("agent.action", {"tool": "hammer"}),
    ]


@pytest.mark.parametrize("kind", ["run.completed", "node.completed", "child.completed", "made.up"])
async def test_a_node_cannot_speak_for_the_engine(runtime: Runtime, kind: str) -> None:
    @node("liar")
    async def liar(*, ctx: NodeContext) -> str:
        try:
            ctx.emit(kind, result="a lie")
        except ValueError as error:
            return str(error)
        return "a lie"

    run = await runtime.start(graph("{flow: f, nodes: [{kind: liar, name: a}]}", liar))
    assert f"`{kind}`" in await result_of(run)


async def test_a_thread_may_speak(runtime: Runtime) -> None:
    @node("threaded")
    def threaded(*, ctx: NodeContext) -> int:
        for number in range(100):
            ctx.message(str(number))
        return 1

    run = await runtime.start(graph("{flow: f, nodes: [{kind: threaded, name: a}]}", threaded))
    events = await story(run)
    said: list[Any] = [event.data["message"] for event in events if event.type == "node.message"]
    assert said == [str(number) for number in range(100)]


async def test_a_cursor_can_be_nudged_and_then_goes_on(runtime: Runtime) -> None:
    words: asyncio.Queue[str] = asyncio.Queue()

    @node("speak")
    async def speak(*, ctx: NodeContext) -> None:
        while word := await words.get():
            ctx.message(word)

    run = await runtime.start(graph("{flow: f, nodes: [{kind: speak, name: a}]}", speak))
    with runtime.streams.subscribe(run.fid) as cursor:
        while cursor.seq < 2:
            await cursor.take()
        waiting = asyncio.ensure_future(cursor.take())
        await asyncio.sleep(0)
        cursor.nudge()
        assert await waiting == []
        assert not cursor.ended
        words.put_nowait("hello")
        assert [event.data["message"] for event in await cursor.take()] == ["hello"]
        words.put_nowait("")
        rest: list[str] = []
        while events := await cursor.take():
            rest += [event.type for event in events]
        assert rest == ["node.completed", "run.completed"]
        assert cursor.ended
    assert not runtime.streams.followed


async def test_a_cursor_takes_no_more_at_once_than_it_wants(runtime: Runtime) -> None:
    run = await runtime.start(graph(TALK, talk), count=100)
    await result_of(run)
    with runtime.streams.subscribe(run.fid, 50) as cursor:
        assert [event.seq for event in await cursor.take(7)] == list(range(51, 58))
        assert [event.seq for event in await cursor.take(3)] == [58, 59, 60]


async def test_what_another_process_wrote_in_between_is_read_from_the_store(tmp_path: Path) -> None:
    """A run may leave this process and come back while somebody follows it."""
    store = MemoryStore()
    fid = "1m7wnz9ax4qtr5d3qxyq"

    def events(first: int, last: int) -> list[Event]:
        return [
            Event(seq, 0.0, "node.message", "a", {"message": str(seq)}) for seq in range(first, last + 1)
        ]

    async def commit(first: int, last: int) -> list[Event]:
        batch = Batch()
        if first == 1:
            batch.runs.append(RunRow(fid=fid, flow="f", state=RunState.RUNNING))
        batch.events[fid] = events(first, last)
        await store.commit(batch)
        return batch.events[fid]

    here = True
    streams = Streams(store, is_here=lambda _: here, check=lambda _: None)
    streams.publish(fid, await commit(1, 2))
    with streams.subscribe(fid) as cursor, streams.subscribe(fid) as other:
        assert [event.seq for event in await cursor.take()] == [1, 2]
        streams.publish(fid, await commit(3, 4))
        assert [event.seq for event in await cursor.take()] == [3, 4]
        here = False
        await commit(5, 6)
        assert [event.seq for event in await asyncio.wait_for(cursor.take(), 5)] == [5, 6]
        here = True
        streams.publish(fid, await commit(7, 8))
        assert [event.seq for event in await cursor.take()] == [7, 8]
        assert [event.seq for event in await other.take()] == list(range(1, 9))


async def test_all_who_follow_a_run_of_another_process_share_one_look_at_the_store() -> None:
    looks = 0

    class Watched(MemoryStore):
        async def changed(self, fid: str, *, after: int) -> None:
            nonlocal looks
            looks += 1
            await super().changed(fid, after=after)

    store = Watched()
    fid = "1m7wnz9ax4qtr5d3qxyq"
    batch = Batch()
    batch.runs.append(RunRow(fid=fid, flow="f", state=RunState.RUNNING))
    batch.events[fid] = [Event(1, 0.0, "run.started")]
    await store.commit(batch)
    streams = Streams(store, is_here=lambda _: False, check=lambda _: None)

    async def follow() -> list[int]:
        return [event.seq async for event in streams.follow(fid)]

    followers = [asyncio.ensure_future(follow()) for _ in range(20)]
    await until(lambda: looks)
    for _ in range(10):
        await asyncio.sleep(0)
    assert looks == 1
    batch = Batch()
    batch.events[fid] = [Event(2, 0.0, "run.completed")]
    batch.changes[fid] = RunChange(fid=fid, state=RunState.COMPLETED)
    await store.commit(batch)
    async with asyncio.timeout(5):
        assert await asyncio.gather(*followers) == [[1, 2]] * 20
    assert looks == 1
    assert not streams.followed

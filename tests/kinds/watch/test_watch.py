"""The trigger, on real files."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kinds.conftest import make
from tests.kinds.triggers import FakeTriggerContext, Record, close, stop

from penstock.core.errors import NodeError
from penstock.kinds.watch.trigger import Watch
from penstock.testing.clock import FakeClock

Open = Callable[..., Any]


def watch(path: Path | str | list[str], **config: Any) -> Any:
    return make(Watch, path=path if isinstance(path, list) else str(path), debounce="5ms", **config)


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Open a trigger: `ctx = await opened(trigger, response=…)`; it is closed in the end."""
    pairs: list[tuple[Any, FakeTriggerContext]] = []

    async def start(trigger: Any, **options: Any) -> FakeTriggerContext:
        ctx = FakeTriggerContext(FakeClock(), **options)
        await trigger.load()
        pairs.append((trigger, ctx))
        await trigger.open(ctx)
        return ctx

    yield start
    for trigger, ctx in pairs:
        await close(trigger, ctx)


def told(ctx: FakeTriggerContext) -> list[tuple[str, str]]:
    return [(each["event"], each["name"]) for each in ctx.started]


async def test_a_new_file_starts_a_process_that_is_told_of_it(tmp_path: Path, opened: Open) -> None:
    ctx = await opened(watch(tmp_path))
    (tmp_path / "order.csv").write_text("1,2")
    await ctx.until(lambda: bool(ctx.started))
    assert ctx.started == [
        {
            "event": "created",
            "path": f"{tmp_path}/order.csv",
            "name": "order.csv",
            "size_bytes": 3,
            "time": "2027-01-15T08:00:00Z",
        }
    ]


async def test_a_file_is_followed_from_its_beginning_to_its_end(tmp_path: Path, opened: Open) -> None:
    ctx = await opened(watch(tmp_path / "config.yaml"))
    path = tmp_path / "config.yaml"
    path.write_text("a")
    await ctx.until(lambda: len(ctx.started) == 1)
    draft = tmp_path / "draft"
    draft.write_text("other")
    draft.replace(path)
    await ctx.until(lambda: len(ctx.started) == 2)
    path.unlink()
    await ctx.until(lambda: len(ctx.started) == 3)
    assert told(ctx) == [(event, "config.yaml") for event in ("created", "modified", "deleted")]
    assert ctx.started[2]["size_bytes"] is None


async def test_files_in_folders_that_appear_at_once_are_found(tmp_path: Path, opened: Open) -> None:
    ctx = await opened(watch(tmp_path / "**" / "*.csv"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep.csv").write_text("x")
    await ctx.until(lambda: bool(ctx.started))
    assert told(ctx) == [("created", "deep.csv")]


async def test_only_the_events_that_matter_start_a_process(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "old").write_text("x")
    ctx = await opened(watch(tmp_path, events=["deleted"]))
    (tmp_path / "new").write_text("x")
    (tmp_path / "old").unlink()
    await ctx.until(lambda: bool(ctx.started))
    assert told(ctx) == [("deleted", "old")]


async def test_what_is_there_already_counts_only_when_asked(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "old").write_text("x")
    quiet, eager = await opened(watch(tmp_path)), await opened(watch(tmp_path, existing=True))
    await eager.until(lambda: bool(eager.started))
    (tmp_path / "new").write_text("x")
    for ctx in (quiet, eager):
        await ctx.until(lambda ctx=ctx: ("created", "new") in told(ctx))
    assert told(quiet) == [("created", "new")]
    assert told(eager) == [("created", "old"), ("created", "new")]


async def test_nothing_is_lost_between_load_and_open(tmp_path: Path) -> None:
    trigger, ctx = watch(tmp_path), FakeTriggerContext(FakeClock())
    await trigger.load()
    (tmp_path / "early").write_text("x")
    await trigger.open(ctx)
    await ctx.until(lambda: bool(ctx.started))
    await stop(trigger)
    await ctx.end()
    (tmp_path / "while-closed").write_text("x")
    again = FakeTriggerContext(FakeClock())
    await trigger.open(again)
    await again.until(lambda: bool(again.started))
    assert told(ctx) == [("created", "early")]
    assert told(again) == [("created", "while-closed")]
    await close(trigger, again)


async def test_processes_run_one_after_the_other_in_order(tmp_path: Path, opened: Open) -> None:
    most = 0

    async def work(payload: Any) -> None:
        nonlocal most
        most = max(most, ctx.running)
        await asyncio.sleep(0)

    for number in range(5):
        (tmp_path / f"{number}").write_text("x")
    ctx = await opened(watch(tmp_path, existing=True), response=work)
    await ctx.until(lambda: len(ctx.started) == 5)
    assert sorted(told(ctx)) == [("created", f"{number}") for number in range(5)]
    assert most == 1


async def test_several_processes_run_at_once_when_they_may(tmp_path: Path, opened: Open) -> None:
    meeting = asyncio.Barrier(2)

    async def meet(payload: Any) -> None:
        async with asyncio.timeout(5):
            await meeting.wait()

    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
    ctx = await opened(watch(tmp_path, existing=True, concurrency=2), response=meet)
    await ctx.until(lambda: len(ctx.started) == 2)


async def test_a_failed_process_does_not_end_the_watch(tmp_path: Path, opened: Open) -> None:
    async def fail(payload: Any) -> None:
        raise NodeError("no")

    ctx = await opened(watch(tmp_path), response=fail)
    for number, name in enumerate(("a", "b"), start=1):
        (tmp_path / name).write_text("x")
        await ctx.until(lambda number=number: len(ctx.started) == number)
    assert told(ctx) == [("created", "a"), ("created", "b")]


async def test_a_folder_that_is_removed_and_made_again_is_watched_on(
    tmp_path: Path, opened: Open
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "old").write_text("x")
    ctx = await opened(watch(f"{folder}/"))
    shutil.rmtree(folder)
    await ctx.until(lambda: ("deleted", "old") in told(ctx))
    folder.mkdir()
    (folder / "new").write_text("x")
    await ctx.until(lambda: ("created", "new") in told(ctx))


async def test_closing_waits_for_the_process_under_way(tmp_path: Path) -> None:
    entered, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(payload: Any) -> None:
        entered.set()
        await release.wait()
        ended.set()

    (tmp_path / "a").write_text("x")
    trigger, ctx = watch(tmp_path, existing=True), FakeTriggerContext(FakeClock(), response=work)
    await trigger.load()
    await trigger.open(ctx)
    await entered.wait()
    closing = asyncio.create_task(stop(trigger))
    release.set()
    await closing
    assert ended.is_set()
    await ctx.end()
    await trigger.unload()


async def test_a_watch_that_is_unloaded_leaves_no_thread_behind(tmp_path: Path) -> None:
    trigger, ctx = watch(tmp_path), FakeTriggerContext(FakeClock())
    before = set(threading.enumerate())
    await trigger.load()
    await trigger.open(ctx)
    (thread,) = set(threading.enumerate()) - before
    await close(trigger, ctx)
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_a_folder_that_is_missing_is_told_of_when_it_is_loaded(tmp_path: Path) -> None:
    trigger = watch(f"{tmp_path}/inbox/*.csv")
    with pytest.raises(NodeError, match="there is no such folder") as caught:
        await trigger.load()
    assert caught.value.code == "watch.missing"
    assert "parents: true" in caught.value.remedy


async def test_a_folder_that_cannot_be_made_is_told_of_when_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NodeError, match="cannot watch") as caught:
        await watch(f"{tmp_path}/file/in/*.csv", parents=True).load()
    assert caught.value.code == "watch.system"


async def test_a_durable_watch_records_what_changed_as_soon_as_the_store_is_back(
    tmp_path: Path, opened: Open
) -> None:
    record = Record()
    record.refuses = 1
    ctx = await opened(watch(tmp_path, durable=True), record=record)
    (tmp_path / "a").write_text("x")
    await ctx.until(lambda: bool(ctx.started))
    assert ctx.warnings == ["a change is not recorded yet: the database is away"]
    assert told(ctx) == [("created", "a")]


async def test_missing_folders_are_made_when_asked(tmp_path: Path, opened: Open) -> None:
    ctx = await opened(watch(f"{tmp_path}/in/box/*.csv", parents=True))
    (tmp_path / "in" / "box" / "a.csv").write_text("x")
    await ctx.until(lambda: bool(ctx.started))


async def test_several_paths_are_watched_as_one(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ctx = await opened(watch([f"{tmp_path}/a", f"{tmp_path}/b/*.txt"]))
    for path in ("a/1", "b/2", "b/3.txt"):
        (tmp_path / path).write_text("x")
    await ctx.until(lambda: len(ctx.started) == 2)
    assert sorted(told(ctx)) == [("created", "1"), ("created", "3.txt")]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"path": ""}, "name a folder, a file, or a glob"),
        ({"path": []}, "name a folder"),
        ({"path": ["a", ""]}, "name a folder"),
        ({"path": "a\0b"}, "name a folder"),
        ({"path": "a", "events": []}, "name at least one"),
        ({"path": "a", "debounce": 0}, "between 1ms and 10s"),
        ({"path": "a", "debounce": "1m"}, "between 1ms and 10s"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(Watch, **config)

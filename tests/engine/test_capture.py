"""What code prints is taken line by line where it runs, and nowhere else."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine.watching import data_of, result_of, story

from penstock import Context, Event, Runtime, flow, load_flow, step
from penstock.engine.capture import LONGEST_LINE, captured

if TYPE_CHECKING:
    import pytest

# ruff: noqa: T201 - what is printed is what this is about


@contextmanager
def taken() -> Iterator[tuple[list[str], list[str]]]:
    out: list[str] = []
    err: list[str] = []
    with captured(out.append, err.append):
        yield out, err


def lines_of(events: list[Event], node: str = "") -> list[str]:
    return [data["line"] for data in data_of(events, "node.stdout", node)]


def test_lines_go_to_whoever_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    with taken() as (out, err):
        print("one", 1)
        print("two\nthree", file=sys.stderr)
        sys.stdout.write("half ")
        sys.stdout.write("a line")
    print("behind")
    assert out == ["one 1", "half a line"]
    assert err == ["two", "three"]
    assert capsys.readouterr() == ("behind\n", "")


def test_the_streams_are_put_back_and_nobody_else_is_captured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout
    elsewhere = contextvars.copy_context()
    with taken() as (out, _):
        assert sys.stdout is not before
        elsewhere.run(print, "of the process")
        with taken() as (inner, _):
            print("inner")
        print("outer")
    assert sys.stdout is before
    assert (out, inner) == (["outer"], ["inner"])
    assert capsys.readouterr().out == "of the process\n"


def test_sections_may_end_in_any_order() -> None:
    before = sys.stdout
    first, second = captured(str, str), captured(str, str)
    first.__enter__()
    contexts = contextvars.copy_context()
    contexts.run(second.__enter__)
    first.__exit__(None, None, None)
    assert sys.stdout is not before
    contexts.run(second.__exit__, None, None, None)
    assert sys.stdout is before


def test_a_thread_prints_where_its_context_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    with taken() as (out, _):
        context = contextvars.copy_context()
        for target in (lambda: context.run(print, "with"), lambda: print("without")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    context.run(print, "late")
    assert out == ["with"]
    assert capsys.readouterr().out == "without\nlate\n"


def test_lines_of_threads_are_not_torn() -> None:
    with taken() as (out, _):
        contexts = [contextvars.copy_context() for _ in range(4)]

        def write(number: int) -> None:
            for _ in range(200):
                sys.stdout.write(f"thread {number} ")
                sys.stdout.write("says so\n")

        threads = [
            threading.Thread(target=context.run, args=(write, number))
            for number, context in enumerate(contexts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(set(out)) == [f"thread {number} says so" for number in range(4)]
    assert len(out) == 800


def test_what_a_bar_of_progress_overwrites_is_not_told() -> None:
    with taken() as (out, _):
        sys.stdout.write("10 %\r50 %\r")
        sys.stdout.write("100 %\n")
    assert out == ["100 %"]


def test_a_line_without_an_end_comes_in_pieces() -> None:
    with taken() as (out, _):
        for _ in range(5):
            sys.stdout.write("x" * LONGEST_LINE)
    assert "".join(out) == "x" * LONGEST_LINE * 5
    assert max(map(len, out)) <= LONGEST_LINE


def test_the_binary_side_is_taken_too() -> None:
    with taken() as (out, _):
        sys.stdout.buffer.write("Ü\n".encode())
        sys.stdout.flush()
    assert out == ["Ü"]


def test_a_process_without_streams_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with taken() as (out, _):
        print("nobody hears it")
    assert out == []
    assert sys.stdout is None


@step
def speak(word: str) -> str:
    print(f"{word} from a thread")
    return word


async def whisper() -> None:
    print("whispered", file=sys.stderr)


@flow
async def talk(ctx: Context) -> str:
    print("begins")
    await ctx.step(whisper)
    return "".join(await ctx.gather(ctx.step(speak, "a"), ctx.step(speak, "b")))


async def test_prints_of_a_flow_are_events_of_its_steps(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await runtime.start(talk)
    assert await result_of(run) == "ab"
    told = sorted(
        (event.node, event.type, event.data["line"])
        for event in await story(run)
        if event.type in ("node.stdout", "node.stderr")
    )
    assert told == [
        ("", "node.stdout", "begins"),
        ("speak#2", "node.stdout", "a from a thread"),
        ("speak#3", "node.stdout", "b from a thread"),
        ("whisper#1", "node.stderr", "whispered"),
    ]
    assert capsys.readouterr() == ("", "")


async def test_what_a_replay_prints_again_is_told_once(url: str) -> None:
    held = asyncio.Event()

    async def wait() -> None:
        await held.wait()

    @flow
    async def printing(ctx: Context) -> None:
        print("before")
        await ctx.step(wait)
        print("behind")

    async with Runtime(url, flows=[printing]) as runtime:
        run = await runtime.start(printing)
        async for event in run.events():
            if event.type == "node.started":
                break
    held.set()
    async with Runtime(url, flows=[printing]) as runtime:
        await runtime.result(run.fid)
        lines = lines_of(await story(runtime.get(run.fid)))
    assert lines == ["before", "behind"]


async def test_runs_beside_each_other_keep_their_prints_apart(runtime: Runtime) -> None:
    both = asyncio.Barrier(2)

    @flow
    async def name(ctx: Context, name: str) -> None:
        for _ in range(3):
            await both.wait()
            print(name)

    runs = {word: await runtime.start(name, name=word) for word in ("ada", "grace")}
    for word, run in runs.items():
        await result_of(run)
        assert lines_of(await story(run)) == [word] * 3


async def test_a_python_node_of_a_graph_is_captured(tmp_path: Path) -> None:
    (tmp_path / "speaking.py").write_text("def speak():\n    print('spoken')\n")
    document = tmp_path / "flow.yaml"
    document.write_text("{flow: f, nodes: [{kind: python, name: x, function: 'speaking.py:speak'}]}")
    async with Runtime("memory:") as runtime:
        run = await runtime.start(load_flow(document))
        await result_of(run)
        assert lines_of(await story(run), "x") == ["spoken"]

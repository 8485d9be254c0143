"""What a person at a terminal is told of a resident runtime."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.resident.world import World, bell, tag, world

from penstock.cli.console import Console
from penstock.cli.start.screen import Screen
from penstock.core.errors import DocumentError
from penstock.core.problems import Problem
from penstock.engine.catalog.draft import Action, Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Watched:
    """A namespace in memory, and the lines about it."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.screen = Screen(Console(stderr=self._stream, environ={}), "default")
        self.world: World

    def told(self) -> list[str]:
        """What was told since the last time."""
        lines = self._stream.getvalue().splitlines()
        self._stream.seek(0)
        self._stream.truncate()
        return [re.sub(r"\d+(\.\d+)?m?s\b", "<time>", line) for line in lines]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    found = Watched()
    async with world(observer=found.screen, follow=found.screen.follow) as found.world:
        yield found


async def test_an_empty_namespace_waits_for_specs(watched: Watched) -> None:
    assert watched.told() == ["default: empty; waiting for specs"]


async def test_new_nodes_are_named_and_triggers_said_to_serve(watched: Watched) -> None:
    watched.told()
    await watched.world.apply(bell("a"), tag("a"))
    assert watched.told() == ["reloaded in <time>: a, bell changed", "● bell (bell)"]
    await watched.world.apply(tag("a", tag="other"))
    assert watched.told() == ["reloaded in <time>: a changed"]


async def test_a_node_that_waits_says_for_what_and_when_it_is_there_again(watched: Watched) -> None:
    await watched.world.apply(bell("a"))
    assert "○ bell (bell) is waiting: `a` is missing" in watched.told()
    await watched.world.apply(tag("a"))
    assert watched.told() == [
        "● bell (bell) is active",
        "reloaded in <time>: a, bell changed",
        "● bell (bell)",
    ]
    await watched.world.delete("a")
    assert watched.told() == [
        "○ bell (bell) is waiting: `a` is missing",
        "reloaded in <time>: bell changed; a gone",
    ]


async def test_a_broken_node_says_what_is_wrong_and_what_serves_on(watched: Watched) -> None:
    await watched.world.apply(tag("a"))
    watched.told()
    await watched.world.broken({"kind": "tag", "name": "a", "tagg": "x"})
    first, *_ = watched.told()
    assert first.startswith("✗ a (tag) is broken: ")
    assert "did you mean `tag`?" in first
    assert first.endswith("(revision 1 serves on)")


async def test_a_node_that_does_not_load_is_told_once(watched: Watched) -> None:
    watched.told()
    await watched.world.apply({"kind": "stubborn", "name": "s", "reason": "no room"})
    told = watched.told()
    assert sum("no room" in line for line in told) == 1
    assert "✗ s (stubborn) is broken" in told


async def test_failures_and_words_of_nodes_are_told(watched: Watched) -> None:
    fails: dict[str, Any] = {"kind": "note", "name": "n", "fails": "no luck"}
    log = {"kind": "debug.log", "name": "log", "prefix": "said", "links": {"out": "n"}}
    await watched.world.apply(bell("log"), log, fails)
    watched.told()
    with pytest.raises(Exception, match="no luck"):
        await watched.world.ring("hello")
    assert watched.told() == [
        "log: said: hello",
        "✗ a process of bell failed in n: RuntimeError: RuntimeError: no luck",
    ]


async def test_secrets_are_masked_in_reasons(watched: Watched) -> None:
    await watched.world.value("key", {"text": "hunter22secret"})
    env = {"KEY": {"name": "key", "data": "{{ .text }}"}}
    await watched.world.apply(
        {"kind": "stubborn", "name": "s", "reason": "{{ KEY }} is bad", "env": env}
    )
    told = "\n".join(watched.told())
    assert "••• is bad" in told
    assert "hunter22" not in told


async def test_many_changes_are_counted_rather_than_named(watched: Watched) -> None:
    watched.told()
    await watched.world.apply(*(tag(f"t{number}") for number in range(8)))
    assert watched.told() == ["reloaded in <time>: t0, t1, t2, t3, t4 and 3 more changed"]


def test_files_that_are_refused_say_that_the_last_version_serves_on() -> None:
    found = Watched()
    found.screen.refused(DocumentError([Problem("this is wrong", hint="do that")]))
    assert found.told() == [
        "error: this is wrong",
        "  do that",
        "nothing of it was applied; what was there serves on",
    ]


def test_what_was_applied_at_the_start_is_counted() -> None:
    found = Watched()
    made = [Change(action=Action.CREATED, id=name, namespace="", name=name, revision=1) for name in "ab"]
    found.screen.applied(made)
    assert found.told() == ["applied: 2 created"]

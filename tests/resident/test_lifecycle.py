"""One life for each instance: loaded once, unloaded once, and in use at no other time."""

import asyncio
from collections import Counter
from typing import ClassVar

import pytest
from tests.resident.world import LOG, Bell, Held, World, bell, tag, until, world

from penstock.document.reader import examine_data
from penstock.engine.kind import Trigger
from penstock.engine.resident.resident import Resident
from penstock.engine.resident.trigger import TriggerContext
from penstock.store.memory import MemoryStore


class Busy(Bell, kind="busy"):
    """A bell with something under way until a test says that it is over."""

    over: ClassVar[dict[str, asyncio.Event]] = {}

    async def drained(self) -> None:
        await self.over.setdefault(self.tag, asyncio.Event()).wait()


class Halting(Trigger, kind="halting"):
    """Comes to a halt, once, at a place of its life that a test names: `load new`."""

    tag: str = ""
    place: ClassVar[str] = ""
    reached: ClassVar[asyncio.Event]

    async def load(self) -> None:
        await self._pass("load")

    async def open(self, ctx: TriggerContext) -> None:
        await self._pass("open")

    async def close(self) -> None:
        await self._pass("close")

    async def drained(self) -> None:
        await self._pass("drained", turns=10)

    async def unload(self) -> None:
        await self._pass("unload", turns=10)

    async def _pass(self, step: str, *, turns: int = 0) -> None:
        """turns: of the loop, after which it goes on; none where only cancelling it ends it."""
        LOG.append(f"{step} {self.tag}")
        if type(self).place == f"{step} {self.tag}":
            type(self).place = ""
            self.reached.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            if not turns:
                await asyncio.Event().wait()


async def test_term_runs_when_everything_ends() -> None:
    async with world() as home:
        await home.apply(
            {"kind": "tag", "name": "a", "tag": "a", "links": {"term": "goodbye"}},
            {"kind": "note", "name": "goodbye"},
        )
        home.told()
    assert home.told() == ["note {'name': 'a', 'kind': 'tag', 'revision': 1}", "unload a"]


async def test_hooks_are_told_of_the_end_of_what_they_were_told_of(home: World) -> None:
    hooks = home.hooks()
    await home.apply(
        {"kind": "tag", "name": "a", "tag": "a", "links": {"out": "s"}},
        tag("s", kind="stubborn", reason="no licence"),
        tag("t", to="s"),
        {"kind": "tag", "name": "i", "tag": "i", "links": {"init": "hello"}},
        {"kind": "note", "name": "hello", "fails": "nobody there"},
    )
    assert hooks == ["+hello", "+i", "-i", "-hello", "+hello"]


async def test_what_comes_back_while_it_is_still_in_use_is_another_instance(home: World) -> None:
    await home.apply(bell("h"), tag("h", "c", kind="held"), tag("c"))
    before = home.resident.table.symbols["h"].node
    assert isinstance(before, Held)
    process = asyncio.create_task(home.ring())
    await before.reached.wait()
    home.told()
    await home.delete_only("c")
    await home.specs_only(tag("c", tag="c2"))
    assert home.resident.table.symbols["h"].node is not before
    assert home.told() == [
        *("close bell", "unload bell"),
        *("load c2", "load h", "load bell", "open bell"),
    ]
    before.free.set()
    assert await process == ["h", "c"]
    await home.caught_up()
    assert home.told() == ["unload h", "unload c"]


async def test_a_node_that_a_system_call_uses_stays_loaded_for_it(home: World) -> None:
    await home.apply(tag("h", kind="held"))
    node = home.resident.table.symbols["h"].node
    assert isinstance(node, Held)
    process = asyncio.create_task(home.resident.table.entry("h").answer(None))
    await node.reached.wait()
    await home.delete_only("h")
    assert home.told() == ["load h"]
    node.free.set()
    assert await process == ["h"]
    await home.caught_up()
    assert home.told() == ["unload h"]


async def test_a_trigger_that_has_requests_under_way_does_not_hold_up_the_next_changes(
    home: World,
) -> None:
    Busy.over.clear()
    home.runtime.loader.scheme.add(Busy)
    await home.apply(bell("a", kind="busy"), tag("a"))
    home.told()
    await home.specs_only(bell("a", kind="busy", tag="next"))
    assert home.told() == ["close bell", "load next", "open next"]
    await home.specs_only(tag("a", tag="b"))
    assert home.told() == ["load b"]
    assert await home.ring([]) == ["b"]
    Busy.over["bell"].set()
    await home.caught_up()
    assert home.told() == ["unload bell", "unload a"]
    Busy.over["next"] = Busy.over["bell"]


async def test_what_outlasts_the_patience_of_its_trigger_keeps_its_nodes(home: World) -> None:
    Busy.over.clear()
    home.runtime.loader.scheme.add(Busy)
    await home.apply(bell("h", kind="busy"), tag("h", kind="held"))
    node = home.resident.table.symbols["h"].node
    assert isinstance(node, Held)
    process = asyncio.create_task(home.ring())
    await node.reached.wait()
    home.told()
    await home.delete_only("h")
    assert home.told() == ["close bell"]
    Busy.over["bell"].set()
    await until(lambda: "unload bell" in home.log)
    for _ in range(10):
        await asyncio.sleep(0)
    assert home.told() == ["unload bell"]
    node.free.set()
    assert await process == ["h"]
    await home.caught_up()
    assert home.told() == ["unload h"]


@pytest.mark.parametrize("place", ["load new", "open new", "close old", "drained old", "unload old"])
async def test_a_change_that_the_end_cuts_short_leaves_nothing_loaded(place: str) -> None:
    async with world() as home:
        home.runtime.loader.scheme.add(Halting)
        Halting.place, Halting.reached = place, asyncio.Event()
        old = {"kind": "halting", "name": "t", "tag": "old", "links": {"out": "a"}}
        await home.apply(old, tag("a", "b"), tag("b"), bell("b"))
        change = [{**old, "tag": "new"}, tag("a", "b", tag="A"), tag("b", tag="B")]
        await home.specs.apply([examine_data(change)], namespace=home.namespace)
        async with asyncio.timeout(10):
            await Halting.reached.wait()
    lives = Counter(line for line in home.told() if line.startswith(("load ", "unload ")))
    names = {line.split()[1] for line in lives}
    assert {"old", "a", "b", "bell"} <= names
    if place == "load new":  # which did not succeed, and cleans up behind itself
        lives["unload new"] += 1
    assert lives == Counter(f"{step} {name}" for name in names for step in ("load", "unload"))


async def test_what_is_asked_for_at_the_very_end_is_not_loaded_again() -> None:
    async with world() as home:
        await home.apply(bell("a"), tag("a"))
        home.told()
        home.resident.renew("a")
        home.resident.refresh_soon()
    assert home.told() == ["close bell", "unload bell", "unload a"]
    assert not home.resident.table.symbols


async def test_a_start_that_is_cut_short_leaves_nothing_loaded() -> None:
    Halting.place, Halting.reached = "load t", asyncio.Event()
    store = MemoryStore()
    async with world(store) as home:
        home.runtime.loader.scheme.add(Halting)
        other = Resident(home.runtime, "other", values=home.values)
        documents = [tag("a"), {"kind": "halting", "name": "t", "tag": "t", "links": {"out": "a"}}]
        await home.specs.apply([examine_data(documents)], namespace="other")
        start = asyncio.create_task(other.__aenter__())
        await Halting.reached.wait()
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert home.told() == ["load a", "load t", "unload a"]

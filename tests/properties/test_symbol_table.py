"""Whatever is written, and whatever is under way meanwhile: the table against a model of its rules.

What is checked at every step: which nodes are active, at which revision; that what a node leads to is
loaded before it and unloaded behind it; that an instance lives once, and is in use at no other time;
and that a process sees one state of the graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.resident.world import World, world

from penstock.engine.kind import Action, Inputs, Node, Outputs, Trigger
from penstock.engine.kind import field as config
from penstock.engine.resident.trigger import TriggerContext

KEYS: Final = "abcde"
"""Nodes lead to later ones alone: circles are the matter of other tests. `t` is a trigger."""


@dataclass
class Put:
    key: str
    to: list[str]
    mode: Literal["good", "broken", "stuck"]


@dataclass
class Do:
    what: Literal["delete", "take_down", "put_up", "ring", "free"]
    key: str = "t"


def _put(key: str, *, good: bool = False) -> st.SearchStrategy[Put]:
    later = KEYS if key == "t" else KEYS[KEYS.index(key) + 1 :]
    least = 1 if key == "t" else 0
    to = (
        st.lists(st.sampled_from(later), min_size=least, max_size=2, unique=True)
        if later
        else st.just([])
    )
    modes = ["good"] if good else ["good", "good", "good", "broken", "stuck"]
    return st.builds(Put, st.just(key), to, st.sampled_from(modes))


PUTS: Final = st.sampled_from("t" + KEYS).flatmap(_put)
GRAPHS: Final = st.tuples(*(_put(key, good=True) for key in (*reversed(KEYS), "t")))
STEPS: Final = st.lists(
    PUTS
    | st.builds(Do, st.sampled_from(["delete", "take_down", "put_up"]), st.sampled_from("t" + KEYS))
    | st.builds(Do, st.sampled_from(["ring", "free"])),
    min_size=1,
    max_size=25,
)


# --- the nodes, which watch each other -------------------------------------------------


@dataclass
class Scene:
    """The instances that are loaded, and all that ever were; what processes saw.

    wrong: what must not be. To raise it would not do: a node that fails to unload is passed over.
    """

    loaded: list[Part | Chime] = field(default_factory=list)
    begun: set[Node] = field(default_factory=set)
    seen: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    chime: TriggerContext | None = None
    wrong: list[str] = field(default_factory=list)

    def load(self, node: Part | Chime) -> None:
        if node in self.begun:
            self.wrong.append(f"{node.key} lives twice")
        if not set(node.to) <= {each.key for each in self.loaded}:
            self.wrong.append(f"{node.key} came before what it leads to")
        self.begun.add(node)
        self.loaded.append(node)

    def unload(self, node: Part | Chime) -> None:
        if node not in self.loaded:
            self.wrong.append(f"{node.key} is unloaded twice")
            return
        self.loaded.remove(node)
        if all(each.key != node.key for each in self.loaded):
            left = [each.key for each in self.loaded if node.key in each.to]
            self.wrong += [f"{node.key} went before {key}" for key in left]


SCENES: list[Scene] = []


class Part(Action, kind="part"):
    key: str
    to: list[str] = config(default_factory=list)
    number: int = 0
    stuck: bool = False

    async def load(self) -> None:
        await asyncio.sleep(0)
        if self.stuck:
            raise RuntimeError("stuck")
        SCENES[-1].load(self)

    async def unload(self) -> None:
        SCENES[-1].unload(self)
        await asyncio.sleep(0)

    async def run(self, inputs: Inputs) -> Outputs:
        scene = SCENES[-1]
        if self not in scene.loaded:
            scene.wrong.append(f"{self.key} is in use beyond its life")
        scene.seen[inputs["in"]].append((self.key, self.number))
        await scene.gate.wait()
        return {"out": inputs["in"]}


class Chime(Trigger, kind="chime"):
    key: str
    to: list[str] = config(default_factory=list)
    number: int = 0
    stuck: bool = False

    async def load(self) -> None:
        SCENES[-1].load(self)

    async def open(self, ctx: TriggerContext) -> None:
        if self.stuck:
            raise RuntimeError("stuck")
        SCENES[-1].chime = ctx

    async def close(self) -> None:
        SCENES[-1].chime = None

    async def unload(self) -> None:
        SCENES[-1].unload(self)


# --- the model -------------------------------------------------------------------------


@dataclass
class Spec:
    number: int
    to: list[str]
    mode: str


@dataclass
class Model:
    """What should be active, by nothing but the rules: key → revision."""

    newest: dict[str, Spec] = field(default_factory=dict)
    good: dict[str, Spec] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    active: dict[str, int] = field(default_factory=dict)

    def settle(self) -> None:
        while True:
            chosen = {key: spec for key in self.newest if (spec := self._chosen(key)) is not None}
            wanted = self._supported(chosen)
            stuck = {key for key in wanted if chosen[key].mode == "stuck"}
            first = {key for key in stuck if not stuck & self._behind(key, chosen)}
            if not first:
                break
            self.refused.add(min(first))
        self.active = {key: chosen[key].number for key in wanted}
        self.good = {key: spec for key, spec in self.good.items() if key in self.newest}
        self.good |= {key: chosen[key] for key in wanted}

    def _chosen(self, key: str) -> Spec | None:
        spec = self.newest[key]
        if spec.mode != "broken" and key not in self.refused:
            return spec
        good = self.good.get(key)
        return good if good is not None and good.number != spec.number else None

    def _supported(self, chosen: dict[str, Spec]) -> set[str]:
        wanted = set(chosen) - self.down
        while lost := {key for key in wanted if not wanted.issuperset(chosen[key].to)}:
            wanted -= lost
        return wanted

    def _behind(self, key: str, chosen: dict[str, Spec]) -> set[str]:
        return {far for near in chosen[key].to for far in (near, *self._behind(near, chosen))}


# --- both, side by side ----------------------------------------------------------------


class Pair:
    def __init__(self, home: World, scene: Scene) -> None:
        self.home = home
        self.scene = scene
        self.model = Model()
        self.number = 0
        self.processes: list[tuple[asyncio.Task[Any], int, dict[str, int]]] = []

    async def step(self, step: Put | Do) -> None:
        self.number += 1
        if isinstance(step, Put):
            await self._put(step)
        elif step.what == "ring":
            self._ring()
        elif step.what == "free":
            await self._free()
        else:
            await self._order(step)
        self.model.settle()
        reports = self.home.resident.table.reports
        found = {key: report.serving for key, report in reports.items() if report.serving}
        revisions = {key: self._revision(key) for key in self.home.resident.table.symbols}
        assert self.scene.wrong == []
        assert revisions == self.model.active
        assert found.keys() == revisions.keys()
        assert (self.scene.chime is not None) == ("t" in self.model.active)

    async def _put(self, put: Put) -> None:
        self.model.newest[put.key] = Spec(self.number, put.to, put.mode)
        self.model.refused.discard(put.key)
        odd = {"nonsense": True} if put.mode == "broken" else {}
        document = {
            "kind": "chime" if put.key == "t" else "part",
            "name": put.key,
            "key": put.key,
            "to": put.to,
            "number": self.number,
            "stuck": put.mode == "stuck",
            "links": {"out": put.to} if put.to else {},
            **odd,
        }
        await self.home.written(document)

    async def _order(self, order: Do) -> None:
        known = order.key in self.model.newest
        if order.what == "delete" and known:
            del self.model.newest[order.key]
            self.model.refused.discard(order.key)
            self.model.good.pop(order.key, None)
            await self.home.delete_only(order.key)
        elif order.what == "take_down" and known:
            self.model.down.add(order.key)
            self.home.resident.table.candidates.take_down(order.key)
            await self.home.resident.refresh()
        elif order.what == "put_up" and known:
            self.model.down.discard(order.key)
            self.model.refused.discard(order.key)
            self.home.resident.table.candidates.put_up(order.key)
            await self.home.resident.refresh()

    def _ring(self) -> None:
        if self.scene.chime is not None:
            self.scene.seen[self.number] = []
            work = self.scene.chime.start("out", self.number)
            self.processes.append((asyncio.create_task(work), self.number, dict(self.model.active)))

    async def _free(self) -> None:
        self.scene.gate.set()
        for process, number, active in self.processes:
            await process
            assert set(self.scene.seen[number]) <= active.items()
        self.processes.clear()
        self.scene.gate.clear()

    def _revision(self, key: str) -> int:
        node = self.home.resident.table.symbols[key].node
        assert isinstance(node, Part | Chime)
        return node.number


async def play(steps: Sequence[Put | Do]) -> None:
    scene = Scene()
    SCENES[:] = [scene]
    async with world() as home:
        home.runtime.loader.scheme.add(Part, Chime)
        pair = Pair(home, scene)
        for step in steps:
            await pair.step(step)
        await pair._free()
    assert scene.wrong == []
    assert scene.loaded == []


@settings(max_examples=150, deadline=None)
@given(GRAPHS, STEPS)
def test_the_table_does_what_its_rules_say(graph: tuple[Put, ...], steps: list[Put | Do]) -> None:
    asyncio.run(play([*graph, *steps]))

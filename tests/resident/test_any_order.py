"""Whatever the order of changes: a runtime that saw each of them serves what a fresh one serves."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from tests.resident.world import OpenVault, World, bell, tag, world

from penstock.core.errors import EntryNotFound
from penstock.core.payload import Payload
from penstock.engine.catalog.values import Values
from penstock.engine.loading import Loader
from penstock.engine.resident.resident import Resident
from penstock.engine.resident.symbol import Status
from penstock.engine.runtime import Runtime

NODES = [f"n{number}" for number in range(6)]
FLOWS = ["f0", "f1", "f2"]
VALUES = ["v0", "v1"]


class Chance:
    """Changes to a namespace, as they come. Links lead to later nodes, so there are no circles."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def specs(self) -> list[dict[str, Any]]:
        """One or several specs that are good by themselves, whatever else is there."""
        made = [self._node, self._node, self._flow, lambda: bell(self._pick(NODES + FLOWS))]
        specs = [self._pick(made)() for _ in range(self._random.randint(1, 3))]
        return list({spec.get("name") or spec["flow"]: spec for spec in specs}.values())

    def names(self) -> list[str]:
        return self._random.sample(NODES + FLOWS + ["bell"], 2)

    def value(self) -> tuple[str, Payload]:
        return self._pick(VALUES), {"word": f"word-{self._random.randrange(3)}"}

    def kind(self) -> str:
        return self._pick(["specs"] * 6 + ["delete", "value", "value", "drop value"])

    def _node(self) -> dict[str, Any]:
        number = self._random.randrange(len(NODES))
        targets = self._random.sample(NODES[number + 1 :] + FLOWS, self._random.randint(0, 2))
        links = {"links": {"out": targets}} if targets else {}
        return {"name": NODES[number], **self._work(FLOWS), **links}

    def _flow(self) -> dict[str, Any]:
        number = self._random.randrange(len(FLOWS))
        return {"flow": FLOWS[number], "nodes": [{"name": "x", **self._work(FLOWS[number + 1 :])}]}

    def _work(self, flows: list[str]) -> dict[str, Any]:
        """The kind of a node and its config."""
        says = {
            "kind": "snippet",
            "language": "json",
            "code": f'{{"said": {self._random.randrange(9)}}}',
        }
        env = {"WORD": {"name": self._pick(VALUES), "data": "{{ .word }}"}}
        secret = {"kind": "snippet", "language": "json", "code": '{"said": "{{ .WORD }}"}', "env": env}
        calls = [{"kind": "call", "flow": flow} for flow in flows[:1]]
        blocks = [{"kind": "block", "specs": [{**each, "name": "y"}]} for each in (secret, *calls)]
        return self._pick([says, secret, *calls, *blocks])

    def _pick(self, among: list[Any]) -> Any:
        return self._random.choice(among)


async def change(home: World, chance: Chance) -> None:
    match chance.kind():
        case "specs":
            await home.apply(*chance.specs())
        case "delete":
            await home.delete(*(name for name in chance.names() if name in home.resident.table.reports))
        case "value":
            await home.value(*chance.value())
        case "drop value":
            await home.drop_value(chance.value()[0])


async def served(resident: Resident) -> dict[str, tuple[Status, str, Payload]]:
    """What became of each spec, and what each active node answers."""
    found: dict[str, tuple[Status, str, Payload]] = {}
    for key, report in resident.table.reports.items():
        answers = report.status is Status.ACTIVE and report.kind != "bell"
        answer = await resident.table.entry(key).answer({}) if answers else None
        found[key] = (report.status, report.reason, answer)
    return found


async def served_afresh(home: World) -> dict[str, tuple[Status, str, Payload]]:
    """The same by a runtime that sees this store for the first time."""
    async with Runtime(home.store, loader=Loader(home.runtime.loader.scheme)) as runtime:
        values = Values(home.store, vault=OpenVault())
        async with Resident(runtime, home.namespace, values=values) as resident:
            return await served(resident)


@pytest.mark.parametrize(
    "seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(5, 60))]
)
async def test_what_is_served_does_not_depend_on_how_it_came_about(seed: int) -> None:
    chance = Chance(seed)
    async with world() as home:
        for _ in range(25):
            try:
                await change(home, chance)
            except EntryNotFound:
                continue  # a value is not there to be dropped
            assert await served(home.resident) == await served_afresh(home)


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_is_loaded_is_unloaded_once(seed: int) -> None:
    chance = random.Random(seed)
    async with world() as home:
        for number in range(25):
            first, second = sorted(chance.sample(NODES, 2))
            said = chance.choice([first, f"{first}.{number}"])
            await home.apply(tag(first, second, tag=said), tag(second), bell(first))
            if chance.random() < 0.3:
                await home.delete(second)
    told = Counter(tuple(line.split()) for line in home.told())
    said_by_all = {said for _, said in told}
    assert said_by_all >= {"bell", *NODES[1:]}
    for said in said_by_all:
        assert told["load", said] == told["unload", said], said

"""A process whose runs ask, with people in it: `python -m tests.crash.locking FOLDER COUNT STORE`.

It goes on with what an earlier process of the same folder left unfinished, and ends when all
runs have ended. Two people are at each open lock at the same time. Each submits an odd number,
which is denied, and then an even one; what they are told is written down.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from tests.crash.flows import fid_of, store_at

from penstock import Candidate, Context, Denied, Runtime, flow, step
from penstock.core.errors import LockClosed
from penstock.core.locks import LockRecord
from penstock.document.reader import read
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.testing.crash import CrashPoint, ProbedStore

PEOPLE: Final = ("ada", "bob")

GRAPH: Final = """
flow: asked
nodes:
  - {kind: loop, name: each, items: [1, 2], links: {out: ask}}
  - {kind: lock, name: ask, schema: {type: integer}, links: {candidate: even}}
  - {kind: if, name: even, when: self.value % 2 == 0, links: {"true": take, "false": refuse}}
  - {kind: snippet, name: take, language: cel, code: self.value}
  - {kind: throw, name: refuse, code: denied, message: odd}
"""


@step
async def look_at(number: int) -> int:
    """A step inside of a check."""
    return number % 2


@flow
async def asking(ctx: Context) -> list[int]:
    """Two locks at once, and a third one behind them."""

    async def check(candidate: Candidate) -> None:
        if await ctx.step(look_at, candidate.value):
            raise Denied("odd")

    found = await ctx.gather(*(ctx.lock(name, schema=int, check=check) for name in ("left", "right")))
    return [*found, await ctx.lock("last", schema=int, check=check)]


class People:
    """Those who answer, and what they were told: a line each, written whole or not at all."""

    def __init__(self, runtime: Runtime, told: Path) -> None:
        self._runtime = runtime
        self._told = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    async def answer(self, fid: str) -> None:
        """Answer the locks of a run until it has ended."""
        seen: set[str] = set()
        async with asyncio.TaskGroup() as group:
            async for event in self._runtime.get(fid).events():
                if event.type == "lock.opened" and event.data["lock"] not in seen:
                    seen.add(event.data["lock"])
                    lock = LockRecord(event.data["lock"])
                    for person in PEOPLE:
                        group.create_task(self._stand_at(fid, lock, person), name=f"{person} {lock.lid}")

    async def _stand_at(self, fid: str, lock: LockRecord, person: str) -> None:
        for number in (3, 4 + PEOPLE.index(person) * 2):
            id = f"{person}-{number}"  # noqa: A001 - the field's word
            try:
                decision = await self._runtime.submit(fid, lock.lid, number, by=person, id=id)
            except LockClosed:
                return
            line = json.dumps([fid, lock.lid, id, decision.outcome])
            os.write(self._told, line.encode() + b"\n")


async def main(folder: Path, count: int, url: str) -> None:
    crash = CrashPoint.from_environment()
    loader = Loader(standard_scheme())
    flows: list[Any] = [asking, loader.compile(read(GRAPH, file="asked.yaml").flows[0])]
    store = ProbedStore(store_at(url), crash)
    async with Runtime(store, flows=[asking], probe=crash, evict_after=0.01) as runtime:
        people = People(runtime, folder / "told")

        async def see_to(number: int) -> None:
            fid = fid_of(number)
            if await store.run(fid) is None:
                await runtime.launch(flows[number % 2], {}, fid=fid)
            await people.answer(fid)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(see_to(number), name=f"run {number}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

"""A process that runs flows whose steps leave a mark: `python -m tests.crash.flows FOLDER COUNT STORE`.

It goes on with what an earlier process of the same folder left unfinished, starts what was
never started, and ends when all flows have ended. Several may do so at the same time, where
the store lets a run pass from the dead to the living. Each of the 20 effectful steps of a flow
adds one line to the ledger: run, firing, idempotency key, attempt.
"""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock import (
    Action,
    Context,
    Duration,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Retry,
    Runtime,
    Scheme,
    StepContext,
    flow,
    step,
)
from penstock.core.errors import StoreError
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.store import open_store
from penstock.store.postgres.store import PostgresStore
from penstock.testing.crash import CrashPoint, ProbedStore

if TYPE_CHECKING:
    from penstock.core.store import Store

STEPS: Final = 20
AT_A_TIME: Final = 24
"""Flows under way at the same time, so that there is always something left to start."""

LEASE_SECONDS: Final = 1.0
"""Where ownership is a lease, how soon a dead process is missed."""

LINE_BYTES: Final = 128
"""What one mark adds to the ledger. No line crosses a page, where a kill could cut it in two."""

_LEDGER = "ledger"
_RETRY = Retry(attempts=50, delay=Duration(milliseconds=5), factor=1.0)


class Ledger:
    """The marks of all processes in one file; a line is written whole or not at all."""

    def __init__(self, path: Path, crash: CrashPoint) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._crash = crash
        self._failed: Counter[str] = Counter()

    def mark(self, ctx: StepContext | NodeContext) -> None:
        """Leave the mark of an attempt."""
        self._crash("effect.begins")
        line = f"{ctx.fid} {ctx.node} {ctx.idempotency_key} {ctx.attempt}"
        os.write(self._file, line.ljust(LINE_BYTES - 1).encode() + b"\n")
        self._crash("effect.done")

    def fail_at_first(self, key: str) -> None:
        """Fail the first time that this process asks for a key."""
        self._failed[key] += 1
        if self._failed[key] == 1:
            raise NodeError("the first time in this process", code="first")


LEDGERS: Final[list[Ledger]] = []
"""The one ledger of this process; Python steps have no other way to it than the module."""


def numbers(count: int) -> int:
    """The sum that a flow of so many steps returns."""
    return count * (count - 1) // 2


# --- Python flows -------------------------------------------------------------------


@step(blocking=False, retry=_RETRY)
def mark(number: int, ctx: StepContext) -> int:
    """An effectful step. Every fourth fails at first."""
    if number % 4 == 3:
        LEDGERS[0].fail_at_first(ctx.idempotency_key)
    LEDGERS[0].mark(ctx)
    return number


@flow
async def sequence(ctx: Context, short: str, long: str) -> int:
    """20 steps one after the other, with durable delays between some of them."""
    total = 0
    for number in range(STEPS):
        total += await ctx.step(mark, number)
        if number in (5, 12):
            await ctx.sleep(short if number == 5 else long)
    return total


@flow
async def strands(ctx: Context, short: str) -> int:
    """12 steps in three strands at the same time, and 8 in a child flow."""

    async def strand(first: int) -> int:
        total = 0
        for number in range(first, first + 4):
            total += await ctx.step(mark, number)
            if number == first + 1:
                await ctx.sleep(short)
        return total

    found: list[int] = await ctx.gather(*(strand(first) for first in (0, 4, 8)))
    found.append(await ctx.call(rest))
    return sum(found)


@flow
async def rest(ctx: Context) -> int:
    """The last 8 steps, as a child of whoever calls."""
    return sum([await ctx.step(mark, number) for number in range(12, STEPS)])


# --- graph flows --------------------------------------------------------------------


class Mark(Action, kind="crash.mark"):
    """The effectful step as a kind: adds its number to what arrives. flaky: fails at first."""

    number: int = 0
    flaky: bool = False

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        if self.flaky:
            LEDGERS[0].fail_at_first(ctx.idempotency_key)
        LEDGERS[0].mark(ctx)
        before = inputs["in"] if isinstance(inputs["in"], int) else 0
        return {"out": before + self.number}


class Total(Action, kind="crash.total", pure=True):
    """The sum of all numbers inside what arrives."""

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": _sum(inputs["in"])}


def _sum(value: Any) -> int:
    return sum(map(_sum, value)) if isinstance(value, list) else int(value)


def chain(short: str, long: str) -> str:
    """20 nodes in a row, some flaky, with two delays."""
    lines = ["flow: chain", "nodes:"]
    for number in range(STEPS):
        target = {6: "nap", 13: "rest"}.get(number + 1, f"s{number + 1}")
        links = f", links: {{out: {target}}}" if number + 1 < STEPS else ""
        flaky = ", flaky: true, retry: {attempts: 50, delay: 5ms, factor: 1}" if number % 4 == 3 else ""
        lines.append(f"  - {{kind: crash.mark, name: s{number}, number: {number}{flaky}{links}}}")
    lines.append(f"  - {{kind: time.delay, name: nap, duration: {short}, links: {{out: s6}}}}")
    lines.append(f"  - {{kind: time.delay, name: rest, duration: {long}, links: {{out: s13}}}}")
    return "\n".join(lines)


def each(short: str) -> str:
    """A loop over five items at the same time, with four steps and a delay for each."""
    return f"""
flow: each
nodes:
  - {{kind: loop, name: each, items: [0, 4, 8, 12, 16], concurrency: 3, links: {{out: s0, done: total}}}}
  - {{kind: crash.mark, name: s0, links: {{out: s1}}}}
  - kind: crash.mark
    name: s1
    number: 1
    flaky: true
    retry: {{attempts: 50, delay: 5ms}}
    links: {{out: nap}}
  - {{kind: time.delay, name: nap, duration: {short}, links: {{out: s2}}}}
  - {{kind: crash.mark, name: s2, number: 2, links: {{out: s3}}}}
  - {{kind: crash.mark, name: s3, number: 3}}
  - {{kind: crash.total, name: total}}
"""


RESULTS: Final = {
    "sequence": numbers(STEPS),
    "strands": numbers(STEPS),
    "chain": numbers(STEPS),
    "each": sum(item + 1 + 2 + 3 for item in (0, 4, 8, 12, 16)),
}


def strand_of(firing: str) -> str:
    """What a step is in line with: its steps wait for each other, so only the last can be in flight."""
    if "#" in firing:
        return firing.rpartition(".")[0] or firing.partition("#")[0]
    return firing.rpartition("/")[0]


def scheme() -> Scheme:
    found = standard_scheme()
    found.add(Mark, Total)
    return found


def fid_of(number: int) -> str:
    """The run id of a flow; a higher number is a later run."""
    return f"crash{number:015d}"


def store_at(url: str) -> "Store":
    """The store of an address, with a short lease where it has one."""
    if url.startswith("postgresql:"):
        return PostgresStore(url, lease_seconds=LEASE_SECONDS)
    return open_store(url)


async def main(folder: Path, count: int, url: str) -> None:
    crash = CrashPoint.from_environment()
    LEDGERS.append(Ledger(folder / _LEDGER, crash))
    kinds = scheme()
    loader = Loader(kinds)
    short, long = "15ms", "1100ms"
    for name, text in (("chain", chain(short, long)), ("each", each(short))):
        (folder / f"{name}.yaml").write_text(text)
    graphs = [loader.load(folder / "chain.yaml"), loader.load(folder / "each.yaml")]
    store = ProbedStore(store_at(url), crash)
    room = asyncio.Semaphore(AT_A_TIME)
    async with Runtime(
        store, scheme=kinds, flows=[sequence, strands], probe=crash, evict_after=0.05
    ) as runtime:

        async def see_to(number: int) -> None:
            async with room:
                fid = fid_of(number)
                if await store.run(fid) is None:
                    subject = (sequence, strands, *graphs)[number % 4]
                    inputs = {"short": short, "long": long if number % 8 == 0 else short}
                    accepted = {name: inputs[name] for name in subject.input_schema["properties"]}
                    try:
                        await runtime.launch(subject, accepted, fid=fid)
                    except StoreError:
                        if await store.run(fid) is None:
                            raise
                        # Another process was quicker.
                await runtime.get(fid).result()

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(see_to(number), name=f"flow {number}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

"""A process of its own that uses a store: `python child.py TASK URL`.

It prints a line for each thing done, and where it says so it waits for a line.
"""

import asyncio
import os
import resource
import signal as signals
import sys
import time

from penstock.core.errors import StoreError
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, Store
from penstock.store import open_store
from penstock.store.bells import Bells
from penstock.store.catalogue import sqlite
from penstock.store.postgres import catalogue
from penstock.testing.conformance import batch_of, events, fid, run_row
from penstock.testing.conformance.catalogue import VALUES, spec


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - the parent reads it


async def write(store: Store) -> None:
    """Commit without end, and tell each commit: `seq` of its three runs."""
    await store.commit(batch_of(*(run_row(number, owner=store.owner) for number in range(3))))
    say(store.owner)
    seq = 0
    while True:
        await store.commit(
            batch_of(**{fid(n): events(seq + 1, seq + 2, pad="x" * 500) for n in range(3)})
        )
        seq += 2
        say(seq)


async def claim(store: Store) -> None:
    """Claim everything as soon as told to, tell what came, and live on until told."""
    say("ready", store.owner)
    sys.stdin.readline()
    claimed = await store.claim()
    say(*(row.fid for row in claimed))
    sys.stdin.readline()


async def signal(store: Store) -> None:
    """Leave a word for run 1, and add an event to run 2."""
    await store.signal(fid(1), "cancel")
    await store.commit(batch_of(**{fid(2): events(1, 1)}))


async def fill(store: Store) -> None:
    """Commit until the limit for file sizes is met, then go on without it."""
    await store.commit(batch_of(run_row(1)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    seq = 0
    try:
        while True:
            await store.commit(batch_of(**{fid(1): events(seq + 1, seq + 1, pad="x" * 10_000)}))
            seq += 1
    except StoreError as error:
        say(type(error).__name__, seq, len(await store.events(fid(1))))
    try:
        await store.commit(batch_of(**{fid(1): events(seq + 1, seq + 1, value="y" * 400_000)}))
    except StoreError as error:
        say(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.commit(batch_of(**{fid(1): events(seq + 1, seq + 1)}))
    say(len(await store.events(fid(1))))


async def refused(store: Store) -> None:
    """Commit to a journal that this user may not write."""
    await store.commit(Batch())
    await store.commit(batch_of(run_row(9)))


async def follow(store: Store) -> None:
    """Tell the places of each list of changes, and when they were known here."""
    say("ready", await store.position())
    async for entries in store.changes(after=0):
        say(time.monotonic(), *(entry.position for entry in entries))


async def follow_many(store: Store) -> None:
    """Ten followers; tell how many lists they had together when each has heard of `last`."""

    async def hear() -> int:
        lists = 0
        async for entries in store.changes(after=0):
            lists += 1
            if entries[-1].id == "last":
                break
        return lists

    say("ready")
    say(sum(await asyncio.gather(*(hear() for _ in range(10)))))


async def file(store: Store) -> None:
    """Write twenty documents in one call, without end, and tell each call."""
    for revision in range(1, 1_000_000):
        await store.write([spec(f"d{number}", content=b"x" * 2000) for number in range(20)], at=1.0)
        say(revision)


async def die_half_way(store: Store) -> None:
    """Be killed while a transaction has written a part of what it is to write."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signals.SIGKILL)

    written = [spec("a"), spec("a", collection=VALUES)]
    await store.write(written, at=1.0)
    say("written")
    if sys.stdin.readline().strip() == "reseal":
        await store.reseal(die)
    sqlite.to_columns = catalogue.to_columns = die  # what is replaced is retired by then
    await store.write(written, at=2.0)


async def die_before_the_ring(store: Store) -> None:
    """Be killed after a commit, before anybody is told of it."""
    Bells.ring = lambda _: os.kill(os.getpid(), signals.SIGKILL)
    await store.write([spec("a")], at=1.0)


async def report(store: Store) -> None:
    """Say something of a namespace, and live on until told."""
    await store.report("default", b"all is well", at=1.0)
    say(store.owner)
    await asyncio.to_thread(sys.stdin.readline)  # a lease goes on meanwhile


async def leave(store: Store) -> None:
    """Close the store when told to, with an unfinished run or, if told so, without."""
    await store.commit(batch_of(run_row(1, owner=store.owner)))
    say("owned")
    if sys.stdin.readline().strip() == "done":
        batch = Batch()
        batch.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.COMPLETED)
        await store.commit(batch)


async def main(task: str, url: str) -> None:
    store = open_store(url)
    if os.geteuid() == 0 and task == "refused":  # the rights of files do not bind root
        os.seteuid(65534)
    try:
        await store.open()
        await globals()[task](store)
    except StoreError as error:
        say(type(error).__name__, error)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A process of its own that uses a journal: `python child.py TASK PATH …`.

It prints a line for each thing done, and where it says so it waits for a line.
"""

import asyncio
import os
import resource
import sys

from penstock.core.errors import StoreError
from penstock.core.store import Batch
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, run_row


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - the parent reads it


async def write(store: SqliteStore) -> None:
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


async def claim(store: SqliteStore) -> None:
    """Claim everything as soon as told to, tell what came, and live on until told."""
    say("ready", store.owner)
    sys.stdin.readline()
    claimed = await store.claim()
    say(*(row.fid for row in claimed))
    sys.stdin.readline()


async def signal(store: SqliteStore) -> None:
    """Leave a word for run 1, and add an event to run 2."""
    await store.signal(fid(1), "cancel")
    await store.commit(batch_of(**{fid(2): events(1, 1)}))


async def fill(store: SqliteStore) -> None:
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


async def refused(store: SqliteStore) -> None:
    """Commit to a journal that this user may not write."""
    await store.commit(Batch())
    await store.commit(batch_of(run_row(9)))


async def main(task: str, path: str) -> None:
    if os.geteuid() == 0 and task == "refused":  # the rights of files do not bind root
        os.seteuid(65534)
    store = SqliteStore(path)
    try:
        await store.open()
        await globals()[task](store)
    except StoreError as error:
        say(type(error).__name__, error)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

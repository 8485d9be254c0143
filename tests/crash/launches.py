"""Launches with keys and files, and a retry with another input, in a process that may die anywhere.

python -m tests.crash.launches FOLDER URL
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.crash.flows import store_at

from penstock import Attachment, Context, File, Runtime, StepContext, flow, step
from penstock.testing.crash import CrashPoint, ProbedStore

LETTERS = 5


@step
def read(ctx: StepContext, letter: str) -> str:
    return ctx.path(letter).read_text()


@step
def shout(ctx: StepContext, text: str) -> str:
    loud = text.upper()
    (ctx.folder / "out" / "loud.txt").write_text(loud)
    return loud


@flow
async def letters(ctx: Context, letter: File) -> str:
    return str(await ctx.step(shout, await ctx.step(read, letter)))


async def main(folder: Path, url: str) -> None:
    crash = CrashPoint.from_environment()
    store = ProbedStore(store_at(url), crash)
    async with Runtime(store, files=folder / "files", flows=[letters], probe=crash) as runtime:
        for number in range(LETTERS):
            staged = folder / "staged" / f"{number}.txt"
            if staged.exists():  # a launch that is known to be on disk has taken it
                given = {"letter": Attachment(staged, owned=True)}
                run = await runtime.launch(letters, given, key=f"letter {number}")
                staged.unlink()
            else:
                row = await store.launched(f"letter {number}")
                assert row is not None
                run = runtime.get(row.fid)
            assert await run.result() == f"LETTER {number}"
        again = [row for row in await runtime.runs() if row.launcher == "again"]
        if not again:
            retried = await runtime.retry(
                run.fid, node="shout#2", inputs={"text": "other"}, launcher="again"
            )
        else:
            retried = runtime.get(again[0].fid)
        assert await retried.result() == "OTHER"


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

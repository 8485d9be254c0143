"""A host that can be killed: `python -m tests.executors.host STORE FLOW JSON`."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.executors import flows

from penstock import Runtime
from penstock.executors.subprocess import Pool


async def main(store: str, name: str, inputs: str) -> None:
    async with Runtime(store, executors={"subprocess": Pool(workers=2)}) as runtime:
        run = await runtime.start(getattr(flows, name), **json.loads(inputs))
        print(run.fid, flush=True)  # noqa: T201
        await run.result()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A process that pays and may die: `python -m tests.kinds.sql.payments DATABASE STORE`.

It goes on with the payment that an earlier one left unfinished, or starts the only one.
"""

from __future__ import annotations

import asyncio
import json
import sys

from penstock import Runtime
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.testing.crash import CrashPoint


async def pay(database: str, store: str) -> None:
    """Bring the run to its end and print what it answered."""
    statement = "INSERT INTO payments VALUES (:idempotency_key, 12) ON CONFLICT DO NOTHING"
    count = "SELECT count(*) FROM payments"
    document = {
        "flow": "pay",
        "nodes": [
            {"kind": "sql", "name": "pay", "url": database, "statement": statement,
             "links": {"out": "count"}},
            {"kind": "sql", "name": "count", "url": database, "statement": count, "mode": "value"},
        ],
    }  # fmt: skip
    async with Runtime(store, probe=CrashPoint.from_environment()) as runtime:
        flow = Loader(standard_scheme()).read(json.dumps(document), file="pay.json")
        known = await runtime.runs()
        run = runtime.get(known[0].fid) if known else await runtime.start(flow)
        print(await run.result())  # noqa: T201 - what the test reads


if __name__ == "__main__":
    asyncio.run(pay(*sys.argv[1:]))

"""A host that is killed and started again under its clients."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.host.process import HostProcess

from penstock.client import AsyncClient
from penstock.core.duration import Duration
from penstock.core.policies import Retry

FLOWS = """
- flow: steps
  nodes:
    - {kind: loop, name: each, items: [1, 2, 3, 4, 5], concurrency: 1, links: {out: nap, done: end}}
    - {kind: delay, name: nap, duration: 200ms, links: {out: say}}
    - {kind: debug.log, name: say}
    - {kind: snippet, name: end, language: text, code: done}
- flow: ask
  nodes:
    - {kind: lock, name: ask, schema: {type: boolean}}
"""

PATIENT = Retry(attempts=60, delay=Duration(milliseconds=100), max_delay=Duration(milliseconds=500))


@pytest.mark.slow
async def test_clients_do_not_notice_that_their_host_was_killed(tmp_path: Path) -> None:
    """Followed, waited for, launched and answered: all of it goes on behind the restart."""
    (tmp_path / "flows.yaml").write_text(FLOWS)
    with HostProcess(tmp_path, "--flows", "flows.yaml") as host:
        async with AsyncClient(host.url, token=host.token, retry=PATIENT) as client:
            run, asking = await client.launch("steps"), await client.launch("ask")
            opened = await anext(asking.events(types=["lock.opened"]))
            seen: list[int] = []
            halfway = asyncio.Event()

            async def follow() -> None:
                async for event in run.events():
                    seen.append(event.seq)
                    if event.node == "each[1]/nap":
                        halfway.set()

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow())
                waiting = tasks.create_task(run.result())
                await halfway.wait()
                await asyncio.to_thread(host.kill)
                launching = tasks.create_task(client.launch("steps", key="once"))
                answering = tasks.create_task(asking.submit(opened.data["lock"], True))
                again = await asyncio.to_thread(host.again)
            with again:
                assert waiting.result() == "done"
                assert seen == list(range(1, len(seen) + 1))
                assert answering.result().released
                assert await asking.result() is True
                assert await launching.result().result() == "done"
                assert (await client.launch("steps", key="once")).fid == launching.result().fid

"""Locks over HTTP when things cross: timeouts, double and simultaneous submissions, restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.engine.watching import until
from tests.host.hosted import Hosted, hosted
from tests.host.process import HostProcess

from penstock import Candidate, Context, LockExpired, flow
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 20.0


@flow
async def asking(ctx: Context) -> Any:
    """Ask for anything, for a minute."""
    try:
        return await ctx.lock("answer", candidate_timeout="1m")
    except LockExpired:
        return "nobody answered"


@flow
async def hesitating(ctx: Context) -> Any:
    """Take longer to decide than it says."""

    async def think(candidate: Candidate) -> Any:
        await asyncio.Event().wait()

    return await ctx.lock("answer", check=think, release_timeout="10s")


async def launched(served: Hosted, name: str) -> tuple[str, str]:
    """The path of a new run, and that of its lock."""
    answer = await served.admin.post(f"/api/v1/flows/{name}/runs", json={})
    assert answer.status_code == 201, answer.text
    run = f"/api/v1/runs/{answer.json()['fid']}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        page = await served.admin.get(f"{run}/events?type=lock.opened&wait=20")
    (opened,) = page.json()["items"]
    return run, f"{run}/lock/{opened['lock']}"


async def result_of(client: httpx.AsyncClient, run: str) -> Any:
    answer = await client.get(f"{run}/result?wait=20")
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def types_of(served: Hosted, run: str) -> Counter[str]:
    """How many events of each type a run has."""
    return Counter(event.type for event in await served.events(run.rpartition("/")[2]))


async def test_a_lock_that_nobody_answers_expires_and_the_flow_goes_on() -> None:
    clock = FakeClock()
    async with hosted(flows=[asking], clock=clock, evict_after=10_000) as served:
        run, lock = await launched(served, "asking")
        clock.advance(59)
        assert (await served.admin.get(lock)).json()["state"] == "open"
        clock.advance(2)
        assert await result_of(served.admin, run) == "nobody answered"
        late = await served.admin.post(f"{lock}/candidate", json="late")
        assert late.status_code == 410
        assert late.json()["type"] == "urn:penstock:lock-closed"
        assert (await served.admin.get(lock)).json()["state"] == "expired"


async def test_a_flow_that_does_not_decide_in_time_is_a_504_and_the_lock_stays_open() -> None:
    clock = FakeClock()
    async with hosted(flows=[hesitating], clock=clock, evict_after=10_000) as served:
        run, lock = await launched(served, "hesitating")
        submitting = asyncio.create_task(served.admin.post(f"{lock}/candidate", json="well?"))
        page = await served.admin.get(f"{run}/events?type=lock.candidate&wait=20")
        assert page.json()["items"][0]["value"] == "well?"
        while not submitting.done():
            clock.advance(1)
            await asyncio.sleep(0.001)
        answer = await submitting
        assert answer.status_code == 504
        assert answer.json()["type"] == "urn:penstock:lock-undecided"
        assert (await served.admin.get(lock)).json()["state"] == "open"


async def test_a_candidate_that_is_sent_twice_is_one_candidate() -> None:
    async with hosted(flows=[asking]) as served:
        run, lock = await launched(served, "asking")
        key = {"Idempotency-Key": "once"}
        both = await asyncio.gather(
            *(served.admin.post(f"{lock}/candidate", json="yes", headers=key) for _ in range(2))
        )
        again = await served.admin.post(f"{lock}/candidate", json="yes", headers=key)
        assert [answer.status_code for answer in (*both, again)] == [200] * 3
        assert both[0].json() == both[1].json() == again.json()
        assert await result_of(served.admin, run) == "yes"
        types = await types_of(served, run)
        assert (types["lock.candidate"], types["lock.released"]) == (1, 1)


@pytest.mark.parametrize("people", [2, 20])
async def test_of_several_people_who_answer_at_once_exactly_one_wins(people: int) -> None:
    async with hosted(flows=[asking]) as served:
        run, lock = await launched(served, "asking")
        names = [f"person{number}" for number in range(people)]
        clients = [await served.user(name, "operate events:asking") for name in names]
        answers = await asyncio.gather(
            *(
                client.post(f"{lock}/candidate", json=name)
                for client, name in zip(clients, names, strict=True)
            )
        )
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 1, 410: people - 1}
        (winner,) = [n for n, each in zip(names, answers, strict=True) if each.status_code == 200]
        assert await result_of(served.admin, run) == winner
        assert (await types_of(served, run))["lock.released"] == 1


async def test_a_run_that_is_cancelled_closes_its_lock() -> None:
    async with hosted(flows=[asking]) as served:
        run, lock = await launched(served, "asking")
        assert (await served.admin.post(f"{run}/cancel", json={"reason": "enough"})).status_code == 200
        assert (await served.admin.post(f"{lock}/candidate", json="late")).status_code == 410
        assert (await served.admin.get("/api/v1/locks")).json()["items"] == []


FLOW = """
from penstock import Context, flow

@flow
async def asking(ctx: Context) -> str:
    return await ctx.lock("answer")
"""


@pytest.mark.slow
async def test_a_candidate_that_is_sent_while_the_host_restarts_arrives_once(tmp_path: Path) -> None:
    (tmp_path / "asking.py").write_text(FLOW)
    with HostProcess(tmp_path, "--flows", "asking.py") as first:
        headers = {"Authorization": f"Bearer {first.token}", "Idempotency-Key": "once"}
        async with httpx.AsyncClient(base_url=first.url, headers=headers, timeout=30) as client:
            fid = (await client.post("/api/v1/flows/asking/runs", json={})).json()["fid"]
            page = (await client.get(f"/{fid}/events?type=lock.opened&wait=20")).json()
            lock = f"/{fid}/lock/{page['items'][0]['lock']}"
            tried = 0

            async def submit() -> httpx.Response:
                """As a client does that wants to be sure: again, until there is an answer."""
                nonlocal tried
                while True:
                    tried += 1
                    try:
                        return await client.post(f"{lock}/candidate", json="yes")
                    except httpx.TransportError:
                        await asyncio.sleep(0.01)

            await asyncio.to_thread(first.kill)
            submitting = asyncio.create_task(submit())
            await until(lambda: tried > 2)
            with await asyncio.to_thread(first.again):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    answer = await submitting
                assert answer.status_code == 200
                assert (await client.post(f"{lock}/candidate", json="yes")).json() == answer.json()
                result = await client.get(f"/{fid}/result?wait=20")
                assert result.json()["result"] == "yes"
                events = (await client.get(f"/{fid}/events?type=lock.")).json()["items"]
    assert Counter(event["type"] for event in events) == {
        "lock.opened": 1,
        "lock.candidate": 1,
        "lock.released": 1,
    }

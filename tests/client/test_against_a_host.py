"""Clients of a real host, over a real socket: each operation does there what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.conftest import AT_ONCE, had
from tests.host.hosted import Hosted, hosted

from penstock.api import GroupChange, NewGrant, NewGroup, NewUser, UserChange
from penstock.client import AsyncClient, Client
from penstock.core.errors import (
    AccountError,
    CandidateInvalid,
    DocumentError,
    EntryNotFound,
    Forbidden,
    InputError,
    LockClosed,
    RetryRefused,
    RunBusy,
    RunFailed,
    RunNotFound,
    StoreConflict,
    Unauthorized,
)
from penstock.core.states import RunState

GREET = {
    "flow": "greet",
    "description": "Greet somebody",
    "tags": ["demo"],
    "inputs": {"who": {"type": "string", "minLength": 2}},
    "required": ["who"],
    "nodes": [
        {"kind": "snippet", "name": "hello", "language": "jinja", "code": "Hello, {{ who }}!"},
    ],
}
FAIL = {"flow": "fail", "nodes": [{"kind": "throw", "name": "boom", "message": "no way"}]}
ASK = {
    "flow": "ask",
    "nodes": [
        {
            "kind": "lock",
            "name": "price",
            "schema": {
                "type": "object",
                "properties": {"price": {"type": "number"}},
                "required": ["price"],
            },
            "links": {"candidate": "judge"},
        },
        {
            "kind": "if",
            "name": "judge",
            "when": "double(self.value.price) >= 10.0",
            "links": {"true": "deny", "false": "take"},
        },
        {"kind": "snippet", "name": "take", "language": "cel", "code": "self.value"},
        {"kind": "throw", "name": "deny", "code": "denied", "message": "too much"},
    ],
}
DOCUMENTS = [GREET, FAIL, ASK]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted(*DOCUMENTS, files=tmp_path / "files") as found:
        yield found


@pytest.fixture
async def client(served: Hosted) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(served.url, token=served.token, retry=AT_ONCE) as found:
        yield found


async def test_a_flow_is_launched_followed_and_read(client: AsyncClient) -> None:
    assert [flow.name async for flow in client.flows()] == ["ask", "fail", "greet"]
    assert [flow.name async for flow in client.flows(tag="demo")] == ["greet"]
    run = await client.launch("greet", {"who": "Ada"})
    assert await run.result() == "Hello, Ada!"
    types = [event.type async for event in run.events()]
    assert (types[0], types[-1]) == ("run.started", "run.completed")
    assert [event.type async for event in run.events(types=["node."], follow=False)] == [
        "node.started",
        "node.completed",
    ]
    assert (await run.record()).result == "Hello, Ada!"
    assert await run.inputs() == {"who": "Ada"}
    assert [node.name for node in (await run.graph()).nodes] == ["hello"]
    assert (await run.node("hello")).outputs == {"out": "Hello, Ada!"}
    assert [view.fid async for view in client.runs(flow="greet", states=["completed"])] == [run.fid]


async def test_a_thread_does_the_same_and_blocks(served: Hosted) -> None:
    def work() -> tuple[Any, list[int], RunState]:
        with Client(served.url, token=served.token) as client:
            run = client.launch("greet", {"who": "Ada"}, wait=20)
            return run.result(timeout=20), [event.seq for event in run.events()], run.state()

    result, seqs, state = await asyncio.to_thread(work)
    assert result == "Hello, Ada!"
    assert seqs == list(range(1, len(seqs) + 1))
    assert state is RunState.COMPLETED


async def test_a_key_launches_once(client: AsyncClient) -> None:
    first = await client.launch("greet", {"who": "Ada"}, key="once")
    again = await client.launch("greet", {"who": "Ada"}, key="once")
    assert first.fid == again.fid


async def test_errors_are_those_of_a_runtime(client: AsyncClient) -> None:
    with pytest.raises(EntryNotFound, match="did you mean `greet`"):
        await client.launch("gret")
    with pytest.raises(InputError, match="the inputs do not fit flow `greet`") as caught:
        await client.launch("greet", {"who": "A"})
    assert caught.value.paths == (("who",),)
    with pytest.raises(RunNotFound):
        await client.run("nobody").show()
    run = await client.launch("fail")
    with pytest.raises(RunFailed, match="no way") as failed:
        await run.result()
    assert failed.value.error.code == "thrown"
    with pytest.raises(RetryRefused):
        await run.retry(node="bom")
    again = await run.retry()
    with pytest.raises(RunFailed):
        await again.result()
    assert (await again.show()).retry_of == run.fid


async def test_a_lock_is_answered(client: AsyncClient) -> None:
    run = await client.launch("ask")
    lock = await _asked(client, run.fid)
    with pytest.raises(CandidateInvalid):
        await run.submit(lock, {"price": "much"})
    denied = await run.submit(lock, {"price": 90})
    assert (denied.released, [reason.detail for reason in denied.reasons]) == (False, ["too much"])
    with pytest.raises(RunBusy):
        await run.retry()
    released = await run.submit(lock, {"price": 9}, key="nine")
    assert released.released
    assert (await run.submit(lock, {"price": 9}, key="nine")).released
    with pytest.raises(LockClosed):
        await run.submit(lock, {"price": 8})
    assert await run.result() == {"price": 9}
    assert [str(each.state) for each in await run.locks()] == ["released"]
    assert await client.inbox() == []


async def test_a_run_is_cancelled(client: AsyncClient) -> None:
    run = await client.launch("ask")
    await _asked(client, run.fid)
    view = await run.cancel("enough")
    assert (view.state, view.reason) == (RunState.CANCELLED, "enough")


async def test_files_go_there_and_come_back(client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"1,2\n" * 1000)
    flow = {
        "flow": "copy",
        "inputs": {"path": {"type": "string", "format": "file"}},
        "nodes": [
            {"kind": "file.read", "name": "read", "links": {"content": "write.content"}},
            {"kind": "file.write", "name": "write", "path": "run:out/copy.csv"},
        ],
    }
    await client.apply(flow)
    run = await client.launch("copy", files={"path": tmp_path / "in.csv"})
    await run.result()
    assert sorted(file.name for file in await run.files()) == ["in/in.csv", "out/copy.csv"]
    assert await run.read("out/copy.csv") == b"1,2\n" * 1000
    path = await run.download("out/copy.csv", tmp_path)
    assert path.read_bytes() == b"1,2\n" * 1000


async def test_specs_are_applied_and_deleted(client: AsyncClient) -> None:
    new = {"flow": "new", "nodes": [{"kind": "snippet", "name": "a", "language": "text", "code": "1"}]}
    (change,) = await client.apply(new)
    assert (change.action, change.name, change.revision) == ("created", "new", 1)
    assert (await client.spec("new")).status == "active"
    assert await (await client.launch("new")).result() == "1"
    with pytest.raises(StoreConflict):
        await client.apply({**new, "description": "Changed", "revision": 7})
    with pytest.raises(DocumentError) as caught:
        await client.apply({"flow": "bad", "nodes": [{"kind": "snipet", "name": "a"}]})
    assert caught.value.problems[0].path == ("documents", 0, "nodes", 0, "kind")
    assert (await client.delete_spec("new")).action == "deleted"
    with pytest.raises(EntryNotFound):
        await client.spec("new")


async def test_accounts_are_kept_and_audited(served: Hosted, client: AsyncClient) -> None:
    await client.add_user(NewUser(name="ada", password="a long password"))
    await client.add_group(NewGroup(name="team"))
    await client.change_group("team", GroupChange(add=["ada"]))
    grant = await client.grant(
        NewGrant(subject="group:team", permission="launch", resource="flow:greet")
    )
    assert [user.name for user in await client.users()] == ["ada", "admin"]
    assert (await client.group("team")).members == ["ada"]
    with pytest.raises(AccountError):
        await client.add_user(NewUser(name="ada"))

    async with AsyncClient(served.url, retry=AT_ONCE) as ada:
        with pytest.raises(Unauthorized):
            await ada.login("ada", "a wrong password")
        with pytest.raises(Unauthorized):
            await had(ada.users())
        session = await ada.login("ada", "a long password")
        assert (session.name, session.via, session.groups) == ("ada", "session", ["team"])
        assert await (await ada.launch("greet", {"who": "Ada"})).result() == "Hello, Ada!"
        assert [flow.name async for flow in ada.flows()] == ["greet"]
        with pytest.raises(Forbidden):
            await ada.users()
        token = await ada.add_token("laptop", permission="view")
        async with AsyncClient(served.url, token=token.secret, retry=AT_ONCE) as viewer:
            assert (await viewer.session()).name == "ada"
            with pytest.raises(Forbidden):
                await viewer.launch("greet", {"who": "Ada"})
        await ada.remove_token(token.id)
        assert [each.name for each in await ada.tokens() if each.kind == "api"] == []
        await ada.logout()
        with pytest.raises(Unauthorized):
            await ada.tokens()

    await client.change_user("ada", UserChange(active=False))
    async with AsyncClient(served.url, retry=AT_ONCE) as ada:
        with pytest.raises(Unauthorized):
            await ada.login("ada", "a long password")
    await client.remove_grant(grant.id)
    await client.remove_group("team")
    await client.remove_user("ada")
    assert [user.name for user in await client.users()] == ["admin"]
    actions = [entry.action async for entry in client.audit()]
    assert actions.index("user.delete") < actions.index("user.create")


async def _asked(client: AsyncClient, fid: str) -> str:
    """The lock that a run has opened, once it is open."""
    async for event in client.run(fid).events(types=["lock."]):
        return str(event.data["lock"])
    raise AssertionError("the run ended without a lock")

"""Every operation and every screen of a host, asked by everybody: a table that has to be complete."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.host.hosted import Hosted, hosted

from penstock.auth.records import User
from penstock.host.api.routes import OPERATIONS
from penstock.host.page.routes import routes as page_routes
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    import httpx

    from penstock.host.api.operation import Operation

SECRET: Final = "opensesame"
"""In everything that only those may see who have a grant."""

FLOW: Final = {
    "flow": f"flow-{SECRET}",
    "inputs": {"text": {"type": "string", "default": SECRET}},
    "nodes": [
        {
            "kind": "file.write",
            "name": "write",
            "path": "run:out/report.txt",
            "content": SECRET,
            "links": {"path": f"lock-{SECRET}"},  # when it is locked, the file is there
        },
        {"kind": "lock", "name": f"lock-{SECRET}"},
    ],
}
NAME: Final = FLOW["flow"]

GRANTS: Final[dict[str, tuple[str, ...]]] = {
    "stranger": (),
    "viewer": (f"view flow:{NAME}",),
    "witness": (f"view events:{NAME}",),
    "launcher": (f"launch flow:{NAME}",),
    "operator": (f"operate flow:{NAME}",),
    "local admin": ("admin host",),
}
"""Who asks, with what they were given; `local admin` on the host of this namespace alone."""

ROLES: Final = ("nobody", *GRANTS, "admin")
SOMEBODY: Final = (*GRANTS, "admin")
HOST_ADMINS: Final = ("local admin", "admin")
SEE_FLOW: Final = ("viewer", "launcher", "operator", *HOST_ADMINS)
SEE_RUNS: Final = ("witness", "operator", *HOST_ADMINS)
LAUNCH: Final = ("launcher", "operator", *HOST_ADMINS)
OPERATE: Final = ("operator", *HOST_ADMINS)
ADMIN: Final = ("admin",)
NONE: Final = ()
"""For those alone whose it is."""

ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "list_flows": SOMEBODY,
    "show_flow": SEE_FLOW,
    "launch_flow": LAUNCH,
    "show_form": SEE_FLOW,
    "list_runs": SOMEBODY,
    "show_run": SEE_RUNS,
    "show_inputs": SEE_RUNS,
    "show_result": SEE_RUNS,
    "list_children": SEE_RUNS,
    "show_graph": SEE_RUNS,
    "show_node": SEE_RUNS,
    "cancel_run": OPERATE,
    "resume_run": OPERATE,
    "retry_run": OPERATE,
    "list_events": SEE_RUNS,
    "list_inbox": SOMEBODY,
    "list_locks": SEE_RUNS,
    "show_lock": SEE_RUNS,
    "submit_candidate": OPERATE,
    "list_run_files": SEE_RUNS,
    "get_run_file": SEE_RUNS,
    "describe_uploads": ROLES,
    "create_upload": LAUNCH,
    "measure_upload": NONE,
    "show_upload": NONE,
    "continue_upload": NONE,
    "delete_upload": NONE,
    "override_upload": NONE,
    "show_session": ROLES,
    "log_in": ROLES,
    "log_out": ROLES,
    "change_password": SOMEBODY,
    "list_tokens": SOMEBODY,
    "create_token": SOMEBODY,
    "delete_token": ADMIN,
    "list_users": ADMIN,
    "create_user": ADMIN,
    "show_user": ADMIN,
    "change_user": ADMIN,
    "delete_user": ADMIN,
    "list_groups": ADMIN,
    "create_group": ADMIN,
    "show_group": ADMIN,
    "change_group": ADMIN,
    "delete_group": ADMIN,
    "list_grants": SOMEBODY,
    "create_grant": ADMIN,
    "delete_grant": ADMIN,
    "list_audit": ADMIN,
    "list_specs": HOST_ADMINS,
    "show_spec": HOST_ADMINS,
    "apply_documents": HOST_ADMINS,
    "delete_spec": HOST_ADMINS,
    "show_live": ROLES,
    "show_ready": ROLES,
    "show_metrics": HOST_ADMINS,
}
"""Operation → who may do it, on what is somebody else's."""

SCREENS: Final[dict[str, tuple[str, ...]]] = {
    "GET /": SOMEBODY,
    "GET /login": ROLES,
    "POST /login": ROLES,
    "POST /logout": ROLES,
    "GET /login/{name}": NONE,
    "GET /login/{name}/callback": NONE,
    "GET /flows": SOMEBODY,
    "GET /flows/{flow}": SEE_FLOW,
    "POST /flows/{flow}": LAUNCH,
    "GET /runs": SOMEBODY,
    "GET /runs/{fid}": SEE_RUNS,
    "POST /runs/{fid}/cancel": OPERATE,
    "POST /runs/{fid}/resume": OPERATE,
    "POST /runs/{fid}/retry": OPERATE,
    "GET /inbox": SOMEBODY,
    "GET /runs/{fid}/lock/{lid}": SEE_RUNS,
    "POST /runs/{fid}/lock/{lid}": OPERATE,
}

BODIES: Final[dict[str, Any]] = {
    "launch_flow": {"inputs": {}},
    "cancel_run": {"reason": "enough"},
    "retry_run": {"from_start": True},
    "submit_candidate": "yes",
    "change_password": {"old": "wrong horse", "new": "battery staple"},
    "create_token": {"name": "one more"},
    "create_user": {"name": "zoe"},
    "create_group": {"name": "night"},
    "create_grant": {"subject": "anyone", "permission": "view", "resource": "host"},
    "apply_documents": {"documents": [{"flow": "other", "nodes": [{"kind": "nop", "name": "n"}]}]},
}
HEADERS: Final[dict[str, dict[str, str]]] = {
    "continue_upload": {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    "create_upload": {"Upload-Length": "0"},
    "override_upload": {"X-HTTP-Method-Override": "DELETE"},
}
ALSO: Final = {"log_in": (401, 422, 429), "change_password": (401, 429), "show_ready": (503,)}
"""How an operation answers who may do it, when what they ask cannot be."""

TUS: Final = {"Tus-Resumable": "1.0.0"}


class World:
    """A host with what somebody else, called boss, has on it."""

    def __init__(self, served: Hosted, boss: httpx.AsyncClient) -> None:
        self.served = served
        self.boss = boss
        self._count = itertools.count()
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def client(self, role: str) -> httpx.AsyncClient:
        """Somebody who asks."""
        if role not in self._clients:
            self._clients[role] = await self._make(role)
        return self._clients[role]

    async def _make(self, role: str) -> httpx.AsyncClient:
        served = self.served
        if role == "nobody":
            return await served.client()
        name = role.replace(" ", "-")
        if role == "admin":
            user = await served.auth.users.add(f"the-{name}", roles=["admin"])
        else:
            user = await served.auth.users.add(f"the-{name}")
            namespace = "default" if role == "local admin" else "*"
            for grant in GRANTS[role]:
                body = dict(zip(("permission", "resource"), grant.split(" ", 1), strict=True))
                made = await served.admin.post(
                    f"{PREFIX}/grants",
                    json={"subject": f"user:{user.name}", "namespace": namespace, **body},
                )
                assert made.status_code == 201, made.text
        return await served.client((await served.auth.tokens.issue(user, name="test")).text)

    async def run(self) -> dict[str, str]:
        """A run that boss has launched, which waits at its lock."""
        launched = await self.boss.post(f"{PREFIX}/flows/{NAME}/runs", json={})
        fid = launched.json()["fid"]
        page = await self.boss.get(f"{PREFIX}/runs/{fid}/events?type=lock.opened&wait=20")
        (opened,) = page.json()["items"]
        return {"fid": fid, "lid": opened["lock"], "flow": NAME}

    async def ended(self) -> dict[str, str]:
        found = await self.run()
        await self.boss.post(f"{PREFIX}/runs/{found['fid']}/cancel", json={})
        return found

    async def about(self, path: str) -> dict[str, str]:
        """What stands for the placeholders of a path: things of boss, made for this once."""
        number = next(self._count)
        if "{fid}" in path:
            found = await (self.ended() if "retry" in path else self.run())
            return found | {"name": "out/report.txt"}
        if path.startswith(("/users", "/groups")):
            name = f"{SECRET}{number}"
            sort = self.served.auth.users if path.startswith("/users") else self.served.auth.groups
            await sort.add(name)
            return {"name": name}
        if path.startswith("/specs"):
            name = f"{SECRET}{number}"
            await self.served.apply({"kind": "nop", "name": name})
            return {"name": name}
        makers: dict[str, Callable[[], Awaitable[str]]] = {
            "/tokens": self._token,
            "/grants": self._grant,
            "/uploads": self._upload,
        }
        for prefix, make in makers.items():
            if "{id}" in path and path.startswith(prefix):
                return {"id": await make()}
        return {"flow": NAME, "name": "nowhere"}

    async def _token(self) -> str:
        boss = self.served.auth.directory.picture.find(User, "boss")
        return (await self.served.auth.tokens.issue(boss, name=SECRET)).token.id

    async def _grant(self) -> str:
        body = {
            "subject": "user:boss",
            "permission": "view",
            "resource": f"flow:{SECRET}{next(self._count)}",
        }
        return str((await self.served.admin.post(f"{PREFIX}/grants", json=body)).json()["id"])

    async def _upload(self) -> str:
        made = await self.boss.post(f"{PREFIX}/uploads", headers={**TUS, "Upload-Length": "4"})
        return made.headers["location"].rpartition("/")[2]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with hosted(FLOW, files=tmp_path / "files") as served:
        boss = await served.user("boss", f"operate flow:{NAME}")
        yield World(served, boss)


def test_the_table_says_of_every_operation_who_may_do_it() -> None:
    assert {operation.name for operation in OPERATIONS} == set(ALLOWED)


async def test_the_table_says_of_every_screen_who_may_see_it(world: World) -> None:
    found = {
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for route in page_routes(world.served.host)
        if hasattr(route, "endpoint")
        for method in route.methods - {"HEAD"}
    }
    assert found == set(SCREENS)


async def ask(world: World, role: str, operation: Operation, about: dict[str, str]) -> httpx.Response:
    path = operation.path.replace("{name:path}", "{name}").format(**about)
    prefix = "" if operation.rooted else PREFIX
    headers = dict(HEADERS.get(operation.name, {}))
    if "/uploads" in path:
        headers |= TUS
    client = await world.client(role)
    options: dict[str, Any] = {"params": {"path": "write"}} if operation.name == "show_node" else {}
    if operation.name in BODIES:
        options["json"] = BODIES[operation.name]
    elif operation.name == "change_user":
        options["json"] = {"email": "x@y"}
    elif operation.name == "log_in":
        options["json"] = {"name": "nobody", "password": "wrong horse"}
    elif operation.method in ("PATCH", "POST") and "uploads" not in path:
        options["json"] = {}
    return await client.request(operation.method, f"{prefix}{path}", headers=headers, **options)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_an_operation_is_done_for_those_who_may_and_for_nobody_else(
    world: World, operation: Operation
) -> None:
    for role in ROLES:
        about = await world.about(operation.path)
        answer = await ask(world, role, operation, about)
        told = f"{role}: {answer.status_code} {answer.text}"
        if role in ALLOWED[operation.name]:
            also = ALSO.get(operation.name, (410, 422))
            assert answer.status_code < 400 or answer.status_code in also, told
        else:
            assert answer.status_code == (401 if role == "nobody" else answer.status_code), told
            assert answer.status_code in (401, 403, 404), told
            assert SECRET not in _without(answer.text, *about.values()), told


@pytest.mark.parametrize("role", ["stranger", "viewer", "launcher"])
@pytest.mark.parametrize("path", ["/runs", "/locks", "/grants", "/runs?state=waiting", "/tokens"])
async def test_lists_hold_nothing_that_one_may_not_see(world: World, role: str, path: str) -> None:
    await world.run()
    answer = await (await world.client(role)).get(f"{PREFIX}{path}")
    assert answer.status_code == 200
    assert SECRET not in answer.text


async def test_a_list_of_flows_holds_those_that_one_may_see(world: World) -> None:
    for role in SOMEBODY:
        answer = await (await world.client(role)).get(f"{PREFIX}/flows")
        names = [flow["name"] for flow in answer.json()["items"]]
        assert (NAME in names) == (role in SEE_FLOW), role


async def test_what_is_hidden_looks_like_what_is_not_there(world: World) -> None:
    found = await world.run()
    stranger = await world.client("stranger")
    for path, other in (
        (f"/runs/{found['fid']}", "/runs/nothing"),
        (f"/runs/{found['fid']}/events", "/runs/nothing/events"),
        (f"/flows/{NAME}", "/flows/nothing"),
    ):
        hidden = await stranger.get(f"{PREFIX}{path}")
        missing = await stranger.get(f"{PREFIX}{other}")
        facts = [{**answer.json(), "instance": ""} for answer in (hidden, missing)]
        assert hidden.status_code == missing.status_code == 404
        assert str(facts[0]).replace(NAME, "nothing") == str(facts[1])


async def test_who_launched_a_run_does_with_it_what_operators_do(world: World) -> None:
    launcher = await world.client("launcher")
    fid = (await launcher.post(f"{PREFIX}/flows/{NAME}/runs", json={})).json()["fid"]
    for path in ("", "/inputs", "/graph", "/events", "/locks", "/files"):
        assert (await launcher.get(f"{PREFIX}/runs/{fid}{path}")).status_code == 200, path
    listed = (await launcher.get(f"{PREFIX}/runs")).json()["items"]
    assert [run["fid"] for run in listed] == [fid]
    assert (await launcher.post(f"{PREFIX}/runs/{fid}/cancel", json={})).status_code == 200
    assert (await launcher.post(f"{PREFIX}/runs/{fid}/retry", json={})).status_code == 201


async def test_who_may_no_longer_launch_a_flow_does_not_retry_their_run(world: World) -> None:
    launcher = await world.client("launcher")
    fid = (await launcher.post(f"{PREFIX}/flows/{NAME}/runs", json={})).json()["fid"]
    await launcher.post(f"{PREFIX}/runs/{fid}/cancel", json={})
    grants = (await world.served.admin.get(f"{PREFIX}/grants?subject=user:the-launcher")).json()["items"]
    await world.served.admin.delete(f"{PREFIX}/grants/{grants[0]['id']}")
    answer = await launcher.post(f"{PREFIX}/runs/{fid}/retry", json={})
    assert answer.status_code == 403
    assert (await launcher.get(f"{PREFIX}/runs/{fid}")).status_code == 200


async def test_a_stream_ends_when_who_reads_it_is_put_out(world: World) -> None:
    found = await world.run()
    witness = await world.client("witness")
    headers = {"Accept": "text/event-stream"}
    async with (
        asyncio.timeout(10),
        witness.stream("GET", f"{PREFIX}/runs/{found['fid']}/events", headers=headers) as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines)
        await world.served.auth.users.change("the-witness", active=False)
        async for _ in lines:
            pass  # it ends, or the time is over


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_screen_shows_itself_to_those_who_may_see_it(world: World, screen: str) -> None:
    method, _, pattern = screen.partition(" ")
    for role in ROLES:
        about = await world.about(pattern)
        answer = await (await world.client(role)).request(
            method, pattern.format(**{"name": "nowhere", **about}), data={} if method == "POST" else None
        )
        told = f"{role}: {answer.status_code} {answer.headers.get('location')} {answer.text[:2000]}"
        if role in SCREENS[screen]:
            assert answer.status_code < 400 or answer.status_code in ALSO["log_in"], told
            assert "/login?" not in answer.headers.get("location", ""), told
        else:
            sent_to_log_in = answer.headers.get("location", "").startswith("/login")
            assert sent_to_log_in or answer.status_code in (403, 404), told
            assert role != "nobody" or sent_to_log_in or "login" in screen, told
            if role in ("nobody", "stranger"):
                assert SECRET not in _without(answer.text, *about.values()), told


def _without(text: str, *asked: str) -> str:
    """What an answer tells, without what the question said."""
    for each in asked:
        text = text.replace(each, "")
    return text

"""Every route × every role: who may what, and that nobody else learns of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.hosted import Hosted, hosted

from penstock.host.api.operation import Operation
from penstock.host.api.routes import OPERATIONS
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    import httpx

ASK = {
    "flow": "ask",
    "nodes": [{"kind": "lock", "name": "approve", "schema": {"type": "boolean"}}],
}

ROLES = {
    "stranger": (),
    "viewer": ("view flow:ask", "view events:ask"),
    "launcher": ("launch flow:ask", "view events:ask"),
    "operator": ("launch flow:ask", "operate events:ask"),
    "host viewer": ("view host",),
    "admin": ("admin host",),
}
"""Each may what those before it may, but for the last but one, who sees everything and does nothing."""

OPEN = {"describe_uploads", "show_session", "log_in", "log_out", "show_live", "show_ready"}
OWN = {
    "create_upload", "measure_upload", "show_upload", "continue_upload", "delete_upload",
    "override_upload",
    "change_password", "list_tokens", "create_token", "delete_token",
}  # fmt: skip
"""About what belongs to who asks, and to nobody else."""
LISTS = {"list_flows", "list_runs", "list_inbox", "list_grants"}
"""Say to everybody what they may see of it, which may be nothing."""
SEES = {
    "show_flow", "show_form", "show_run", "show_inputs", "show_result", "list_children", "show_graph",
    "show_node", "list_events", "list_locks", "show_lock", "list_run_files", "get_run_file",
}  # fmt: skip
LAUNCHES = {"launch_flow"}
OPERATES = {"cancel_run", "resume_run", "retry_run", "submit_candidate"}
SEES_HOST = {"show_metrics"}
ADMINISTERS = {
    "list_users", "create_user", "show_user", "change_user", "delete_user",
    "list_groups", "create_group", "show_group", "change_group", "delete_group",
    "create_grant", "delete_grant", "list_audit",
    "list_specs", "show_spec", "apply_documents", "delete_spec",
}  # fmt: skip

BODIES: dict[str, Any] = {
    "submit_candidate": True,
    "create_user": {"name": "new"},
    "create_group": {"name": "new"},
    "create_grant": {"subject": "user:bob", "permission": "view", "resource": "host"},
    "apply_documents": {"documents": []},
    "retry_run": {"from_start": True},
}


def allowed(operation: Operation, role: str) -> bool:
    """Whether a role may do it at all."""
    name = operation.name
    levels = ["stranger", "viewer", "launcher", "operator", "admin"]
    level = levels.index(role) if role in levels else 0
    if name in OPEN | OWN | LISTS:
        return True
    if name in SEES:
        return level >= 1 or role == "host viewer"
    if name in LAUNCHES:
        return level >= 2
    if name in OPERATES:
        return level >= 3
    if name in SEES_HOST:
        return role in ("host viewer", "admin")
    assert name in ADMINISTERS, f"`{name}` is new: say here who may do it"
    return role == "admin"


class Place:
    """A host with a run that waits for an answer, launched by somebody else than who asks."""

    def __init__(self, served: Hosted, fid: str, lid: str) -> None:
        self.served, self.fid, self.lid = served, fid, lid

    async def ask(self, client: httpx.AsyncClient, operation: Operation) -> httpx.Response:
        path = operation.path.replace("{name:path}", "in/none")
        values = {"fid": self.fid, "lid": self.lid, "flow": "ask", "name": "bob", "id": "none"}
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        query = {"path": "approve"} if operation.name == "show_node" else {}
        if operation.name == "list_events":
            query = {"follow": "false"}
        body = BODIES.get(operation.name, {} if operation.body is not None else None)
        return await client.request(
            operation.method,
            path if operation.rooted else f"{PREFIX}{path}",
            params=query,
            json=body,
        )


async def place(served: Hosted) -> Place:
    run = (await served.admin.post(f"{PREFIX}/flows/ask/runs", json={})).json()
    found: list[dict[str, Any]] = []
    while not found:
        found = (await served.admin.get(f"/{run['fid']}/locks")).json()["items"]
        await asyncio.sleep(0)
    await served.auth.users.add("bob")
    return Place(served, run["fid"], found[0]["lid"])


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_what_it_is_granted_and_sees_nothing_else(role: str) -> None:
    async with hosted(ASK) as served:
        there = await place(served)
        client = await served.user("ann", *ROLES[role])
        for operation in OPERATIONS:
            answer = await there.ask(client, operation)
            told = f"{operation.name} by {role}: {answer.status_code} {answer.text[:200]}"
            if not allowed(operation, role):
                assert answer.status_code in (403, 404), told
                assert there.fid not in answer.text.replace(str(answer.url.path), ""), told
                if operation.name in SEES | LAUNCHES and role == "stranger":
                    assert answer.status_code == 404, told
            elif operation.name not in OWN | {"log_in", "get_run_file"}:
                assert answer.status_code < 400 or answer.status_code in (404, 409, 410, 422, 503), told
                assert "urn:penstock:run-not-found" not in answer.text, told
            if role == "stranger" and operation.name in LISTS:
                assert answer.json()["items"] == [], told


async def test_somebody_who_is_not_known_is_told_nothing() -> None:
    async with hosted(ASK) as served:
        there = await place(served)
        for client in (await served.client(), await served.client("pst_nothing")):
            for operation in OPERATIONS:
                answer = await there.ask(client, operation)
                if operation.name not in OPEN:
                    assert answer.status_code == 401, operation.name
                assert there.fid not in answer.text.replace(str(answer.url.path), "")


async def test_what_is_missing_and_what_is_hidden_look_alike() -> None:
    async with hosted(ASK) as served:
        there = await place(served)
        stranger = await served.user("ann")
        missing = Place(served, "0" * 20, there.lid)
        for operation in OPERATIONS:
            if "{fid}" not in operation.path:
                continue
            hidden = (await there.ask(stranger, operation)).text.replace(there.fid, "FID")
            none = (await missing.ask(stranger, operation)).text.replace(missing.fid, "FID")
            assert hidden == none, operation.name

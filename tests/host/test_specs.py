"""Documents of the namespace, over HTTP."""

from __future__ import annotations

from tests.host.hosted import hosted

HELLO = {
    "flow": "hello",
    "nodes": [{"kind": "snippet", "name": "greet", "language": "jinja", "code": "hello"}],
}


async def test_a_flow_that_is_applied_can_be_launched_at_once() -> None:
    async with hosted() as served:
        answer = await served.admin.post("/api/v1/apply", json={"documents": [HELLO]})
        assert answer.status_code == 200
        assert [(each["action"], each["name"]) for each in answer.json()["items"]] == [
            ("created", "hello")
        ]
        run = await served.admin.post("/api/v1/flows/hello/runs?wait=10", json={})
        assert run.json()["state"] == "completed"
        (spec,) = (await served.admin.get("/api/v1/specs")).json()["items"]
        assert (spec["name"], spec["kind"], spec["status"]) == ("hello", "flow", "active")


async def test_nothing_of_it_is_applied_where_one_document_is_wrong() -> None:
    async with hosted() as served:
        wrong = {"flow": "wrong", "nodes": [{"kind": "snipet", "name": "greet"}]}
        answer = await served.admin.post("/api/v1/apply", json={"documents": [HELLO, wrong]})
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert fault["pointer"] == "/documents/1/nodes/0/kind"
        assert "did you mean `snippet`?" in fault["remedy"]
        assert (await served.admin.get("/api/v1/specs")).json()["items"] == []


async def test_a_dry_run_writes_nothing() -> None:
    async with hosted() as served:
        body = {"documents": [HELLO], "dry_run": True}
        answer = await served.admin.post("/api/v1/apply", json=body)
        assert [each["action"] for each in answer.json()["items"]] == ["created"]
        assert (await served.admin.get("/api/v1/specs")).json()["items"] == []


async def test_a_lost_revision_is_a_conflict() -> None:
    async with hosted(HELLO) as served:
        stale = {**HELLO, "description": "new", "revision": 7}
        answer = await served.admin.post("/api/v1/apply", json={"documents": [stale]})
        assert answer.status_code == 409


async def test_a_deleted_flow_is_gone_and_its_runs_stay() -> None:
    async with hosted(HELLO) as served:
        run = (await served.admin.post("/api/v1/flows/hello/runs?wait=10", json={})).json()
        gone = await served.admin.delete("/api/v1/specs/hello")
        assert (gone.status_code, gone.json()["action"]) == (200, "deleted")
        assert (await served.admin.get("/api/v1/flows/hello")).status_code == 404
        assert (await served.admin.get(f"/{run['fid']}/result")).json()["result"] == "hello"
        assert (await served.admin.delete("/api/v1/specs/hello")).status_code == 404


async def test_only_administrators_see_and_change_documents() -> None:
    async with hosted(HELLO) as served:
        ann = await served.user("ann", "operate flow:*", "launch host")
        for method, path in (("GET", "/specs"), ("GET", "/specs/hello"), ("DELETE", "/specs/hello")):
            assert (await ann.request(method, f"/api/v1{path}")).status_code == 403
        applied = await ann.post("/api/v1/apply", json={"documents": [HELLO]})
        assert applied.status_code == 403


async def test_another_namespace_is_refused() -> None:
    async with hosted() as served:
        body = {"documents": [HELLO], "namespace": "other"}
        answer = await served.admin.post("/api/v1/apply", json=body)
        assert answer.status_code == 422
        assert "serves the namespace `default`" in answer.json()["detail"]


async def test_what_was_applied_is_in_the_audit_trail() -> None:
    async with hosted() as served:
        await served.admin.post("/api/v1/apply", json={"documents": [HELLO]})
        await served.auth.trail.flush()
        entries = (await served.admin.get("/api/v1/audit")).json()["items"]
        assert ("specs.apply", "created hello") in [(each["action"], each["detail"]) for each in entries]

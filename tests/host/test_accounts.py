"""Users, groups, grants and tokens, as programs administer them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.hosted import Hosted, hosted

if TYPE_CHECKING:
    import httpx

HELLO = {
    "kind": "flow",
    "name": "hello",
    "nodes": [{"kind": "snippet", "name": "say", "language": "text", "code": "hi"}],
}
API = "/api/v1"


@pytest.fixture
async def served() -> AsyncIterator[Hosted]:
    async with hosted(HELLO) as served:
        yield served


async def items(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{API}{path}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def make(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_user_is_made_changed_and_removed(served: Hosted) -> None:
    admin = served.admin
    made = await make(admin, "/users", name="Ada", password="correct horse", roles=["viewer"])
    assert (made["name"], made["roles"], made["password"]) == ("ada", ["viewer"], True)
    changed = await admin.patch(f"{API}/users/ada", json={"email": "ada@x", "roles": []})
    assert changed.json() == made | {"email": "ada@x", "roles": []}
    assert (await admin.get(f"{API}/users/ADA")).json() == changed.json()
    assert (await admin.delete(f"{API}/users/ada")).status_code == 204
    assert (await admin.get(f"{API}/users/ada")).status_code == 404
    assert (await admin.delete(f"{API}/users/ada")).status_code == 404


async def test_users_come_in_pages(served: Hosted) -> None:
    for number in range(5):
        await make(served.admin, "/users", name=f"user{number}")
    names, cursor = [], ""
    while True:
        page = (await served.admin.get(f"{API}/users", params={"limit": 2, "cursor": cursor})).json()
        names += [user["name"] for user in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert names == ["admin", *(f"user{number}" for number in range(5))]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/users", {"name": "admin"}, "/name"),
        ("/users", {"name": "a b"}, "/name"),
        ("/users", {"name": "ada", "password": "short"}, "/password"),
        ("/users", {"name": "ada", "roles": ["oprator"]}, "/roles"),
        ("/users", {"name": "ada", "groups": ["nobody"]}, "/groups"),
        ("/users", {"name": "ada", "groups": "staff"}, "/groups"),
        ("/users", {"name": "ada", "admin": True}, ""),
        ("/groups", {"name": ""}, "/name"),
        ("/grants", {"subject": "ada", "permission": "view", "resource": "host"}, "/subject"),
        ("/grants", {"subject": "user:ada", "permission": "view", "resource": "host"}, "/subject"),
        ("/grants", {"subject": "anyone", "permission": "see", "resource": "host"}, "/permission"),
        ("/grants", {"subject": "anyone", "permission": "view", "resource": "hosts"}, "/resource"),
        (
            "/grants",
            {"subject": "anyone", "permission": "view", "resource": "host", "namespace": "a b"},
            "/namespace",
        ),
        ("/tokens", {"name": ""}, "/name"),
        ("/tokens", {"name": "ci", "expires_in": -1}, "/expires_in"),
        ("/tokens", {"name": "ci", "permission": "all"}, "/permission"),
        ("/tokens", {"name": "ci", "user": "nobody"}, "/user"),
    ],
)
async def test_what_cannot_be_is_told_with_its_place(
    served: Hosted, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await served.admin.post(f"{API}{path}", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault.get("pointer", "") == pointer
    assert fault["detail"]


async def test_a_group_and_who_is_in_it(served: Hosted) -> None:
    admin = served.admin
    await make(admin, "/users", name="ada")
    made = await make(admin, "/groups", name="staff", roles=["launcher"], description="All of us")
    assert (made["members"], made["roles"]) == ([], ["launcher"])
    joined = await admin.patch(f"{API}/groups/staff", json={"add": ["ada"]})
    assert joined.json()["members"] == ["ada"]
    left = await admin.patch(f"{API}/groups/staff", json={"remove": ["ada"], "roles": []})
    assert (left.json()["members"], left.json()["roles"]) == ([], [])
    assert [group["name"] for group in await items(admin, "/groups")] == ["staff"]
    assert (await admin.delete(f"{API}/groups/staff")).status_code == 204
    assert (await admin.get(f"{API}/groups/staff")).status_code == 404


async def test_a_grant_is_given_and_taken_back(served: Hosted) -> None:
    admin, ada = served.admin, await served.user("ada")
    assert (await ada.get(f"{API}/flows/hello")).status_code == 404
    made = await make(admin, "/grants", subject="user:ada", permission="view", resource="flow:hello")
    assert (made["subject"], made["namespace"]) == ("user:ada", "*")
    assert (await ada.get(f"{API}/flows/hello")).status_code == 200
    assert [grant["id"] for grant in await items(admin, "/grants?subject=user:ada")] == [made["id"]]
    assert await items(admin, "/grants?resource=host") == []
    assert (await admin.delete(f"{API}/grants/{made['id']}")).status_code == 204
    assert (await ada.get(f"{API}/flows/hello")).status_code == 404
    assert (await admin.delete(f"{API}/grants/{made['id']}")).status_code == 404


async def test_who_administers_a_flow_sees_and_gives_the_grants_on_it_alone(served: Hosted) -> None:
    ada = await served.user("ada", "admin flow:hello")
    await served.user("bob")
    body = {"subject": "user:bob", "permission": "launch", "resource": "flow:hello"}
    everywhere = await ada.post(f"{API}/grants", json=body)
    assert everywhere.status_code == 403
    made = await make(ada, "/grants", **body, namespace="default")
    assert [grant["id"] for grant in await items(ada, "/grants")] == [made["id"]]
    other = await ada.post(f"{API}/grants", json={**body, "resource": "host", "namespace": "default"})
    assert other.status_code == 403
    assert (await ada.delete(f"{API}/grants/{made['id']}")).status_code == 204


async def test_a_token_is_shown_once(served: Hosted) -> None:
    ada = await served.user("ada", "view flow:hello")
    made = await make(ada, "/tokens", name="ci", expires_in=3600, permission="launch")
    assert made["secret"].startswith("pst_")
    listed = {token["name"]: token for token in await items(ada, "/tokens")}
    assert listed["ci"] == made | {"secret": ""}
    assert listed["ci"]["expires"]
    client = await served.client(made["secret"])
    assert (await client.get(f"{API}/flows/hello")).status_code == 200
    assert (await ada.delete(f"{API}/tokens/{made['id']}")).status_code == 204
    assert (await client.get(f"{API}/flows/hello")).status_code == 401
    assert (await ada.delete(f"{API}/tokens/{made['id']}")).status_code == 404


async def test_tokens_of_others_are_for_administrators(served: Hosted) -> None:
    ada, bob = await served.user("ada"), await served.user("bob")
    (token,) = await items(ada, "/tokens")
    assert (await bob.get(f"{API}/tokens?user=ada")).status_code == 403
    assert (await bob.post(f"{API}/tokens", json={"name": "x", "user": "ada"})).status_code == 403
    assert (await bob.delete(f"{API}/tokens/{token['id']}")).status_code == 404
    assert await items(served.admin, "/tokens?user=ada") == [token]
    made = await make(served.admin, "/tokens", name="given", user="ada")
    assert made["user"] == "ada"
    assert (await served.admin.delete(f"{API}/tokens/{token['id']}")).status_code == 204
    assert (await ada.get(f"{API}/tokens")).status_code == 401


async def test_a_token_that_is_bound_makes_none_that_is_not(served: Hosted) -> None:
    bound = await make(served.admin, "/tokens", name="bound", permission="view")
    client = await served.client(bound["secret"])
    answer = await client.post(f"{API}/tokens", json={"name": "more"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/permission"
    assert (await client.get(f"{API}/users")).status_code == 403


async def test_the_last_administrator_stays(served: Hosted) -> None:
    answer = await served.admin.patch(f"{API}/users/admin", json={"active": False})
    assert answer.status_code == 422
    assert "nobody would be left" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("POST", "/users"),
        ("GET", "/users/admin"),
        ("PATCH", "/users/admin"),
        ("DELETE", "/users/admin"),
        ("GET", "/groups"),
        ("POST", "/groups"),
        ("GET", "/groups/staff"),
        ("PATCH", "/groups/staff"),
        ("DELETE", "/groups/staff"),
        ("POST", "/grants"),
        ("GET", "/audit"),
    ],
)
async def test_who_administers_the_host_of_a_namespace_does_not_administer_accounts(
    served: Hosted, method: str, path: str
) -> None:
    ada = await served.user("ada")
    await make(
        served.admin,
        "/grants",
        subject="user:ada",
        permission="admin",
        resource="host",
        namespace="default",
    )
    await make(served.admin, "/groups", name="staff")
    bodies = {
        "/users": {"name": "eve", "roles": ["admin"]},
        "/groups": {"name": "eves"},
        "/grants": {"subject": "user:ada", "permission": "admin", "resource": "host"},
    }
    answer = await ada.request(method, f"{API}{path}", json=bodies.get(path, {}))
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:penstock:forbidden"


async def test_the_trail_is_read_in_pages_and_by_what_one_looks_for(served: Hosted) -> None:
    for number in range(4):
        await make(served.admin, "/users", name=f"user{number}")
    first = (await served.admin.get(f"{API}/audit?action=user.create&limit=3")).json()
    second = (
        await served.admin.get(f"{API}/audit?action=user.create&limit=3&cursor={first['next']}")
    ).json()
    subjects = [entry["subject"] for entry in first["items"] + second["items"]]
    assert subjects == [*(f"user:user{number}" for number in (3, 2, 1, 0)), "user:admin"]
    assert second["next"] == ""
    (entry,) = await items(served.admin, "/audit?subject=user:user1")
    assert (entry["who"], entry["address"]) == ("admin", "127.0.0.1")
    assert await items(served.admin, "/audit?who=nobody") == []


async def test_a_new_password_is_in_the_trail_and_what_it_is_is_not(served: Hosted) -> None:
    await make(served.admin, "/users", name="ada", password="correct horse")
    await served.admin.patch(f"{API}/users/ada", json={"password": "battery staple", "email": "a@x"})
    (entry,) = await items(served.admin, "/audit?action=user.change")
    assert entry["detail"] == "password, email=a@x"

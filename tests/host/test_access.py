"""Who comes in to a host, by token and by session, and what keeps others' pages out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.hosted import Hosted, hosted

from penstock.auth.records import User
from penstock.host.forwarded import Forwarded

if TYPE_CHECKING:
    import httpx

HELLO = {
    "kind": "flow",
    "name": "hello",
    "nodes": [{"kind": "snippet", "name": "say", "language": "text", "code": "hi"}],
}
PASSWORD = "correct horse"
LAUNCH = "/api/v1/flows/hello/runs"


@pytest.fixture
async def served() -> AsyncIterator[Hosted]:
    async with hosted(HELLO) as served:
        yield served


async def log_in(served: Hosted, name: str = "ada", **headers: str) -> httpx.AsyncClient:
    """A browser with a session of a user who may launch."""
    if served.auth.directory.picture.named(User, name) is None:
        await served.user(name, "launch flow:*", password=PASSWORD)
    browser = await served.client()
    browser.headers.update(headers)
    answer = await browser.post("/api/v1/session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return browser


async def csrf_token(browser: httpx.AsyncClient) -> str:
    token: str = (await browser.get("/api/v1/session")).json()["csrf_token"]
    assert token
    return token


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:penstock:")


async def actions(served: Hosted) -> list[tuple[str, str, str]]:
    await served.auth.trail.flush()
    entries = await served.runtime.store.audits()
    return [(entry.who, entry.action, entry.outcome) for entry in reversed(entries)]


# --- tokens -------------------------------------------------------------------------


async def test_who_shows_a_token_is_known(served: Hosted) -> None:
    found = (await served.admin.get("/api/v1/session")).json()
    assert (found["name"], found["via"], found["roles"]) == ("admin", "token", ["admin"])
    assert found["csrf_token"] == ""


async def test_who_shows_nothing_is_asked_who_they_are(served: Hosted) -> None:
    nobody = await served.client()
    answer = await nobody.get("/api/v1/flows")
    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="penstock"'


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic YWRhOng=", "bearer pst_x.y", "Token x", "é"]
)
async def test_a_header_that_proves_nothing_is_refused(served: Hosted, header: str) -> None:
    nobody = await served.client()
    answer = await nobody.get("/api/v1/flows", headers=[(b"Authorization", header.encode())])
    assert problem(answer) == (401, "unauthenticated")
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_no_answer_is_kept_on_the_way(served: Hosted) -> None:
    for path in ("/session", "/tokens", "/flows"):
        answer = await served.admin.get(f"/api/v1{path}")
        assert answer.headers["cache-control"] == "no-store"


async def test_a_token_works_in_whatever_case_its_scheme_is_written(served: Hosted) -> None:
    client = await served.client()
    answer = await client.get("/api/v1/flows", headers={"Authorization": f"bEARER {served.token}"})
    assert answer.status_code == 200


async def test_a_token_needs_no_proof_that_no_page_asks(served: Hosted) -> None:
    answer = await served.admin.post(LAUNCH, json={}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 201


async def test_a_user_who_is_put_out_is_out_with_the_next_request(served: Hosted) -> None:
    ada = await served.user("ada", "launch flow:hello")
    assert (await ada.get("/api/v1/flows/hello")).status_code == 200
    changed = await served.admin.patch("/api/v1/users/ada", json={"active": False})
    assert changed.json()["active"] is False
    assert problem(await ada.get("/api/v1/flows/hello")) == (401, "unauthenticated")


async def test_what_anyone_may_do_needs_no_credentials_and_the_rest_does_not_exist(
    served: Hosted,
) -> None:
    await served.admin.post(
        "/api/v1/grants", json={"subject": "anyone", "permission": "view", "resource": "flow:hello"}
    )
    nobody = await served.client()
    assert [flow["name"] for flow in (await nobody.get("/api/v1/flows")).json()["items"]] == ["hello"]
    assert problem(await nobody.post(LAUNCH, json={}))[0] == 403
    assert problem(await nobody.get("/api/v1/tokens"))[0] == 403
    assert problem(await nobody.get("/api/v1/users"))[0] == 403


# --- sessions -----------------------------------------------------------------------


async def test_a_session_is_in_a_cookie_that_scripts_cannot_read(served: Hosted) -> None:
    await served.user("ada", password=PASSWORD)
    browser = await served.client()
    answer = await browser.post("/api/v1/session", json={"name": "Ada", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("penstock_session=pst_")
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    assert "Secure" not in cookie
    found = answer.json()
    assert (found["name"], found["via"]) == ("ada", "session")
    assert (await browser.get("/api/v1/session")).json() == found


async def test_a_session_of_tls_is_bound_to_this_host(served: Hosted) -> None:
    await served.user("ada", password=PASSWORD)
    served.host.access._secure = True
    browser = await served.client()
    answer = await browser.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-penstock_session=")
    assert cookie.endswith("; Secure")


async def test_who_is_wrong_is_told_so_and_who_is_wrong_often_has_to_wait(served: Hosted) -> None:
    await served.user("ada", password=PASSWORD)
    browser = await served.client()
    wrong = {"name": "ada", "password": "wrong horse"}
    for _ in range(5):
        assert problem(await browser.post("/api/v1/session", json=wrong)) == (401, "login-refused")
    answer = await browser.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
    assert problem(answer) == (429, "login-limited")
    assert answer.headers["retry-after"] == "1"
    assert "set-cookie" not in answer.headers


async def test_logging_in_again_ends_the_session_before(served: Hosted) -> None:
    browser = await log_in(served)
    first = browser.cookies["penstock_session"]
    token = await csrf_token(browser)
    await browser.post(
        "/api/v1/session",
        json={"name": "ada", "password": PASSWORD},
        headers={"X-CSRF-Token": token},
    )
    assert browser.cookies["penstock_session"] != first
    assert served.auth.directory.session(first) is None


async def test_logging_out_ends_the_session_and_takes_the_cookie(served: Hosted) -> None:
    browser = await log_in(served)
    text = browser.cookies["penstock_session"]
    token = await csrf_token(browser)
    answer = await browser.delete("/api/v1/session", headers={"X-CSRF-Token": token})
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert served.auth.directory.session(text) is None
    answer = await browser.get("/api/v1/flows", headers={"Cookie": f"penstock_session={text}"})
    assert problem(answer) == (401, "unauthenticated")


async def test_who_is_not_logged_in_may_log_out_all_the_same(served: Hosted) -> None:
    nobody = await served.client()
    assert (await nobody.delete("/api/v1/session")).status_code == 204


async def test_people_change_their_own_password(served: Hosted) -> None:
    browser, other = await log_in(served), await log_in(served)
    headers = {"X-CSRF-Token": await csrf_token(browser)}

    async def change(old: str, new: str) -> httpx.Response:
        body = {"old": old, "new": new}
        return await browser.put("/api/v1/session/password", json=body, headers=headers)

    assert problem(await change("wrong horse", "battery staple")) == (401, "login-refused")
    assert problem(await change(PASSWORD, "short"))[0] == 422
    assert (await change(PASSWORD, "battery staple")).status_code == 204
    assert (await browser.get("/api/v1/flows")).status_code == 200
    assert problem(await other.get("/api/v1/flows"))[0] == 401


# --- behind a proxy -----------------------------------------------------------------


async def test_behind_a_proxy_that_speaks_tls_a_session_is_bound_to_this_host(served: Hosted) -> None:
    await served.user("ada", password=PASSWORD)
    proxy = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7, 192.0.2.1"}
    browser = await served.client()
    answer = await browser.post(
        "/api/v1/session", json={"name": "ada", "password": PASSWORD}, headers=proxy
    )
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-penstock_session"
    assert rest.endswith("; Secure")
    cookie = {"Cookie": f"{name}={rest.partition(';')[0]}"}
    assert (await browser.get("/api/v1/flows", headers={**proxy, **cookie})).status_code == 200
    (entry,) = [each for each in await served.runtime.store.audits() if each.action == "login"]
    assert entry.address == "192.0.2.1"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
async def test_the_address_of_who_asks_is_what_the_proxy_has_seen(header: str, address: str) -> None:
    assert await forwarded("127.0.0.1", header) == address


async def test_nobody_is_believed_who_comes_from_elsewhere() -> None:
    assert await forwarded("203.0.113.9", "192.0.2.1") == "203.0.113.9"


async def forwarded(client: str, header: str) -> str:
    """Whose request an application takes it for."""
    seen = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    headers = [(b"x-forwarded-for", header.encode())]
    scope = {"type": "http", "scheme": "http", "client": (client, 1), "headers": headers}
    await Forwarded(application)(scope, None, None)  # type: ignore[arg-type]
    address: str = seen["client"][0]
    return address


# --- pages of somebody else ---------------------------------------------------------


async def test_a_session_that_changes_something_repeats_the_token_of_its_page(served: Hosted) -> None:
    browser = await log_in(served)
    token = await csrf_token(browser)
    assert problem(await browser.post(LAUNCH, json={})) == (403, "csrf")
    for wrong in ("", "x", token[:-2], token + "x"):
        answer = await browser.post(LAUNCH, json={}, headers={"X-CSRF-Token": wrong})
        assert problem(answer) == (403, "csrf")
    answer = await browser.post(LAUNCH, json={}, headers={"X-CSRF-Token": token})
    assert answer.status_code == 201


async def test_the_token_of_one_session_is_none_of_another(served: Hosted) -> None:
    browser, other = await log_in(served), await log_in(served)
    token = await csrf_token(other)
    answer = await browser.post(LAUNCH, json={}, headers={"X-CSRF-Token": token})
    assert problem(answer) == (403, "csrf")


async def test_a_form_may_hold_the_token(served: Hosted) -> None:
    browser = await log_in(served)
    token = await csrf_token(browser)
    assert (await browser.post(LAUNCH, data={"csrf_token": token})).status_code == 201
    assert problem(await browser.post(LAUNCH, data={"csrf_token": "x"})) == (403, "csrf")


async def test_a_form_that_is_streamed_is_let_in_when_the_browser_says_it_is_of_this_host(
    served: Hosted,
) -> None:
    browser = await log_in(served)
    files = {"nothing": ("a.txt", b"x")}
    refused = await browser.post(LAUNCH, files=files)
    assert problem(refused) == (403, "csrf")
    let_in = await browser.post(LAUNCH, files=files, headers={"Sec-Fetch-Site": "same-origin"})
    assert let_in.status_code != 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
async def test_what_a_page_of_another_origin_asks_is_refused_even_with_the_token(
    served: Hosted, headers: dict[str, str]
) -> None:
    browser = await log_in(served)
    token = await csrf_token(browser)
    answer = await browser.post(LAUNCH, json={}, headers={"X-CSRF-Token": token, **headers})
    assert problem(answer) == (403, "cross-origin")


async def test_no_page_of_another_origin_logs_somebody_in(served: Hosted) -> None:
    await served.user("ada", password=PASSWORD)
    browser = await served.client()
    answer = await browser.post(
        "/api/v1/session",
        json={"name": "ada", "password": PASSWORD},
        headers={"Origin": "https://elsewhere.example"},
    )
    assert problem(answer) == (403, "cross-origin")
    assert "set-cookie" not in answer.headers


async def test_a_page_of_this_host_with_its_token_is_let_in(served: Hosted) -> None:
    browser = await log_in(served)
    headers = {"X-CSRF-Token": await csrf_token(browser), "Origin": served.url}
    assert (await browser.post(LAUNCH, json={}, headers=headers)).status_code == 201


# --- the trail ----------------------------------------------------------------------


async def test_the_trail_says_who_came_and_who_was_turned_away(served: Hosted) -> None:
    browser = await log_in(served)
    await browser.post(LAUNCH, json={})
    await browser.get("/api/v1/users")
    await browser.post(LAUNCH, json={}, headers={"X-CSRF-Token": await csrf_token(browser)})
    stranger = await served.client("pst_wrong")
    await stranger.get("/api/v1/flows")
    assert (await actions(served))[2:] == [
        ("ada", "login", "done"),
        ("ada", "access.denied", "refused"),
        ("ada", "access.denied", "refused"),
        ("ada", "run.launch", "done"),
        ("anonymous", "access.denied", "refused"),
    ]
    text = repr(await served.runtime.store.audits())
    assert PASSWORD not in text
    assert browser.cookies["penstock_session"] not in text
    assert served.token not in text

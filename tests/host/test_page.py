"""The page of a host in a real browser: by mouse, by keyboard, on a phone, and in the dark."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.host.browser import DESK, PHONE, Watched, browser, watched
from tests.host.hosted import Hosted, hosted

from penstock.auth import Permission, Resource

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"

A_RUN = re.compile("/runs/[0-9a-z]{20}$")

ORDER = {
    "flow": "order",
    "description": "Take an order, ask for approval, and answer",
    "author": "Ada",
    "tags": ["demo"],
    "inputs": {
        "name": {"type": "string", "title": "Customer", "description": "Who pays", "minLength": 2},
        "count": {"type": "integer", "default": 2, "minimum": 1},
        "size": {"enum": ["S", "M", "L"]},
        "express": {"type": "boolean"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "address": {
            "type": "object",
            "title": "Where to",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["city"],
        },
    },
    "required": ["name", "size"],
    "nodes": [
        {
            "kind": "snippet",
            "name": "greet",
            "language": "jinja",
            "code": "hello {{ name }}",
            "links": {"out": "approve"},
        },
        {
            "kind": "lock",
            "name": "approve",
            "title": "Approve the order",
            "description": "Is it fine?",
            "schema": {
                "type": "object",
                "properties": {
                    "ok": {"type": "boolean", "title": "It is fine"},
                    "comment": {"type": "string", "maxLength": 20},
                },
                "required": ["ok"],
            },
            "links": {"out": "say"},
        },
        {"kind": "debug.log", "name": "say"},
    ],
}
FAILS = {"flow": "fails", "nodes": [{"kind": "throw", "name": "stop", "message": "no more"}]}
SLEEPS = {"flow": "sleeps", "nodes": [{"kind": "delay", "name": "rest", "duration": "1h"}]}


@pytest.fixture
async def served() -> AsyncIterator[Hosted]:
    async with hosted(ORDER, FAILS, SLEEPS) as made:
        user = await made.auth.users.add("ann", password=PASSWORD)
        await made.auth.grants.grant(f"user:{user.name}", Permission.ADMIN, Resource.parse("host"))
        yield made


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


async def log_in(seen: Watched, path: str = "/flows") -> None:
    await seen.page.goto(path)
    await seen.page.get_by_label("Name").fill("ann")
    await seen.page.get_by_label("Password").fill(PASSWORD)
    await seen.page.get_by_role("button", name="Log in", exact=True).first.click()


async def fill_order(seen: Watched, name: str = "Ada") -> None:
    await seen.page.get_by_label("Customer").fill(name)
    await seen.page.get_by_label("Size").select_option("M")
    await seen.page.get_by_label("City").fill("Bern")


@pytest.mark.parametrize(
    ("scheme", "look"), [("light", DESK), ("dark", PHONE)], ids=["desk-light", "phone-dark"]
)
async def test_a_flow_is_launched_followed_answered_and_its_result_read(
    served: Hosted, chromium: Browser, scheme: Any, look: dict[str, Any]
) -> None:
    async with watched(chromium, served.url, color_scheme=scheme, **look) as seen:
        page = seen.page
        await page.goto("/flows/order")
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await seen.check(f"{scheme}-1-login")
        await log_in(seen, "/flows/order")
        await expect(page.get_by_role("heading", name="order", exact=True)).to_be_visible()
        await seen.check(f"{scheme}-2-form")
        await fill_order(seen)
        await page.get_by_role("button", name="Launch").click()

        await expect(page.locator("#state")).to_have_text("waiting")
        lock = page.get_by_role("article", name="Approve the order")
        await expect(lock).to_contain_text("hello Ada")
        await seen.check(f"{scheme}-3-waiting")
        await lock.get_by_role("checkbox", name="It is fine").check()
        await lock.get_by_role("button", name="Submit").click()

        await expect(page.locator("#result-value")).to_contain_text('"ok": true')
        await expect(page.locator("#state")).to_contain_text("completed")
        await expect(page.get_by_role("log")).to_contain_text("say")
        await seen.check(f"{scheme}-4-result")


async def test_events_are_shown_as_they_come(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen)
        run = (
            await served.admin.post(
                "/api/v1/flows/order/runs",
                json={"inputs": {"name": "Ada", "size": "M", "address": {"city": "Bern"}}},
            )
        ).json()
        await seen.page.goto(f"/runs/{run['fid']}")
        await expect(seen.page.locator("#state")).to_have_text("waiting")
        (lock,) = (await served.admin.get(f"/{run['fid']}/locks")).json()["items"]
        await served.admin.post(lock["links"]["candidate"], json={"ok": False})
        await expect(seen.page.locator("#state")).to_contain_text("completed")
        row = seen.page.get_by_role("row", name="say")
        await expect(row).to_contain_text("completed")


async def test_the_inbox_shows_what_waits_and_answers_it(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen, "/inbox")
        await expect(seen.page.get_by_text("No run waits for you.")).to_be_visible()
        for name in ("Ada", "Bob"):
            inputs = {"name": name, "size": "M", "address": {"city": "Bern"}}
            await served.admin.post("/api/v1/flows/order/runs", json={"inputs": inputs})
        while len((await served.admin.get("/api/v1/locks")).json()["items"]) < 2:
            pass  # each answer lets the runs go on
        await seen.page.reload()
        articles = seen.page.get_by_role("article")
        await expect(articles).to_have_count(2)
        await seen.check("inbox")
        await articles.first.get_by_role("checkbox").check()
        await articles.first.get_by_role("button", name="Submit").click()
        await expect(seen.page.locator("#result-value")).to_contain_text('"ok": true')
        await seen.page.goto("/inbox")
        await expect(articles).to_have_count(1)


async def test_what_is_wrong_stands_beside_its_question(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen, "/flows/order")
        # The browser would say the same; the host must not rely on that.
        await seen.page.evaluate("document.querySelectorAll('form').forEach(f => f.noValidate = true)")
        await fill_order(seen, name="A")
        await seen.page.get_by_label("Count").fill("0")
        await seen.page.get_by_role("button", name="Launch").click()
        count = seen.page.get_by_label("Count")
        await expect(count).to_have_attribute("aria-invalid", "true")
        await expect(count).to_have_value("0")
        await expect(seen.page.get_by_label("Customer")).to_have_attribute("aria-invalid", "true")
        await expect(seen.page.get_by_label("City")).to_have_value("Bern")
        await seen.check("form-with-faults")
        assert [line for line in seen.complaints if "422" not in line] == []
        seen.complaints.clear()


async def test_a_denied_answer_can_be_given_again(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen)
        inputs = {"name": "Ada", "size": "M", "address": {"city": "Bern"}}
        run = (await served.admin.post("/api/v1/flows/order/runs", json={"inputs": inputs})).json()
        await seen.page.goto(f"/runs/{run['fid']}")
        comment = seen.page.get_by_label("Comment")
        await comment.focus()  # what somebody is at is not replaced by news
        await comment.evaluate("element => element.removeAttribute('maxlength')")
        await comment.fill("far too long to be a comment here")
        await seen.page.get_by_role("button", name="Submit").click()
        await expect(comment).to_have_attribute("aria-invalid", "true")
        await expect(comment).to_have_value("far too long to be a comment here")
        await seen.check("lock-with-faults")
        await comment.fill("fine")
        await seen.page.get_by_role("button", name="Submit").click()
        await expect(seen.page.locator("#result-value")).to_contain_text("fine")
        seen.complaints.clear()


async def test_everything_can_be_done_by_keyboard(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        page, keys = seen.page, seen.page.keyboard
        await page.goto("/flows/sleeps")
        await keys.type("ann")  # the name has the focus
        await keys.press("Tab")
        await keys.type(PASSWORD)
        await keys.press("Enter")
        await expect(page.get_by_role("heading", name="sleeps")).to_be_visible()
        await keys.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await keys.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        await keys.press("Tab")
        await expect(page.get_by_role("button", name="Launch")).to_be_focused()
        await keys.press("Enter")
        await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        await page.get_by_role("button", name="Cancel").focus()
        await keys.press("Space")
        await expect(page.locator("#state")).to_contain_text("cancelled")


async def test_a_failed_run_says_why_and_is_retried(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen, "/flows/fails")
        await seen.page.get_by_role("button", name="Launch").click()
        await expect(seen.page.get_by_role("heading", name="Failed")).to_be_visible()
        await expect(seen.page.get_by_role("main")).to_contain_text("no more")
        await seen.check("failed")
        await seen.page.get_by_role("button", name="Retry from the start").click()
        await expect(seen.page.get_by_text("repeats")).to_be_visible()


async def test_lists_and_problems_are_usable_too(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url, **PHONE) as seen:
        await log_in(seen)
        await seen.check("flows")
        await served.admin.post("/api/v1/flows/fails/runs?wait=10", json={})
        await seen.page.goto("/runs")
        await seen.check("runs")
        await seen.page.get_by_label("State").select_option("completed")
        await seen.page.get_by_role("button", name="Filter").click()
        await expect(seen.page.get_by_text("There are none.")).to_be_visible()
        await seen.page.goto("/flows/fail")
        await expect(seen.page.get_by_role("heading", name="Not Found")).to_be_visible()
        await expect(seen.page.get_by_text("did you mean `fails`?")).to_be_visible()
        await seen.check("not-found")
        wide = await seen.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0
        seen.complaints.clear()


async def test_a_browser_that_comes_to_nothing_gets_a_page_and_a_program_a_problem(
    served: Hosted,
) -> None:
    client = await served.client(served.token)
    page = await client.get("/nothing/here", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "nothing is here" in page.text
    problem = await client.get("/nothing/here")
    assert problem.json()["detail"] == "nothing is here"


async def test_the_description_of_the_api_can_be_read_by_everybody(
    served: Hosted, chromium: Browser
) -> None:
    async with watched(chromium, served.url) as seen:
        await seen.page.goto("/docs")
        await seen.page.locator("#launch_flow summary").click()
        await expect(seen.page.locator("#launch_flow")).to_contain_text("Idempotency-Key")
        await seen.check("docs")


async def test_a_wrong_password_is_told_and_nothing_else(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await seen.page.goto("/login")
        await seen.page.get_by_label("Name").fill("ann")
        await seen.page.get_by_label("Password").fill("something else")
        await seen.page.get_by_role("button", name="Log in", exact=True).first.click()
        await expect(seen.page.get_by_role("alert")).to_contain_text("do not belong together")
        await expect(seen.page.get_by_label("Name")).to_have_value("ann")
        await seen.check("login-refused")
        seen.complaints.clear()


async def test_the_token_of_the_first_administrator_logs_in(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await seen.page.goto("/login")
        await seen.page.get_by_text("Log in with a token").click()
        await seen.page.get_by_label("Token").fill(served.token)
        await seen.page.get_by_role("button", name="Log in", exact=True).last.click()
        await expect(seen.page.get_by_role("heading", name="Flows")).to_be_visible()
        await seen.page.get_by_role("button", name="Log out").click()
        await expect(seen.page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_a_login_leads_to_pages_of_this_host_alone(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen, "/login?next=https://example.com/")
        assert seen.page.url == f"{served.url}/flows"
        await seen.page.get_by_role("button", name="Log out").click()
        await log_in(seen, "/login?next=//example.com/")
        assert seen.page.url == f"{served.url}/flows"


async def test_without_a_script_the_page_still_serves(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url, java_script_enabled=False) as seen:
        await log_in(seen, "/flows/order")
        await fill_order(seen)
        await seen.page.get_by_role("button", name="Launch").click()
        await expect(seen.page).to_have_url(A_RUN)
        while not (await served.admin.get("/api/v1/locks")).json()["items"]:
            pass  # each answer lets the run go on
        await seen.page.goto("/inbox")
        await seen.page.get_by_role("checkbox").check()
        await seen.page.get_by_role("button", name="Submit").click()
        await expect(seen.page).to_have_url(A_RUN)
        run = seen.page.url.rpartition("/")[2]
        await served.admin.get(f"/{run}/result?wait=10")
        await seen.page.reload()
        await expect(seen.page.locator("#result-value")).to_contain_text('"ok": true')


@pytest.mark.parametrize("path", ["/login", "/flows", "/flows/none", "/runs/none"])
async def test_every_page_has_a_policy_that_lets_no_foreign_script_in(served: Hosted, path: str) -> None:
    client = await served.client(served.token, follow_redirects=False)
    answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


async def test_a_form_of_another_origin_changes_nothing(served: Hosted, chromium: Browser) -> None:
    async with watched(chromium, served.url) as seen:
        await log_in(seen)
        cookies = {each["name"]: each["value"] for each in await seen.page.context.cookies()}
        assert all(each["httpOnly"] for each in await seen.page.context.cookies())
    forged = await served.client(cookies=cookies)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = await forged.post("/flows/sleeps", data={}, headers=headers)
        assert answer.status_code == 403
    assert (await served.admin.get("/api/v1/runs")).json()["items"] == []

"""People log in through a real provider, and whoever is not who they say they are does not."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.host.hosted import Hosted, hosted
from tests.oidc.world import CLIENT, SECRET, Browser, Provider, problem_text, started

from penstock.auth.oidc.settings import ProviderSettings
from penstock.auth.records import User

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

CALLBACK = "/login/test/callback"
WANTED = "/login/test?next=/flows"


@asynccontextmanager
async def host_of(issuer: str, **settings: Any) -> AsyncIterator[Hosted]:
    """A host with one identity provider, where whoever comes becomes a user."""
    wanted = {
        "create_users": True,
        "groups_claim": "groups",
        "client_id": CLIENT,
        "client_secret": SECRET,
    }
    found = ProviderSettings(name="test", issuer=issuer, title="Test", **{**wanted, **settings})
    async with hosted(providers=[found]) as served:
        yield served


@pytest.fixture
async def served(provider: Provider) -> AsyncIterator[Hosted]:
    async with host_of(provider.issuer) as served:
        yield served


async def browser(served: Hosted) -> Browser:
    return Browser(await served.client())


async def who(browser: Browser) -> str:
    found = (await browser.client.get("/api/v1/session")).json()
    return str(found["name"])


def user(served: Hosted, name: str) -> User:
    return served.auth.directory.picture.find(User, name)


async def trail(served: Hosted) -> list[tuple[str, str, str, str]]:
    await served.auth.trail.flush()
    entries = await served.runtime.store.audits()
    return [(each.who, each.action, each.outcome, each.detail) for each in reversed(entries)]


def refused(answer: httpx.Response, text: str) -> None:
    assert answer.status_code == 403, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert text in problem_text(answer.text)


# --- who is let in ------------------------------------------------------------------


async def test_who_comes_for_the_first_time_becomes_a_user_and_goes_where_they_wanted(
    served: Hosted, provider: Provider
) -> None:
    await served.auth.groups.add("staff")
    ada = await browser(served)
    answer = await ada.log_in(WANTED, "ada")
    assert (answer.status_code, answer.url.path) == (200, "/flows")
    assert await who(ada) == "ada"
    made = user(served, "ada")
    assert made.email == "ada@example.org"
    assert made.identities == (f"{provider.issuer} ada",)
    assert [group.name for group in served.auth.directory.picture.groups_of(made)] == ["staff"]
    *_, created, login = await trail(served)
    assert created == ("test", "user.create", "done", "first login by test: ada")
    assert login[:3] == ("ada", "login", "done")
    assert login[3].endswith(" by test")


async def test_the_way_there_is_bound_to_the_way_back(served: Hosted, provider: Provider) -> None:
    ada = await browser(served)
    await ada.log_in(WANTED, "ada", stop_at="/auth?")
    sent = {name: value for name, (value,) in parse_qs(urlsplit(ada.visited[-1]).query).items()}
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert sent["scope"].split()[0] == "openid"
    assert sent["redirect_uri"] == f"{served.url}{CALLBACK}"
    assert len(sent["state"]) >= 20
    assert len(sent["nonce"]) >= 20
    assert len(sent["code_challenge"]) == 43


async def test_who_comes_again_is_who_they_were_whatever_they_are_called_by_now(
    served: Hosted, provider: Provider
) -> None:
    await (await browser(served)).log_in(WANTED, "ada")
    provider.tamper(preferred_username="lovelace")
    again = await browser(served)
    await again.log_in(WANTED, "ada")
    assert await who(again) == "ada"
    assert [each.name for each in served.auth.directory.picture.all(User)] == ["ada", "admin"]


async def test_groups_follow_the_provider_and_what_was_given_here_stays(
    served: Hosted, provider: Provider
) -> None:
    for name in ("staff", "night", "local"):
        await served.auth.groups.add(name)
    await (await browser(served)).log_in(WANTED, "ada")
    await served.auth.groups.change("local", add=["ada"])

    async def groups(**claims: Any) -> list[str]:
        provider.tamper(**claims)
        await (await browser(served)).log_in(WANTED, "ada")
        found = served.auth.directory.picture.groups_of(user(served, "ada"))
        return [group.name for group in found]

    assert await groups(groups=["night", "nowhere"]) == ["local", "night"]
    assert await groups(groups="staff") == ["local", "staff"]
    assert await groups(groups=[]) == ["local"]


async def test_a_user_who_was_given_an_identity_logs_in_by_it(provider: Provider) -> None:
    async with host_of(provider.issuer, create_users=False) as served:
        await served.auth.users.add("zoe", identities=[f"{provider.issuer} bob"])
        bob = await browser(served)
        await bob.log_in(WANTED, "bob")
        assert await who(bob) == "zoe"


async def test_what_the_token_does_not_say_is_asked_of_the_provider(folder: Path) -> None:
    with started(folder, "--userinfo") as provider:
        async with host_of(provider.issuer) as served:
            await served.auth.groups.add("staff")
            ada = await browser(served)
            await ada.log_in(WANTED, "ada")
            assert await who(ada) == "ada"
            found = served.auth.directory.picture.groups_of(user(served, "ada"))
            assert [group.name for group in found] == ["staff"]


async def test_a_first_login_gives_the_roles_of_the_settings(provider: Provider) -> None:
    async with host_of(provider.issuer, roles=("launcher",)) as served:
        await (await browser(served)).log_in(WANTED, "ada")
        assert user(served, "ada").roles == ("launcher",)


async def test_the_login_page_offers_the_provider(served: Hosted) -> None:
    nobody = await served.client()
    page = (await nobody.get("/login?next=/runs")).text
    assert 'href="/login/test?next=/runs"' in page
    assert "Test" in page


# --- who is not ---------------------------------------------------------------------


async def test_who_is_not_known_stays_out_where_nobody_becomes_a_user(provider: Provider) -> None:
    async with host_of(provider.issuer, create_users=False) as served:
        ada = await browser(served)
        answer = await ada.log_in(WANTED, "ada")
        refused(answer, "nobody here is known by this login")
        refused(answer, f"{provider.issuer} ada")
        assert await who(ada) == ""
        assert (await trail(served))[-1] == ("Ada", "login", "refused", "unknown, by test: ada")


async def test_nobody_becomes_a_user_who_is_there_already(served: Hosted) -> None:
    eve = await browser(served)
    refused(await eve.log_in(WANTED, "eve"), "there is a user `admin` already")
    assert await who(eve) == ""
    assert user(served, "admin").identities == ()


async def test_who_was_put_out_stays_out(served: Hosted) -> None:
    ada = await browser(served)
    await ada.log_in(WANTED, "ada")
    await served.auth.users.change("ada", active=False)
    assert await who(ada) == ""
    refused(await (await browser(served)).log_in(WANTED, "ada"), "this user may not log in")
    assert (await trail(served))[-1][2:] == ("refused", "inactive, by test: ada")


LIES: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"exp": int(time.time()) - 600},
    {"exp": None},
    {"iat": int(time.time()) + 600},
    {"aud": "another"},
    {"aud": "another", "azp": CLIENT},
    {"aud": [CLIENT, "another"], "azp": "another"},
    {"aud": None},
    {"iss": "https://elsewhere.example"},
    {"iss": None},
    {"sub": None},
    {"sub": ""},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    {"key": "rogue"},
    {"key": "none"},
    {"key": "client"},
]


@pytest.mark.parametrize("lie", LIES, ids=",".join)
async def test_an_id_token_that_cannot_be_believed_lets_nobody_in(
    served: Hosted, provider: Provider, lie: dict[str, Any]
) -> None:
    provider.tamper(**lie)
    ada = await browser(served)
    answer = await ada.log_in(WANTED, "ada")
    assert answer.status_code == 403, answer.text
    assert await who(ada) == ""
    assert [each.name for each in served.auth.directory.picture.all(User)] == ["admin"]


async def test_a_provider_whose_clock_is_a_little_off_is_believed(
    served: Hosted, provider: Provider
) -> None:
    provider.tamper(exp=int(time.time()) - 20, iat=int(time.time()) + 20)
    ada = await browser(served)
    await ada.log_in(WANTED, "ada")
    assert await who(ada) == "ada"


# --- the way back -------------------------------------------------------------------


async def arrived(served: Hosted) -> tuple[Browser, dict[str, str]]:
    """A browser that was sent back to the host and has not gone yet, and what it was sent with."""
    ada = await browser(served)
    await ada.log_in(WANTED, "ada", stop_at=CALLBACK)
    query = parse_qs(urlsplit(ada.visited[-1]).query)
    return ada, {name: value for name, (value,) in query.items()}


async def test_who_comes_back_with_another_state_is_not_let_in(served: Hosted) -> None:
    ada, query = await arrived(served)
    answer = await ada.client.get(CALLBACK, params={**query, "state": "another"})
    refused(answer, "this is not the login that was begun here")
    assert await who(ada) == ""


async def test_nobody_comes_back_on_the_way_of_somebody_else(served: Hosted) -> None:
    _, query = await arrived(served)
    eve = await served.client()
    refused(await eve.get(CALLBACK, params=query), "this login was not begun here")


async def test_who_comes_back_too_late_begins_again(
    served: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.host.page.oidc.WAY_SECONDS", -1.0)
    ada = await browser(served)
    ada.client.cookies.set("penstock_oidc", "x")
    refused(await ada.log_in(WANTED, "ada"), "this login was not begun here, or too long ago")


async def test_a_code_is_good_once(served: Hosted) -> None:
    ada, query = await arrived(served)
    way = ada.client.cookies["penstock_oidc"]
    first = await ada.client.get(CALLBACK, params=query)
    assert first.is_redirect
    assert await who(ada) == "ada"
    eve = await served.client()
    again = await eve.get(CALLBACK, params=query, headers={"Cookie": f"penstock_oidc={way}"})
    refused(again, "Test does not accept the login")


async def test_a_code_of_another_way_is_not_accepted(served: Hosted) -> None:
    _, stolen = await arrived(served)
    eve, own = await arrived(served)
    answer = await eve.client.get(CALLBACK, params={**own, "code": stolen["code"]})
    refused(answer, "Test does not accept the login")  # the verifier does not fit (RFC 7636)
    assert await who(eve) == ""


async def test_a_way_that_was_changed_is_none(served: Hosted) -> None:
    ada, query = await arrived(served)
    way = ada.client.cookies["penstock_oidc"]
    eve = await served.client()
    for changed in (way[:-3], way.replace(".", "x."), "", "a.b"):
        answer = await eve.get(CALLBACK, params=query, headers={"Cookie": f"penstock_oidc={changed}"})
        refused(answer, "this login was not begun here")


async def test_another_provider_does_not_mix_in(served: Hosted) -> None:
    ada, query = await arrived(served)
    answer = await ada.client.get(CALLBACK, params={**query, "iss": "https://elsewhere.example"})
    refused(answer, "another provider has answered")


async def test_a_provider_that_refuses_is_told(served: Hosted) -> None:
    ada, query = await arrived(served)
    sent = {"state": query["state"], "error": "access_denied", "error_description": "<b>no</b>"}
    answer = await ada.client.get(CALLBACK, params=sent)
    refused(answer, "Test refuses the login")
    assert "<b>no" not in answer.text


async def test_a_way_back_without_a_code_leads_nowhere(served: Hosted) -> None:
    ada, query = await arrived(served)
    answer = await ada.client.get(CALLBACK, params={"state": query["state"]})
    refused(answer, "has sent nothing to go on with")


@pytest.mark.parametrize(
    "wanted",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:1"],
)
async def test_nobody_is_sent_to_another_host_after_the_login(served: Hosted, wanted: str) -> None:
    ada = await browser(served)
    answer = await ada.log_in(f"/login/test?{urlencode({'next': wanted})}", "ada")
    assert answer.url.host == "127.0.0.1"
    assert answer.url.path == "/flows"


# --- the provider -------------------------------------------------------------------


async def test_a_provider_that_is_away_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with host_of(issuer) as served:
        nobody = await served.client()
        answer = await nobody.get(WANTED)
        assert answer.status_code == 502
        assert "Test cannot be reached" in problem_text(answer.text)
        assert issuer in caplog.text


async def test_a_provider_that_goes_away_meanwhile_is_told(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        with started(folder) as provider:
            served = await stack.enter_async_context(host_of(provider.issuer))
            ada, query = await arrived(served)
        answer = await ada.client.get(CALLBACK, params=query)
        assert answer.status_code == 502
        assert await who(ada) == ""


async def test_a_provider_under_another_name_than_its_own_is_not_believed(provider: Provider) -> None:
    async with host_of(provider.issuer.replace("127.0.0.1", "localhost")) as served:
        nobody = await served.client()
        refused(await nobody.get(WANTED), f"says that it is {provider.issuer}")


async def test_a_host_with_another_secret_is_not_accepted(provider: Provider) -> None:
    async with host_of(provider.issuer, client_secret="another") as served:
        ada = await browser(served)
        refused(await ada.log_in(WANTED, "ada"), "Test does not accept the login")


async def test_a_provider_that_is_not_in_the_settings_is_not_there(served: Hosted) -> None:
    nobody = await served.client()
    assert (await nobody.get("/login/other")).status_code == 404


async def test_no_secret_of_the_way_is_in_the_log_or_in_the_trail(
    served: Hosted, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="penstock")
    ada, query = await arrived(served)
    await ada.client.get(CALLBACK, params=query)
    provider.tamper(nonce="another")
    await (await browser(served)).log_in(WANTED, "ada")
    told = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("penstock")
    ) + repr(await trail(served))
    for secret in (SECRET, query["code"], ada.client.cookies["penstock_session"]):
        assert secret not in told

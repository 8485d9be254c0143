from __future__ import annotations

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher
from tests.auth.provider import PASSWORD, CountingHasher, make_auth

from penstock.auth import Auth, Permission
from penstock.auth.attempts import Attempts, Patience
from penstock.auth.records import User
from penstock.core.errors import AccountError, LoginLimited, LoginRefused
from penstock.core.store import Store
from penstock.testing.clock import FakeClock

HOME, AWAY = "192.0.2.1", "192.0.2.2"


async def fail(auth: Auth, name: str, times: int, address: str = HOME) -> None:
    for _ in range(times):
        with pytest.raises(LoginRefused):
            await auth.logins.login(name, "wrong horse", address=address)


async def trail(auth: Auth) -> list[tuple[str, str, str, str]]:
    entries = await auth.store.audits()
    return [(each.who, each.action, each.outcome, each.detail) for each in reversed(entries)]


async def test_a_name_and_its_password_open_a_session(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    issued = await auth.logins.login(" Ada ", PASSWORD, address=HOME, agent="Firefox")
    principal = auth.directory.session(issued.text)
    assert principal is not None
    assert principal.name == "ada"
    assert issued.token.name == "Firefox"
    assert await trail(auth) == [("ada", "login", "done", f"session {issued.token.id} by a password")]


async def test_a_refusal_does_not_tell_what_was_wrong(auth: Auth) -> None:
    await auth.users.add("root", roles=["admin"])
    await auth.users.add("ada", password=PASSWORD)
    await auth.users.add("bob")
    await auth.users.add("eve", password=PASSWORD)
    await auth.users.change("eve", active=False)
    found = set()
    for name, password in [("ada", "wrong"), ("nobody", PASSWORD), ("bob", ""), ("eve", PASSWORD)]:
        with pytest.raises(LoginRefused) as caught:
            await auth.logins.login(name, password, address=HOME)
        found.add(str(caught.value))
    assert len(found) == 1
    assert [entry[2:] for entry in await trail(auth)] == [
        ("refused", "wrong"),
        ("refused", "wrong"),
        ("refused", "wrong"),
        ("refused", "not active"),
    ]


async def test_a_name_that_nobody_has_costs_as_much_as_one_that_somebody_has(
    store: Store, clock: FakeClock
) -> None:
    hasher = CountingHasher()
    auth = make_auth(store, clock=clock, hasher=hasher)
    await auth.open()
    await auth.users.add("ada", password=PASSWORD)
    await auth.users.add("bob")
    await fail(auth, "ada", 1)
    hashes: list[Any] = []
    hasher.hash = lambda *given, **more: hashes.append(given) or ""  # type: ignore[method-assign]
    for name in ("ada", "bob", "nobody"):
        hasher.verified = 0
        await fail(auth, name, 1)
        assert hasher.verified == 1
    assert hashes == []


async def test_a_password_is_the_same_however_a_keyboard_composes_it(auth: Auth) -> None:
    await auth.users.add("ada", password="caf\u00e9 cr\u00e8me")
    assert await auth.logins.login("ada", "cafe\u0301 cre\u0300me")


async def test_a_hash_of_other_parameters_is_made_anew_and_sessions_go_on(
    store: Store, clock: FakeClock
) -> None:
    old = make_auth(store, clock=clock)
    await old.open()
    before = await old.users.add("ada", password=PASSWORD)
    session = await old.logins.login("ada", PASSWORD)
    new = make_auth(store, clock=clock, hasher=PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    await new.open()
    await new.logins.login("ada", PASSWORD)
    after = new.directory.picture.find(User, "ada")
    assert "t=1" in before.password
    assert "t=2" in after.password
    assert new.directory.session(session.text) is not None
    await new.logins.login("ada", PASSWORD)
    assert new.directory.picture.find(User, "ada").password == after.password


async def test_who_is_wrong_too_often_has_to_wait_twice_as_long_each_time(
    auth: Auth, clock: FakeClock
) -> None:
    await auth.users.add("ada", password=PASSWORD)
    await fail(auth, "ada", 5)
    waits = []
    for _ in range(4):
        with pytest.raises(LoginLimited) as caught:
            await auth.logins.login("ada", PASSWORD, address=HOME)
        waits.append(caught.value.retry_after)
        clock.advance(caught.value.retry_after)
        await fail(auth, "ada", 1)
    assert waits == [1.0, 2.0, 4.0, 8.0]
    clock.advance(16)
    assert await auth.logins.login("ada", PASSWORD, address=HOME)


async def test_who_waits_is_not_made_to_wait_longer_by_asking(auth: Auth, clock: FakeClock) -> None:
    await auth.users.add("ada", password=PASSWORD)
    await fail(auth, "ada", 5)
    for _ in range(10):
        with pytest.raises(LoginLimited) as caught:
            await auth.logins.login("ada", PASSWORD, address=HOME)
    assert caught.value.retry_after == 1.0


async def test_who_asks_although_they_have_to_wait_fills_no_trail(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    await fail(auth, "ada", 5)
    for _ in range(20):
        with pytest.raises(LoginLimited):
            await auth.logins.login("ada", PASSWORD, address=HOME)
    await auth.trail.flush()
    assert [entry[3] for entry in await trail(auth)] == ["wrong"] * 5 + ["too many attempts"]


async def test_a_password_that_is_changed_meanwhile_opens_nothing(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    await auth.users.add("ada", password=PASSWORD)
    fits = auth.passwords.fits

    async def slow(hash_: str, password: str) -> bool:
        found = await fits(hash_, password)
        await auth.users.change("ada", password="battery staple")
        return found

    monkeypatch.setattr(auth.passwords, "fits", slow)
    with pytest.raises(LoginRefused):
        await auth.logins.login("ada", PASSWORD)


async def test_attempts_at_the_same_time_do_not_slip_through(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    results = await asyncio.gather(
        *(auth.logins.login("ada", f"guess {number}", address=HOME) for number in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, LoginRefused) for each in results) == 5
    assert sum(isinstance(each, LoginLimited) for each in results) == 45


async def test_nobody_locks_somebody_out_who_is_elsewhere(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    await fail(auth, "ada", 5)
    assert await auth.logins.login("ada", PASSWORD, address=AWAY)


async def test_an_address_that_tries_many_names_has_to_wait(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    for number in range(20):
        await fail(auth, f"user{number}", 1)
    with pytest.raises(LoginLimited):
        await auth.logins.login("ada", PASSWORD, address=HOME)
    assert await auth.logins.login("ada", PASSWORD, address=AWAY)


async def test_a_login_that_goes_well_forgives_the_attempts_before(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    for _ in range(4):  # in all, less than an address may fail
        await fail(auth, "ada", 4)
        assert await auth.logins.login("ada", PASSWORD, address=HOME)


def test_a_name_that_is_tried_from_everywhere_waits_but_where_it_was_welcome() -> None:
    attempts = Attempts(clock=FakeClock())
    attempts.failed("ada", HOME)
    attempts.succeeded("ada", HOME)
    for number in range(60):
        attempts.failed("ada", f"198.51.100.{number}")
    assert 0 < attempts.wait("ada", AWAY) <= 60
    assert attempts.wait("ada", HOME) == 0
    assert attempts.wait("bob", AWAY) == 0


def test_a_customer_of_ipv6_is_one_address() -> None:
    attempts = Attempts(clock=FakeClock())
    for number in range(20):
        attempts.failed(f"user{number}", f"2001:db8::{number:x}")
    assert attempts.wait("ada", "2001:db8::ffff") > 0
    assert attempts.wait("ada", "2001:db8:0:1::1") == 0


def test_an_address_of_ipv4_is_the_same_when_ipv6_carries_it() -> None:
    attempts = Attempts(clock=FakeClock())
    for number in range(20):
        attempts.failed(f"user{number}", "::ffff:192.0.2.1")
    assert attempts.wait("ada", HOME) > 0
    assert attempts.wait("ada", AWAY) == 0


def test_what_was_long_ago_is_forgotten() -> None:
    clock = FakeClock()
    attempts = Attempts(clock=clock)
    for _ in range(5):
        attempts.failed("ada", HOME)
    clock.advance(3700)
    attempts.failed("ada", HOME)
    assert attempts.wait("ada", HOME) == 0


def test_a_wait_has_an_end_however_many_failed() -> None:
    assert Patience(free=1, longest=60).wait(10_000) == 60


async def test_logging_out_ends_the_session(auth: Auth) -> None:
    await auth.users.add("ada", password=PASSWORD)
    issued = await auth.logins.login("ada", PASSWORD)
    principal = auth.directory.session(issued.text)
    assert principal is not None
    await auth.logins.logout(principal)
    assert auth.directory.session(issued.text) is None
    assert (await trail(auth))[-1] == ("ada", "logout", "done", f"session {issued.token.id}")


async def test_a_token_opens_a_session_that_is_good_for_no_more_and_ends_with_it(
    auth: Auth, clock: FakeClock
) -> None:
    user = await auth.users.add("ada", roles=["admin"])
    token = await auth.tokens.issue(user, name="ci", expires_in=60, ceiling=Permission.LAUNCH)
    issued = await auth.logins.login_by_token(token.text)
    principal = auth.directory.session(issued.text)
    assert principal is not None
    assert principal.ceiling is Permission.LAUNCH
    assert principal.expires == clock.now() + 60
    assert not auth.directory.may(principal, Permission.OPERATE)
    with pytest.raises(AccountError) as caught:
        await auth.tokens.issue(user, name="x", ceiling=Permission.VIEW, asked_by=principal)
    assert caught.value.field == "expires_in"
    await auth.tokens.revoke([token.token])
    assert auth.directory.session(issued.text) is None
    assert not auth.directory.stands(principal)


async def test_a_session_by_password_makes_tokens_that_outlive_it(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    principal = auth.directory.session((await auth.logins.login("ada", PASSWORD)).text)
    assert await auth.tokens.issue(user, name="ci", asked_by=principal)


async def test_an_address_that_tries_many_tokens_has_to_wait(auth: Auth) -> None:
    user = await auth.users.add("ada")
    token = await auth.tokens.issue(user, name="ci")
    for number in range(5):
        with pytest.raises(LoginRefused):
            await auth.logins.login_by_token(f"pst_{number}", address=HOME)
    with pytest.raises(LoginLimited):
        await auth.logins.login_by_token(token.text, address=HOME)
    assert await auth.logins.login_by_token(token.text, address=AWAY)

"""Two hosts on one store: what one of them changes holds for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.auth.provider import make_auth, until

from penstock.auth import Auth, Permission, Resource
from penstock.auth.picture import Picture
from penstock.auth.records import Group, User
from penstock.core.store import Store
from penstock.store import open_store
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from penstock.testing.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.database()


@pytest.fixture
async def elsewhere(url: str, store: Store, clock: FakeClock) -> AsyncIterator[Auth]:
    """The provider of another process on the same store, which follows what is written."""
    own = open_store(url)
    await own.open()
    async with make_auth(own, clock=clock) as auth:
        yield auth
    await own.close()


async def test_a_deactivated_user_is_out_at_once_in_every_process(auth: Auth, elsewhere: Auth) -> None:
    await auth.users.add("root", roles=["admin"])
    user = await auth.users.add("ada", roles=["admin"])
    text = (await auth.tokens.issue(user, name="ci")).text
    await until(elsewhere, lambda: elsewhere.directory.authenticate(text) is not None)
    principal = elsewhere.directory.authenticate(text)
    assert principal is not None
    await auth.users.change("ada", active=False)
    assert auth.directory.authenticate(text) is None
    await until(elsewhere, lambda: elsewhere.directory.authenticate(text) is None)
    assert not elsewhere.directory.stands(principal)
    assert not elsewhere.directory.may(principal, Permission.VIEW)


async def test_a_revoked_token_is_of_no_use_in_any_process(auth: Auth, elsewhere: Auth) -> None:
    user = await auth.users.add("ada")
    issued = await auth.tokens.issue(user, name="ci")
    await until(elsewhere, lambda: elsewhere.directory.authenticate(issued.text) is not None)
    await elsewhere.tokens.revoke([issued.token])
    assert elsewhere.directory.authenticate(issued.text) is None
    async with auth:
        await until(auth, lambda: auth.directory.authenticate(issued.text) is None)


async def test_a_grant_holds_in_every_process(auth: Auth, elsewhere: Auth) -> None:
    user = await auth.users.add("ada")
    text = (await auth.tokens.issue(user, name="ci")).text
    await auth.grants.grant("user:ada", Permission.LAUNCH, Resource.parse("flow:hello"))

    def may() -> bool:
        principal = elsewhere.directory.authenticate(text)
        return principal is not None and elsewhere.directory.may(
            principal, Permission.LAUNCH, flow="hello"
        )

    await until(elsewhere, may)


async def test_of_hosts_that_start_together_one_makes_the_administrator(
    auth: Auth, elsewhere: Auth
) -> None:
    made = await asyncio.gather(*(host.ensure_admin() for host in [auth, elsewhere] * 3))
    (issued,) = (each for each in made if each is not None)
    await until(elsewhere, lambda: elsewhere.directory.authenticate(issued.text) is not None)


async def test_changes_at_the_same_time_all_hold(auth: Auth, elsewhere: Auth, store: Store) -> None:
    await auth.groups.add("staff")
    names = [f"user{number}" for number in range(6)]
    for name in names:
        await auth.users.add(name)
    sides = [auth, elsewhere]
    await asyncio.gather(
        *(side.users.change("user0", email=f"{number}@x") for number, side in enumerate(sides * 2)),
        *(side.groups.change("staff", add=[name]) for name, side in zip(names, sides * 3, strict=True)),
    )
    picture = await Picture.of(store)
    assert [user.name for user in picture.members_of(picture.find(Group, "staff"))] == names
    assert picture.find(User, "user0").email.endswith("@x")

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.auth.provider import PASSWORD, make_auth, until

from penstock.auth import HOST, Auth, Permission, Resource
from penstock.auth.principal import ANONYMOUS, Via
from penstock.auth.records import Token, User, kept
from penstock.core.catalog import Collection, Write
from penstock.core.errors import StoreAway
from penstock.core.store import Store
from penstock.store.keys import GivenKeys, Key
from penstock.testing.clock import FakeClock


async def token_of(auth: Auth, user: User, **wanted: object) -> str:
    return (await auth.tokens.issue(user, name="ci", **wanted)).text  # type: ignore[arg-type]


async def test_a_token_tells_who_shows_it(auth: Auth) -> None:
    await auth.groups.add("staff", roles=["viewer"])
    user = await auth.users.add("Ada", groups=["staff"], roles=["launcher"])
    principal = auth.directory.authenticate(await token_of(auth, user))
    assert principal is not None
    assert (principal.id, principal.name, principal.via) == (user.id, "ada", Via.TOKEN)
    assert principal.groups == ("staff",)
    assert principal.roles == ("launcher", "viewer")


async def test_a_token_that_was_changed_tells_nothing(auth: Auth) -> None:
    text = await token_of(auth, await auth.users.add("ada"))
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        changed = text[:place] + other + text[place + 1 :]
        if place == len(text) - 1:  # the last letter of base64 has bits that mean nothing
            continue
        assert auth.directory.authenticate(changed) is None


@pytest.mark.parametrize("text", ["", "pst_", "pst_x.y", "Bearer x", "pst_" + "A" * 5000, "pst_é.ü"])
async def test_what_is_no_token_tells_nothing(auth: Auth, text: str) -> None:
    assert auth.directory.authenticate(text) is None


async def test_a_token_is_over_when_its_time_has_come(auth: Auth, clock: FakeClock) -> None:
    text = await token_of(auth, await auth.users.add("ada"), expires_in=60)
    clock.advance(59)
    principal = auth.directory.authenticate(text)
    assert principal is not None
    clock.advance(1)
    assert auth.directory.authenticate(text) is None
    assert not auth.directory.stands(principal)


async def test_a_session_is_no_token_and_a_token_is_no_session(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    session = (await auth.logins.login("ada", PASSWORD)).text
    assert auth.directory.session(session) is not None
    assert auth.directory.authenticate(session) is None
    assert auth.directory.session(await token_of(auth, user)) is None


async def test_a_token_of_another_secret_tells_nothing(
    auth: Auth, store: Store, clock: FakeClock
) -> None:
    text = await token_of(auth, await auth.users.add("ada"))
    other = make_auth(store, clock=clock, keys=GivenKeys(Key(b"o" * 32).text))
    await other.open()
    assert other.directory.authenticate(text) is None


async def test_tokens_outlive_a_new_secret_as_long_as_the_old_one_is_known(
    auth: Auth, store: Store, clock: FakeClock
) -> None:
    text = await token_of(auth, await auth.users.add("ada"))
    keys = GivenKeys(f"{Key(b'n' * 32).text} {Key(b'k' * 32).text}")
    rotated = make_auth(store, clock=clock, keys=keys)
    await rotated.open()
    assert rotated.directory.authenticate(text) is not None


async def test_permissions_come_from_groups_and_from_roles_that_grants_make(auth: Auth) -> None:
    await auth.grants.grant("role:night", Permission.OPERATE, Resource.parse("events:*"))
    await auth.groups.add("watch", roles=["night"])
    user = await auth.users.add("ada", groups=["watch"])
    principal = auth.directory.authenticate(await token_of(auth, user))
    assert principal is not None
    assert auth.directory.may(principal, Permission.OPERATE, flow="any", launcher="")
    await auth.groups.remove("watch")
    assert not auth.directory.may(principal, Permission.VIEW, flow="any", launcher="")


async def test_who_was_put_out_has_no_right_left_even_on_what_was_theirs(auth: Auth) -> None:
    await auth.users.add("root", roles=["admin"])
    user = await auth.users.add("ada", roles=["viewer"])
    principal = auth.directory.authenticate(await token_of(auth, user))
    assert principal is not None
    await auth.users.change("ada", active=False)
    assert not auth.directory.may(principal, Permission.VIEW, flow="x", launcher=user.id)
    assert not auth.directory.may(principal, Permission.VIEW, flow="x")


async def test_users_are_found_by_their_names_and_named_by_their_ids(auth: Auth) -> None:
    user = await auth.users.add("ada")
    directory = auth.directory
    assert directory.id_of("Ada") == directory.id_of(user.id) == user.id
    assert directory.name_of(user.id) == "ada"
    assert directory.name_of("u-gone") == "u-gone"


async def test_a_group_of_the_same_name_later_inherits_nobody(auth: Auth) -> None:
    await auth.groups.add("staff", roles=["admin"])
    await auth.users.add("root", roles=["admin"])
    user = await auth.users.add("ada", groups=["staff"])
    await auth.groups.remove("staff")
    await auth.groups.add("staff", roles=["admin"])
    principal = auth.directory.authenticate(await token_of(auth, user))
    assert principal is not None
    assert principal.groups == ()
    assert not auth.directory.may(principal, Permission.VIEW)


async def test_a_user_of_the_same_name_later_inherits_nothing(auth: Auth) -> None:
    first = await auth.users.add("ada")
    text = await token_of(auth, first)
    await auth.grants.grant("user:ada", Permission.ADMIN, Resource.parse("flow:x"))
    await auth.users.remove("ada")
    second = await auth.users.add("ada")
    assert second.id != first.id
    assert auth.directory.authenticate(text) is None
    principal = auth.directory.authenticate(await token_of(auth, second))
    assert principal is not None
    assert not auth.directory.may(principal, Permission.VIEW, flow="x")
    assert not auth.directory.may(principal, Permission.VIEW, flow="x", launcher=first.id)


async def test_grants_hold_in_the_namespace_they_are_for(
    auth: Auth, store: Store, clock: FakeClock
) -> None:
    user = await auth.users.add("ada")
    text = await token_of(auth, user)
    await auth.grants.grant("user:ada", Permission.ADMIN, HOST, namespace="shop")
    shop = make_auth(store, clock=clock, namespace="shop")
    await shop.open()
    here, there = auth.directory.authenticate(text), shop.directory.authenticate(text)
    assert here is not None
    assert there is not None
    assert not auth.directory.may(here, Permission.VIEW)
    assert shop.directory.may(there, Permission.ADMIN)
    assert not shop.directory.may_everywhere(there, Permission.VIEW)
    sight = shop.directory.sight(there)
    assert sight is not None
    assert sight.namespaces == {"shop"}


async def test_who_administers_a_flow_says_who_may_use_it_and_nothing_else(auth: Auth) -> None:
    user = await auth.users.add("ada")
    await auth.grants.grant("user:ada", Permission.ADMIN, Resource.parse("flow:x"))
    ada = auth.directory.authenticate(await token_of(auth, user))
    bound = auth.directory.authenticate(await token_of(auth, user, ceiling=Permission.OPERATE))
    assert ada is not None
    assert bound is not None
    may_grant = auth.directory.may_grant
    assert may_grant(ada, Resource.parse("flow:x"), "default")
    assert may_grant(ada, Resource.parse("events:x"), "default")
    assert not may_grant(ada, Resource.parse("flow:x"), "*")
    assert not may_grant(ada, Resource.parse("flow:y"), "default")
    assert not may_grant(ada, Resource.parse("flow:*"), "default")
    assert not may_grant(ada, HOST, "default")
    assert not may_grant(bound, Resource.parse("flow:x"), "default")


async def test_what_is_granted_to_anyone_needs_nobody_to_be_known(auth: Auth) -> None:
    assert not auth.directory.serves_anyone
    await auth.grants.grant("anyone", Permission.LAUNCH, Resource.parse("flow:hello"))
    assert auth.directory.serves_anyone
    assert auth.directory.may(ANONYMOUS, Permission.LAUNCH, flow="hello")
    assert not auth.directory.may(ANONYMOUS, Permission.VIEW, flow="other")
    assert not auth.directory.may(ANONYMOUS, Permission.VIEW, flow="hello", launcher="")


async def test_a_record_that_cannot_be_read_gives_nobody_anything(
    auth: Auth, store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    user = await auth.users.add("ada", roles=["viewer"])
    text = await token_of(auth, user)
    broken = Write(
        collection=Collection.USERS, namespace="*", id=user.id, name="ada", content=b'{"id": 3}'
    )
    await store.write([broken], at=clock.now())
    again = make_auth(store, clock=clock)
    await again.open()
    assert again.directory.authenticate(text) is None
    assert user.id in caplog.text


async def test_a_record_of_another_id_than_its_own_is_no_record(
    auth: Auth, store: Store, clock: FakeClock
) -> None:
    user = await auth.users.add("ada", roles=["admin"])
    copy = msgspec.structs.replace(kept(user, revision=0), id="u-copy", name="eve")
    await store.write([copy], at=clock.now())
    await auth.open()
    assert auth.directory.picture.get(User, "u-copy") is None
    assert auth.directory.picture.named(User, "eve") is None


async def test_a_directory_goes_on_to_follow_when_the_store_was_away(
    auth: Auth, store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow, away = store.changes, [True]

    def changes(*, after: int) -> AsyncIterator[list[object]]:
        if away.pop():
            away.append(False)
            raise StoreAway("the server is away")
        away.append(False)
        return follow(after=after)  # type: ignore[return-value]

    monkeypatch.setattr(store, "changes", changes)
    other = make_auth(store, clock=clock)
    async with other:
        await clock.scheduled(2)  # the sweep, and the pause of who follows
        user = await auth.users.add("ada")
        clock.advance(1)
        await until(other, lambda: other.directory.picture.get(User, user.id) is not None)


async def test_sessions_that_are_over_are_forgotten(auth: Auth, clock: FakeClock) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    await auth.logins.login("ada", PASSWORD)
    await token_of(auth, user)
    clock.advance(13 * 3600)
    assert await auth.tokens.sweep() == 1
    (left,) = auth.directory.picture.all(Token)
    assert left.name == "ci"


async def test_somebody_has_so_many_sessions_and_no_more(auth: Auth, clock: FakeClock) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    first = await auth.logins.login("ada", PASSWORD)
    for _ in range(50):
        clock.advance(1)
        last = await auth.tokens.begin_session(user, name="a browser")
    assert len(auth.directory.picture.tokens_of(user)) == 50
    assert auth.directory.session(first.text) is None
    assert auth.directory.session(last.text) is not None


async def test_a_picture_forgets_what_was_removed_once_nothing_older_can_come(auth: Auth) -> None:
    user = await auth.users.add("ada")
    issued = await auth.tokens.issue(user, name="ci")
    await auth.tokens.revoke([issued.token])
    picture = auth.directory.picture
    assert picture.revision(issued.token) == 2
    picture.settle(await auth.store.position())
    assert picture.revision(issued.token) == 0
    assert picture.revision(user) == 1

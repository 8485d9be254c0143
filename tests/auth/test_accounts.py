from __future__ import annotations

import pytest
from tests.auth.provider import PASSWORD

from penstock.auth import HOST, Auth, Permission, Resource
from penstock.auth.picture import Picture
from penstock.auth.records import Grant, Group, Token, User
from penstock.core.errors import AccountError, EntryNotFound


async def test_nobody_is_called_what_somebody_else_is_known_by(auth: Auth) -> None:
    ada = await auth.users.add("ada")
    with pytest.raises(AccountError) as caught:
        await auth.users.add(ada.id)
    assert caught.value.field == "name"
    assert auth.directory.picture.find(User, ada.id) == ada


async def test_a_user_is_known_by_one_name_however_it_is_written(auth: Auth) -> None:
    await auth.users.add("  Ada@Example.org ")
    assert auth.directory.picture.find(User, "ada@example.org").name == "ada@example.org"
    with pytest.raises(AccountError, match="already") as caught:
        await auth.users.add("ADA@example.org")
    assert caught.value.field == "name"


@pytest.mark.parametrize("name", ["", " ", "-ada", "a b", "a/b", "ä", "a" * 129, "a:b", "a\nb"])
async def test_what_is_no_name_is_refused(auth: Auth, name: str) -> None:
    with pytest.raises(AccountError) as caught:
        await auth.users.add(name)
    assert caught.value.field == "name"


@pytest.mark.parametrize("password", ["", "short", "x" * 1025, "Ada-Lovelace"])
async def test_a_password_that_protects_nobody_is_refused(auth: Auth, password: str) -> None:
    with pytest.raises(AccountError) as caught:
        await auth.users.add("ada-lovelace", password=password)
    assert caught.value.field == "password"
    assert password[:5] not in caught.value.message or not password
    assert auth.directory.picture.all(User) == []


async def test_a_role_that_is_not_there_is_refused_with_the_nearest_name(auth: Auth) -> None:
    with pytest.raises(AccountError, match="oprator") as caught:
        await auth.users.add("ada", roles=["oprator"])
    assert "operator" in caught.value.remedy


async def test_a_group_that_is_not_there_is_refused(auth: Auth) -> None:
    await auth.groups.add("staff")
    with pytest.raises(AccountError, match="stuff") as caught:
        await auth.users.add("ada", groups=["stuff"])
    assert (caught.value.field, "staff" in caught.value.remedy) == ("groups", True)


async def test_what_is_not_to_change_stays(auth: Auth) -> None:
    before = await auth.users.add("ada", password=PASSWORD, email="ada@x", roles=["viewer"])
    after = await auth.users.change("Ada", email="ada@y")
    assert (after.email, after.roles, after.password) == ("ada@y", ("viewer",), before.password)
    position = await auth.store.position()
    assert await auth.users.change("ada", email="ada@y") == after
    assert await auth.store.position() == position


async def test_a_new_password_ends_all_sessions_but_the_one_that_asked(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    token = await auth.tokens.issue(user, name="ci")
    asking = await auth.logins.login("ada", PASSWORD)
    other = await auth.logins.login("ada", PASSWORD)
    await auth.users.change("ada", password="battery staple", keep=asking.token.id)
    assert auth.directory.session(asking.text) is not None
    assert auth.directory.session(other.text) is None
    assert auth.directory.authenticate(token.text) is not None


async def test_who_comes_back_has_their_tokens_but_no_session(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    token = await auth.tokens.issue(user, name="ci")
    session = await auth.logins.login("ada", PASSWORD)
    await auth.users.change("ada", active=False)
    await auth.users.change("ada", active=True)
    assert auth.directory.authenticate(token.text) is not None
    assert auth.directory.session(session.text) is None


async def test_who_is_removed_leaves_no_token_and_no_grant(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    await auth.tokens.issue(user, name="ci")
    await auth.logins.login("ada", PASSWORD)
    await auth.grants.grant("user:ada", Permission.VIEW, HOST)
    await auth.users.remove("ada")
    picture = await Picture.of(auth.store)
    assert (picture.all(User), picture.all(Token), picture.all(Grant)) == ([], [], [])


async def test_an_identity_is_one_user(auth: Auth) -> None:
    await auth.users.add("ada", identities=["https://id.example 1"])
    await auth.users.add("bob")
    with pytest.raises(AccountError, match="is the user `ada` already") as caught:
        await auth.users.change("bob", identities=["https://id.example 1"])
    assert caught.value.field == "identities"
    with pytest.raises(AccountError, match="is the user `ada` already"):
        await auth.users.add("eve", identities=["https://id.example 1"])
    await auth.users.change("ada", identities=["https://id.example 1", "https://id.example 2"])
    await auth.users.change("ada", identities=[])
    assert (await auth.users.change("bob", identities=["https://id.example 1"])).identities


@pytest.mark.parametrize("identity", ["", "https://id.example", "https://id.example ", "a\nb c"])
async def test_what_is_no_identity_is_refused(auth: Auth, identity: str) -> None:
    with pytest.raises(AccountError) as caught:
        await auth.users.add("ada", identities=[identity])
    assert caught.value.field == "identities"


async def test_users_join_and_leave_groups(auth: Auth) -> None:
    await auth.users.add("ada")
    await auth.users.add("bob")
    group = await auth.groups.add("staff")
    await auth.groups.change("staff", add=["ada", "Bob"])
    members = auth.directory.picture.members_of
    assert [user.name for user in members(group)] == ["ada", "bob"]
    await auth.groups.change("staff", remove=["ada"])
    assert [user.name for user in members(group)] == ["bob"]


async def test_one_who_is_not_there_joins_no_group_and_neither_do_the_others(auth: Auth) -> None:
    await auth.users.add("ada")
    group = await auth.groups.add("staff")
    with pytest.raises(AccountError, match="bob"):
        await auth.groups.change("staff", add=["ada", "bob"])
    assert auth.directory.picture.members_of(group) == []


async def test_a_group_that_is_removed_takes_its_grants_along(auth: Auth) -> None:
    await auth.groups.add("staff")
    await auth.grants.grant("group:staff", Permission.VIEW, HOST)
    await auth.groups.remove("staff")
    assert auth.directory.picture.all(Grant) == []
    assert auth.directory.picture.all(Group) == []


async def test_there_is_one_grant_for_each_subject_and_resource(auth: Auth) -> None:
    await auth.users.add("ada")
    flow = Resource.parse("flow:x")
    first = await auth.grants.grant("user:ada", Permission.VIEW, flow)
    second = await auth.grants.grant("user:ada", Permission.LAUNCH, flow)
    third = await auth.grants.grant("user:ada", Permission.LAUNCH, flow, namespace="shop")
    assert first.id == second.id != third.id
    assert [grant.permission for grant in auth.directory.picture.all(Grant)] == [Permission.LAUNCH] * 2


@pytest.mark.parametrize(
    ("subject", "permission", "resource", "field"),
    [
        ("user:nobody", "view", "host", "subject"),
        ("nobody", "view", "host", "subject"),
        ("role:admin", "view", "host", "subject"),
        ("role:", "view", "host", "subject"),
        ("anyone", "operate", "flow:x", "permission"),
        ("user:ada", "launch", "events:x", "permission"),
        ("user:ada", "admin", "events:x", "permission"),
    ],
)
async def test_a_grant_that_makes_no_sense_is_refused(
    auth: Auth, subject: str, permission: str, resource: str, field: str
) -> None:
    await auth.users.add("ada")
    with pytest.raises(AccountError) as caught:
        await auth.grants.grant(subject, Permission(permission), Resource.parse(resource))
    assert caught.value.field == field
    assert caught.value.remedy


async def test_a_grant_that_is_not_there_cannot_be_taken_back(auth: Auth) -> None:
    with pytest.raises(EntryNotFound):
        await auth.grants.withdraw("r-0")


async def test_the_last_administrator_stays(auth: Auth) -> None:
    await auth.groups.add("staff", roles=["admin"])
    await auth.users.add("ada", groups=["staff"])
    for attempt in (
        auth.users.change("ada", active=False),
        auth.users.change("ada", groups=[]),
        auth.users.remove("ada"),
        auth.groups.change("staff", roles=[]),
        auth.groups.change("staff", remove=["ada"]),
        auth.groups.remove("staff"),
    ):
        with pytest.raises(AccountError, match="nobody would be left"):
            await attempt
    await auth.users.add("bob", roles=["admin"])
    await auth.users.remove("ada")
    assert [user.name for user in auth.directory.picture.administrators()] == ["bob"]


async def test_an_administrator_by_grant_is_one_as_well(auth: Auth) -> None:
    await auth.users.add("ada")
    grant = await auth.grants.grant("user:ada", Permission.ADMIN, HOST)
    with pytest.raises(AccountError, match="nobody would be left"):
        await auth.grants.withdraw(grant.id)


async def test_a_token_makes_none_that_is_good_for_more_or_longer(auth: Auth) -> None:
    user = await auth.users.add("ada", roles=["admin"])
    issued = await auth.tokens.issue(user, name="ci", expires_in=60, ceiling=Permission.LAUNCH)
    asking = auth.directory.authenticate(issued.text)
    make = auth.tokens.issue
    with pytest.raises(AccountError) as more:
        await make(user, name="x", expires_in=30, asked_by=asking)
    with pytest.raises(AccountError) as longer:
        await make(user, name="x", expires_in=90, ceiling=Permission.VIEW, asked_by=asking)
    with pytest.raises(AccountError) as forever:
        await make(user, name="x", ceiling=Permission.VIEW, asked_by=asking)
    assert [each.value.field for each in (more, longer, forever)] == [
        "permission",
        "expires_in",
        "expires_in",
    ]
    assert await make(user, name="x", expires_in=60, ceiling=Permission.LAUNCH, asked_by=asking)


@pytest.mark.parametrize("expires_in", [0, -1, float("inf"), float("nan")])
async def test_a_token_has_an_end_that_comes(auth: Auth, expires_in: float) -> None:
    user = await auth.users.add("ada")
    with pytest.raises(AccountError) as caught:
        await auth.tokens.issue(user, name="x", expires_in=expires_in)
    assert caught.value.field == "expires_in"


async def test_nothing_that_is_kept_or_shown_holds_a_secret(auth: Auth) -> None:
    user = await auth.users.add("ada", password=PASSWORD)
    issued = await auth.tokens.issue(user, name="ci")
    session = await auth.logins.login("ada", PASSWORD)
    entries = [
        entry
        for collection in ("users", "groups", "grants", "tokens")
        for entry in await auth.store.entries(collection)  # type: ignore[arg-type]
    ]
    kept = b"".join(entry.content or b"" for entry in entries)
    trail = repr(await auth.store.audits())
    for secret in (PASSWORD, issued.text, session.text, issued.text.split(".")[1]):
        assert secret.encode() not in kept
        assert secret not in trail
        assert secret not in repr([user, issued, session, auth.directory.authenticate(issued.text)])
    assert user.password not in repr(user)

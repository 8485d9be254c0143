from __future__ import annotations

from penstock.auth import Auth, Permission
from penstock.auth.records import User


async def test_the_first_start_makes_an_administrator_and_the_second_none(auth: Auth) -> None:
    issued = await auth.ensure_admin()
    assert issued is not None
    principal = auth.directory.authenticate(issued.text)
    assert principal is not None
    assert principal.name == "admin"
    assert auth.directory.may_everywhere(principal, Permission.ADMIN)
    assert await auth.ensure_admin() is None
    trail = [entry.action for entry in await auth.store.audits()]
    assert trail == ["token.create", "user.create"]
    assert issued.text not in repr(await auth.store.audits())


async def test_where_somebody_administers_nobody_is_made(auth: Auth) -> None:
    await auth.users.add("ada", roles=["admin"])
    assert await auth.ensure_admin() is None
    assert [user.name for user in auth.directory.picture.all(User)] == ["ada"]


async def test_where_nobody_administers_yet_the_first_start_still_helps(auth: Auth) -> None:
    await auth.users.add("ada", roles=["viewer"])
    assert await auth.ensure_admin() is not None


async def test_an_administrator_who_was_put_out_does_not_come_back_by_a_restart(auth: Auth) -> None:
    await auth.users.add("admin")
    assert await auth.ensure_admin() is None

"""The first start: somebody has to be the first who may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.auth.audit import Act
from penstock.auth.records import User
from penstock.core.errors import AccountError, StoreConflict

if TYPE_CHECKING:
    from penstock.auth.audit import Trail
    from penstock.auth.ledger import Ledger
    from penstock.auth.tokens import Issued, Tokens
    from penstock.auth.users import Users

ADMIN: Final = "admin"
"""What the first user is called."""


async def ensure_admin(*, ledger: Ledger, users: Users, tokens: Tokens, trail: Trail) -> Issued | None:
    """On a store that nobody administers, make a user with the role `admin`, and a token for them.

    None where somebody does, and where there is a user of that name: who has been put out does
    not come back by a restart. Of several hosts that start at the same time, one makes it.
    """
    picture = await ledger.now()
    if picture.administrators() or picture.named(User, ADMIN):
        return None
    try:
        user = await users.add(ADMIN, roles=(ADMIN,))
    except (AccountError, StoreConflict):  # another host was quicker
        return None
    issued = await tokens.issue(user, name="first start")
    await trail.record(Act.USER_CREATE, who="penstock", subject=f"user:{ADMIN}", detail="first start")
    await trail.record(
        Act.TOKEN_CREATE, who="penstock", subject=f"user:{ADMIN}", detail=f"token {issued.token.id}"
    )
    return issued

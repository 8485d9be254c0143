"""The first start: somebody has to be the first who may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.auth.audit import Act
from penstock.auth.records import User
from penstock.core.errors import AccountError

if TYPE_CHECKING:
    from penstock.auth.audit import Trail
    from penstock.auth.ledger import Ledger
    from penstock.auth.tokens import Issued, Tokens
    from penstock.auth.users import Users

ADMIN: Final = "admin"
"""What the first user is called."""


async def ensure_admin(*, ledger: Ledger, users: Users, tokens: Tokens, trail: Trail) -> Issued | None:
    """On a store without any user, make one with the role `admin`, and a token for them.

    None where there are users: then it is for these to say who administers. Of several hosts
    that start at the same time, one makes it.
    """
    if (await ledger.now()).all(User):
        return None
    try:
        user = await users.add(ADMIN, roles=(ADMIN,))
    except AccountError:  # another host was quicker
        return None
    issued = await tokens.issue(user, name="first start")
    await trail.record(Act.USER_CREATE, who="penstock", subject=f"user:{ADMIN}", detail="first start")
    await trail.record(
        Act.TOKEN_CREATE, who="penstock", subject=f"user:{ADMIN}", detail=f"token {issued.token.id}"
    )
    return issued

"""Grants: given and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.auth.ledger import grants_of, meant
from penstock.auth.permission import Permission, Resource, Scope
from penstock.auth.picture import ANYONE
from penstock.auth.records import EVERYWHERE, Grant, Group, User, dropped, kept, new_id
from penstock.auth.rights import ROLES
from penstock.core.errors import AccountError, EntryNotFound
from penstock.core.spec import NAME

if TYPE_CHECKING:
    from penstock.auth.ledger import Ledger
    from penstock.auth.picture import Picture
    from penstock.core.catalog import Write


class Grants:
    """Who has which permission on what.

    Methods raise AccountError for what cannot be, EntryNotFound, and StoreError.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def grant(
        self,
        subject: str,
        permission: Permission,
        resource: Resource,
        *,
        namespace: str = EVERYWHERE,
    ) -> Grant:
        """Give a subject a permission on a resource, instead of the one it has there.

        subject: `user:NAME`, `group:NAME`, `role:NAME` (which this makes), or `anyone`. namespace:
        of the hosts where it holds.
        """
        if namespace != EVERYWHERE and not NAME.fullmatch(namespace):
            raise AccountError(
                f"`{namespace}` is no namespace",
                field="namespace",
                remedy="a name has letters, digits, `-` and `_`; `*` means all namespaces",
            )
        if resource.scope is Scope.EVENTS and permission not in (Permission.VIEW, Permission.OPERATE):
            raise AccountError(
                f"runs are seen (`view`) or operated (`operate`); `{permission}` says nothing of them",
                field="permission",
                remedy=f"grant `{permission}` on `flow:{resource.flow}`",
            )
        if subject == ANYONE and permission.includes(Permission.OPERATE):
            raise AccountError(
                f"`{permission}` for everybody, known or not, would leave nothing to protect",
                field="permission",
                remedy="grant `view` or `launch` to `anyone`, and the rest to users, groups or roles",
            )

        def work(picture: Picture) -> tuple[Grant, list[Write]]:
            held_by = _subject(picture, subject)
            before = next(
                (
                    each
                    for each in grants_of(picture, held_by)
                    if each.resource == str(resource) and each.namespace == namespace
                ),
                None,
            )
            grant = Grant(
                id=before.id if before else new_id(Grant),
                subject=held_by,
                permission=permission,
                resource=str(resource),
                created=self._ledger.at(),
                namespace=namespace,
            )
            if before is not None and before.permission is permission:
                return before, []
            return grant, [kept(grant, revision=picture.revision(grant))]

        return await self._ledger.change(work)

    async def withdraw(self, id: str) -> Grant:  # noqa: A002 - the field's word
        """Take a grant back."""

        def work(picture: Picture) -> tuple[Grant, list[Write]]:
            grant = picture.get(Grant, id)
            if grant is None:
                raise EntryNotFound(
                    f"there is no grant `{id}`", remedy="`penstock grants ls` lists them"
                )
            return grant, [dropped(grant)]

        return await self._ledger.change(work)


def _subject(picture: Picture, text: str) -> str:
    """A subject as records have it, of one as people write it."""
    sort, _, name = text.partition(":")
    if text == ANYONE:
        return ANYONE
    if sort == "user" and name:
        return f"user:{meant(picture, User, name, field='subject').id}"
    if sort == "group" and name:
        return f"group:{meant(picture, Group, name, field='subject').id}"
    if sort == "role" and NAME.fullmatch(name):
        if name in ROLES:
            raise AccountError(
                f"the role `{name}` is on every host what its name says",
                field="subject",
                remedy="make a role of your own: the grant of another name makes it",
            )
        return text
    raise AccountError(
        f"`{text}` is nobody to give a permission to",
        field="subject",
        remedy="write `user:NAME`, `group:NAME`, `role:NAME`, or `anyone`",
    )

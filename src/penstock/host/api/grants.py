"""Grants, and the audit trail."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from penstock.api.accounts import AuditView, GrantView, NewGrant
from penstock.api.pages import Page
from penstock.auth import Permission, Resource
from penstock.auth.audit import Act
from penstock.auth.records import Grant
from penstock.auth.views import audit_view, grant_view
from penstock.core.audit import AuditQuery
from penstock.core.errors import EntryNotFound
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations
from penstock.host.api.session import tell

grants = Operations("grants")

_MINE: Final = {403: "It needs the permission `admin` on what the grant is on."}


class GrantsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """subject, resource: those of these alone, written as in a grant."""

    subject: str = ""
    resource: str = ""


class TrailQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """who, action, subject: those of these alone. limit: entries of a page. cursor: `next` of the
    page before.
    """

    who: str = ""
    action: str = ""
    subject: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    cursor: Annotated[int, msgspec.Meta(ge=1, le=2**62)] | None = None


@grants.get("/grants")
async def list_grants(call: Call, query: GrantsQuery) -> Page[GrantView]:
    """List the grants on what one administers."""
    directory = call.host.directory
    found = [
        grant_view(directory.picture, grant)
        for grant in directory.picture.all(Grant)
        if directory.may_grant(call.principal, Resource.parse(grant.resource), grant.namespace)
    ]
    wanted = (
        view
        for view in found
        if query.subject in ("", view.subject) and query.resource in ("", view.resource)
    )
    return Page(items=sorted(wanted, key=lambda view: (view.subject, view.resource, view.namespace)))


@grants.post("/grants", status=201, errors=_MINE)
async def create_grant(call: Call, body: NewGrant) -> GrantView:
    """Give somebody a permission, instead of the one they have on the same thing."""
    resource = Resource.parse(body.resource)
    _require(call, resource, body.namespace)
    grant = await call.host.auth.grants.grant(
        body.subject, Permission.parse(body.permission), resource, namespace=body.namespace
    )
    view = grant_view(call.host.directory.picture, grant)
    await tell(call, Act.GRANT_CREATE, view.subject, _said(view))
    return view


@grants.delete(
    "/grants/{id}",
    status=204,
    errors={404: "There is no such grant.", 422: "Nobody would be left who may administer."},
)
async def delete_grant(call: Call, id: str) -> None:  # noqa: A002 - the field's word
    """Take a grant back."""
    directory = call.host.directory
    grant = directory.picture.get(Grant, id)
    if grant is None or not directory.may_grant(
        call.principal, Resource.parse(grant.resource), grant.namespace
    ):
        raise EntryNotFound("there is no such grant", remedy="GET /api/v1/grants lists them")
    view = grant_view(directory.picture, grant)
    await call.host.auth.grants.withdraw(id)
    await tell(call, Act.GRANT_DELETE, view.subject, _said(view))


@grants.get("/audit", errors={403: "It needs the permission `admin` on every host."})
async def list_audit(call: Call, query: TrailQuery) -> Page[AuditView]:
    """List what was done, newest first."""
    call.administer()
    wanted = AuditQuery(
        who=query.who,
        action=query.action,
        subject=query.subject,
        before=query.cursor,
        limit=query.limit + 1,
    )
    entries = await call.host.runtime.store.audits(wanted)
    page = entries[: query.limit]
    items = [audit_view(entry) for entry in page]
    return Page(items=items, next=str(page[-1].number) if len(entries) > len(page) else "")


def _require(call: Call, resource: Resource, namespace: str) -> None:
    if not call.host.directory.may_grant(call.principal, resource, namespace):
        call.forbid(f"the permission `admin` on `{resource}`")


def _said(view: GrantView) -> str:
    where = "" if view.namespace == "*" else f" in {view.namespace}"
    return f"{view.permission} on {view.resource}{where}"

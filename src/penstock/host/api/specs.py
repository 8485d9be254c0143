"""Specs: the documents of the host's namespace, for those who administer it."""

from __future__ import annotations

from typing import Final

from penstock.api.pages import Page
from penstock.api.specs import Apply, ChangeView, SpecView
from penstock.api.times import moment
from penstock.auth import Permission
from penstock.auth.audit import Act
from penstock.core.errors import DocumentError
from penstock.document.reader import examine_data
from penstock.engine.catalog.draft import Change, Prune
from penstock.engine.catalog.filters import Filter
from penstock.engine.catalog.stored import StoredSpec
from penstock.host.api.call import Call
from penstock.host.api.listing import ListQuery, page_of
from penstock.host.api.operation import Operations
from penstock.host.problem import Refused, fault_of

specs = Operations("specs")

_ADMIN: Final = {403: "It needs the permission `admin` on the host."}
_NO_SPEC: Final = {**_ADMIN, 404: "No spec has this name or id."}


@specs.get("/specs", errors=_ADMIN)
async def list_specs(call: Call, query: ListQuery) -> Page[SpecView]:
    """List the specs of the namespace, with what became of each."""
    call.require(Permission.ADMIN)
    found = await call.host.specs.read(namespace=call.host.namespace)
    page, following = page_of(sorted(found, key=lambda spec: spec.name), query)
    return Page(items=[_view(call, spec) for spec in page], next=following)


@specs.get("/specs/{name}", errors=_NO_SPEC)
async def show_spec(call: Call, name: str) -> SpecView:
    """Show a spec, by its name or its id."""
    call.require(Permission.ADMIN)
    return _view(call, await call.host.specs.one(name, namespace=call.host.namespace))


@specs.post(
    "/apply",
    errors={
        **_ADMIN,
        409: "A spec is not what the document's `revision` says.",
        422: "A document is wrong, or asks for a kind that the namespace may not use.",
    },
)
async def apply_documents(call: Call, body: Apply) -> Page[ChangeView]:
    """Make the namespace hold these documents: all of them, or none."""
    call.require(Permission.ADMIN)
    namespace = call.host.namespace
    if body.namespace not in ("", namespace):
        raise Refused(
            422,
            f"this host serves the namespace `{namespace}`, not `{body.namespace}`",
            kind="other-namespace",
        )
    places = {f"documents[{at}]": f"/documents/{at}" for at in range(len(body.documents))}
    try:
        changes = await call.host.specs.apply(
            [examine_data(each, file=at) for at, each in zip(places, body.documents, strict=True)],
            namespace=namespace,
            prune=Prune.NAMESPACE if body.prune else Prune.NOTHING,
            dry_run=body.dry_run,
        )
    except DocumentError as error:
        faults = [
            fault_of(each, below=places.get(each.place.file, "") if each.place else "")
            for each in error.problems
        ]
        raise Refused(422, error.message, kind="document-error", faults=faults) from None
    if not body.dry_run:
        await _settled(call)
        call.note(Act.SPECS_APPLY, subject=namespace, detail=_told(changes))
    return Page(items=[_change(change) for change in changes])


@specs.delete("/specs/{name}", status=200, errors=_NO_SPEC)
async def delete_spec(call: Call, name: str) -> ChangeView:
    """Delete a spec, by its name or its id. What is under way with it comes to its end."""
    call.require(Permission.ADMIN)
    spec = await call.host.specs.one(name, namespace=call.host.namespace)
    (change,) = await call.host.specs.delete([Filter(id=spec.id, namespace=spec.namespace)])
    await _settled(call)
    call.note(Act.SPECS_DELETE, subject=call.host.namespace, detail=_told([change]))
    return _change(change)


async def _settled(call: Call) -> None:
    """Wait until the host serves what was written, so that who wrote it can use it."""
    await call.host.shelf.resident.reached(await call.host.runtime.store.position())


def _view(call: Call, spec: StoredSpec) -> SpecView:
    report = call.host.shelf.resident.table.reports.get(spec.key)
    status = "" if report is None else f"{report.status}: {report.reason}".removesuffix(": ")
    return SpecView(
        id=spec.id,
        namespace=spec.namespace,
        name=spec.name,
        kind=spec.kind,
        revision=spec.revision,
        changed=moment(spec.at),
        origin=spec.origin,
        status=status,
        document=spec.document,
    )


def _change(change: Change) -> ChangeView:
    return ChangeView(
        action=str(change.action),
        id=change.id,
        namespace=change.namespace,
        name=change.name,
        revision=change.revision,
    )


def _told(changes: list[Change]) -> str:
    return ", ".join(f"{change.action} {change.key}" for change in changes[:20])

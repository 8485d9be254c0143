"""Lists of specs and values: as a table, as YAML and JSON, or as names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.cli.documents.reported import Told
    from penstock.engine.catalog.stored import StoredSpec, StoredValue

    Stored = StoredSpec | StoredValue

_STYLES = {"active": "green", "waiting": "yellow", "broken": "red"}


class Listing(NamedTuple):
    """How a list is shown. everywhere: with namespaces. history: with revisions, of one document."""

    form: str
    everywhere: bool = False
    history: bool = False


def print_listing(
    console: Console, listing: Listing, found: Sequence[Stored], told: Mapping[str, Told]
) -> None:
    """The list on stdout."""
    if listing.form == "json":
        from penstock.cli.results import print_json

        print_json(console, [_plain(one, told) for one in found])
    elif listing.form == "yaml":
        from penstock.document.yaml_writing import to_yaml

        for one in found:
            # A comment: any field of a spec may be one of its kind, and this is to be applied again.
            if one.id in told:
                console.out(f"# status: {told[one.id].line}")
            console.out(to_yaml([document(one)]).rstrip("\n"))
    elif listing.form == "name":
        for one in found:
            console.out(f"{one.namespace}/{_key(one)}" if listing.everywhere else _key(one))
    elif found:
        rows = [_cells(one, listing, told) for one in found]
        print_table(console, rows, colour="STATUS")
    else:
        console.say("there is nothing")


def print_table(console: Console, rows: Sequence[Mapping[str, str]], *, colour: str = "") -> None:
    """Rows with the same columns, under their names. colour: the column of statuses."""
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    head = "  ".join(f"{name:{width}}" for name, width in widths.items())
    console.out(console.style(head.rstrip(), "dim", stream=console.stdout))
    for row in rows:
        cells = [
            console.style(
                f"{row[name]:{width}}",
                _STYLES.get(row[name].partition(":")[0], "") if name == colour else "",
                stream=console.stdout,
            )
            for name, width in widths.items()
        ]
        console.out("  ".join(cells).rstrip())


def document(one: Stored) -> dict[str, Any]:
    """What can be applied again: with the revision, so that it is refused when somebody wrote since."""
    if one.deleted:
        return {"id": one.id, "namespace": one.namespace, "revision": one.revision, "deleted": True}
    head = {"id": one.id, "namespace": one.namespace, "revision": one.revision}
    if hasattr(one, "document"):
        return {**head, **one.document}
    return head | _value(one)


def _value(value: StoredValue) -> dict[str, Any]:
    named = {"name": value.name} if value.name else {}
    notes = {"annotations": value.annotations} if value.annotations else {}
    return named | notes | {"data": value.data}


def _plain(one: Stored, told: Mapping[str, Told]) -> dict[str, Any]:
    """A document for programs, with what the store knows about it."""
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(one)
    found.pop("shown", None)
    return found | (plain_status(told[one.id]) if one.id in told else {})


def plain_status(told: Told) -> dict[str, Any]:
    """The status of a spec for programs: as it is shown, and what each runtime says."""
    reports = [
        {
            "status": str(report.status),
            "reason": report.reason,
            "revision": report.revision,
            "serving": report.serving,
        }
        for report in told.reports
    ]
    return {"status": told.line, "reports": reports}


def _cells(one: Stored, listing: Listing, told: Mapping[str, Told]) -> dict[str, str]:
    cells = {"NAMESPACE": one.namespace} if listing.everywhere else {}
    cells["NAME"] = _key(one)
    if hasattr(one, "kind"):
        cells["KIND"] = one.kind
    cells["REVISION"] = f"{one.revision} (deleted)" if one.deleted else str(one.revision)
    cells["CHANGED"] = when(one.at)
    if hasattr(one, "kind"):
        if not listing.history:
            cells["STATUS"] = told[one.id].line
    else:
        cells["DATA"] = "" if one.deleted else shown(one)
    cells["ORIGIN"] = one.origin
    return cells


def shown(value: StoredValue) -> str:
    """The data of a value in one line; secrets are masked already."""
    from penstock.core.payload import to_json

    data = value.data
    if isinstance(data, dict) and not value.shown:
        return ", ".join(data)
    return data if isinstance(data, str) else to_json(data).decode()


def when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def _key(one: Stored) -> str:
    return one.name or one.id

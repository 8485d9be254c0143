"""The status of specs: what the runtimes that serve them say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.cli.documents.statuses import READY, statuses

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.documents.opening import Opened
    from penstock.core.store import Store
    from penstock.engine.catalog.stored import StoredSpec
    from penstock.engine.resident.symbol import Report

NOT_SERVED: Final = "not served"


class Told(NamedTuple):
    """The status of a spec.

    text: in one line. reports: one of each runtime that serves it. foretold: where none does,
    what would keep it from being active.
    """

    text: str
    reports: Sequence[Report] = ()
    foretold: str = ""

    @property
    def line(self) -> str:
        return f"{self.text}; {self.foretold}" if self.foretold else self.text


async def reported(store: Store, specs: Sequence[StoredSpec]) -> dict[str, Told]:
    """What runtimes say of these specs, by id."""
    from penstock.engine.resident import reports

    found = {
        namespace: await reports.statuses(store, namespace)
        for namespace in dict.fromkeys(spec.namespace for spec in specs)
    }
    return {spec.id: _told(spec, found[spec.namespace]) for spec in specs}


async def foretold(app: App, shelves: Opened, specs: Sequence[StoredSpec]) -> dict[str, Told]:
    """The same, and of what nobody serves also what would keep it from being active."""
    told = await reported(shelves.store, specs)
    idle = [spec for spec in specs if told[spec.id].text == NOT_SERVED]
    judged = await statuses(app, shelves, [spec.namespace for spec in idle]) if idle else {}
    for spec in idle:
        if judged.get(spec.id, READY) != READY:
            told[spec.id] = Told(NOT_SERVED, foretold=judged[spec.id])
    return told


def _told(spec: StoredSpec, found: Mapping[str, Sequence[Report]]) -> Told:
    if not found:
        return Told(NOT_SERVED)
    reports = found.get(spec.id, ())
    if not reports:
        return Told("not loaded yet")
    said = Counter(_said(report, spec.revision) for report in sorted(reports, key=_ease))
    if len(said) > 1:
        return Told("; ".join(f"{text} ({n} of {len(reports)})" for text, n in said.items()), reports)
    (text,) = said
    return Told(text, reports)


def _ease(report: Report) -> int:
    """Sorts the worst to the front."""
    return -list(type(report.status)).index(report.status)


def _said(report: Report, newest: int) -> str:
    about = report.reason or ("" if report.revision == newest else f"at revision {report.revision}")
    return f"{report.status}: {about}" if about else str(report.status)

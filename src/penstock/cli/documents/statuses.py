"""What a runtime would make of the specs of a namespace."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SealError

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.documents.opening import Opened
    from penstock.core.payload import Payload
    from penstock.engine.catalog.stored import StoredSpec
    from penstock.engine.resident.draft import Draft
    from penstock.engine.resident.linking import Verdict


READY: Final = "ready"
"""The status of a spec that can be active."""


async def statuses(app: App, shelves: Opened, namespaces: Sequence[str]) -> dict[str, str]:
    """`ready`, or why not, of every spec of these namespaces by its id.

    The graph is compiled and linked here, as a runtime does it, but nothing is loaded: a port
    that is taken, say, only the runtime itself will find.
    """
    found: dict[str, str] = {}
    for namespace in dict.fromkeys(namespaces):
        try:
            values = await shelves.values.payloads(namespace)
        except SealError as error:
            app.console.warn(f"what needs values counts as waiting: {error.message}")
            values = {}
        specs = await shelves.specs.read(namespace=namespace)
        found |= _judged(app, specs, values)
    return found


def _judged(app: App, specs: Sequence[StoredSpec], values: Mapping[str, Payload]) -> dict[str, str]:
    from penstock.engine.resident.draft import Drafter, Sheet
    from penstock.engine.resident.linking import active, link

    sheets = [
        Sheet(id=spec.id, name=spec.name, revision=spec.revision, document=spec.document)
        for spec in specs
    ]
    loader = app.loader()
    drafter = Drafter(
        loader.scheme,
        ambient={},
        values={**loader.values, **values},
        flows={sheet.name: sheet for sheet in sheets if sheet.is_flow},
        outside=loader.find,
    )
    drafts = {sheet.key: drafter.draft(sheet) for sheet in sheets}
    verdicts = link(drafts)
    ready = active(verdicts)
    return {
        draft.sheet.id: READY if key in ready else _reason(draft, verdicts.get(key), ready)
        for key, draft in drafts.items()
    }


def _reason(draft: Draft, verdict: Verdict | None, ready: Container[str]) -> str:
    from penstock.engine.resident.reasons import lacks, wrong_with

    wrong = wrong_with(draft, verdict)
    return f"broken: {wrong}" if wrong else f"waiting: {lacks(draft, verdict, ready)}"

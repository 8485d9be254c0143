"""What a runtime would make of the specs of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SealError
from penstock.core.problems import format_path

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.documents.opening import Opened
    from penstock.core.payload import Payload
    from penstock.core.problems import Problem
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


def _reason(draft: Draft, verdict: Verdict | None, ready: set[str]) -> str:
    wrong = draft.problems or (verdict.problems if verdict else ())
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"broken: {_told(wrong[0], draft)}{more}"
    lacks = [*draft.missing]
    if verdict is not None:
        lacks += [f"`{name}`" for name in verdict.missing]
        lacks = lacks or [f"`{name}`" for name in verdict.needs if name not in ready]
    return f"waiting: {', '.join(lacks)}"


def _told(problem: Problem, draft: Draft) -> str:
    """What is wrong, without what was found there when that can come from a value."""
    if draft.values and not problem.at_key:
        return f"`{format_path(problem.path) or draft.key}` does not fit with the values that it names"
    return problem.message

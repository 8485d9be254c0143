"""Specs on a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.cli.documents.reported import NOT_SERVED, Told
from penstock.core.errors import DocumentError, EntryNotFound
from penstock.document.source import place
from penstock.engine.catalog.draft import Action, Change
from penstock.engine.catalog.drafting import draft_specs
from penstock.engine.catalog.stored import StoredSpec

if TYPE_CHECKING:
    from penstock.api import ChangeView, SpecView
    from penstock.client import AsyncClient
    from penstock.core.problems import Problem
    from penstock.document.reader import Examination
    from penstock.document.source import Source


class HostSpecs:
    """The specs of the namespace that a host serves, for those who may `admin` it."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def apply(
        self, documents: Sequence[Examination], *, namespace: str, prune: bool, dry_run: bool
    ) -> list[Change]:
        _refuse(documents)  # with the lines of their files, which a host does not see
        sources = [document.document.source for document in documents]
        try:
            views = await self._client.apply(
                *(source.data for source in sources),
                namespace=namespace,
                prune=prune,
                dry_run=dry_run,
            )
        except DocumentError as error:
            raise DocumentError([_placed(problem, sources) for problem in error.problems]) from None
        return list(map(_change, views))

    async def withdraw(self, documents: Sequence[Examination], *, namespace: str) -> list[Change]:
        drafts = [
            draft for document in documents for draft in draft_specs(document, namespace=namespace)
        ]
        _refuse(documents)
        meant = {draft.id or draft.name for draft in drafts}
        views = [view for view in await self._client.specs() if meant & {view.id, view.name}]
        return [_change(await self._client.delete_spec(view.id)) for view in views]

    async def delete(self, names: Sequence[str] | None, *, namespace: str) -> list[Change]:
        views = await self._client.specs()
        if namespace:
            views = [view for view in views if view.namespace == namespace]
        if names is not None:
            views = _named(views, names)
        return [_change(await self._client.delete_spec(view.id)) for view in views]

    async def read(self, names: Sequence[str], *, namespace: str | None) -> list[StoredSpec]:
        return [
            _stored(view)
            for view in await self._client.specs()
            if (not namespace or view.namespace == namespace)
            and (not names or view.id in names or view.name in names)
        ]

    async def told(self, specs: Sequence[StoredSpec]) -> Mapping[str, Told]:
        views = {view.id: view for view in await self._client.specs()}
        return {spec.id: Told(views[spec.id].status or NOT_SERVED) for spec in specs if spec.id in views}

    async def doubtful(self, changes: Sequence[Change]) -> Mapping[str, str]:
        views = {view.id: view for view in await self._client.specs()}
        return {
            change.id: views[change.id].status
            for change in changes
            if change.id in views and not views[change.id].status.startswith("active")
        }


def _refuse(documents: Sequence[Examination]) -> None:
    problems = [problem for document in documents for problem in document.refusal().problems]
    if problems:
        raise DocumentError(problems)


def _placed(problem: Problem, sources: Sequence[Source]) -> Problem:
    """What a host found wrong, with the line of the file that it came from."""
    match problem.path:
        case ("documents", int(number), *rest) if number < len(sources):
            own = msgspec.structs.replace(problem, path=tuple(rest))
            (found,) = place([own], sources[number])
            return found
        case _:
            return problem


def _named(views: Sequence[SpecView], names: Sequence[str]) -> list[SpecView]:
    """The specs of these names or ids. Raises EntryNotFound with all that are not there."""
    by_key = {view.id: view for view in views} | {view.name: view for view in views if view.name}
    missing = ", ".join(f"`{name}`" for name in names if name not in by_key)
    if missing:
        raise EntryNotFound(
            f"the host has no specs {missing}; nothing was deleted",
            remedy="`penstock get specs` lists them",
        )
    return list({by_key[name].id: by_key[name] for name in names}.values())


def _change(view: ChangeView) -> Change:
    return Change(
        action=Action(view.action),
        id=view.id,
        namespace=view.namespace,
        name=view.name,
        revision=view.revision,
    )


def _stored(view: SpecView) -> StoredSpec:
    return StoredSpec(
        id=view.id,
        namespace=view.namespace,
        name=view.name,
        kind=view.kind,
        revision=view.revision,
        position=0,
        at=view.changed.timestamp(),
        origin=view.origin,
        document=view.document,
    )

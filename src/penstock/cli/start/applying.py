"""Applying: the store says what the files of `--from` say, at the start and after each save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cli.start.sources import Sources
from penstock.cli.start.watching import saves
from penstock.core.errors import PenstockError
from penstock.engine.catalog.draft import Action

if TYPE_CHECKING:
    from penstock.cli.start.view import View
    from penstock.engine.catalog.specs import Specs


class Applying:
    """Applies some files to one namespace."""

    def __init__(self, sources: Sources, *, specs: Specs, namespace: str, view: View) -> None:
        self._sources = sources
        self._specs = specs
        self._namespace = namespace
        self._view = view

    async def once(self) -> None:
        """Apply the files as they are now. Raises PenstockError, and then nothing has changed."""
        changes = await self._sources.apply(self._specs, namespace=self._namespace)
        self._view.applied(changes)

    async def after_each_save(self) -> None:
        """Apply them again and again. What is wrong is told, and the next save is tried."""
        refused = False
        try:
            async for _ in saves(self._sources.paths):
                try:
                    changes = await self._sources.apply(self._specs, namespace=self._namespace)
                except PenstockError as error:
                    self._view.refused(error)
                    refused = True
                    continue
                if refused or any(change.action is not Action.UNCHANGED for change in changes):
                    self._view.applied(changes)
                refused = False
        except PenstockError as error:
            self._view.refused(error)

"""Views: what is told of a resident runtime while it serves."""

# ruff: noqa: ARG002 - an observer is told more than it uses

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.engine.kind import Trigger
from penstock.engine.observer import Observer

if TYPE_CHECKING:
    from penstock.core.errors import PenstockError
    from penstock.core.payload import Error
    from penstock.engine.catalog.draft import Change
    from penstock.engine.resident.resident import Resident
    from penstock.engine.resident.symbol import Report


class View(Observer):
    """Tells of one runtime. The engine calls it as an observer, the command by the rest."""

    def __init__(self) -> None:
        self._resident: Resident | None = None
        self._reports: Mapping[str, Report] = {}
        self._places: dict[str, str] = {}

    # --- told by the command ------------------------------------------------------

    def follow(self, resident: Resident) -> None:
        """From now on it is about this one, which is about to begin."""
        self._resident = resident

    def applied(self, changes: Sequence[Change]) -> None:
        """The files were applied."""

    def refused(self, error: PenstockError) -> None:
        """The files could not be applied; what was there serves on."""

    def observed(self, address: str) -> None:
        """Metrics and health are served at this URL."""

    def hosted(self, address: str, flows: Sequence[str]) -> None:
        """A host answers at this URL, and serves these flows."""

    def welcomed(self, token: str) -> None:
        """The host was started for the first time: its administrator has this token."""

    def stopping(self) -> None:
        """The first signal came."""

    # --- told by the engine -------------------------------------------------------

    def reloaded(self, namespace: str, changes: int, seconds: float, error: Error | None) -> None:
        """Tell what is different since the last time, and where triggers are now."""
        assert self._resident is not None
        before, self._reports = self._reports, self._masked(self._resident.table.reports)
        self.changed(before, self._reports, seconds)
        places = self._described()
        for key, place in places.items():
            if self._places.get(key) != place:
                self.serves(key, self._reports[key].kind, place)
        self._places = places

    def changed(self, before: Mapping[str, Report], now: Mapping[str, Report], seconds: float) -> None:
        """The nodes were these, and after a reload that took so long are those."""

    def serves(self, key: str, kind: str, place: str) -> None:
        """A trigger is open. place: where or when it starts processes, if it says so."""

    def _masked(self, reports: Mapping[str, Report]) -> dict[str, Report]:
        return {
            key: msgspec.structs.replace(report, reason=self._hide(report.reason))
            for key, report in reports.items()
        }

    def _hide(self, text: str) -> str:
        """The text without secrets."""
        assert self._resident is not None
        redactor = self._resident.roots.flow.redactor
        return text if redactor is None else redactor.text(text)

    def _described(self) -> dict[str, str]:
        assert self._resident is not None
        return {
            key: self._hide(symbol.node.describe())
            for key, symbol in self._resident.table.symbols.items()
            if isinstance(symbol.node, Trigger)
        }

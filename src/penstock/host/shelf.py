"""The shelf: the flows that a host serves, by name.

Some were given when the host started, as files, modules or objects; the others are the flow
specs of its namespace, which the resident graph follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from penstock.core.errors import DocumentError, EntryNotFound, SettingsError
from penstock.engine.flow import Flow

if TYPE_CHECKING:
    from penstock.engine.resident.resident import Resident


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as the host has it. flow: None where it is broken; then `reason` says why."""

    name: str
    flow: Flow | None = None
    reason: str = ""

    @property
    def status(self) -> str:
        return "broken" if self.flow is None else "ready"


class Shelf:
    """The flows of a host, in the order of their names.

    given: those that came with the command line. Raises SettingsError when two are named alike.
    """

    def __init__(self, resident: Resident, given: Iterable[Flow] = ()) -> None:
        self.resident = resident
        self._given: dict[str, Flow] = {}
        for flow in given:
            if flow.name in self._given:
                raise SettingsError(
                    f"two flows are named `{flow.name}`", remedy="give one of them another name"
                )
            self._given[flow.name] = flow

    def __iter__(self) -> Iterator[Served]:
        for name in sorted({*self._given, *self._kept()}):
            found = self.find(name)
            if found is not None:
                yield found

    def find(self, name: str) -> Served | None:
        """The flow of this name; one that was given goes before a spec of the namespace."""
        given = self._given.get(name)
        if given is not None:
            return Served(name=name, flow=given)
        try:
            return Served(name=name, flow=self.resident.flow(name))
        except EntryNotFound:
            return None
        except DocumentError as error:
            return Served(name=name, reason=str(error))

    def _kept(self) -> Iterator[str]:
        """The names of the flow specs of the namespace, broken ones among them."""
        return (report.key for report in self.resident.reports if report.kind == "flow")

"""Finds the flows of CrewAI: in documents, and among the objects of modules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.agents.crewai.framework import keep_quiet

if TYPE_CHECKING:
    from penstock.agents.crewai.flow import CrewFlow
    from penstock.document.source import Source
    from penstock.engine.flow import Flow

_MADE: Final = ("Crew", "Flow")
"""What the return hint of a function says that makes one."""


class CrewReader:
    """Makes flows of crews, and of the flows of CrewAI. See `penstock.engine.references.Reader`.

    It is asked about every document and module, so what makes flows is imported when there is one.
    """

    source = "crew"

    def prepare(self) -> None:
        keep_quiet()

    def knows(self, item: Any) -> bool:
        crewai: Any = sys.modules.get("crewai")
        if crewai is None or not hasattr(crewai, "Flow"):  # nobody has one of its objects
            return False
        if isinstance(item, type):
            own = item.__module__.partition(".")[0] != "crewai"
            return own and (
                issubclass(item, crewai.Flow) or getattr(item, "is_crew_class", False) is True
            )
        return isinstance(item, crewai.Crew | crewai.Flow)

    def makes(self, function: Any) -> bool:
        hint = getattr(function, "__annotations__", {}).get("return")
        name = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
        return name.partition("[")[0].rpartition(".")[2] in _MADE

    def of_object(self, item: Any, reference: str) -> CrewFlow:
        from penstock.agents.crewai.objects import flow_of_object

        return flow_of_object(item, reference)

    def reads(self, data: Any) -> bool:
        if not isinstance(data, dict) or data.keys() & {"flow", "kind", "nodes"}:
            return False
        return "crew" in data or {"agents", "tasks"} <= data.keys()

    def of_document(self, source: Source) -> CrewFlow:
        from penstock.agents.crewai.building import flow_of_document

        return flow_of_document(source)

    def restore(self, document: Mapping[str, Any]) -> Flow:
        if "reference" in document:
            from penstock.engine.references import Modules

            return Modules((self,)).restore(document)
        from penstock.agents.crewai.building import restore

        return restore(document)

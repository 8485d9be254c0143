"""The catalogue of a host, in both worlds."""

from __future__ import annotations

from penstock.api import Apply, ChangeView, SpecView
from penstock.client.effects import Steps, delete, get, post
from penstock.client.line import Line
from penstock.client.operation import operation
from penstock.core.payload import Payload


class SpecOperations:
    """Specs of a host's namespace; for those who may `admin` the host."""

    _line: Line

    @operation
    def specs(self) -> Steps[list[SpecView]]:
        """All of them, with what the host says of each."""
        return (yield from self._line.all(SpecView, get("specs")))

    @operation
    def spec(self, name: str) -> Steps[SpecView]:
        """One, by its name or id. Raises EntryNotFound."""
        return (yield from self._line.fetch(SpecView, get("specs", name)))

    @operation
    def apply(
        self, *documents: Payload, namespace: str = "", prune: bool = False, dry_run: bool = False
    ) -> Steps[list[ChangeView]]:
        """Make the namespace hold these documents: flows, specs, or lists of specs; all or none.

        What was written is served when this returns. namespace: of what names none; a host takes
        its own alone. prune: delete what else it holds. dry_run: write nothing, and say what would
        be. Raises DocumentError with every problem, StoreConflict for a spec whose `revision` is
        not the current one, Forbidden.
        """
        body = Apply(documents=list(documents), namespace=namespace, prune=prune, dry_run=dry_run)
        # Applying the same again changes nothing.
        return (yield from self._line.all(ChangeView, post("apply", body=body, repeatable=True)))

    @operation
    def delete_spec(self, name: str) -> Steps[ChangeView]:
        """Delete one, by its name or id. Raises EntryNotFound."""
        return (yield from self._line.fetch(ChangeView, delete("specs", name)))

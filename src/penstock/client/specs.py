"""The catalogue of a host, in both worlds."""

from __future__ import annotations

from penstock.api import Apply, ChangeView, SpecView
from penstock.client.effects import Steps, delete, get, post
from penstock.client.line import Line
from penstock.client.operation import operation
from penstock.core.payload import Payload


class SpecOperations:
    """Specs of a host's catalogue; for those who may `admin` the host."""

    _line: Line

    @operation
    def specs(self) -> Steps[list[SpecView]]:
        """The specs of its namespace, with what the host says of each."""
        return (yield from self._line.all(SpecView, get("specs")))

    @operation
    def apply(
        self, *documents: Payload, namespace: str = "", prune: bool = False, dry_run: bool = False
    ) -> Steps[list[ChangeView]]:
        """Make the catalogue hold these documents: flows, specs, or lists of specs; all or none.

        prune: delete what the namespace holds besides. dry_run: write nothing, and say what would
        be. Raises DocumentError with every problem, StoreConflict for a spec whose `revision` is
        not the current one, Forbidden.
        """
        body = Apply(documents=list(documents), namespace=namespace, prune=prune, dry_run=dry_run)
        # Applying the same again changes nothing.
        return (yield from self._line.all(ChangeView, post("apply", body=body, repeatable=True)))

    @operation
    def delete_spec(self, name: str) -> Steps[None]:
        """Delete a spec by its name or id. Raises EntryNotFound."""
        yield from self._line.send(delete("specs", name))

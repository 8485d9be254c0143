"""Log lines: what a log tells of a resident runtime besides what the engine's observers tell."""

# ruff: noqa: ARG002 - a view is told more than it logs

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from penstock.cli.start.view import View
from penstock.telemetry.log_output import FIELDS

if TYPE_CHECKING:
    from penstock.core.errors import PenstockError
    from penstock.engine.catalog.draft import Change
    from penstock.engine.resident.symbol import Report


class LogLines(View):
    """Tells the logger `penstock.start`. stream: where it says what must not be in a log."""

    def __init__(self, namespace: str, *, stream: TextIO) -> None:
        super().__init__()
        self._namespace = namespace
        self._stream = stream
        self._logger = logging.getLogger("penstock.start")

    def applied(self, changes: Sequence[Change]) -> None:
        self._tell("applied", **{str(action): count for action, count in _counted(changes).items()})

    def refused(self, error: PenstockError) -> None:
        self._logger.error("not applied", extra={FIELDS: self._facts(reason=str(error))})

    def observed(self, address: str) -> None:
        self._tell("observed", address=address)

    def hosted(self, address: str, flows: Sequence[str]) -> None:
        self._tell("hosting", address=address, flows=len(flows))

    def welcomed(self, token: str) -> None:
        """Not as a log line: logs are kept, and a token is a secret."""
        self._stream.write(f"the token of the administrator, shown this once: {token}\n")
        self._stream.flush()

    def changed(self, before: Mapping[str, Report], now: Mapping[str, Report], seconds: float) -> None:
        if not now:
            self._tell("empty; waiting for specs")

    def serves(self, key: str, kind: str, place: str) -> None:
        self._tell("serving", node=key, kind=kind, **({"at": place} if place else {}))

    def stopping(self) -> None:
        self._tell("stopping")

    def _tell(self, text: str, **facts: Any) -> None:
        self._logger.info(text, extra={FIELDS: self._facts(**facts)})

    def _facts(self, **facts: Any) -> dict[str, Any]:
        return {"namespace": self._namespace, **facts}


def _counted(changes: Sequence[Change]) -> Counter[str]:
    return Counter(str(change.action) for change in changes)

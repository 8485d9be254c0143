"""The kinds of a fuzzed runtime: all of them, some with their hands tied.

The fence stops what Python can see. These would reach beyond it, or bring what is no document.
"""

from __future__ import annotations

from typing import Any

from penstock.core.errors import NodeError
from penstock.engine.resident.trigger import TriggerContext
from penstock.engine.scheme import Scheme
from penstock.kinds import KINDS, standard_scheme
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.webhook import Webhook
from penstock.kinds.python import Python
from penstock.kinds.watch.trigger import Watch


class StillWatch(Watch, kind="file.watch", aliases=Watch.aliases):
    """Watches nothing: its library reads whole trees, natively."""

    async def load(self) -> None:
        """Open nothing."""

    async def open(self, ctx: TriggerContext) -> None:
        """Serve nothing."""

    async def close(self) -> None:
        """There is nothing to end."""

    async def unload(self) -> None:
        """There is nothing to give back."""


class FreeListener(Listener, kind="listener", aliases=Listener.aliases):
    """Takes any free port: the one in the document may be somebody else's."""

    async def listen(self, port: int) -> None:
        await super().listen(0)


class FreeWebhook(Webhook, kind="http.webhook", aliases=Webhook.aliases):
    """The same for webhooks."""

    async def listen(self, port: int) -> None:
        await super().listen(0)


class StillPython(Python, kind="python", aliases=Python.aliases):
    """Calls nothing: `os:abort` is a function, too."""

    async def run(self, inputs: Any, ctx: Any) -> Any:
        raise NodeError("functions are not called here", code="fenced")


def tied_scheme() -> Scheme:
    """Every kind, imported already, so that a fence around the process does not matter to them."""
    scheme = standard_scheme()
    for name in KINDS:
        scheme.get(name)
    scheme.add(StillWatch, StillPython, FreeListener, FreeWebhook)
    return scheme

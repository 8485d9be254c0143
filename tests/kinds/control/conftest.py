"""A control context without an engine, and flow documents run by a real one."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from penstock import Runtime, load_flow
from penstock.core.spec import decode_hook
from penstock.engine.kind import Node

if TYPE_CHECKING:
    from pathlib import Path

Branch = Callable[[Any], Awaitable[Any]]
RunFlow = Callable[..., Awaitable[Any]]


def make(kind: type[Node], **config: Any) -> Any:
    """An instance with its config decoded and checked, as a document would give it."""
    hints = kind.config_types()
    node = kind(
        **{name: msgspec.convert(config[name], hints[name], dec_hook=decode_hook) for name in config}
    )
    node.check()
    return node


class Calls:
    """What a control node sees: branches by port, and links that are only sent over."""

    idempotency_key = "run-1:node-1"

    node = "node-1"

    def __init__(self, *sent: str, **called: Branch) -> None:
        self.branches = {
            port.replace("_", "[") + "]" * ("_" in port): run for port, run in called.items()
        }
        self.sent = sent
        self.keys: list[Any] = []
        self.fractions: list[float] = []
        self.messages: list[str] = []
        self.slept: list[float] = []

    def linked(self, port: str) -> bool:
        return port in self.branches or port in self.sent

    def linked_family(self, family: str) -> list[str]:
        stem = family.removesuffix("[]") + "["
        return sorted(port for port in self.branches if port.startswith(stem))

    async def call(self, port: str, value: Any, *, key: Any = None) -> Any:
        self.keys.append(key)
        return await self.branches[port](value)

    def progress(self, fraction: float, message: str = "") -> None:
        self.fractions.append(fraction)

    def message(self, text: str, *, level: str = "info") -> None:
        self.messages.append(text)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def run_flow(tmp_path: Path) -> RunFlow:
    """Run a document to its result: `await run_flow(text, name=input, …)`."""

    async def run(document: str, **inputs: Any) -> Any:
        path = tmp_path / "flow.yaml"
        path.write_text(textwrap.dedent(document))
        async with Runtime("memory:") as runtime:
            return await (await runtime.start(load_flow(str(path)), **inputs)).result()

    return run

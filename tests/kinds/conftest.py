"""A context without an engine, and the two lines that bring a node to life as the engine does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.core.duration import Duration
from penstock.core.spec import decode_hook
from penstock.engine.binding import Binder
from penstock.engine.kind import Node


class RecordingContext:
    """What a kind may ask of its context, with everything it said kept for the test."""

    fid = "run-1"
    node = "node-1"
    flow = "flow-1"
    attempt = 1
    idempotency_key = "run-1:node-1"
    traceparent = ""

    def __init__(self, *linked: str) -> None:
        self.messages: list[str] = []
        self.levels: list[str] = []
        self.shown: list[Any] = []
        self.lines: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.on_line: Callable[[str], None] = lambda line: None
        self._linked = linked
        self.folder = Path()

    def path(self, text: str) -> Path:
        return self.folder / text.removeprefix("run:") if text.startswith("run:") else Path(text)

    def message(self, text: str, *, level: str = "info", **fields: Any) -> None:
        self.messages.append(text)
        self.levels.append(level)

    def data(self, value: Any) -> None:
        self.shown.append(value)

    def stdout(self, line: str) -> None:
        self.lines.append(("stdout", line))
        self.on_line(line)

    def stderr(self, line: str) -> None:
        self.lines.append(("stderr", line))
        self.on_line(line)

    def linked(self, port: str) -> bool:
        return port in self._linked

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(call, *arguments)

    async def sleep(self, duration: Duration) -> None:
        self.slept.append(duration.total_seconds())


def make(kind: type[Node], *, folder: Path | None = None, **config: Any) -> Any:
    """An instance with its config decoded and checked, as a document would give it."""
    hints = kind.config_types()
    decoded = {
        name: msgspec.convert(value, hints[name], dec_hook=decode_hook) for name, value in config.items()
    }
    node = kind(**decoded)
    node.check()
    node.bind(Binder(_no_flow, folder=folder))
    node.given = set(config)  # type: ignore[attr-defined]
    return node


def _no_flow(reference: str, binder: Binder) -> Any:
    raise ValueError(f"no flow {reference}")


def feed(node: Any, fed: dict[str, Any]) -> dict[str, Any]:
    """The inputs that the engine would hand over when these ports are fed."""
    inputs = {}
    for name, port in node.ports()[0].items():
        if name in fed:
            inputs[name] = fed[name]
        elif name in node.given:
            inputs[name] = getattr(node, name)
        elif not port.required:
            inputs[name] = port.default
    return inputs


Fire = Callable[..., Awaitable[Any]]


@pytest.fixture
def ctx() -> RecordingContext:
    return RecordingContext()


@pytest.fixture
async def fire(ctx: RecordingContext) -> AsyncIterator[Fire]:
    """Fire a node once: `await fire(node, url=…)`; `ctx=` replaces the fixture's context."""
    async with AsyncExitStack() as unloads:
        loaded: set[int] = set()

        async def once(node: Any, ctx: RecordingContext = ctx, **fed: Any) -> Any:
            if id(node) not in loaded:
                loaded.add(id(node))
                await node.load()
                unloads.push_async_callback(node.unload)
            arguments = (feed(node, fed), ctx) if node.wants_context else (feed(node, fed),)
            return await node.run(*arguments) if node.is_async else node.run(*arguments)

        yield once

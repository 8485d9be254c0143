"""A runtime of one trigger: what hangs from its ports is a function of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import CoroutineType
from typing import Any, TypeVar

from penstock.core.errors import NodeError
from penstock.engine.kind import Trigger
from penstock.engine.observer import Observer, Subject
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.webhook import Webhook
from penstock.server.messages import Peer, Request, Response, Section
from penstock.testing.clock import FakeClock

T = TypeVar("T")
Graph = Callable[[Any], Any]
PEER = Peer("127.0.0.1", 4242)


class FakeContext:
    """What a trigger asks of the runtime, as far as the kinds of HTTP do.

    ports: out-port → what hangs there, plain or async. asked: port and payload of each process,
    and failed, those that were rolled back. submitted: what was recorded, with its key.
    """

    namespace = "default"

    def __init__(
        self,
        ports: Mapping[str, Graph] | None = None,
        *,
        node: str = "api",
        shared: dict[type, Any] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.node = node
        self.ports = dict(ports or {})
        self.clock = FakeClock()
        self.observer = observer
        self.subject = Subject("default", node)
        self.asked: list[tuple[str, Any]] = []
        self.failed: list[Any] = []
        self.traces: list[str] = []
        self.submitted: list[tuple[Any, str]] = []
        self.warnings: list[tuple[str, dict[str, Any]]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.at_once: Mapping[str, Graph] = {}  # everything goes the long way, where it can be looked at
        self._shared = {} if shared is None else shared

    def linked(self, port: str) -> bool:
        return port in self.ports

    def begin(
        self, port: str, payload: Any, *, fails: Callable[[Any], bool] | None = None, trace: str = ""
    ) -> Any:
        if port not in self.ports:
            return None
        self.asked.append((port, payload))
        self.traces.append(trace)
        try:
            answer = self.ports[port](payload)
        except NodeError as error:
            return self._caught(error)
        if isinstance(answer, CoroutineType):
            return self._later(answer, fails)
        return self._judged(answer, fails)

    async def _later(self, work: Coroutine[Any, Any, Any], fails: Callable[[Any], bool] | None) -> Any:
        try:
            return self._judged(await work, fails)
        except NodeError as error:
            return self._caught(error)

    def _judged(self, answer: Any, fails: Callable[[Any], bool] | None) -> Any:
        if fails is not None and fails(answer):
            self.failed.append(answer)
        return answer

    def _caught(self, error: NodeError) -> Any:
        if "error" not in self.ports:
            raise error
        return self.ports["error"](error)

    async def submit(self, port: str, payload: Any, *, key: str = "", trace: str = "") -> bool:
        self.traces.append(trace)
        if key and key in (known for _, known in self.submitted):
            return False
        self.submitted.append((payload, key))
        return True

    def shared(self, kind: type[T]) -> T:
        found: T = self._shared.setdefault(kind, kind())
        return found

    def own(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.append(task)
        return task

    def warn(self, message: str, **fields: Any) -> None:
        self.warnings.append((message, fields))


def request(
    method: str = "GET", target: str = "/", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Request:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return Request(method, target.encode(), Section(pairs), body, "1.1", PEER)


async def answer(
    node: Listener | Webhook,
    method: str = "GET",
    target: str = "/",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """What a node answers to a request, without a socket."""
    asked = request(method, target, headers, body)
    found = node.answer(asked) if isinstance(node, Listener) else node.answer_alone(asked)
    return found if isinstance(found, Response) else await found


async def opened(node: Trigger, ctx: FakeContext) -> Any:
    """The node, open in this context, though without a socket."""
    await node.open(ctx)  # type: ignore[arg-type]
    return node

"""Telemetry: logs, metrics, traces and health of one process, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self, TextIO

from penstock.engine.observer import Observer, together
from penstock.telemetry.health import Health

if TYPE_CHECKING:
    from penstock.engine.redaction import Redactor
    from penstock.telemetry.exposition import Exposition
    from penstock.telemetry.log_output import Format
    from penstock.telemetry.traces import Traces


class Telemetry:
    """What a process tells of itself, from `async with` to its end.

        async with Telemetry(log="json", observe="127.0.0.1:9464") as telemetry:
            async with Runtime(store, observer=telemetry.observer) as runtime:
                telemetry.health.add("store", store_answers(runtime.store))

    log: how lines look; None leaves logging as it is, and tells it nothing. level: `debug`,
    `info`, `warning` or `error`. stream: where lines go, standard error at first. color: for a
    terminal. observe: `HOST:PORT` of the endpoint with the metrics; empty for none. trace: make
    spans; None: if the OTEL_* variables of `environ` say where to. measure:
    keep metrics, for somebody else to show. secrets: what masks those
    that are known at the moment. Raises SettingsError, or ListenError for the address.
    """

    def __init__(
        self,
        *,
        log: Format | None = "pretty",
        level: str = "info",
        stream: TextIO | None = None,
        color: bool = False,
        observe: str = "",
        trace: bool | None = None,
        measure: bool = False,
        environ: Mapping[str, str] | None = None,
        secrets: Callable[[], Redactor | None] = lambda: None,
    ) -> None:
        self.health = Health()
        self.observer: Observer | None = None
        self.addresses: list[tuple[str, int]] = []
        self.exposition: Exposition | None = None
        self._log = log
        self._level = level
        self._stream = stream
        self._color = color
        self._observe = observe
        self._trace = trace
        self._measure = measure or bool(observe)
        self._environ = environ
        self._secrets = secrets
        self._traces: Traces | None = None
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as parts:
            observers: list[Observer] = []
            self._open_log(parts, observers)  # first, so that the others can still say something
            self._open_traces(parts, observers)
            self._open_metrics(observers)
            await self._open_endpoint(parts)
            self.observer = together(*observers)
            self._parts = parts.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    def _open_log(self, parts: AsyncExitStack, observers: list[Observer]) -> None:
        if self._log is None:
            return
        import sys

        from penstock.telemetry.log import DetailedLog, Log
        from penstock.telemetry.log_output import LogOutput

        output = LogOutput(
            self._stream or sys.stderr,
            format=self._log,
            level=self._level,
            color=self._color,
            secrets=self._secrets,
            trace=lambda: "" if self._traces is None else self._traces.trace_id(),
        )
        parts.enter_context(output)
        observers.append(DetailedLog() if self._level == "debug" else Log())

    def _open_traces(self, parts: AsyncExitStack, observers: list[Observer]) -> None:
        import os

        from penstock.telemetry.trace_export import TraceExport, is_configured

        environ = os.environ if self._environ is None else self._environ
        if is_configured(environ) if self._trace is None else self._trace:
            export = TraceExport(environ)
            parts.push_async_callback(export.close)
            # In front: what the others tell of a beginning or an end is within the span.
            observers.insert(0, export.traces)
            self._traces = export.traces

    def _open_metrics(self, observers: list[Observer]) -> None:
        if not self._measure:
            return
        from penstock.telemetry.exposition import Exposition
        from penstock.telemetry.metrics import Metrics

        metrics = Metrics()
        self.exposition = Exposition(metrics)
        observers.append(metrics)

    async def _open_endpoint(self, parts: AsyncExitStack) -> None:
        if not self._observe:
            return
        from penstock.engine.clock import SystemClock
        from penstock.server.server import Server
        from penstock.telemetry.endpoint import Endpoint, parse_address

        assert self.exposition is not None
        endpoint = Endpoint(self.health, self.exposition)
        server = Server(endpoint.handle, clock=SystemClock(), compress_from_bytes=1024)
        parts.push_async_callback(server.close)
        await server.bind(*parse_address(self._observe))
        await server.accept()
        self.addresses = list(server.addresses)

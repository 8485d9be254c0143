"""Trace export: where spans go, as the standard OTEL_* variables say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SettingsError
from penstock.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from penstock.telemetry.traces import Traces

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

FLUSH_SECONDS: Final = 5.0
"""How long the end of a process waits for its last spans to be taken."""


def is_configured(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces without any word of Penstock's own."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER"):
        return environ["OTEL_TRACES_EXPORTER"] != "none"
    return any(environ.get(name) for name in ENDPOINTS)


class TraceExport:
    """Makes traces, and sends them in the background from a thread of its own.

    exporter: what takes the spans; the one that the environment names, when there is none.
    Raises SettingsError where that cannot be used, or the extra is not installed.
    """

    def __init__(self, environ: Mapping[str, str], *, exporter: SpanExporter | None = None) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            from penstock.telemetry.trace_ids import TraceIds
            from penstock.telemetry.traces import Traces
        except ImportError as error:
            raise _not_installed() from error
        ids = TraceIds()
        self._exporter = exporter or _exporter(environ)
        self._provider: TracerProvider = TracerProvider(
            resource=Resource.create(_facts(environ)), id_generator=ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self.traces: Traces = Traces(self._provider.get_tracer("penstock", __version__), ids)

    async def close(self) -> None:
        """Send what is left. A collector that cannot be reached is given up after a while."""
        closing = asyncio.create_task(asyncio.to_thread(self._provider.shutdown), name="penstock:traces")
        await asyncio.wait([closing], timeout=FLUSH_SECONDS)
        if not closing.done():
            self._exporter.shutdown()  # it ends the tries that are under way
        await closing


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    wanted = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if wanted == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    if wanted != "otlp":
        raise SettingsError(
            f"`{wanted}` from OTEL_TRACES_EXPORTER is not known here",
            remedy="it may be otlp, console or none",
        )
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise SettingsError(
            f"`{protocol}` from OTEL_EXPORTER_OTLP_PROTOCOL is not known here",
            remedy="Penstock sends http/protobuf, which every collector takes, on port 4318 as a rule",
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise _not_installed() from error
    return OTLPSpanExporter()


def _facts(environ: Mapping[str, str]) -> dict[str, str]:
    """What the spans say of this process, where the environment does not say it."""
    facts = {"service.version": __version__}
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        facts["service.name"] = "penstock"
    return facts


def _not_installed() -> SettingsError:
    return SettingsError(
        "traces need OpenTelemetry, which is not installed",
        remedy="`pip install 'penstock[telemetry]'`, or set `trace` to false",
    )

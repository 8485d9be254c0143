"""Health: whether the host is well, and what it has measured."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from penstock.auth import Permission
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply

health = Operations("health")

_KEPT_BY_NOBODY = (("Cache-Control", "no-store"),)


@health.get("/livez", open=True, rooted=True)
async def show_live(_call: Call) -> Reply[dict[str, Any]]:
    """Tell that the host is alive: an answer is all there is to it."""
    return Reply({"status": "alive"}, headers=_KEPT_BY_NOBODY)


@health.get("/readyz", open=True, rooted=True, also={503: dict[str, Any]})
async def show_ready(call: Call) -> Reply[dict[str, Any]]:
    """Tell whether the host can take work, and if not, why."""
    reasons = await call.host.telemetry.health.reasons()
    if reasons:
        return Reply({"status": "not ready", "reasons": reasons}, 503, _KEPT_BY_NOBODY)
    return Reply({"status": "ready"}, headers=_KEPT_BY_NOBODY)


@health.get(
    "/metrics",
    rooted=True,
    produces={"text/plain": "Prometheus", "application/openmetrics-text": "OpenMetrics"},
    errors={403: "It needs the permission `view` on the host."},
)
async def show_metrics(call: Call) -> Response:
    """Show what the host has measured, as Prometheus reads it."""
    call.require(Permission.VIEW)
    exposition = call.host.telemetry.exposition
    text, media_type = (
        (b"", "text/plain")
        if exposition is None
        else exposition.text(call.request.headers.get("accept", ""))
    )
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

"""Kinds about time."""

from __future__ import annotations

from typing import ClassVar

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.kind import Action, FieldError, Inputs, Outputs

_DURATION = Port(int | float | str, "how long: `1.5s`, `2h`, `PT5M`, or seconds")


class Delay(Action, kind="time.delay", aliases=("delay", "sleep")):
    """Wait, then pass the payload on.

    The deadline is part of the run's journal: a delay of three days survives a restart, and
    what was left of it is waited for, no more.

    Config: one of duration (`500ms`, `30s`, `2d`, `PT5M`, or seconds), interval (the same),
    duration_ms or delay_ms (milliseconds). Without any of them the port `duration` must be fed.

    Ports: in, duration → out.

    Errors: `time.duration` when what arrives at `duration` says no length of time.

    Example:
        flow: nap
        inputs: {greeting: {type: string, default: good morning}}
        nodes:
          - {kind: time.delay, name: nap, duration: 20ms, links: {out: log}}
          - {kind: debug.log, name: log}
    """

    duration: Duration | None = None
    interval: Duration | None = None
    duration_ms: float | None = None
    delay_ms: float | None = None

    in_ports: ClassVar[Ports] = {"in": Port(doc="what to pass on", default=None), "duration": _DURATION}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what arrived at `in`")}

    def ports(self) -> tuple[Ports, Ports]:
        if not self._fixed():
            return self.in_ports, self.out_ports
        return {"in": self.in_ports["in"]}, self.out_ports

    def check(self) -> None:
        given = self._fixed()
        if len(given) > 1:
            names = " and ".join(f"`{name}`" for name in given)
            raise FieldError(list(given)[-1], f"{names} say the same; keep one")
        for name, value in given.items():
            try:
                Duration.parse(value)
            except ValueError as error:
                raise FieldError(name, str(error)) from error

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        fixed = self._fixed()
        wanted = next(iter(fixed.values())) if fixed else inputs["duration"]
        try:
            duration = Duration.parse(wanted)
        except ValueError as error:
            raise NodeError(
                str(error), code="time.duration", remedy="send text or seconds to the port `duration`"
            ) from error
        await ctx.sleep(duration)
        return {"out": inputs["in"]}

    def _fixed(self) -> dict[str, Payload]:
        """What the config says, by field; milliseconds as text with their unit."""
        spans = {"duration": self.duration, "interval": self.interval}
        counts = {"duration_ms": self.duration_ms, "delay_ms": self.delay_ms}
        return {name: span for name, span in spans.items() if span is not None} | {
            name: f"{f'{count:f}'.rstrip('0').rstrip('.')}ms"
            for name, count in counts.items()
            if count is not None
        }

"""`rate_limit`: no more than so many in so much time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from msgspec import Meta

from penstock.core.duration import Duration, format_seconds
from penstock.core.errors import NodeError
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field
from penstock.kinds.languages.key import Key

if TYPE_CHECKING:
    from penstock.engine.context import NodeContext

_RATE: Final = re.compile(r"\s*(?P<count>[0-9]{1,12})\s*/\s*(?P<per>\S.*)")
_SWEEP_FROM: Final = 1000
"""How many keys there are before those that are at rest are looked for, and forgotten."""


class RateLimit(Action, kind="rate_limit", aliases=("control.rate_limit", "throttle")):
    """Let no more than so many payloads pass in so much time.

    A bucket holds `burst` tokens and is filled at the rate; each payload takes one. One that
    finds none waits for its own, in the order of arrival, or is refused when it would have to wait
    longer than `max_wait`. One that is refused takes nothing.

    The buckets live in the memory of one runtime, for all its runs: two runtimes let
    twice as many pass.

    Config: rate, such as `10/s`, `100/m`, `5/10s` or `1000/1h`. burst: how many may pass at
    once (as many as the rate names). key, a CEL expression over `self`: each of its values has a
    bucket of its own. max_wait: how long one may wait (as long as it takes); `0s` never waits.

    Ports: in → out, when there is a token; limited, the payload when it is refused. Where
    nothing hangs from `limited`, a refusal is a failure.

    Errors: `rate_limited` (details: retry_after, in seconds); those of a CEL expression for `key`.

    Example:
        flow: gently
        nodes:
          - {kind: loop, name: each, items: [1, 2, 3, 4], links: {out: limit}}
          - {kind: rate_limit, name: limit, rate: 2/20ms, links: {out: ask}}
          - {kind: snippet, name: ask, language: cel, code: "'asked ' + string(self)"}
    """

    rate: str
    burst: Annotated[int, Meta(ge=1)] | None = None
    key: str | None = None
    max_wait: Duration | None = None
    key_of: Key | None = field(init=False, default=None)
    seconds_each: float = field(init=False, default=0.0)
    slack_seconds: float = field(init=False, default=0.0)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what is to pass", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="the payload, when it may pass"),
        "limited": Port(doc="the payload, when it may not"),
    }

    def check(self) -> None:
        count, seconds = _read(self.rate)
        self.seconds_each = seconds / count
        self.slack_seconds = self.seconds_each * ((count if self.burst is None else self.burst) - 1)
        if self.key is None:
            return
        try:
            self.key_of = Key(self.key)
        except ValueError as error:
            raise FieldError("key", f"`{self.key}` is no expression: {error}") from error

    async def load(self) -> None:
        self._buckets: dict[bytes, float] = {}
        self._turns: dict[str, float] = {}
        self._sweep_at = _SWEEP_FROM

    async def unload(self) -> None:
        self._buckets.clear()

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        payload, now = inputs["in"], ctx.now()
        key = b"" if self.key_of is None else self.key_of(payload)
        # A run that left memory while it waited comes again, and has its turn already.
        turn = self._turns.get(ctx.idempotency_key)
        if turn is None:
            turn = self._turn(key, now)
            if self.max_wait is not None and turn - now > self.max_wait.total_seconds():
                return self._refuse(payload, turn - now, ctx)
            self._take(key, turn, now)
        if turn > now:
            self._turns[ctx.idempotency_key] = turn
            await ctx.sleep(turn - now)
            self._turns.pop(ctx.idempotency_key, None)
        return {"out": payload}

    def _refuse(self, payload: object, seconds: float, ctx: NodeContext) -> Outputs:
        if ctx.linked("limited"):
            return {"limited": payload}
        raise NodeError(
            f"more than {self.rate}: the next may pass in {format_seconds(seconds)}",
            code="rate_limited",
            details={"retry_after": round(seconds, 3)},
            remedy="come again later, link `limited`, or raise `max_wait`",
        )

    # --- buckets: the generic cell rate algorithm (ITU-T I.371, annex A) --------------

    def _turn(self, key: bytes, now: float) -> float:
        """When the next payload may pass: a bucket is the time at which it will be full again."""
        return max(now, self._buckets.get(key, 0.0) - self.slack_seconds)

    def _take(self, key: bytes, turn: float, now: float) -> None:
        """Take the token of that turn."""
        self._buckets[key] = max(self._buckets.get(key, 0.0), turn) + self.seconds_each
        if len(self._buckets) + len(self._turns) > self._sweep_at:
            self._buckets = {key: full for key, full in self._buckets.items() if full > now}
            self._turns = {name: turn for name, turn in self._turns.items() if turn > now}
            self._sweep_at = max(_SWEEP_FROM, 2 * (len(self._buckets) + len(self._turns)))


def _read(rate: str) -> tuple[int, float]:
    """How many, and in how many seconds. Raises FieldError."""
    found = _RATE.fullmatch(rate)
    message = f"`{rate}` is no rate; write how many, and in which time: 10/s, 100/m, 5/10s"
    if found is None or int(found["count"]) == 0:
        raise FieldError("rate", message)
    per = found["per"]
    try:
        seconds = Duration.parse(per if per[0].isdigit() or per[0] == "P" else f"1{per}").total_seconds()
    except ValueError as error:
        raise FieldError("rate", message) from error
    if seconds <= 0:
        raise FieldError("rate", message)
    return int(found["count"]), seconds

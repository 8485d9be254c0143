"""Kinds that deal with failures: catch them, try again, and make them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from penstock.core.duration import Duration, format_seconds
from penstock.core.errors import NodeError, Thrown
from penstock.core.payload import Error, Payload
from penstock.core.policies import Backoff, Retry
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, Control, Inputs, Outputs, field

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext


class Try(Control, kind="try", aliases=("control.try",)):
    """Run what hangs from `out`, and catch its failure.

    Unlike a node's own `error` port, this catches a failure anywhere in the branch.

    Ports: in → out, called with the payload, and then done, its response; or error, the
    failure inside. When `error` is not linked, `done` gets it: the flow goes on with the
    error as a value.

    Example:
        flow: careful
        nodes:
          - {kind: try, name: try, links: {out: risky, error: excuse}}
          - {kind: throw, name: risky, message: not today}
          - {kind: snippet, name: excuse, language: cel, code: "'it said: ' + self.error()"}
    """

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what the branch gets", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with the payload", call=True),
        "done": Port(doc="the response"),
        "error": Port(doc="the failure"),
    }

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        try:
            return {"done": await ctx.call("out", inputs["in"])}
        except NodeError as error:
            return {"error" if ctx.linked("error") else "done": Error.from_exception(error)}


class RetryBranch(Control, kind="retry", aliases=("control.retry",)):
    """Run what hangs from `out` until it succeeds.

    For a single node its own `retry` policy does the same at less cost; this repeats a
    whole branch. The waits are durable: a restart in between does not begin anew.

    Config: attempts (3, the first included), delay (1s, before the first retry), backoff
    (`exponential`, `linear` or `constant`), factor (2), max_delay (5m), jitter (0 to 1, the
    share of a wait that is drawn at random), on (error codes worth another attempt; none
    means every error).

    Ports: in → out, called with the payload, and then done, its response.

    Errors: when the last attempt fails too, its failure is this node's.

    Example:
        flow: persistent
        nodes:
          - kind: retry
            name: again
            attempts: 2
            delay: 10ms
            links: {out: flaky, error: give_up}
          - {kind: throw, name: flaky, message: no luck}
          - {kind: snippet, name: give_up, language: text, code: gave up}
    """

    attempts: Annotated[int, Meta(ge=1, le=1_000_000)] = 3
    delay: Duration = Duration(seconds=1)
    backoff: Backoff = Backoff.EXPONENTIAL
    factor: Annotated[float, Meta(ge=1)] = 2.0
    max_delay: Duration = Duration(minutes=5)
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.0
    on: tuple[str, ...] = ()
    policy: Retry = field(init=False, default=Retry())

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what the branch gets", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with the payload", call=True),
        "done": Port(doc="the response"),
    }

    def check(self) -> None:
        self.policy = Retry(
            attempts=self.attempts,
            delay=self.delay,
            backoff=self.backoff,
            factor=self.factor,
            max_delay=self.max_delay,
            jitter=self.jitter,
            on=self.on,
        )

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        attempt = 0
        while True:
            attempt += 1
            try:
                return {"done": await ctx.call("out", inputs["in"], key=attempt)}
            except NodeError as error:
                if attempt >= self.attempts or not self.policy.covers(error.code):
                    raise
                wait = self.policy.wait(attempt, _chance(f"{ctx.idempotency_key}:{attempt}"))
                again = f"again in {format_seconds(wait)}"
                ctx.message(
                    f"attempt {attempt} of {self.attempts} failed: {error.message}; {again}",
                    level="warning",
                )
            await ctx.sleep(wait)


class Throw(Action, kind="throw", aliases=("control.throw",), pure=True):
    """Fail.

    Config: message, code (`thrown`) and details of the failure. Without a message, the
    payload says what failed: an error is raised again as it is, text is the message, and
    a mapping may have `message`, `code` and `details`. Anything else is the details.

    Ports: in.

    Example:
        flow: refuse
        nodes:
          - {kind: throw, name: stop, message: nothing to do, code: empty, links: {error: say}}
          - {kind: snippet, name: say, language: cel, code: self.error()}
    """

    message: str = ""
    code: str = ""
    details: Payload = None

    in_ports: ClassVar[Ports] = {"in": Port(doc="what failed, unless the config says it", default=None)}
    out_ports: ClassVar[Ports] = {}

    def run(self, inputs: Inputs) -> Outputs:
        payload = inputs["in"]
        if type(payload) is Error and not self.message:
            raise payload.to_exception()
        said = payload
        if not isinstance(payload, dict):
            said = {"message" if isinstance(payload, str) else "details": payload}
        raise Thrown(
            self.message or str(said.get("message") or "thrown on purpose"),
            code=self.code or str(said.get("code") or Thrown.code),
            details=said.get("details") if self.details is None else self.details,
        )


def _chance(key: str) -> float:
    """A number in [0, 1) drawn by hashing: chance between runs, but the same on every replay."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest()) / 2**56

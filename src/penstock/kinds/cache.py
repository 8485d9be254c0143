"""`cache`: ask once, and answer again from memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, FieldError, Inputs, Outputs, field
from penstock.kinds.languages.key import Key

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext


class Kept(NamedTuple):
    """An answer, and when it was given, in epoch seconds."""

    answer: Payload
    at: float


class Cache(Control, kind="cache", aliases=("control.cache",)):
    """Answer from memory what was asked before.

    What hangs from `out` is called for a payload that is new, and its answer kept. Who asks the
    same while it is under way waits for that one answer. A failure is not kept: it goes to
    everybody who waited for it, and the next one calls again.

    The answers live in the memory of one runtime, for all its runs, until the node is changed
    or the runtime ends. What is answered from memory calls nothing, so let nothing hang
    from `out` but what has to be found out.

    Config: key, a CEL expression over `self`: payloads for which it says the same get the same
    answer; without it, equal payloads do. ttl: how long an answer is good (forever). max_size: how
    many are kept (1000); the one that was not asked for longest goes first. stale_if_error:
    for how long after its ttl an answer stands in for a failure (not at all).

    Ports: in → out, called for what is not known, and then done, the answer.

    Errors: that of the branch; those of a CEL expression for `key`.

    Example:
        flow: prices
        nodes:
          - {kind: loop, name: each, items: [pen, ink, pen], concurrency: 1, links: {out: known}}
          - {kind: cache, name: known, ttl: 5m, max_size: 100, links: {out: price}}
          - {kind: snippet, name: price, language: cel, code: "{'article': self, 'price': 3}"}
    """

    key: str | None = None
    ttl: Duration | None = None
    max_size: Annotated[int, Meta(ge=1)] = 1000
    stale_if_error: Duration = Duration()
    key_of: Key = field(init=False, default=None)

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what is asked", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with what is not known", call=True),
        "done": Port(doc="the answer"),
    }

    def check(self) -> None:
        try:
            self.key_of = Key(self.key)
        except ValueError as error:
            raise FieldError("key", f"`{self.key}` is no expression: {error}") from error

    async def load(self) -> None:
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[Payload]] = {}

    async def unload(self) -> None:
        self._kept.clear()

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        payload = inputs["in"]
        key = self.key_of(payload)
        while True:
            kept = self._kept.get(key)
            if kept is not None and self._good(kept, ctx.now()):
                self._kept.move_to_end(key)
                return {"done": kept.answer}
            asking = self._asking.get(key)
            if asking is None:
                return {"done": await self._ask(key, payload, ctx)}
            # Of many who wait none may cancel the others, and if the one who asks is cancelled,
            # one of them asks in its place.
            await asyncio.wait([asking])
            if not asking.cancelled():
                return {"done": asking.result()}

    async def _ask(self, key: bytes, payload: Payload, ctx: ControlContext) -> Payload:
        """Call for an answer, for this process and for those who wait for it."""
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._call(key, payload, ctx)
        except NodeError as error:
            asking.set_exception(error)
            asking.exception()  # it is no loss when nobody waits for it
            raise
        except BaseException:
            asking.cancel()
            raise
        else:
            asking.set_result(answer)
            return answer
        finally:
            del self._asking[key]

    async def _call(self, key: bytes, payload: Payload, ctx: ControlContext) -> Payload:
        try:
            answer = await ctx.call("out", payload)
        except NodeError as error:
            kept = self._kept.get(key)
            if kept is None or not self._good(kept, ctx.now() - self.stale_if_error.total_seconds()):
                raise
            ctx.message(f"an older answer stands in for a failure: {error.message}", level="warning")
            return kept.answer
        self._kept[key] = Kept(answer, ctx.now())
        self._kept.move_to_end(key)
        if len(self._kept) > self.max_size:
            self._kept.popitem(last=False)
        return answer

    def _good(self, kept: Kept, moment: float) -> bool:
        """Whether an answer could be given at a moment, in epoch seconds."""
        return self.ttl is None or moment < kept.at + self.ttl.total_seconds()

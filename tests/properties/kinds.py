"""The kinds of a random graph: `behaviour.py` in the hands of the engine."""

import asyncio
from collections import Counter
from typing import Any

from tests.properties.behaviour import (
    BODY_PORT,
    CAUGHT,
    IN_PORTS,
    MANY_PORT,
    PLAIN_PORTS,
    Behaviour,
    Fails,
    Several,
)

from penstock import (
    Action,
    Control,
    ControlContext,
    Emit,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Port,
    Scheme,
)

_IN = {port: Port(default=None) for port in IN_PORTS}
_OUT = {port: Port() for port in PLAIN_PORTS} | {MANY_PORT: Port(many=True)}


class World:
    """What the nodes did, seen from outside of the engine.

    executed: how often each firing ran. keys: the idempotency keys each was given.
    """

    def __init__(self) -> None:
        self.executed: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}

    def note(self, ctx: NodeContext) -> None:
        self.executed[ctx.node] += 1
        self.keys.setdefault(ctx.node, set()).add(ctx.idempotency_key)


def _send(behaviour: Behaviour, inputs: Inputs) -> dict[str, Any]:
    try:
        sent = behaviour.outputs(inputs)
    except Fails:
        raise NodeError("as drawn", code="drawn") from None
    return {port: Emit(value) if isinstance(value, Several) else value for port, value in sent.items()}


class Pure(Action, kind="t.pure", pure=True):
    seed: int
    fails: int = 0
    in_ports = _IN
    out_ports = _OUT

    def run(self, inputs: Inputs) -> Outputs:
        return _send(Behaviour(seed=self.seed, fails=self.fails), inputs)


class Caller(Control, kind="t.caller"):
    """Calls its body; guarded, it answers for children that fail. flaky: as above."""

    seed: int
    calls: int = 1
    together: bool = False
    guarded: bool = False
    flaky: int = 0
    in_ports = _IN
    out_ports = {port: Port() for port in PLAIN_PORTS} | {BODY_PORT: Port(call=True)}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        items = Behaviour(seed=self.seed).items(inputs, self.calls)
        results: list[Any] | str
        try:
            results = await (self._together if self.together else self._in_turn)(items, ctx)
        except NodeError:
            if not self.guarded:
                raise
            results = CAUGHT
        if ctx.attempt <= self.flaky:
            raise NodeError("for now", code="flaky")
        return {"x": results}

    async def _in_turn(self, items: list[int], ctx: ControlContext) -> list[Any]:
        return [await ctx.call(BODY_PORT, item) for item in items]

    async def _together(self, items: list[int], ctx: ControlContext) -> list[Any]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(ctx.call(BODY_PORT, item, key=number))
                    for number, item in enumerate(items)
                ]
        except* NodeError:
            failed = True
        else:
            failed = False
        if failed:
            raise NodeError("inside", code="inside")
        return [task.result() for task in tasks]


def scheme_of(world: World) -> Scheme:
    """The kinds, with every execution noted in `world`."""

    class Effect(Action, kind="t.effect", blocking=False):
        seed: int
        fails: int = 0
        in_ports = _IN
        out_ports = _OUT

        def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            world.note(ctx)
            return _send(Behaviour(seed=self.seed, fails=self.fails), inputs)

    class Slow(Action, kind="t.slow"):
        """turns: how often it lets the loop turn. nap: seconds. flaky: attempts that fail."""

        seed: int
        fails: int = 0
        turns: int = 0
        nap: float = 0
        flaky: int = 0
        in_ports = _IN
        out_ports = _OUT

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            world.note(ctx)
            for _ in range(self.turns):
                await asyncio.sleep(0)
            if self.nap:
                await ctx.sleep(self.nap)
            if ctx.attempt <= self.flaky:
                raise NodeError("for now", code="flaky")
            return _send(Behaviour(seed=self.seed, fails=self.fails), inputs)

    class Threaded(Action, kind="t.threaded"):
        seed: int
        fails: int = 0
        in_ports = _IN
        out_ports = _OUT

        def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            world.note(ctx)
            return _send(Behaviour(seed=self.seed, fails=self.fails), inputs)

    scheme = Scheme()
    scheme.add(Pure, Effect, Slow, Threaded, Caller)
    return scheme

"""Kinds that run what hangs from a port once for each of several items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta

from penstock.core.errors import NodeError
from penstock.core.payload import Error, Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, FieldError, Inputs, Outputs

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext

Concurrency = Annotated[int, Meta(ge=1, le=10_000)]
Items = list[Any] | dict[str, Any] | int

_MOST: Final = 10_000_000
"""Items that a number may stand for; beyond that it was hardly meant as one."""


class Loop(Control, kind="loop", aliases=("control.loop", "for", "control.for")):
    """Run what hangs from `out` once for each item, and send the list of the responses.

    Items come from the payload: a list; a mapping, whose items are `{key, value}`; or a
    number n, whose items are 0 to n-1.

    Config: items, in place of the payload. concurrency: how many items are under way at
    once (8; 1 goes one by one). on_item_error: `fail` (the default) cancels what runs and
    fails; `collect` puts the error in the place of the response; `skip` leaves it out.

    Ports: in → out, called for each item, and then done, the responses in the order of the
    items. `body` and `out[0]` are other names for `out`, `out[1]` for `done`.

    Errors: `loop.items` when the payload is none of these; with `fail`, the item's own.

    Example:
        flow: squares
        nodes:
          - {kind: loop, name: each, items: [1, 2, 3], links: {out: square}}
          - {kind: snippet, name: square, language: cel, code: self * self}
    """

    items: Items | None = None
    concurrency: Concurrency = 8
    on_item_error: Literal["fail", "collect", "skip"] = "fail"

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="the items", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with each item", call=True),
        "done": Port(list, "the responses"),
    }
    port_aliases: ClassVar[Mapping[str, str]] = {"body": "out", "out[0]": "out", "out[1]": "done"}

    def check(self) -> None:
        if self.items is not None:
            try:
                _items(self.items)
            except NodeError as error:
                raise FieldError("items", error.message) from error

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        items = _items(inputs["in"] if self.items is None else self.items)
        missing = object()

        async def visit(number: int) -> Any:
            try:
                return await ctx.call("out", items[number], key=number)
            except NodeError as error:
                if self.on_item_error == "fail":
                    raise
                return Error.from_exception(error) if self.on_item_error == "collect" else missing

        found = await _each(len(items), visit, concurrency=self.concurrency, progress=ctx.progress)
        return {"done": [response for response in found if response is not missing]}


class Split(Control, kind="split", aliases=("control.split",)):
    """Give each element of the payload to a branch of its own, and send the responses.

    Element i of a list goes to `out[i]` if that is linked, else to `out`. A mapping is
    split into its values, in their order. Anything else is one element.

    Config: concurrency, how many branches are under way at once (8).

    Ports: in → out[i], out, called with the elements, and then done: the responses in
    order, or for a mapping a mapping with the same keys.

    Errors: `split.unlinked` when an element has no port to go to.

    Example:
        flow: halves
        nodes:
          - {kind: snippet, name: pair, language: json, code: '["ada", 1815]', links: {out: split}}
          - {kind: split, name: split, links: {"out[0]": name, "out[1]": year}}
          - {kind: snippet, name: name, language: jinja, code: "{{ input | title }}"}
          - {kind: snippet, name: year, language: cel, code: self + 36}
    """

    concurrency: Concurrency = 8

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what is split", default=None)}
    out_ports: ClassVar[Ports] = {
        "out[]": Port(doc="called with the element of this number", call=True),
        "out": Port(doc="called with the elements that have no port of their own", call=True),
        "done": Port(doc="the responses"),
    }

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        payload = inputs["in"]
        whole = list(payload.values()) if isinstance(payload, dict) else payload
        elements: list[Payload] = whole if isinstance(whole, list) else [whole]
        ports = [
            f"out[{number}]" if ctx.linked(f"out[{number}]") else "out"
            for number in range(len(elements))
        ]
        if "out" in ports and not ctx.linked("out"):
            number = ports.index("out")
            raise NodeError(
                f"element {number} of {len(elements)} has nowhere to go",
                code="split.unlinked",
                remedy=f"link `out[{number}]`, or `out` for all elements without a port of their own",
            )

        async def visit(number: int) -> Payload:
            return await ctx.call(ports[number], elements[number], key=number)

        found = await _each(len(elements), visit, concurrency=self.concurrency, progress=ctx.progress)
        return {"done": dict(zip(payload, found, strict=True)) if isinstance(payload, dict) else found}


def _items(given: Payload) -> Sequence[Payload]:
    if isinstance(given, list):
        return given
    if isinstance(given, dict):
        return [{"key": key, "value": value} for key, value in given.items()]
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _MOST:
        return range(given)
    raise NodeError(
        f"cannot loop over {_named(given)}",
        code="loop.items",
        remedy="send a list, a mapping or a number to `in`, or set `items`; an empty list is []",
    )


def _named(given: Payload) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, int) and not isinstance(given, bool):
        return "a negative number" if given < 0 else f"a number above {_MOST:,}"
    return f"a payload of type `{type(given).__name__}`"


async def _each(
    total: int,
    visit: Callable[[int], Awaitable[Any]],
    *,
    concurrency: int,
    progress: Callable[[float], None],
) -> list[Any]:
    """`visit` every number below `total`, at most `concurrency` at once; results in order.

    The first failure cancels the others. Progress is told at most a hundred times.
    """
    results: list[Any] = [None] * total
    numbers = iter(range(total))
    done = 0

    async def work() -> None:
        nonlocal done
        for number in numbers:  # shared: each worker takes the next number
            results[number] = await visit(number)
            done += 1
            if done * 100 // total != (done - 1) * 100 // total:
                progress(done / total)

    if concurrency == 1 or total <= 1:
        await work()
        return results
    try:
        async with asyncio.TaskGroup() as group:
            for worker in range(min(concurrency, total)):
                group.create_task(work(), name=f"item-worker-{worker}")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return results

"""Kinds made of functions: `@node("text.shout")`."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

from penstock.core.ports import MISSING, Port
from penstock.engine.context import NodeContext, Reporter
from penstock.engine.kind import Action, Node
from penstock.engine.kind import field as config_field
from penstock.engine.types import checker

P = ParamSpec("P")
R = TypeVar("R")


class NodeFunction(Generic[P, R]):
    """A function that is a kind too. Calling it calls the function.

    node_class: the kind, for a `Scheme`.
    """

    def __init__(self, function: Callable[P, R], node_class: type[Node]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.node_class = node_class

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


def node(
    kind: str,
    *,
    aliases: tuple[str, ...] = (),
    pure: bool = False,
    blocking: bool | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], NodeFunction[P, R]]:
    """Make a kind of a function.

    Its positional parameters are in-ports, its keyword-only ones config, and a parameter
    hinted as `NodeContext` gets the context. What it returns goes out of port `out`; with
    `outputs`, a mapping of ports to types, it returns a mapping of ports to payloads.

    pure: running it again is harmless and gives the same result. A plain function that is
    not pure gets a thread, so that it may wait; `blocking=False` runs it in the loop.
    """

    def wrap(function: Callable[P, R]) -> NodeFunction[P, R]:
        return NodeFunction(function, _node_class(function, kind, aliases, pure, blocking, outputs))

    return wrap


def _node_class(
    function: Callable[..., Any],
    kind: str,
    aliases: tuple[str, ...],
    pure: bool,
    blocking: bool | None,
    outputs: Mapping[str, Any] | None,
) -> type[Node]:
    hints = get_type_hints(function, include_extras=True)
    in_ports: dict[str, Port] = {}
    body: dict[str, Any] = {
        "__annotations__": {},
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    context = ""
    for item in inspect.signature(function).parameters.values():
        hint = hints.get(item.name, Any)
        default = MISSING if item.default is item.empty else item.default
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            raise TypeError(f"`{function.__name__}`: a node's ports need names; *{item.name} has none")
        if isinstance(hint, type) and issubclass(hint, Reporter):
            context = item.name
        elif item.kind is item.KEYWORD_ONLY:
            body["__annotations__"][item.name] = hint
            if default is not MISSING:
                body[item.name] = _field_default(default)
        else:
            in_ports[item.name] = Port(hint, default=default)
    returned = outputs or {"out": hints.get("return", Any)}
    config = tuple(body["__annotations__"])
    body["in_ports"] = in_ports
    body["out_ports"] = {port: Port(hint) for port, hint in returned.items()}
    body["run"] = _run(function, in_ports, config, context, named=outputs is not None)
    options = {"kind": kind, "aliases": aliases, "pure": pure, "blocking": blocking}
    return types.new_class(function.__name__, (Action,), options, lambda space: space.update(body))


def _field_default(default: Any) -> Any:
    if isinstance(default, list | dict | set):
        return config_field(default_factory=lambda: type(default)(default))
    return default


def _run(
    function: Callable[..., Any],
    in_ports: Mapping[str, Port],
    config: tuple[str, ...],
    context: str,
    *,
    named: bool,
) -> Callable[..., Any]:
    """The `run` of the class: as little as possible between the engine and the function."""
    if len(in_ports) == 1 and not config and not context and not named:
        return _run_simple(function, next(iter(in_ports)), next(iter(in_ports.values())).type)
    checks = {port: checker(about.type, port) for port, about in in_ports.items()}

    def bind(self: Any, inputs: Mapping[str, Any], ctx: NodeContext | None) -> dict[str, Any]:
        arguments = {
            port: inputs[port] if check is None else check(inputs[port])
            for port, check in checks.items()
        }
        for name in config:
            arguments[name] = getattr(self, name)
        if context:
            arguments[context] = ctx
        return arguments

    if inspect.iscoroutinefunction(function):

        async def run_async(self: Any, inputs: Any, ctx: Any = None) -> Any:
            value = await function(**bind(self, inputs, ctx))
            return value if named else {"out": value}

        return run_async if context else _without_context(run_async)

    def run(self: Any, inputs: Any, ctx: Any = None) -> Any:
        value = function(**bind(self, inputs, ctx))
        return value if named else {"out": value}

    return run if context else _without_context(run)


def _without_context(run: Callable[..., Any]) -> Callable[..., Any]:
    """The same without the parameter that tells the engine to make a context."""
    if inspect.iscoroutinefunction(run):

        async def bare_async(self: Any, inputs: Any) -> Any:
            return await run(self, inputs)

        return bare_async

    def bare(self: Any, inputs: Any) -> Any:
        return run(self, inputs)

    return bare


def _run_simple(function: Callable[..., Any], port: str, hint: Any) -> Callable[..., Any]:
    check = checker(hint, port)
    if inspect.iscoroutinefunction(function):

        async def run_async(self: Any, inputs: Any) -> Any:  # noqa: ARG001 - a method
            value = inputs[port]
            return {"out": await function(value if check is None else check(value))}

        return run_async

    if check is None:
        return lambda self, inputs: {"out": function(inputs[port])}  # noqa: ARG005 - a method
    return lambda self, inputs: {"out": function(check(inputs[port]))}  # noqa: ARG005 - a method

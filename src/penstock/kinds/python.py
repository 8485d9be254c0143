"""The kind that calls a Python function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, get_type_hints

from penstock.core.errors import NodeError, SettingsError
from penstock.core.payload import Payload
from penstock.core.ports import MISSING, Port, Ports
from penstock.core.problems import suggest
from penstock.engine.binding import Binder
from penstock.engine.capture import captured
from penstock.engine.context import NodeContext, Reporter
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field
from penstock.engine.scheme import import_module
from penstock.engine.types import checker

_FROM_IN: Final = object()
"""Stands for the payload at `in`, where a function needs one argument and no more."""


class Python(Action, kind="python"):
    """Call a Python function.

    Config: function is `module:function`, or `path/to/file.py:function`; modules are looked for
    where Python is installed, in the folder of the document, and in the working directory. args
    are arguments by name, for parameters that no link feeds.

    Each parameter is an in-port of the same name, checked against its type hint, and may be
    left out if it has a default. When the function needs one argument and no more, that may also
    arrive at `in`. A parameter hinted as `penstock.NodeContext` gets the context. A coroutine function
    is awaited; a plain one gets a thread, which runs on in the background when the node is
    cancelled: Python has no way to stop it. The module is imported when the flow is validated.

    Ports: in, one for each parameter → out (what the function returns).

    Errors: the exception's class name is the code, such as `KeyError`; `input.type` when an
    argument does not fit its hint.

    Example:
        flow: mean
        inputs: {data: {type: array, default: [1, 2, 6]}}
        nodes:
          - {kind: python, name: mean, function: "statistics:fmean", links: {out: log}}
          - {kind: debug.log, name: log}
    """

    function: str
    args: dict[str, Any] = field(default_factory=dict)

    _call: _Call = field(init=False)

    in_ports: ClassVar[Ports] = {
        "in": Port(doc="the argument, for a function that needs one", default=None)
    }
    out_ports: ClassVar[Ports] = {"out": Port(doc="what the function returned")}

    def bind(self, binder: Binder) -> None:
        here = Path.cwd()
        folder = binder.folder or here
        for path in (folder, here):
            _look_in(str(path.resolve()))
        try:
            function = _resolve(self.function, folder)
            parameters = _parameters(function)
        except ValueError as error:
            raise FieldError("function", str(error)) from error
        self._call = _Call(function, parameters, self.args)

    def ports(self) -> tuple[Ports, Ports]:
        return {**self.in_ports, **self._call.in_ports}, {"out": self._call.out_port}

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        function = self._call.function
        positional, named = self._call.arguments(inputs, ctx)
        with captured(ctx.stdout, ctx.stderr):
            if inspect.iscoroutinefunction(function):
                return {"out": await function(*positional, **named)}
            return {"out": await ctx.in_thread(partial(function, *positional, **named))}


class _Call:
    """A function, and how its parameters are fed. Raises FieldError when they cannot be."""

    def __init__(
        self, function: Callable[..., Any], parameters: list[inspect.Parameter], args: dict[str, Payload]
    ) -> None:
        self.function = function
        self.in_ports: dict[str, Port] = {}
        self._extra = dict(args)
        self._context: list[str] = []
        self._positional: list[str] = []
        open_ended = False
        hints = _hints(function)
        for item in parameters:
            hint = hints.get(item.name, Any)
            if isinstance(hint, type) and issubclass(hint, Reporter):
                self._context.append(item.name)
            elif item.kind is item.VAR_KEYWORD:
                open_ended = True
            elif item.kind is not item.VAR_POSITIONAL:
                default = MISSING if item.default is item.empty else item.default
                if item.name in self._extra:
                    default = _fitting(self._extra.pop(item.name), hint, item.name)
                self.in_ports[item.name] = Port(hint, default=default)
                if item.kind is item.POSITIONAL_ONLY:
                    self._positional.append(item.name)
        if self._extra and not open_ended:
            name = next(iter(self._extra))
            raise FieldError("args", f"`{name}` is no parameter: {suggest(name, self.in_ports)}")
        required = [name for name, port in self.in_ports.items() if port.required]
        if len(required) == 1:
            self.in_ports[required[0]] = Port(self.in_ports[required[0]].type, default=_FROM_IN)
        self.out_port = Port(hints.get("return", Any))
        self._checks = {name: checker(port.type, name) for name, port in self.in_ports.items()}

    def arguments(self, inputs: Inputs, ctx: NodeContext) -> tuple[list[Any], dict[str, Any]]:
        """What to call the function with: positional and named arguments."""
        named: dict[str, Any] = dict(self._extra) | dict.fromkeys(self._context, ctx)
        for name, check in self._checks.items():
            value = inputs[name]
            if value is self.in_ports[name].default and value is not _FROM_IN:
                named[name] = value
                continue
            payload = inputs["in"] if value is _FROM_IN else value
            named[name] = payload if check is None else check(payload)
        return [named.pop(name) for name in self._positional], named


def _fitting(value: Payload, hint: Any, name: str) -> Any:
    """A constant of the config as its parameter wants it. Raises FieldError."""
    check = checker(hint, name)
    try:
        return value if check is None else check(value)
    except NodeError as error:
        raise FieldError("args", f"`{name}` does not fit: {error.message}") from error


def _resolve(reference: str, folder: Path) -> Callable[..., Any]:
    """The function that `module:function` names. Raises ValueError that says what to do."""
    module_name, _, path = reference.rpartition(":")
    if not module_name or not path:
        raise ValueError(f"`{reference}` names no function; write `module:function`")
    if module_name.endswith(".py"):
        module_name = str(folder / module_name)
    try:
        found: Any = import_module(module_name)
    except SettingsError as error:
        raise ValueError(f"{error.message}; {error.remedy}, or put it beside the document") from error
    except Exception as error:
        # Importing runs somebody else's code: whatever it raises is a problem of the document.
        raise ValueError(f"importing `{module_name}` failed: {type(error).__name__}: {error}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            public = [name for name in dir(found) if not name.startswith("_")]
            raise ValueError(f"`{module_name}` has no `{part}`: {suggest(part, public)}")
        found = getattr(found, part)
    if not callable(found):
        kind = type(found).__name__
        raise ValueError(f"`{reference}` is a value of type `{kind}`, not a function")  # noqa: TRY004
    return found  # type: ignore[no-any-return]


def _look_in(folder: str) -> None:
    """Let imports find what is in a folder, after everything that is installed."""
    if folder not in sys.path:
        sys.path.append(folder)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        name = getattr(function, "__qualname__", repr(function))
        raise ValueError(f"the parameters of `{name}` cannot be told; wrap it in a `def`") from None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Type hints, or none where they cannot be resolved: they are a help, not a condition."""
    try:
        return get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}

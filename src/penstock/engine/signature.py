"""What a function takes and returns, as far as its signature, hints and docstring tell."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.core.errors import InputError, PayloadError, SettingsError
from penstock.core.payload import Payload, normalise
from penstock.core.problems import Path, format_path, suggest
from penstock.engine.context import Reporter, StepContext
from penstock.engine.docstrings import docstring_of
from penstock.engine.hints import Schema, Unfit, description_of, fit, schemas_of
from penstock.engine.strand import Context

_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Signature:
    """The parameters of a function that are a flow's inputs, and what it returns.

    function: its contexts are no inputs: the first parameter where `context_first` says so,
    and those that are hinted as a context.
    """

    def __init__(self, function: Callable[..., Any], *, context_first: bool) -> None:
        self.function = function
        try:
            everything = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"the parameters of `{function.__qualname__}` cannot be told",
                remedy="wrap it in a function of your own",
            ) from error
        own = everything[1:] if context_first else everything
        self._open = any(item.kind is item.VAR_KEYWORD for item in own)
        self._named = {item.name: item for item in own if item.kind not in _VARIADIC}

    @functools.cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The inputs by name."""
        return {name: item for name, item in self._named.items() if not _is_context(self._hint(name))}

    @property
    def wants_context(self) -> bool:
        """Whether the first parameter is the context of a flow, by its hint."""
        first = next(iter(self._named), None)
        return first is not None and _is_context(self._hint(first), of_flow=True)

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        hints = {name: self._hint(name) for name in self.parameters}
        for name, hint in hints.items():
            if hint is _UNKNOWN:
                text = _text_of(_annotations(self.function)[name])
                raise SettingsError(
                    f"the hint of parameter `{name}` of `{self.function.__qualname__}` "
                    f"names something that is not there: `{text}`",
                    remedy="import it at the top of the module, not only under `TYPE_CHECKING`",
                )
        return hints

    def _hint(self, name: str) -> Any:
        """The hint of a parameter or of the return value; `_UNKNOWN` where its name cannot be resolved.

        One by one, so that a context which is imported for type checkers alone does no harm.
        """
        annotations = _annotations(self.function)
        if name not in annotations:
            return Any
        holder = types.SimpleNamespace(__annotations__={name: annotations[name]})
        names = getattr(inspect.unwrap(self.function), "__globals__", {})
        try:
            return typing.get_type_hints(holder, globalns=names, include_extras=True)[name]
        except (NameError, AttributeError, SyntaxError, TypeError):
            return _CONTEXTS.get(_text_of(annotations[name]).rpartition(".")[2], _UNKNOWN)

    @functools.cached_property
    def input_schema(self) -> Schema:
        """The JSON Schema of the inputs. Raises SettingsError for a hint that is not JSON-shaped."""
        told = docstring_of(self.function).parameters
        properties: dict[str, Schema] = {}
        definitions: dict[str, Schema] = {}
        for name, item in self.parameters.items():
            hint = self._hints[name]
            try:
                (schema,), found = schemas_of([hint])
            except TypeError as error:
                raise SettingsError(
                    f"parameter `{name}` of `{self.function.__qualname__}` cannot be an input: {error}",
                    remedy="hint it as a builtin type, date, enum, dataclass, struct or pydantic model",
                ) from error
            definitions |= found
            about = description_of(hint) or told.get(name, "")
            if about and "description" not in schema:
                schema = {**schema, "description": about}
            properties[name] = schema | _default(item)
        whole: Schema = {"type": "object", "properties": properties}
        required = [name for name, item in self.parameters.items() if item.default is item.empty]
        if required:
            whole["required"] = required
        if definitions:
            whole["$defs"] = definitions
        _check(whole, self.function)
        return whole

    @functools.cached_property
    def output_schema(self) -> Schema | None:
        """The JSON Schema of the result, or None where the hint says nothing that JSON can."""
        hint = self._hint("return")
        if hint in (Any, _UNKNOWN):
            return None
        try:
            (schema,), definitions = schemas_of([hint])
        except TypeError:
            return None  # a result is normalised, whatever it is
        about = description_of(hint) or docstring_of(self.function).returns
        if about and "description" not in schema:
            schema = {**schema, "description": about}
        return schema | {"$defs": definitions} if definitions else schema

    def accept(self, flow: str, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        """The inputs as payloads. Raises InputError with everything that is wrong with them."""
        problems: list[tuple[Path, str]] = []
        for name in () if self._open else inputs:
            if name not in self.parameters:
                hint = suggest(name, self.parameters)
                problems.append(((name,), f"`{name}` is no parameter of the flow; {hint}".rstrip("; ")))
        for name, item in self.parameters.items():
            if item.default is item.empty and name not in inputs:
                problems.append(((name,), f"`{name}` is missing"))
        accepted: dict[str, Payload] = {}
        for name, value in inputs.items():
            if name in self.parameters or self._open:
                try:
                    accepted[name] = normalise(value)
                    self._argument(name, accepted[name])
                except Unfit as error:
                    path = (name, *error.path)
                    problems.append((path, f"`{format_path(path)}`: {error.message}"))
                except PayloadError as error:
                    problems.append(((name,), f"`{name}`: {error.message}"))
        if problems:
            names = ", ".join(self.parameters) or "none"
            raise InputError(
                flow,
                [text for _, text in problems],
                paths=[path for path, _ in problems],
                remedy=f"its parameters are: {names}",
            )
        return accepted

    def arguments(self, inputs: Mapping[str, Payload]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and named arguments for a call with these inputs. Raises Unfit."""
        named = {name: self._argument(name, value) for name, value in inputs.items()}
        positional = [
            named.pop(name) if name in named else item.default
            for name, item in self.parameters.items()
            if item.kind is item.POSITIONAL_ONLY
        ]
        return positional, named

    def _argument(self, name: str, value: Payload) -> Any:
        return fit(value, self._hints.get(name, Any))


class _Unknown:
    """What a hint is whose name cannot be resolved."""


_UNKNOWN: Final = _Unknown
_CONTEXTS: Final = {"Context": Context, "StepContext": StepContext}
"""What these names mean where only a type checker imports them."""


def _annotations(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The hints of a function as they stand there, those that cannot be resolved, too."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    return getattr(function, "__annotations__", {})


def _text_of(hint: Any) -> str:
    return str(getattr(hint, "__forward_arg__", hint))


def _is_context(hint: Any, *, of_flow: bool = False) -> bool:
    return isinstance(hint, type) and issubclass(hint, Context if of_flow else Reporter)


def _default(item: inspect.Parameter) -> Schema:
    if item.default is item.empty:
        return {}
    try:
        return {"default": normalise(item.default)}
    except PayloadError:
        return {}  # such as a sentinel of its own: there is a default, but JSON has no word for it


def _check(schema: Schema, function: Callable[..., Any]) -> None:
    """Refuse what somebody wrote into the schema that is none: `Meta(extra_json_schema=…)`."""
    if not _is_extended(schema["properties"]):
        return
    from penstock.engine.input_schema import validator

    try:
        validator(schema)
    except ValueError as error:
        raise SettingsError(
            f"the hints of `{function.__qualname__}` make no JSON Schema: {error}",
            remedy="correct what they add with `extra_json_schema`, `Field` or `pattern`",
        ) from error


_PLAIN: Final = frozenset(
    ("$ref", "anyOf", "contentEncoding", "default", "description", "enum", "format", "items", "type")
)
"""Keywords that only we write, and rightly: the library takes its time to be imported."""


def _is_extended(properties: Mapping[str, Schema]) -> bool:
    return any(schema.keys() - _PLAIN for schema in properties.values())

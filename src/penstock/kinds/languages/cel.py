"""CEL, the Common Expression Language: conditions and small computations over `self`.

docs/decisions/0006-expression-engines.md says why this binding, and what it cannot do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import NodeError
from penstock.core.payload import SCALARS, Error, Payload
from penstock.core.problems import nearest

if TYPE_CHECKING:
    from types import ModuleType

    from penstock.kinds.languages import Options

_PLACE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_QUOTED: Final = re.compile(r'msg: "([^"]+)"')
_BOUND: Final = re.compile(r"\(\s*(\w+)\s*,(?:\s*(\w+)\s*,)?")
"""What a macro such as `self.all(item, …)` binds."""

LONGEST: Final = 12_000
"""Characters of an expression. The binding follows chains such as `self.a.a.a…` on the stack, which
ends at 12,000 links or more, and a link takes two characters."""

Functions = Mapping[str, Callable[..., Any]]
"""What expressions may call beyond the language's own."""

_NATIVE: Final = frozenset(
    """bytes contains double duration dyn endsWith getDate getDayOfMonth getDayOfWeek getDayOfYear
    getFullYear getHours getMilliseconds getMinutes getMonth getSeconds hasValue int matches none of
    ofNonZeroValue optFlatMap optMap or orValue size startsWith string timestamp type uint value
    """.split()  # noqa: SIM905 - thirty words read better than thirty literals
)
"""The functions of the language itself, as this binding has them."""
_NAMESPACES: Final = frozenset({"base64", "lists", "math", "optional", "sets", "strings"})


class Scope:
    """A payload as expressions see it. One scope serves any number of expressions.

    An `Error` reads as its code, so that `self == "timeout"` holds, and where an
    expression asks for a field, as a mapping; `self.error()` is its message, and null for
    what is no error.
    """

    def __init__(self, payload: Payload, functions: Functions) -> None:
        self._cel = _native()
        self._payload = payload
        self._functions = functions
        first = _readable(payload)
        if type(payload) is Error:
            first = payload.code
            self._functions = {**functions, "error": self._message}
        self.context = self._offer(first)

    def as_mapping(self) -> Any:
        """The context in which an `Error` is a mapping, or None for another payload."""
        if type(self._payload) is not Error:
            return None
        return self._offer(_readable(self._payload))

    def _offer(self, value: Any) -> Any:
        try:
            return self._cel.Context({"self": value}, self._functions)
        except ValueError as error:
            raise NodeError(
                "CEL cannot read the payload: it holds an integer of more than 64 bits, or text "
                "that is no Unicode",
                code="expression.error",
                remedy="send such values as text, or use a `snippet` in another language",
            ) from error

    def _message(self, value: Any) -> str | None:
        # As its code, the payload itself has no message any more.
        return self._payload.message if value == self._payload.code else _message(value)


class Expression:
    """A compiled expression. `functions` are those that its scope must offer."""

    def __init__(self, code: str) -> None:
        self.code = code
        if len(code) > LONGEST:
            raise ValueError(f"it has more than {LONGEST:,} characters; use another language for it")
        try:
            self._program = _native().compile(code)
        except ValueError as error:
            raise ValueError(_syntax_message(str(error))) from error
        self.functions = _functions(self._program)
        _check_variables(code, self._program.variables())

    def __call__(self, payload: Payload) -> Payload:
        return _answer(self.evaluate(Scope(payload, self.functions)))

    def evaluate(self, scope: Scope) -> Any:
        """What the expression says of the scope's payload. Raises NodeError."""
        try:
            return self._program.execute(scope.context)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            mapping = scope.as_mapping()
            if mapping is None:
                raise self._failure(error) from error
        try:
            return self._program.execute(mapping)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise self._failure(error) from error

    def holds(self, scope: Scope) -> bool:
        """Whether the condition is true. Raises NodeError when it is neither true nor false."""
        found = self.evaluate(scope)
        if type(found) is not bool:
            raise NodeError(
                f"`{self.code}` answers {type(found).__name__}, not true or false",
                code="expression.type",
                remedy="compare it with something: `self.count > 0`, `self.name != ''`",
            )
        return found

    def _failure(self, error: Exception) -> NodeError:
        if isinstance(error, KeyError):
            name = error.args[0]
            remedy = f"ask first whether it is there: `has(self.{name}) && …`"
            return NodeError(
                f"`{self.code}`: there is no field `{name}`", code="expression.missing", remedy=remedy
            )
        message, _, remedy = str(error).replace("\n", " ").partition(". ")
        code = "expression.type" if isinstance(error, TypeError) else "expression.error"
        remedy = remedy or "a `debug.inspect` node before this one shows what arrives"
        return NodeError(f"`{self.code}`: {message.rstrip('.')}", code=code, remedy=remedy)


def compile_cel(code: str, options: Options) -> Expression:  # noqa: ARG001 - it has none
    """A program from an expression. Raises ValueError with line and column."""
    return Expression(code)


def needed_functions(expressions: Iterable[Expression]) -> Functions:
    """What a scope must offer that serves all these expressions."""
    return {
        name: function for expression in expressions for name, function in expression.functions.items()
    }


def _native() -> ModuleType:
    """The binding without its command line, whose import takes ten times as long."""
    loaded = sys.modules.get("cel.cel")
    if loaded is None:
        loaded = _load("cel")
    return loaded


def _load(name: str) -> ModuleType:
    import logging
    from importlib.machinery import PathFinder
    from importlib.util import find_spec, module_from_spec

    package = find_spec("cel")
    spec = package and PathFinder.find_spec(f"cel.{name}", package.submodule_search_locations)
    if not spec or not spec.loader:
        raise ModuleNotFoundError("common-expression-language is not installed", name="cel")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # Known under its name, so that an `import cel` elsewhere finds this very module.
    sys.modules[spec.name] = module
    # It logs what it also raises; without a handler that would reach standard error.
    logging.getLogger("cel").addHandler(logging.NullHandler())
    return module


def _functions(program: Any) -> Functions:
    """What a program calls beyond the language's own. Raises ValueError for what nobody offers."""
    names = {name for name in program.functions() if name[0].isalpha()}
    found: dict[str, Callable[..., Any]] = {"error": _message} if "error" in names else {}
    wanted = names - _NATIVE - found.keys()
    spaces = _NAMESPACES.intersection(program.variables()) - {"optional"}
    if not wanted and not spaces:
        return found
    library: Functions = (sys.modules.get("cel.stdlib") or _load("stdlib")).STDLIB_FUNCTIONS
    members = {name for name in library if name.partition(".")[0] in spaces}
    for name in sorted(wanted - library.keys() - {member.partition(".")[2] for member in members}):
        close = nearest(name, {*_NATIVE, *library, "error"})
        raise ValueError(
            f"there is no function `{name}`" + (f": did you mean `{close}`?" if close else "")
        )
    return found | {name: library[name] for name in library.keys() & wanted | members}


def _message(value: Any) -> str | None:
    """`.error()` of an `Error` inside a payload; null for anything else."""
    return value.get("message") if isinstance(value, dict) else None


def _check_variables(code: str, names: Iterable[str]) -> None:
    bound = {name for found in _BOUND.findall(code) for name in found}
    for name in names:
        if name != "self" and name not in bound and name not in _NAMESPACES:
            raise ValueError(f"there is no `{name}`; the payload is `self`: did you mean `self.{name}`?")


def _syntax_message(text: str) -> str:
    found = _PLACE.search(text)
    if found is None:
        return text
    message = found[3].partition(" expecting ")[0]
    quoted = _QUOTED.search(message)
    if quoted is not None:
        message = quoted[1]
    if "<EOF>" in message:
        message = "it ends too early"
    message = message.replace("mismatched input", "unexpected").replace("extraneous input", "unexpected")
    return f"line {found[1]}, column {found[2]}: {message}"


def _readable(value: Payload) -> Payload:
    """The payload with every `Error` inside as a mapping of all its fields."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is dict:
        return {key: _readable(item) for key, item in value.items()}
    if kind is list:
        return [_readable(item) for item in value]
    if kind is Error:
        fields = ("code", "message", "node", "details", "remedy")
        return {name: _readable(getattr(value, name)) for name in fields}
    return value


def _answer(value: Any) -> Payload:
    """What an expression answered, as a payload."""
    kind = type(value)
    if kind is dict:
        # The binding keeps no order of keys; the same answer must look the same each time.
        return {str(key): _answer(value[key]) for key in sorted(value, key=str)}
    if kind is list:
        return [_answer(item) for item in value]
    if kind is datetime:
        return value.isoformat().replace("+00:00", "Z")
    if kind is timedelta:
        return value.total_seconds()
    if kind.__name__ == "OptionalValue":
        return _answer(value.value()) if value.has_value() else None
    return value

"""JavaScript, in QuickJS: no host access, bounded time, memory and stack.

docs/decisions/0006-expression-engines.md says why this engine.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from penstock.core.errors import NodeError
from penstock.core.payload import Error, Payload, to_json

if TYPE_CHECKING:
    from penstock.kinds.languages import Options, Program

T = TypeVar("T")

_MODULE: Final = re.compile(r"^\s*export\s+default\b", re.MULTILINE)
_SCRIPT: Final = re.compile(
    r"^\s*(?:async\s+)?function\s+main\b|^\s*(?:const|let|var)\s+main\s*=", re.MULTILINE
)
_PLACE: Final = re.compile(r"<input>:(\d+):(\d+)")
_EXPRESSION: Final = "(args) => ("
_TAG: Final = "\0penstock"
_ESCAPED_TAG: Final = '"\\u0000penstock"'
_WIDE_NUMBER: Final = re.compile(r"\d{16}")
_SAFE_INTEGER: Final = 2**53 - 1
_LOAD_SECONDS: Final = 0.5
"""What code may take to be loaded, whatever its calls may take: a whole graph waits for it."""


def compile_javascript(code: str, options: Options) -> Program:
    """A program from a module with a default export, a `main` function, or an expression.

    Raises ValueError with line and column.
    """
    program = JavaScript(code, options)
    try:
        program.load()
    except NodeError as error:
        raise ValueError(error.message) from error
    return program


class JavaScript:
    """Code in a QuickJS context of its own, which lives from call to call.

    A context whose limit was hit is thrown away, and the next call gets a new one. Calls
    from several threads take turns.
    """

    def __init__(self, code: str, options: Options) -> None:
        self._code = code.rstrip().removesuffix(";") if _is_expression(code) else code
        self._limit = options.limit_ms / 1000
        self._memory_bytes = options.memory_mb << 20
        self._lock = threading.Lock()
        self._context: _Context | None = None

    def load(self) -> None:
        """Compile the code. Raises ValueError, or NodeError when it hits a limit."""
        with self._lock:
            self._bounded(lambda _context: None, limit=min(self._limit, _LOAD_SECONDS))

    def __call__(self, payload: Payload) -> Payload:
        plain = _is_plain(payload)
        text = to_json(payload if plain else _mark(payload)).decode()
        with self._lock:
            outcome = self._bounded(
                lambda context: context.call(text, has_tags=not plain), limit=self._limit
            )
        body = outcome[1:]
        try:
            found = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise NodeError(
                f"what it answered is not valid text: {error}", code="snippet.result"
            ) from error
        if _ESCAPED_TAG in body or _WIDE_NUMBER.search(body):
            found = _unmark(found)
        if outcome[0] == "+":
            return found
        raise self._failure(found)

    def _bounded(self, use: Callable[[_Context], T], *, limit: float) -> T:
        """Use the context, within the limits."""
        allowed = limit
        while True:
            began = time.thread_time()
            context: _Context | None = None
            try:
                context = self._context or _Context(self._code, self._memory_bytes, allowed)
                self._context = None
                context.allow(allowed)
                result = use(context)
            except _Interrupted:
                if time.thread_time() - began >= 0.9 * limit:
                    raise self._over_limit(
                        "time", f"it ran for more than {limit:g} s", "limit_ms"
                    ) from None
                # QuickJS counts the processor time of all threads: others used up ours.
                allowed *= 2
            except _Exhausted:
                raise self._over_limit(
                    "memory", f"it needs more than {self._memory_bytes >> 20} MB", "memory_mb"
                ) from None
            else:
                self._context = context
                return result

    def _failure(self, facts: dict[str, Any]) -> NodeError:
        if facts.get("name") == "RangeError" and "call stack" in facts["message"]:
            return self._over_limit("stack", "it calls itself too deeply")
        place = _place(facts.get("stack") or "", self._code)
        return NodeError(
            facts["message"],
            code=facts["code"],
            details=facts.get("details"),
            node=facts.get("node") or "",
            remedy=facts.get("remedy") or (f"look at {place} of the code" if place else ""),
        )

    def _over_limit(self, limit: str, message: str, option: str = "") -> NodeError:
        remedy = f"raise `{option}`, or do less in the snippet" if option else "use a loop"
        return NodeError(message, code="snippet.limit", details={"limit": limit}, remedy=remedy)


class _Interrupted(Exception):
    """The time limit was reached."""


class _Exhausted(Exception):
    """The memory limit was reached."""


class _Context:
    """One QuickJS context with the code in it. Every method raises what stopped it."""

    def __init__(self, code: str, memory_bytes: int, seconds: float) -> None:
        # The package's own front starts a thread when it is imported.
        import _quickjs  # type: ignore[import-not-found, unused-ignore]

        self._js_error = _quickjs.JSException
        self._context = _quickjs.Context()
        self._context.set_memory_limit(memory_bytes)
        self._context.set_time_limit(seconds)
        prelude = Path(__file__).with_name("prelude.js").read_text(encoding="utf-8")
        self._host = self._guarded(self._context.eval, prelude)
        self._deadline = time.monotonic() + seconds
        try:
            self._adopt(code)
        except self._js_error as error:
            raise ValueError(_syntax_message(str(error), code)) from error

    def allow(self, seconds: float) -> None:
        """How long the next call may take."""
        self._context.set_time_limit(seconds)
        self._deadline = time.monotonic() + seconds

    def call(self, text: str, *, has_tags: bool) -> str:
        """The outcome of the code for the payload that `text` says."""
        outcome = self._guarded(self._host, "call", text, has_tags)
        if outcome is None:
            outcome = self._settled()
        if outcome is None:
            return '-{"code": "snippet.result", "message": "the promise it answered is never settled"}'
        return _without_memory(outcome)

    def _adopt(self, code: str) -> None:
        if _MODULE.search(code):
            self._guarded(self._context.module, code)
            self._guarded(self._host, "adoptModule")
            outcome = self._settled() or ""
            if outcome.startswith("-"):
                facts = msgspec.json.decode(_without_memory(outcome)[1:])
                raise ValueError(f"it failed while it was loaded: {facts['message']}")
        elif _SCRIPT.search(code):
            self._guarded(self._context.eval, code)
            self._guarded(self._host, "adopt", self._guarded(self._context.eval, "main"))
        else:
            function = self._guarded(self._context.eval, f"{_EXPRESSION}{code}\n)")
            self._guarded(self._host, "adopt", function)
        if not self._guarded(self._host, "callable"):
            raise ValueError(
                "what it exports is not a function: write `export default function (args) {...}`"
            )

    def _settled(self) -> str | None:
        """Run what promises left to do; what came of it, if anything did."""
        while self._guarded(self._context.execute_pending_job):
            # Every job has the whole time limit for itself, so that their sum needs one too.
            if time.monotonic() > self._deadline:
                raise _Interrupted
        return self._guarded(self._host, "outcome")  # type: ignore[no-any-return]

    def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except self._js_error as error:
            text = str(error)
            if "interrupted" in text:
                raise _Interrupted from None
            # An engine without memory cannot even make the error that says so.
            if "out of memory" in text or text.startswith(("null", "InternalError\n")):
                raise _Exhausted from None
            raise


def _without_memory(outcome: str) -> str:
    """The outcome, unless it says that the code ran out of memory."""
    if outcome[0] == "-" and '"name":"InternalError"' in outcome and "out of memory" in outcome:
        raise _Exhausted
    return outcome


def _is_expression(code: str) -> bool:
    return not _MODULE.search(code) and not _SCRIPT.search(code)


def _syntax_message(text: str, code: str) -> str:
    message = text.partition("\n")[0].removeprefix("SyntaxError: ")
    place = _place(text, code)
    hint = ""
    if _is_expression(code):
        if place.startswith(f"line {code.count(chr(10)) + 2},"):
            place, message = "at its end", "something is missing, or a bracket too many"
        hint = "; write an expression over `args`, or `export default function (args) {...}`"
    return f"{place}: {message}{hint}" if place else f"{message}{hint}"


def _place(stack: str, code: str) -> str:
    """The first place in the code that a stack names."""
    found = _PLACE.search(stack)
    if found is None:
        return ""
    line, column = int(found[1]), int(found[2])
    if line == 1 and _is_expression(code):
        column -= len(_EXPRESSION)
    return f"line {line}, column {column}"


def _is_plain(value: Payload) -> bool:
    """Whether JSON, as JavaScript reads it, can say all of this."""
    kind = type(value)
    if kind is int:
        return bool(-_SAFE_INTEGER <= value <= _SAFE_INTEGER)
    if kind is dict:
        return all(map(_is_plain, value.values()))
    if kind is list:
        return all(map(_is_plain, value))
    return kind is not bytes and kind is not Error


def _mark(value: Payload) -> Payload:
    """The same with tags for what JSON cannot say; see prelude.js."""
    kind = type(value)
    if kind is dict:
        return {key: _mark(item) for key, item in value.items()}
    if kind is list:
        return [_mark(item) for item in value]
    if _is_plain(value):
        return value
    if kind is bytes:
        return {_TAG: {"type": "bytes", "value": value.hex()}}
    if kind is int:
        return {_TAG: {"type": "integer", "value": str(value)}}
    return {_TAG: {"type": "error", "value": _mark(value.to_mapping())}}


def _unmark(value: Payload) -> Payload:
    """The inverse of `_mark`. A number that no double can tell from its neighbours is a double."""
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    if not isinstance(value, dict):
        return value if _is_plain(value) else float(value)
    if value.keys() != {_TAG}:
        return {key: _unmark(item) for key, item in value.items()}
    tag = value[_TAG]
    if tag["type"] == "bytes":
        return bytes.fromhex(tag["value"])
    if tag["type"] == "integer":
        return int(tag["value"])
    return Error(**_unmark(tag["value"]))

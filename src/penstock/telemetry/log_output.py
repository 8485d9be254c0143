"""Log output: one stream of lines, JSON or for people, for Penstock and its libraries alike.

Penstock and its libraries log through the standard library; structlog makes the lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TextIO

import msgspec

if TYPE_CHECKING:
    from structlog.typing import Processor, WrappedLogger

    from penstock.engine.redaction import Redactor

    Line = MutableMapping[str, Any]

Format = Literal["json", "pretty"]

FIELDS: Final = "penstock"
"""The attribute of a log record that holds what Penstock adds to its text."""

_LAID_OUT: Final = frozenset({"exception", "stack"})
"""Fields that are text of several lines, from Python itself."""

_BREAKS: Final = (*range(32), *range(127, 160), 0x2028, 0x2029)
_CONTROLS: Final = {code: repr(chr(code))[1:-1] for code in _BREAKS}


class LogOutput:
    """Where the process logs to, within a `with` block; afterwards logging is as it was before.

    level: of what Penstock says; libraries are heard from `warning` on. color: for people's
    eyes. secrets: what masks the secrets that are known when a line is written. trace: the id
    of the trace that the current task belongs to, or nothing.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        format: Format = "pretty",  # noqa: A002 - the word of the option
        level: str = "info",
        color: bool = False,
        secrets: Callable[[], Redactor | None] = lambda: None,
        trace: Callable[[], str] = str,
    ) -> None:
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._secrets = secrets
        self._trace = trace
        self._handler = logging.StreamHandler(stream)
        self._handler.setFormatter(self._formatter(format, color))
        self._before: tuple[int, int, list[logging.Handler]] | None = None

    def __enter__(self) -> Self:
        root, own = logging.getLogger(), logging.getLogger("penstock")
        self._before = (root.level, own.level, root.handlers[:])
        root.handlers[:] = [self._handler]
        root.setLevel(max(self._level, logging.WARNING))
        own.setLevel(self._level)
        logging.captureWarnings(capture=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._before is not None
        root, own = logging.getLogger(), logging.getLogger("penstock")
        root_level, own_level, root.handlers[:] = self._before
        root.setLevel(root_level)
        own.setLevel(own_level)
        logging.captureWarnings(capture=False)
        self._handler.flush()

    def _formatter(self, format: Format, color: bool) -> logging.Formatter:  # noqa: A002
        import structlog

        ending: list[Processor]
        if format == "json":
            ending = [_one_line]
        else:
            # Not rich: its tracebacks show local variables, and with them secrets.
            plain = structlog.dev.plain_traceback
            ending = [_printable, structlog.dev.ConsoleRenderer(colors=color, exception_formatter=plain)]
        return structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_logger_name,
                self._complete,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.StackInfoRenderer(),
                self._mask,
                *ending,
            ]
        )

    def _complete(self, _: WrappedLogger, __: str, line: Line) -> Line:
        """When, how bad, what, and about what, in the order in which people look for it."""
        record: logging.LogRecord = line["_record"]
        trace = self._trace()
        said = {"timestamp": _utc(record.created), "level": record.levelname.lower(), **line}
        facts = {**getattr(record, FIELDS, {}), **({"trace_id": trace} if trace else {})}
        return said | facts | said  # a node may call its own facts what it likes

    def _mask(self, _: WrappedLogger, __: str, line: Line) -> Line:
        redactor = self._secrets()
        if redactor is None:
            return line
        return {name: redactor.payload(value) for name, value in line.items()}


def _utc(seconds: float) -> str:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _one_line(_: WrappedLogger, __: str, line: Line) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except (UnicodeEncodeError, TypeError):  # half a surrogate, or a key that is no text
        import json

        return json.dumps(line, default=repr, skipkeys=True)


def _printable(_: WrappedLogger, __: str, line: Line) -> Line:
    """Without what would move the cursor or fake a line: a client may have chosen some of it."""
    return {
        name: value.translate(_CONTROLS) if isinstance(value, str) and name not in _LAID_OUT else value
        for name, value in line.items()
    }

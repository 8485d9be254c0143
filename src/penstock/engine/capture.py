"""What the code of a run prints: taken line by line where it runs, and only there.

While anything is captured, `sys.stdout` and `sys.stderr` are taps. A tap asks the context
variables of whoever writes: code of a run has somebody there who takes its lines, everything
else reaches the stream beneath as if there were no tap. A thread has the variables of its
run if it was started through the engine, through asyncio, or with a copied context.
"""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, Final, TextIO, cast

LONGEST_LINE: Final = 64 * 1024
"""Characters after which a line that does not end is passed on in pieces."""

Take = Callable[[str], None]
"""Takes a line, without its end."""


class redirected:  # noqa: N801 - it is used as `contextlib.redirect_stdout` is
    """A section within a captured one whose prints go line by line to two others.

    They may be called from any thread. What a thread prints after the section has ended goes
    to the process's streams. Each step is such a section, and most print nothing: they cost
    no more than to say who would take it.
    """

    __slots__ = ("_closed", "_lines", "_stderr", "_stdout", "_token")

    def __init__(self, stdout: Take, stderr: Take) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._lines: dict[str, _Lines] | None = None
        self._closed = False

    def __enter__(self) -> None:
        self._token = _SECTION.set(self)

    def __exit__(self, *_: object) -> None:
        _SECTION.reset(self._token)
        self._closed = True
        if self._lines is not None:
            for each in self._lines.values():
                each.close()

    def lines(self, name: str) -> _Lines | None:
        """What makes lines of what is written to a stream; None when the section has ended."""
        if self._closed:
            return None
        return (self._lines or self._make_lines())[name]

    def _make_lines(self) -> dict[str, _Lines]:
        with _INSTALLING:  # so that two threads get the same
            if self._lines is None:
                self._lines = {"stdout": _Lines(self._stdout), "stderr": _Lines(self._stderr)}
            return self._lines


class captured(redirected):  # noqa: N801
    """A section whose prints go line by line to these two instead of to the process's streams."""

    __slots__ = ("_err", "_out")

    def __enter__(self) -> None:
        with _INSTALLING:
            self._out = out = sys.stdout if type(sys.stdout) is _Tap else _Tap.put_on("stdout")
            self._err = err = sys.stderr if type(sys.stderr) is _Tap else _Tap.put_on("stderr")
            out.sections += 1
            err.sections += 1
        super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        out, err = self._out, self._err
        with _INSTALLING:
            out.sections -= 1
            err.sections -= 1
            if not out.sections:
                out.take_off()
            if not err.sections:
                err.take_off()


class _Lines:
    """Makes lines of what is written. Each thread has its own line that has not ended yet."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._begun: dict[int, str] = {}
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        thread = threading.get_ident()
        with self._lock:
            *ended, begun = (self._begun.pop(thread, "") + text).split("\n")
            if len(begun) > LONGEST_LINE:
                ended.append(begun)
                begun = ""
            if begun:
                self._begun[thread] = begun
        for line in ended:
            self._pass_on(line)

    def close(self) -> None:
        with self._lock:
            begun, self._begun = self._begun, {}
        for line in begun.values():
            self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        # What a carriage return has overwritten, as bars of progress do, nobody would have seen.
        shown = line.rstrip("\r").rpartition("\r")[2]
        for start in range(0, len(shown) or 1, LONGEST_LINE):
            self._take(shown[start : start + LONGEST_LINE])


_SECTION: contextvars.ContextVar[redirected | None] = contextvars.ContextVar(
    "penstock_section", default=None
)
"""The section that the current code is in."""


class _Tap(io.TextIOBase):
    """Stands for a stream of the process. sections: how many that are captured are open."""

    def __init__(self, name: str, beneath: TextIO) -> None:
        super().__init__()
        self._name = name
        self.beneath = beneath
        self.sections = 0

    def _lines(self) -> _Lines | None:
        section = _SECTION.get()
        return None if section is None else section.lines(self._name)

    @classmethod
    def put_on(cls, name: str) -> _Tap:
        """A tap on a stream that has none."""
        stream = getattr(sys, name)
        if stream is None:  # a process without streams, whose prints Python itself drops
            return cls(name, io.StringIO())
        tap = cls(name, stream)
        setattr(sys, name, tap)
        return tap

    def take_off(self) -> None:
        """Put the stream back, unless somebody has put another one there."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self.beneath)

    def write(self, text: str) -> int:
        lines = self._lines()
        if lines is None:
            return self.beneath.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        lines.write(text)
        return len(text)

    def flush(self) -> None:
        if not self.beneath.closed:
            self.beneath.flush()

    def isatty(self) -> bool:
        return self._lines() is None and self.beneath.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.beneath.fileno()

    @property
    def buffer(self) -> BinaryIO:
        lines = self._lines()
        return self.beneath.buffer if lines is None else cast("BinaryIO", _Bytes(self, lines))

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.beneath.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.beneath.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)

    def close(self) -> None:
        """Nothing: closing the tap would close what others write to."""


class _Bytes(io.BufferedIOBase):
    """The binary side of a tap in a section that is captured."""

    def __init__(self, tap: _Tap, lines: _Lines) -> None:
        super().__init__()
        self._tap = tap
        self._lines = lines

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._lines.write(raw.decode(self._tap.encoding or "utf-8", "replace"))
        return len(raw)


_INSTALLING: Final = threading.Lock()

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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Final, TextIO, cast

LONGEST_LINE: Final = 64 * 1024
"""Characters after which a line that does not end is passed on in pieces."""

Take = Callable[[str], None]
"""Takes a line, without its end."""


@contextmanager
def captured(stdout: Take, stderr: Take) -> Iterator[None]:
    """A section whose prints go line by line to these two instead of to the process's streams.

    They may be called from any thread. What a thread prints after the section has ended goes
    to the process's streams.
    """
    lines = {"stdout": _Lines(stdout), "stderr": _Lines(stderr)}
    with ExitStack() as stack:
        for name in lines:
            stack.enter_context(_tapped(name))
        token = _LINES.set(lines)
        try:
            yield
        finally:
            _LINES.reset(token)
            for each in lines.values():
                each.close()


class _Lines:
    """Makes lines of what is written. Each thread has its own line that has not ended yet."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._begun: dict[int, str] = {}
        self._lock = threading.Lock()
        self.closed = False

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
            self.closed = True
            begun, self._begun = self._begun, {}
        for line in begun.values():
            self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        # What a carriage return has overwritten, as bars of progress do, nobody would have seen.
        shown = line.rstrip("\r").rpartition("\r")[2]
        for start in range(0, len(shown) or 1, LONGEST_LINE):
            self._take(shown[start : start + LONGEST_LINE])


_LINES: contextvars.ContextVar[dict[str, _Lines]] = contextvars.ContextVar("penstock_lines")
"""Who takes what the current code prints, by the stream's name."""


class _Tap(io.TextIOBase):
    """Stands for a stream of the process. sections: how many that are captured are open."""

    def __init__(self, name: str, beneath: TextIO) -> None:
        super().__init__()
        self._name = name
        self.beneath = beneath
        self.sections = 0

    def _lines(self) -> _Lines | None:
        found = _LINES.get({}).get(self._name)
        return None if found is None or found.closed else found

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


@contextmanager
def _tapped(name: str) -> Iterator[None]:
    """A section in which a stream of the process has a tap; the last one that ends takes it off."""
    with _INSTALLING:
        tap = getattr(sys, name)
        if tap is None:  # a process without streams, whose prints Python itself drops
            tap = _Tap(name, io.StringIO())
        elif not isinstance(tap, _Tap):
            tap = _Tap(name, tap)
            setattr(sys, name, tap)
        tap.sections += 1
    try:
        yield
    finally:
        with _INSTALLING:
            tap.sections -= 1
            if not tap.sections and getattr(sys, name) is tap:
                setattr(sys, name, tap.beneath)

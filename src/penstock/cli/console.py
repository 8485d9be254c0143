"""Where text goes: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from penstock.core.errors import PenstockError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_CODES: Final[Mapping[str, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}


class Console:
    """The two streams of a command. color: `auto`, `always` or `never`."""

    def __init__(
        self,
        *,
        color: str = "auto",
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self._color = color
        self._environ = os.environ if environ is None else environ

    @property
    def interactive(self) -> bool:
        """Whether a person watches stderr on a terminal that can redraw."""
        return self.stderr.isatty() and self._environ.get("TERM") != "dumb"

    def coloured(self, stream: TextIO) -> bool:
        """Whether to colour this stream: a flag wins over NO_COLOR, that over the terminal."""
        if self._color != "auto":
            return self._color == "always"
        if self._environ.get("NO_COLOR"):
            return False
        return bool(self._environ.get("FORCE_COLOR")) or (
            stream.isatty() and self._environ.get("TERM") != "dumb"
        )

    def style(self, text: str, *styles: str, stream: TextIO | None = None) -> str:
        """The text in these styles, for stderr unless another stream is named; an empty one is none."""
        codes = [_CODES[style] for style in styles if style]
        if not codes or not self.coloured(stream or self.stderr):
            return text
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"

    def out(self, text: str) -> None:
        """One result, on stdout. Raises PenstockError when it cannot be written."""
        with _told():
            self._write(self.stdout, text + "\n")

    def out_bytes(self, data: bytes) -> None:
        """Raw bytes, on stdout. Raises PenstockError when they cannot be written."""
        with _told():
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.flush()

    def say(self, text: str = "", *styles: str) -> None:
        """One line for the person who watches, on stderr."""
        self._write(self.stderr, self.style(text, *styles) + "\n")

    def error(self, message: str, remedy: str = "") -> None:
        """What went wrong and what to do next."""
        self.say(f"{self.style('error:', 'bold', 'red')} {message}")
        self.hint(remedy)

    def warn(self, message: str) -> None:
        self.say(f"{self.style('warning:', 'bold', 'yellow')} {message}")

    def hint(self, text: str) -> None:
        """What could be done next; nothing for an empty text."""
        if not text:
            return
        self.say(f"{self.style('hint:', 'cyan')} {text}")

    def hang_up(self) -> None:
        """The terminal is gone: what would be written to it goes nowhere, and is no error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (self.stdout, self.stderr):
            # A terminal that is gone no longer says that it is one, but still is a device.
            if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

    @property
    def columns(self) -> int | None:
        """How wide the terminal behind stdout is; None when it is none, so that nothing is cut off."""
        if not self.stdout.isatty():
            return None
        import shutil

        return shutil.get_terminal_size().columns

    def rich(self, stream: TextIO | None = None) -> RichConsole:
        """A rich console on stdout, or on another stream; only tables and live views pay for it."""
        from rich.console import Console as RichConsole

        target = stream or self.stdout
        coloured = self.coloured(target)
        return RichConsole(
            file=target,
            highlight=False,
            soft_wrap=False,
            no_color=not coloured,
            force_terminal=True if coloured else None,
            width=None if target.isatty() else self._width(),
        )

    def _width(self) -> int:
        columns = self._environ.get("COLUMNS", "")
        return int(columns) if columns.isdigit() and int(columns) > 0 else 100

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            # A terminal that cannot show a character still gets the rest of the line.
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


@contextmanager
def _told() -> Iterator[None]:
    """Within it, output that cannot be written is a PenstockError, unless nobody reads it any more."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PenstockError(
            f"the output cannot be written: {error.strerror or error}",
            remedy="make room, or send it elsewhere; `penstock runs result` prints a run's result again",
        ) from error

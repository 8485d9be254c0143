"""The editor of the person who works here, on a file that nobody else can read."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from penstock.cli.exits import Exit
from penstock.cli.signals import LEAVE
from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Editor:
    """Edits texts in a folder of its own, which is gone behind `with`, whatever ends it.

    command: the program with its arguments; else that of $VISUAL or $EDITOR, or `vi`.
    """

    def __init__(self, file: str, *, command: str = "") -> None:
        found = command or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        self._command = shlex.split(found)
        self._file = file
        self._folder = Path()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in LEAVE:  # a process that they end would leave the file behind
            self._before[number] = signal.signal(number, _end)
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-"))  # mode 0700
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def edit(self, text: str) -> str:
        """The text as it was saved. Raises SettingsError when the editor cannot be started, or fails."""
        path = self._folder / self._file
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            with _interrupts_are_the_editors():
                code = subprocess.run([*self._command, str(path)], check=False).returncode  # noqa: S603
        except OSError as error:
            raise SettingsError(
                f"the editor `{self._command[0]}` cannot be started: {error.strerror}",
                remedy="name one in $VISUAL or $EDITOR",
            ) from error
        if code != 0:
            raise SettingsError(
                f"the editor `{self._command[0]}` ended with code {code}; nothing was written"
            )
        return path.read_text("utf-8")


@contextmanager
def _interrupts_are_the_editors() -> Iterator[None]:
    """Ctrl-C means something in an editor. It reaches this process as well, which lets it pass."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise SystemExit(Exit.CANCELLED)

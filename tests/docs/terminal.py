"""One shell that runs the commands of a page, in the page's own folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_END = "--- end of command"


class Terminal:
    """A bash with nothing of the user's in its environment; output and errors are one stream."""

    def __init__(self, folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of one command."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\ncode=$?; echo; echo '{_END}' $code\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                return int(line.removeprefix(_END)), "".join(lines).removesuffix("\n")
            lines.append(line)
        raise AssertionError(f"the shell ended in `{command}`:\n{''.join(lines)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdout.close()
        self._shell.stdin.close()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "LC_ALL", "TMPDIR"}}
    programs = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120 - no resolving
    home = str(folder / ".home")
    return kept | {"PATH": programs, "HOME": home, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}

"""A fence around this process: what documents ask for must not reach beyond a folder.

The documents of these tests name commands, files and addresses at random, and a runtime does
what a document says. Audit hooks (PEP 578) refuse what would touch the machine; they cannot
be removed, so only a process of its own may be fenced.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

_SNIPPET: Final = "<snippet>"
_NEVER: Final = frozenset(
    {
        *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen"),
        *("os.kill", "os.killpg", "pty.spawn", "socket.connect", "socket.sendto", "webbrowser.open"),
        *("os.symlink", "os.link", "os.chmod", "os.chown", "os.truncate", "shutil.rmtree"),
    }
)
_LOOPBACK: Final = ("127.0.0.1", "::1")
_WRITING: Final = ("os.remove", "os.rename", "os.rmdir", "os.mkdir")


def fence(folder: Path) -> None:
    """Let this process write into the folder alone, start nothing, and connect to nothing.

    What is refused raises PermissionError, as an operating system would. Python code in a
    document is compiled and not executed: it is its author's program, and no input.
    """
    inside = str(folder.resolve())

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event in _NEVER and not _is_unix(event, args):
            raise PermissionError(f"{event} is beyond the fence")
        if event == "exec" and getattr(args[0], "co_filename", "") == _SNIPPET:
            raise PermissionError("code of a document is not executed here")
        if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
            _refuse_outside(args[0], inside)
        if event in _WRITING:
            _refuse_outside(args[0], inside)
        if event == "socket.getaddrinfo" and args[0] not in (None, "", *_LOOPBACK, b"127.0.0.1"):
            raise PermissionError("only this machine is looked up here")
        if event == "socket.bind" and isinstance(args[1], tuple):
            host, port = args[1][:2]
            if host not in _LOOPBACK or port:
                raise PermissionError("only this machine is served here, at a free port")

    sys.addaudithook(refuse)


def _is_unix(event: str, args: tuple[Any, ...]) -> bool:
    """Whether a socket is a file: how PostgreSQL is reached, and how stores wake each other."""
    return event.startswith("socket.") and isinstance(args[1], str | bytes)


def _refuse_outside(path: Any, inside: str) -> None:
    if isinstance(path, int):
        return
    text = path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path)
    if text not in ("/dev/null", "/dev/shm") and not str(Path(text).resolve()).startswith(inside):
        raise PermissionError(f"{text!r} is beyond the fence")

"""A command that stays up, as a process of its own: what it tells is waited for, line by line."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Started:
    """A `penstock` process in a folder, with a store of its own there. variables: of its environment."""

    def __init__(self, folder: Path, *args: str, variables: Mapping[str, str] | None = None) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *args],
            cwd=folder,
            env={
                **kept,
                "PENSTOCK_STORE": f"sqlite:///{folder}/store.db",
                "PYTHONUNBUFFERED": "1",
                **(variables or {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = ""

    def wait_for(self, words: str) -> str:
        """Read stderr until a line has these words. The test's own limit bounds the wait."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told += line
            if words in line:
                return line
        raise AssertionError(f"stderr ended without `{words}`:\n{self.told}")

    def address(self) -> str:
        """Host and port of the listener that it says to serve."""
        found = re.search(r"http://([\d.]+:\d+)", self.wait_for("http://"))
        assert found is not None
        return found[1]

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; the exit code, and all that was told."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for its end; the exit code, and all that was told."""
        _, rest = self.process.communicate(timeout=60)
        self.told += rest
        return self.process.returncode, self.told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Client:
    """A keep-alive connection to a listener."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        self.ask(path)
        return self.answer()

    def ask(self, path: str) -> None:
        """Send a request, and wait for nothing."""
        self._connection.request("GET", path)

    def answer(self) -> tuple[int, str]:
        """Status and body of what was asked."""
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

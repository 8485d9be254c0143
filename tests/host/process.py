"""`penstock serve` as a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
from tests.cli.started import Started

PATIENCE_SECONDS = 30.0


class HostProcess(Started):
    """A host in a folder, ready for requests. token: of the first administrator."""

    def __init__(self, folder: Path, *args: str, port: int = 0, token: str = "") -> None:
        self._folder, self._args = folder, args
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        bind = ("--bind", f"127.0.0.1:{self.port}")
        variables = {"PENSTOCK_KEY_FILE": str(folder / "key")}
        super().__init__(folder, "serve", *bind, *args, variables=variables)
        self.token = token or self._told_token()
        self._drain = threading.Thread(target=self._read_on, name="stderr of the host")
        self._drain.start()
        self._await_ready()

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with the administrator's token, or another one."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def again(self) -> HostProcess:
        """A host in the same folder, on the same port, after this one has ended."""
        return HostProcess(self._folder, *self._args, port=self.port, token=self.token)

    def kill(self) -> None:
        """End it as a power failure would."""
        self.stop(signal.SIGKILL)

    def end(self) -> tuple[int, str]:
        """Wait for its end; the exit code, and all that was told."""
        self.process.wait(timeout=60)
        self._drain.join()
        return self.process.returncode, self.told

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._drain.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _told_token(self) -> str:
        found = re.search(r"pst_[\w.-]+", self.wait_for("pst_"))
        assert found is not None
        return found[0]

    def _read_on(self) -> None:
        """Take what it tells, so that it never waits for somebody to read it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told += line

    def _await_ready(self) -> None:
        """Return when it takes work. Somebody who starts a host asks `/readyz` as we do."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, self.told
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the host was not ready within {PATIENCE_SECONDS:g} s:\n{self.told}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port

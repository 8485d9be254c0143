"""The address of a database: what SQLAlchemy connects to, and what of it may be shown."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from penstock.core.errors import NodeError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\+[A-Za-z0-9_]+)?:/")
_FORMS: Final = "write postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE"

_DRIVERS: Final = {"postgres": "postgresql", "sqlite+aiosqlite": "sqlite", "sqlite+pysqlite": "sqlite"}
"""aiosqlite is sqlite3 on a thread behind a queue; the pool is that already, and can interrupt it."""


def check(url: str) -> None:
    """Refuse what is no address. Raises NodeError `sql.url`, which shows nothing of it."""
    if not _SCHEME.match(url):
        raise _refused()


def read(url: str) -> URL:
    """The address as SQLAlchemy takes it. `postgresql:` means asyncpg where that is installed.

    Raises NodeError `sql.url`, which shows nothing of it: a wrong one may have its password
    anywhere.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    check(url)
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise _refused() from None
    driver = _DRIVERS.get(found.drivername, found.drivername)
    if driver == "postgresql" and find_spec("asyncpg") is not None:
        driver = "postgresql+asyncpg"
    found = found.set(drivername=driver)
    if driver == "postgresql+asyncpg" and "sslmode" in found.query:
        mode = found.query["sslmode"]  # libpq's word; asyncpg's parameter for it is another
        found = found.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return found


def shown(url: URL) -> str:
    """The address without its password and without its parameters, which may hold one."""
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port is not None else ""
    return f"{url.drivername.partition('+')[0]}://{user}{host}{port}/{url.database or ''}"


def _refused() -> NodeError:
    return NodeError(
        "`url` is not the address of a database",
        code="sql.url",
        remedy=f"{_FORMS}; special characters in a user's name or password are written as %XX",
    )

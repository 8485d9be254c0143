"""The address of a database: what it connects to, and what of it may be shown."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from penstock.core.errors import SettingsError

DEFAULT_SCHEMA: Final = "penstock"
_SCHEMES: Final = ("postgresql", "postgres")
_KNOWN: Final = (
    "write postgresql://USER@HOST/DATABASE; the password may stand in PGPASSWORD or ~/.pgpass"
)
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_SHOWN: Final = ("host", "port", "schema")
"""Parameters of an address that hold no secret."""


class Address(NamedTuple):
    """dsn: for the driver. schema: where the tables are. shown: the URL without secrets."""

    dsn: str
    schema: str
    shown: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `postgresql://…`. `?schema=NAME` puts the tables elsewhere than in `penstock`.

        Raises SettingsError, which shows nothing of the address: a wrong one may have its
        password anywhere.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            query = parse_qsl(parts.query, strict_parsing=True) if parts.query else []
        except ValueError:
            raise SettingsError(
                "the address of the PostgreSQL store cannot be read: special characters in "
                "its parts must be written as %XX",
                remedy=_KNOWN,
            ) from None
        if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
            raise SettingsError("the address of a PostgreSQL store has no `://`", remedy=_KNOWN)
        named = dict(query)
        schema = named.get("schema", DEFAULT_SCHEMA)
        if _SCHEMA.fullmatch(schema) is None:
            raise SettingsError(
                f"`{schema}` cannot be the schema of a store",
                remedy="use lower case letters, digits and `_`, at most 41 of them",
            )
        rest = [(name, value) for name, value in query if name != "schema"]
        place = f"[{host}]" if ":" in host else host
        place += f":{port}" if port is not None else ""
        user = f"{quote(parts.username)}@" if parts.username else ""
        shown = urlencode([(name, value) for name, value in query if name in _SHOWN], safe="/")
        return cls(
            dsn=parts._replace(query=urlencode(rest)).geturl(),
            schema=schema,
            shown=f"postgresql://{user}{place}{parts.path}" + (f"?{shown}" if shown else ""),
        )

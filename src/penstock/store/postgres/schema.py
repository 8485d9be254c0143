"""The shape of the database: made, brought up to date, or left alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError, StoreVersion
from penstock.store.dialects import MIGRATIONS, latest, scripts

if TYPE_CHECKING:
    from penstock.store.postgres.address import Address


_SCHEMA_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"
_HAS_TABLES: Final = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1)"
_HAS_VERSION: Final = (
    "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'version')"
)


async def prepare(connection: Any, address: Address, *, create: bool, folder: Path = MIGRATIONS) -> None:
    """Bring the schema up to date, all of it or nothing, however many begin at once.

    Raises StoreVersion when it is newer than this Penstock, and StoreError when it is
    another program's, or missing and not to be created.
    """
    if await _version(connection) != latest(folder):
        async with connection.transaction():
            # Held until the end: whoever comes second finds the work done.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1), 1)", address.schema)
            await _migrate(connection, address, create=create, folder=folder)


async def _migrate(connection: Any, address: Address, *, create: bool, folder: Path) -> None:
    version, newest = await _version(connection), latest(folder)
    if version > newest:
        raise StoreVersion(
            f"the journal in {address.shown} has version {version}, newer than this Penstock's {newest}",
            remedy="upgrade: pip install --upgrade penstock",
        )
    if version == 0:
        if not create:
            raise StoreError(
                f"there is no journal in {address.shown}",
                remedy="run a flow first, or name another --store",
            )
        await _begin(connection, address)
    for script in scripts("postgres", after=version, folder=folder):
        await connection.execute(script)
    await connection.execute("UPDATE version SET number = $1", newest)


async def _begin(connection: Any, address: Address) -> None:
    """An empty schema with its version. CREATE … IF NOT EXISTS would ask for rights in vain."""
    schema = address.schema
    if not await connection.fetchval(_SCHEMA_EXISTS, schema):
        await connection.execute(f'CREATE SCHEMA "{schema}"')
    elif await connection.fetchval(_HAS_TABLES, schema):
        raise StoreError(
            f"the schema `{schema}` of {address.shown} is another program's",
            remedy="name another one: `?schema=NAME` at the end of the address",
        )
    await connection.execute("CREATE TABLE version (number INTEGER NOT NULL)")
    await connection.execute("INSERT INTO version VALUES (0)")


async def _version(connection: Any) -> int:
    """The version of the tables, or 0 when there are none."""
    # Inside a transaction a failed statement would end it, so look first.
    if not await connection.fetchval(_HAS_VERSION):
        return 0
    return int(await connection.fetchval("SELECT number FROM version"))

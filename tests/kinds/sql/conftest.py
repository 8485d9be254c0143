from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .world import Database, World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database with a table `people`: a blocking driver, and one that does not block."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path}/test.db")
        serial = "INTEGER PRIMARY KEY"
    else:
        found = Database(request.getfixturevalue("postgres"))
        serial = "SERIAL PRIMARY KEY"
    await found.execute(f"CREATE TABLE people (id {serial}, name TEXT UNIQUE NOT NULL, age INTEGER)")
    return found


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


@pytest.fixture
def lite(tmp_path: Path) -> World:
    """A world over SQLite alone, empty."""
    return World(Database(f"sqlite:///{tmp_path}/test.db"), tmp_path)


@pytest.fixture
def pg(postgres: str, tmp_path: Path) -> World:
    """A world over PostgreSQL alone, empty."""
    return World(Database(postgres), tmp_path)

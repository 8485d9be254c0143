"""All stores do what every store must do."""

import pytest

from penstock.store.memory import MemoryStore
from penstock.store.postgres.store import PostgresStore
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import StoreConformance
from penstock.testing.faults import FaultyStore


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def store_factory(self, tmp_path):
        return lambda: SqliteStore(tmp_path / "journal.db", poll=0.001)


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def store_factory(self, postgres):
        return lambda: PostgresStore(postgres)


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store_factory(self):
        return MemoryStore


class TestFaultyStoreWithoutFaults(StoreConformance):
    @pytest.fixture
    def store_factory(self):
        return lambda: FaultyStore(MemoryStore())

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.auth.provider import make_auth

from penstock.auth import Auth
from penstock.core.store import Store
from penstock.store import open_store
from penstock.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def auth(store: Store, clock: FakeClock) -> Auth:
    """An auth provider of the namespace `default`, with cheap passwords and nobody in it."""
    auth = make_auth(store, clock=clock)
    await auth.open()
    return auth

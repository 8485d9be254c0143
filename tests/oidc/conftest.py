from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oidc.world import Provider, installed, started


@pytest.fixture(scope="session")
def folder(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return installed(pytestconfig.cache.mkdir("oidc"))


@pytest.fixture(scope="session")
def running(folder: Path) -> Iterator[Provider]:
    with started(folder) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Iterator[Provider]:
    """A provider that says what is true, whatever the test before made it say."""
    running.honest()
    yield running
    running.honest()

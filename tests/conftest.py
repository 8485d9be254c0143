"""What tests of all parts may ask for."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from penstock.testing.postgres import PostgresServer

pytest.register_assert_rewrite("penstock.testing.conformance")


@pytest.fixture(scope="session", autouse=True)
def settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys and tokens that tests make are kept apart from those of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this worker's own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """The address of an empty database."""
    return postgres_server.database()


class Restarts:
    """Stops and starts the server of the tests. What waits for it goes on to run meanwhile."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True
        await asyncio.to_thread(self._server.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)
        self.stopped = False


@pytest.fixture
async def restarts(postgres_server: PostgresServer) -> AsyncIterator[Restarts]:
    """For tests whose server goes away; it is back for the next one."""
    found = Restarts(postgres_server)
    yield found
    if found.stopped:
        await found.start()

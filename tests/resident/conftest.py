"""A namespace to write to, for each test."""

from collections.abc import AsyncIterator

import pytest
from tests.resident.world import World, world


@pytest.fixture
async def home() -> AsyncIterator[World]:
    async with world() as found:
        yield found

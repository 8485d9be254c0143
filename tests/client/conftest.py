"""One client in each of the two worlds, so that every test is about both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from inspect import isawaitable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.client.fake_host import FakeHost

from penstock.client import AsyncClient, Client
from penstock.core.duration import Duration
from penstock.core.policies import Retry

AT_ONCE = Retry(attempts=4, delay=Duration(0))
URL = "http://host.test:8370"


@pytest.fixture(autouse=True)
def _no_tokens_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the hosts and the tokens of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PENSTOCK_HOST", "PENSTOCK_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture(params=["blocking", "awaited"])
async def client(request: pytest.FixtureRequest, host: FakeHost) -> AsyncIterator[Any]:
    transport = httpx2.MockTransport(host)
    if request.param == "blocking":
        with Client(URL, token="t0", retry=AT_ONCE, transport=transport) as blocking:
            yield blocking
    else:
        async with AsyncClient(URL, token="t0", retry=AT_ONCE, transport=transport) as awaited:
            yield awaited


async def had(value: Any) -> Any:
    """What a call of either client comes to; of one that finds items, all of them."""
    if isawaitable(value):
        return await value
    if isinstance(value, AsyncIterator):
        return [item async for item in value]
    return list(value) if isinstance(value, Iterator) else value

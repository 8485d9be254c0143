"""The examples of what serves HTTP do what they say."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from tests.docs.snippets import snippets_of

from penstock.cli.catalogue import entry
from penstock.core.store import RunQuery
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.webhook import Webhook

if TYPE_CHECKING:
    from tests.resident.world import World

    from penstock.engine.kind import Node

ROOT = Path(__file__).parents[2]
BOUND = 5.0
"""Seconds after which something that should happen is taken not to."""


def example(kind: type[Node]) -> list[dict[str, Any]]:
    """The graph in the documentation of a kind."""
    return yaml.safe_load(entry(kind).example)


def from_page(title: str) -> Any:
    """What a file of the guide holds."""
    page = (ROOT / "docs" / "how-to" / "serve-http.md").read_text("utf-8")
    (text,) = [snippet.body for snippet in snippets_of(page) if snippet.title == title]
    return yaml.safe_load(text)


def from_file(name: str) -> Any:
    return yaml.safe_load((ROOT / "examples" / name).read_text("utf-8"))


async def serve(home: World, specs: list[dict[str, Any]]) -> str:
    """Apply a graph, on a free port, and return the address of its listener."""
    await home.apply(*[{**spec, "port": 0} if spec["kind"] == "listener" else spec for spec in specs])
    reasons = {
        key: report.reason for key, report in home.resident.table.reports.items() if report.reason
    }
    assert reasons == {}
    nodes = [symbol.node for symbol in home.resident.table.symbols.values()]
    (listener,) = [node for node in nodes if isinstance(node, Listener)]
    return listener.origin()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found


async def ask(
    session: aiohttp.ClientSession, url: str, method: str = "GET", **more: Any
) -> tuple[int, Any]:
    async with session.request(method, url, **more) as response:
        is_json = response.content_type.endswith("json")
        return response.status, await response.json(
            content_type=None
        ) if is_json else await response.text()


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"}


async def result_of(home: World, flow: str) -> Any:
    """What the only run of a flow comes to."""
    (row,) = await home.runtime.runs(RunQuery(flow=flow, limit=5))
    return await asyncio.wait_for(home.runtime.result(row.fid), BOUND)


async def test_the_example_of_the_listener_says_hello(
    home: World, session: aiohttp.ClientSession
) -> None:
    url = await serve(home, example(Listener))

    assert await ask(session, f"{url}/hello/ada") == (200, {"hello": "ada"})
    assert (await ask(session, f"{url}/"))[0] == 404


async def test_the_example_of_the_webhook_builds_what_was_pushed(
    home: World, session: aiohttp.ClientSession
) -> None:
    url = await serve(home, example(Webhook))

    assert (await ask(session, f"{url}/hooks/penstock", "POST", data=b"{}"))[0] == 401
    headers = {**signed(b"{}", "correct horse"), "X-GitHub-Delivery": "1"}
    for _ in range(2):
        assert (await ask(session, f"{url}/hooks/penstock", "POST", data=b"{}", headers=headers))[
            0
        ] == 202
    assert await result_of(home, "default/pushed") == "building penstock"


async def test_the_webhook_of_the_guide_takes_its_secret_from_a_value(
    home: World, session: aiohttp.ClientSession
) -> None:
    for name, data in from_page("values.yaml").items():
        await home.value(name, data)
    url = await serve(home, from_page("hook.yaml"))

    headers = signed(b"[]", "correct horse")
    assert (await ask(session, f"{url}/hooks/penstock", "POST", data=b"[]", headers=headers))[0] == 202
    assert await result_of(home, "default/pushed") == "building penstock"


async def test_the_chat_of_the_guide_greets_and_shouts(
    home: World, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(await serve(home, from_page("chat.yaml"))) as ws:
        assert (await ws.receive(BOUND)).data == "welcome"
        await ws.send_str("hello")
        assert (await ws.receive(BOUND)).data == "hello!"


async def test_the_example_of_an_api_answers(home: World, session: aiohttp.ClientSession) -> None:
    url = await serve(home, from_file("api.yaml"))

    assert await ask(session, f"{url}/rivers") == (200, ["glomma", "tana"])
    assert await ask(session, f"{url}/rivers/glomma") == (200, {"km": 621})
    assert await ask(session, f"{url}/rivers/nile") == (404, "no such river")
    assert await ask(session, f"{url}/total", "POST", json=[1, 2]) == (200, {"km": 3})
    assert await ask(session, f"{url}/total", "POST", json="one") == (400, "send a list of numbers")
    assert (await ask(session, f"{url}/reports/tana", "POST", json={"level": 2}))[0] == 202
    report = await result_of(home, "default/gauge")
    assert (report["params"], report["body"]) == ({"river": "tana"}, {"level": 2})

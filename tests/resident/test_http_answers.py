"""What a client of a listener gets to see of graphs: the response rules, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yaml
from tests.resident.world import World, world

from penstock.core.store import RunQuery
from penstock.kinds.http.listener import Listener

Spec = dict[str, Any]
Answer = tuple[int, Any]
SYSTEM = Path(__file__).parents[1] / "document" / "data" / "system.yaml"
BOUND = 5.0
"""Seconds after which something that should happen is taken not to."""
LARGE_BYTES = 100 << 20
JSON = {"Content-Type": "application/json"}


def api(to: Any, **more: Any) -> Spec:
    links = {"out": to, **more.pop("links", {})}
    return {"kind": "listener", "name": "api", "port": 0, "links": links, **more}


def cel(name: str, code: str, **links: Any) -> Spec:
    return {"kind": "snippet", "name": name, "language": "cel", "code": code, "links": links}


def throw(name: str, message: str = "hunter2", **more: Any) -> Spec:
    return {"kind": "throw", "name": name, "message": message, "code": "boom", **more}


class Client:
    """Asks a listener of a namespace."""

    def __init__(self, world: World, session: aiohttp.ClientSession, listener: str = "api") -> None:
        self.world = world
        self._session = session
        self._listener = listener

    @property
    def url(self) -> str:
        node = self.world.resident.table.symbols[self._listener].node
        assert isinstance(node, Listener)
        return node.origin()

    async def ask(self, method: str = "GET", path: str = "/", **more: Any) -> Answer:
        """Status, and what the body says."""
        async with self._session.request(method, f"{self.url}{path}", **more) as response:
            data = await response.read()
            kind = response.content_type
            decoded = json.loads(data) if kind.endswith("json") else data.decode() if data else None
            return response.status, decoded


@pytest.fixture
async def client(home: World) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(home, session)


async def answer(client: Client, *specs: Spec, **request: Any) -> Answer:
    """What these specs answer to one request."""
    await client.world.apply(*specs)
    waiting = {
        key: each.reason for key, each in client.world.resident.table.reports.items() if each.reason
    }
    assert waiting == {}
    return await client.ask(**request)


# --- leaves -------------------------------------------------------------------------


async def test_two_leaves_answer_with_a_list_in_the_order_of_their_links(client: Client) -> None:
    specs = [cel("first", "1"), cel("second", "2")]

    assert await answer(client, api(["second", "first"]), *specs) == (200, [2, 1])


async def test_two_leaves_behind_a_node_answer_in_the_order_of_its_links(client: Client) -> None:
    specs = [cel("split", "self.path", out=["b", "a"]), cel("a", "self + 'a'"), cel("b", "self + 'b'")]

    assert await answer(client, api("split"), *specs, path="/x") == (200, ["/xb", "/xa"])


async def test_a_leaf_that_returns_nothing_is_204(client: Client) -> None:
    assert await answer(client, api("end"), {"kind": "nop", "name": "end"}) == (204, None)


async def test_a_leaf_that_returns_nothing_adds_nothing_to_the_others(client: Client) -> None:
    specs = [cel("one", "1"), {"kind": "nop", "name": "end"}]

    assert await answer(client, api(["end", "one"]), *specs) == (200, 1)


async def test_a_leaf_that_returns_null_is_one_of_the_answers(client: Client) -> None:
    assert await answer(client, api(["a", "b"]), cel("a", "null"), cel("b", "1")) == (200, [None, 1])
    assert await answer(client, api("a"), cel("a", "null")) == (204, None)


# --- failures -----------------------------------------------------------------------


async def test_an_error_without_a_port_for_it_is_a_500_without_internals(client: Client) -> None:
    status, problem = await answer(client, api("a"), throw("a"))

    assert status == 500
    assert problem.keys() == {"title", "status", "detail", "id"}
    assert "hunter2" not in json.dumps(problem)


async def test_an_error_with_a_port_for_it_is_answered_by_what_hangs_there(client: Client) -> None:
    caught = cel("caught", '{"status": 418, "body": self.error()}')

    assert await answer(client, api("a"), throw("a", links={"error": "caught"}), caught) == (
        418,
        "hunter2",
    )


async def test_an_error_reaches_the_error_port_of_the_listener(client: Client) -> None:
    specs = [throw("a"), cel("sorry", '{"status": 503, "body": {"was": self == "boom"}}')]

    found = await answer(client, api("a", links={"error": "sorry"}), *specs)

    assert found == (503, {"was": True})


async def test_an_error_that_is_passed_on_as_a_payload_is_a_500(client: Client) -> None:
    specs = [throw("a", links={"error": "pass"}), {"kind": "if", "name": "pass"}]
    status, problem = await answer(client, api("a"), *specs)

    assert (status, "hunter2" in json.dumps(problem)) == (500, False)


async def test_a_failure_downstream_is_caught_by_try(client: Client) -> None:
    specs = [
        {"kind": "try", "name": "try", "links": {"out": "first", "error": "caught"}},
        cel("first", "self", out="second"),
        throw("second"),
        cel("caught", '{"status": 409, "body": self.error()}'),
    ]

    assert await answer(client, api("try"), *specs) == (409, "hunter2")


async def test_retry_answers_when_the_third_attempt_succeeds(client: Client, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    script = f'echo x >> "{tries}"; [ $(wc -l < "{tries}") -ge 3 ] && printf done'
    specs = [
        {"kind": "retry", "name": "again", "attempts": 3, "delay": 0, "links": {"out": "flaky"}},
        {"kind": "shell.exec", "name": "flaky", "command": script, "links": {"stdout": "tell"}},
        cel("tell", "self"),
    ]

    assert await answer(client, api("again"), *specs) == (200, "done")
    assert tries.read_text() == "x\n" * 3


async def test_retry_that_never_succeeds_is_a_500(client: Client) -> None:
    again = {"kind": "retry", "name": "again", "attempts": 2, "delay": 0, "links": {"out": "a"}}

    assert (await answer(client, api("again"), again, throw("a")))[0] == 500


async def test_a_listener_whose_process_takes_too_long_is_a_500(client: Client) -> None:
    slow = {"kind": "delay", "name": "slow", "duration": "10m"}

    assert (await answer(client, api("slow", timeout="10ms"), slow))[0] == 500


# --- control nodes ------------------------------------------------------------------


async def test_a_pipe_of_three_answers_with_the_last(client: Client) -> None:
    pipe = {"kind": "pipe", "name": "pipe", "links": {"out[0]": "a", "out[1]": "b", "out[2]": "c"}}
    specs = [cel("a", "size(self.path)"), cel("b", "self + 1"), cel("c", "self * 10")]

    assert await answer(client, api("pipe"), pipe, *specs, path="/abc") == (200, 50)


def looping(**more: Any) -> list[Spec]:
    return [
        api("body"),
        cel("body", "self.body", out="each"),
        {"kind": "loop", "name": "each", "links": {"out": "inverse"}, **more},
        cel("inverse", "12 / self"),
    ]


@pytest.mark.parametrize(
    ("items", "found"),
    [([], []), ([3], [4]), ([1, 2, 3, 4], [12, 6, 4, 3]), (list(range(1, 300)), None)],
)
async def test_a_loop_answers_for_each_item(client: Client, items: list[int], found: Any) -> None:
    expected = [12 // item for item in items] if found is None else found

    assert await answer(client, *looping(), method="POST", json=items) == (200, expected)


async def test_an_item_that_fails_fails_the_loop(client: Client) -> None:
    assert (await answer(client, *looping(), method="POST", json=[1, 0, 2]))[0] == 500


async def test_an_item_that_fails_may_be_left_out_or_kept(client: Client) -> None:
    skipped = looping(on_item_error="skip")
    assert await answer(client, *skipped, method="POST", json=[1, 0, 2]) == (200, [12, 6])

    status, found = await answer(
        client, *looping(on_item_error="collect"), method="POST", json=[1, 0, 2]
    )
    assert (status, found[0], found[1].keys(), found[2]) == (200, 12, {"code"}, 6)


async def test_nested_blocks_answer_as_one_node(client: Client) -> None:
    inner = {"kind": "block", "specs": [cel("", "self + 1"), cel("", "self * 2")]}
    outer = {
        "kind": "block",
        "name": "outer",
        "specs": [cel("", "size(self.path)"), inner, cel("", "[self]")],
    }

    for spec in (*outer["specs"], *inner["specs"]):
        spec.pop("name", None), spec.pop("links", None)
    assert await answer(client, api("outer"), outer, path="/ab") == (200, [8])


# --- bodies -------------------------------------------------------------------------


@asynccontextmanager
async def echoing(
    client: Client, **limits: Any
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Answer]]]:
    await client.world.apply(api("echo", limits=limits), cel("echo", '{"got": self.body}'))

    async def ask(data: bytes, headers: dict[str, str] = JSON) -> Answer:
        return await client.ask("POST", data=BytesIO(data), headers=headers)

    yield ask


@pytest.mark.parametrize(
    "text", ["[null, 1]", '{"a": 1}', "null", '"é"', "[[[]]]", "1e3", "false", " {} "]
)
async def test_json_comes_in_and_goes_out(client: Client, text: str) -> None:
    async with echoing(client) as ask:
        assert await ask(text.encode()) == (200, {"got": json.loads(text)})


@pytest.mark.parametrize("text", ["[null, 1]", '{"a": 1}', '"text"', "0"])
async def test_json_is_an_answer_by_itself(client: Client, text: str) -> None:
    expected = json.loads(text)

    assert await answer(
        client, api("echo"), cel("echo", "self.body"), method="POST", data=text, headers=JSON
    ) == (200, expected)


async def test_null_as_an_answer_is_204(client: Client) -> None:
    specs = [api("echo"), cel("echo", "self.body")]

    assert await answer(client, *specs, method="POST", data="null", headers=JSON) == (204, None)


@pytest.mark.parametrize("depth", [100, 400])
async def test_json_may_be_nested(client: Client, depth: int) -> None:
    text = b"[" * depth + b"]" * depth

    async with echoing(client) as ask:
        assert await ask(text) == (200, {"got": json.loads(text)})


@pytest.mark.parametrize("depth", [401, 950, 1_000, 5_000, 100_000, 1_000_000])
async def test_json_that_is_nested_too_deeply_is_refused(client: Client, depth: int) -> None:
    async with echoing(client) as ask:
        status, problem = await ask(b"[" * depth + b"]" * depth)
        assert status == 400
        assert "nested too deeply: at most 400" in problem["detail"]
        assert await ask(b"[1]") == (200, {"got": [1]})


@pytest.mark.parametrize("data", [b'"\xff"', b"{", b"[1,]", b'"\\ud800"', b"\xff\xfe", b"nul"])
async def test_a_body_that_is_not_what_it_says_is_a_400(client: Client, data: bytes) -> None:
    async with echoing(client) as ask:
        status, problem = await ask(data)

    assert (status, problem["status"]) == (400, 400)
    assert problem["detail"].startswith("the body is not JSON: line 1")


async def test_text_that_is_not_utf8_is_a_400(client: Client) -> None:
    async with echoing(client) as ask:
        status, problem = await ask(b"caf\xe9", {"Content-Type": "text/plain"})

    assert (status, problem["detail"]) == (400, "the body is not utf-8: look at byte 3")


@pytest.mark.slow
async def test_a_body_of_100_megabytes_comes_in_and_goes_out(client: Client) -> None:
    await client.world.apply(
        api("echo", limits={"body_bytes": LARGE_BYTES + 16}), cel("echo", '{"body": self.body}')
    )
    data = b"x" * LARGE_BYTES

    async with aiohttp.ClientSession() as session:
        headers = {"Content-Type": "application/octet-stream"}
        async with session.post(client.url, data=BytesIO(data), headers=headers) as response:
            assert (response.status, await response.read() == data) == (200, True)
        text = BytesIO(b'["' + data + b'"]')
        async with session.post(client.url, data=text, headers=JSON) as response:
            assert (response.status, await response.read() == b'["' + data + b'"]') == (200, True)


async def test_a_body_over_the_limit_is_a_413(client: Client) -> None:
    async with echoing(client, body_bytes=1000) as ask:
        status, problem = await ask(b"x" * 1001)

    assert (status, problem["status"]) == (413, 413)


async def test_the_client_chooses_the_form(client: Client) -> None:
    await client.world.apply(api("a"), cel("a", '{"a": [1, null]}'))

    async with aiohttp.ClientSession(headers={"Accept": "application/msgpack"}) as session:
        async with session.get(client.url) as response:
            assert msgspec.msgpack.decode(await response.read()) == {"a": [1, None]}
        async with session.get(client.url, headers={"Accept": "image/png"}) as response:
            assert response.status == 406


# --- routes and webhooks ------------------------------------------------------------


ROUTES = [
    {"method": "GET", "path": "/users/:id", "port": "out[0]"},
    {"method": "PUT", "path": "/users/:id", "port": "out[1]"},
]


async def test_a_router_answers_for_what_it_has_no_route_for(client: Client) -> None:
    links = {"out[0]": "show", "out[1]": "show"}
    router = {"kind": "router", "name": "router", "routes": ROUTES, "links": links}
    await client.world.apply(api("router"), router, cel("show", "self.method + ' ' + self.params.id"))

    assert await client.ask(path="/users/7") == (200, "GET 7")
    assert await client.ask("PUT", "/users/a%2Fb/") == (200, "PUT a/b")
    assert await client.ask("HEAD", "/users/7") == (200, None)
    assert (await client.ask(path="/"))[0] == 404
    assert (await client.ask("POST", "/users/7"))[0] == 405
    async with aiohttp.ClientSession() as session, session.options(f"{client.url}/users/7") as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, PUT")


async def test_the_miss_of_a_router_may_be_dressed(client: Client) -> None:
    router = {"kind": "router", "name": "router", "routes": ROUTES, "links": {"miss": "dress"}}
    dress = cel("dress", '{"status": self.status, "body": "nothing here"}')

    assert await answer(client, api("router"), router, dress) == (404, "nothing here")


async def test_webhooks_of_a_listener_outlive_what_changes_around_them(client: Client) -> None:
    hook = {"kind": "http.webhook", "name": "hook", "listener": "api", "reply": "response"}
    hook |= {"path": "/hooks/:who", "durable": False, "links": {"out": "told"}}
    await client.world.apply(api("rest"), cel("rest", "'rest'"), hook, cel("told", "self.path"))

    assert await client.ask("POST", "/hooks/ada") == (200, "/hooks/ada")
    assert await client.ask("GET", "/hooks/ada") == (200, "rest")

    await client.world.apply({**hook, "path": "/moved"})
    assert await client.ask("POST", "/hooks/ada") == (200, "rest")
    assert await client.ask("POST", "/moved") == (200, "/moved")

    await client.world.apply(api("rest", compress=True))
    assert await client.ask("POST", "/moved") == (200, "/moved")

    await client.world.delete("hook")
    assert await client.ask("POST", "/moved") == (200, "rest")


async def test_a_listener_keeps_its_socket_while_the_graph_changes(client: Client) -> None:
    await client.world.apply(api("a"), cel("a", "1"))
    url = client.url

    for number in (2, 3):
        await client.world.apply(cel("a", str(number)))
        assert (await client.ask(), client.url) == ((200, number), url)


async def test_two_listeners_cannot_share_a_port(client: Client) -> None:
    await client.world.apply(api("a"), cel("a", "1"))
    port = int(client.url.rpartition(":")[2])
    await client.world.apply({**api("a"), "name": "second", "port": port})

    assert str(port) in client.world.report("second").reason
    assert await client.ask() == (200, 1)


async def test_a_durable_webhook_is_accepted_and_recorded(client: Client) -> None:
    hook = {"kind": "http.webhook", "name": "hook", "listener": "api", "path": "/hook", "key": "X-Id"}
    await client.world.apply(
        api("rest"), cel("rest", "1"), {**hook, "links": {"out": "told"}}, cel("told", "self.body")
    )

    for _ in range(2):
        assert await client.ask("POST", "/hook", json=[1], headers={"X-Id": "7"}) == (202, None)
    (row,) = await client.world.runtime.runs(RunQuery(flow="default/hook", limit=5))
    assert await asyncio.wait_for(client.world.runtime.result(row.fid), BOUND) == [1]


@pytest.mark.parametrize("durable", [True, False])
async def test_a_recorded_process_answers_as_one_that_is_not(client: Client, durable: bool) -> None:
    more = {"durable": durable, "links": {"error": "sorry"}}
    specs = [cel("a", "12 / self.body"), cel("sorry", '{"status": 422, "body": "sorry"}')]
    await client.world.apply(api("a", **more), *specs)

    assert await client.ask("POST", json=3) == (200, 4)
    assert await client.ask("POST", json=0) == (422, "sorry")


# --- the graph of the seed ----------------------------------------------------------


async def test_the_graph_of_the_system_namespace_answers() -> None:
    specs = yaml.safe_load(SYSTEM.read_text("utf-8"))
    assert specs[0] == {**specs[0], "kind": "listener", "protocol": "http", "port": 8000}

    async with world(namespace="system") as home, aiohttp.ClientSession() as session:
        # Another program may have port 8000 while tests run; nothing else is changed.
        await home.apply({**specs[0], "port": 0}, *specs[1:])
        client = Client(home, session, "listener")
        status, nodes = await client.ask(path="/v1/nodes")
        assert (status, isinstance(nodes, list)) == (200, True)
        assert (await client.ask("PUT", "/v1/nodes"))[0] == 405
        assert (await client.ask("GET", "/v2/nodes"))[0] == 404
        assert (await client.ask("POST", "/v1/nodes", data=b"{", headers=JSON))[0] == 400

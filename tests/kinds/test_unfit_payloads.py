"""Whatever arrives at a port: it is dealt with, or refused by a failure that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.engine.kind import FieldError
from penstock.kinds.branching import If, Merge, Nop, Switch
from penstock.kinds.debug import Inspect, Log
from penstock.kinds.errors import Throw
from penstock.kinds.files import FileRead, FileWrite
from penstock.kinds.http.request import HttpRequest
from penstock.kinds.shell.exec import ShellExec
from penstock.kinds.snippet import Snippet
from penstock.kinds.time import Delay
from penstock.kinds.transform import JsonParse, JsonStringify

from .conftest import Fire, make
from .http_server import serve

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.engine.kind import Node

PAYLOADS: dict[str, Any] = {
    "null": None,
    "true": True,
    "a number": 7,
    "a negative number": -1,
    "more than 64 bits": 10**400,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "nothing written": "",
    "text": "abc",
    "3 MB of text": "x" * 3_000_000,
    "text with NUL": "a\0b",
    "text with line breaks": "a\r\nb: c",
    "text that is no Unicode": "a\udc80b",
    "bytes": b"\xff\x00",
    "a list": [1, "a", None, {"b": b""}],
    "an empty list": [],
    "a long list": list(range(200_000)),
    "a mapping": {"a": 1, "": 2, "b": [None]},
    "an error": Error(code="c", message="m", details={"x": 1}),
}

CASES: list[tuple[type[Node], dict[str, Any], str]] = [
    (If, {}, "in"),
    (If, {"when": "self.a > 1"}, "in"),
    (Switch, {"match": [{"when": "self == 1", "port": "out[0]"}]}, "in"),
    (Merge, {}, "in[0]"),
    (Nop, {}, "in"),
    (Throw, {"message": "on purpose"}, "in"),
    (Delay, {}, "duration"),
    (Log, {}, "message"),
    (Inspect, {}, "in"),
    (JsonParse, {}, "json"),
    (JsonStringify, {"sort_keys": True, "indent": 2}, "value"),
    (FileRead, {}, "path"),
    (FileWrite, {"path": "written"}, "content"),
    (ShellExec, {"command": "cat"}, "stdin"),
    (ShellExec, {"command": "true"}, "args"),
    (ShellExec, {"command": "true"}, "environment"),
    (ShellExec, {}, "command"),
    (HttpRequest, {}, "url"),
    (HttpRequest, {"url": "http://127.0.0.1:1/"}, "method"),
    (HttpRequest, {"url": "http://127.0.0.1:1/"}, "headers"),
    (HttpRequest, {"url": "http://127.0.0.1:1/"}, "query"),
    (HttpRequest, {"url": "http://127.0.0.1:1/", "method": "POST"}, "body"),
    (Snippet, {"language": "cel", "code": "self"}, "in"),
    (Snippet, {"language": "javascript", "code": "args"}, "in"),
    (Snippet, {"language": "jinja", "code": "{{ input }}"}, "in"),
    (Snippet, {"language": "python", "code": "input"}, "in"),
]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize(
    ("kind", "config", "port"), CASES, ids=[f"{kind.kind}.{port}" for kind, _, port in CASES]
)
async def test_a_payload_is_used_or_refused_with_advice(
    fire: Fire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Node],
    config: dict[str, Any],
    port: str,
    payload: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    node = make(kind, **config)
    if port == "in[0]":
        assert node.run({port: payload}) == {"out": [payload]}
        return
    failure = None
    try:
        await fire(node, **{port: payload})
    except NodeError as error:
        failure = error
    if failure is not None:  # most payloads are fine
        assert failure.remedy or kind is Throw
        assert len(failure.message) < 500
        assert not failure.code[0].isupper()


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"url": "ftp://h/"}, "url"),
        ({"url": "//h/"}, "url"),
        ({"url": "http://h/", "method": "GET /x"}, "method"),
        ({"url": "http://h/", "proxy": "ada:hunter2@proxy"}, "proxy"),
    ],
)
def test_a_request_that_can_never_be_sent_is_refused_when_the_flow_is_compiled(
    config: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError) as caught:
        make(HttpRequest, **config)
    assert caught.value.field == field
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("name", ["Authorization", "X Key"])
async def test_a_header_that_cannot_be_sent_is_refused_without_its_value(fire: Fire, name: str) -> None:
    node = make(HttpRequest, url="http://127.0.0.1:1/")
    for value in ("Bearer hunter2\n", ["hunter2"], {"key": "hunter2"}, b"hunter2"):
        with pytest.raises(NodeError) as caught:
            await fire(node, headers={name: value})
        assert caught.value.code == "http.headers"
        assert name in caught.value.message
        assert "hunter" not in f"{caught.value} {caught.value.details}"


async def test_data_in_a_query_goes_as_json_and_bytes_as_they_are(fire: Fire) -> None:
    async with serve() as server:
        query = {"a": {"b": None}, "c": [True, 1.5, "é"], "d": b"\xff", "e": None}
        await fire(make(HttpRequest), url=f"{server.url}/json", query=query)
        asked = server.requests[0][1]
    assert parse_qsl(asked.partition("?")[2], encoding="latin-1") == [
        ("a", '{"b":null}'),
        ("c", "true"),
        ("c", "1.5"),
        ("c", "Ã©"),
        ("d", "ÿ"),
    ]


@pytest.mark.parametrize("path", ["/echo", "/redirect?code=307&to=/echo"])
async def test_a_body_of_many_megabytes_arrives_whole_and_with_its_length(fire: Fire, path: str) -> None:
    async with serve(max_body_bytes=8 << 20) as server:
        node = make(HttpRequest, method="PUT", body=b"x" * (4 << 20), idempotency_key=False)
        await fire(node, url=f"{server.url}{path}")
        for _, _, headers, body in server.requests:
            assert headers["content-length"] == str(4 << 20) == str(len(body))
        assert len(server.requests) == (2 if "?" in path else 1)


async def test_a_body_that_its_charset_cannot_say_is_refused(fire: Fire) -> None:
    node = make(
        HttpRequest, url="http://127.0.0.1:1/", headers={"Content-Type": "text/plain; charset=latin-1"}
    )
    with pytest.raises(NodeError, match="iso8859-1 has no '€'") as caught:
        await fire(node, body="5 €")
    assert caught.value.code == "http.encode"


async def test_data_among_the_words_of_a_program_goes_as_json(fire: Fire) -> None:
    node = make(ShellExec, command=["printf", "%s|"])
    sent = await fire(node, args=["a b", 1, 2.5, True, {"k": [None]}, "a\udcffb"])
    assert sent["stdout"] == 'a b|1|2.5|true|{"k":[null]}|a\ufffdb|'


@pytest.mark.parametrize("size", [1, 10_000, 3_000_000])
def test_text_of_any_length_goes_through_javascript(size: int) -> None:
    """The engine keeps long text that was added up as a rope, which its binding cannot read."""
    code = "({ text: args + args, list: [args + 'x'] })"
    assert make(Snippet, language="javascript", code=code).run({"in": "é" * size}) == {
        "out": {"text": "é" * size * 2, "list": ["é" * size + "x"]}
    }

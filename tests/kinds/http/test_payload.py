"""Requests as payloads, and what is refused before a graph is asked."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import RequestRefused
from penstock.kinds.http.payload import decode_body, payload_of
from penstock.server.messages import Peer, Request, Section

PEER = Peer("127.0.0.1", 4242)


def seen(target: str = "/", *headers: tuple[str, str], body: bytes = b"", method: str = "GET") -> Any:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return payload_of(Request(method, target.encode(), Section(pairs), body, "1.1", PEER), body)


def refused(data: bytes, content_type: str) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as caught:
        decode_body(data, content_type)
    return caught.value.status, caught.value.message


def test_a_request_is_a_mapping() -> None:
    assert seen("/v1/nodes?a=1", ("Host", "localhost:8000"), ("X-Id", "7")) == {
        "method": "GET",
        "scheme": "http",
        "host": "localhost:8000",
        "path": "/v1/nodes",
        "params": {},
        "query": {"a": "1"},
        "headers": {"host": "localhost:8000", "x-id": "7"},
        "protocol": "HTTP/1.1",
        "client": "127.0.0.1",
    }


def test_the_protocol_names_its_version() -> None:
    request = Request("GET", b"/", version="1.0")

    assert payload_of(request, b"")["protocol"] == "HTTP/1.0"


def test_the_path_stays_as_it_was_sent() -> None:
    assert seen("/a%2Fb/caf%C3%A9?x")["path"] == "/a%2Fb/caf%C3%A9"


def test_a_header_that_is_repeated_has_a_list() -> None:
    assert seen("/", ("X-Tag", "a"), ("x-tag", "b"), ("Host", "h"))["headers"] == {
        "x-tag": ["a", "b"],
        "host": "h",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        ("a=b=c", {"a": "b=c"}),
        ("&&a=1&", {"a": "1"}),
        ("a+b=c+d", {"a b": "c d"}),
        ("caf%C3%A9=%26%3D", {"café": "&="}),
        ("=1", {"": "1"}),
        ("rate=100%", {"rate": "100%"}),
    ],
)
def test_a_query_is_a_mapping(query: str, found: dict[str, Any]) -> None:
    assert seen(f"/?{query}")["query"] == found


def test_a_query_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RequestRefused, match="the query is not UTF-8") as caught:
        seen("/?a=%ff")
    assert caught.value.status == 400


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=5))
def test_a_query_reads_as_it_was_written(fields: dict[str, list[str]]) -> None:
    from urllib.parse import urlencode

    expected = {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
    assert seen(f"/?{urlencode(fields, doseq=True)}")["query"] == expected


def test_a_request_without_a_body_has_no_field_for_it() -> None:
    assert "body" not in seen("/", ("Content-Type", "application/json"), method="POST")


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), ("[null, 1]", [None, 1]), ('{"a": 1}', {"a": 1}), ('"é"', "é"), ("1e2", 100.0)],
)
@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/a+json"]
)
def test_json_becomes_data(kind: str, text: str, value: Any) -> None:
    payload = seen("/", ("Content-Type", kind), body=text.encode(), method="POST")

    assert payload["body"] == value
    assert "body" in payload


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{oops", "the body is not JSON: line 1, column 2"),
        (b'{"a": 1}\n}', "line 2, column 1"),
        (b'"\xff"', "not UTF-8"),
        (b'"\\ud800"', "the body is not JSON"),
        (b"NaN", "the body is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_malformed_json_is_refused_with_its_place(data: bytes, said: str) -> None:
    status, message = refused(data, "application/json")

    assert status == 400
    assert said in message


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 400 + b"]" * 400,
        b'{"a":' * 400 + b"0" + b"}" * 400,
        b'{"a":[' * 200 + b"]}" * 200,
        b"[" + b"[{}]," * 5_000 + b"0]",
        b'["' + b"[{" * 5_000 + b'"]',
    ],
)
def test_json_may_be_wide_and_400_deep(data: bytes) -> None:
    assert decode_body(data, "application/json") == json.loads(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[0,{"a":1,"b":'])
def test_json_that_is_a_level_deeper_is_refused(opening: bytes) -> None:
    closing = opening.translate(bytes.maketrans(b"[{", b"]}"), b'"ab:01,')[::-1]
    levels = 402 // len(closing) if len(closing) > 1 else 401
    status, message = refused(opening * levels + b"0" + closing * levels, "application/json")
    assert status == 400
    assert "nested too deeply: at most 400" in message


def test_a_form_becomes_a_mapping() -> None:
    kind = "application/x-www-form-urlencoded"

    assert decode_body(b"name=Ada+L&tag=a&tag=%C3%A9", kind) == {"name": "Ada L", "tag": ["a", "é"]}
    assert refused(b"name=%ff", kind) == (400, "the form is not UTF-8")
    assert refused(b"name=\xff", kind) == (400, "the form is not utf-8: look at byte 5")


def test_text_is_read_by_its_charset() -> None:
    assert decode_body("é".encode(), "text/plain") == "é"
    assert decode_body(b"\xe9", "text/plain; charset=iso-8859-1") == "é"
    assert decode_body("é".encode("utf-16"), 'text/csv; header=present; charset="UTF-16"') == "é"


def test_text_that_is_not_in_its_charset_is_refused() -> None:
    assert refused(b"abc\xff", "text/plain") == (400, "the body is not utf-8: look at byte 3")


@pytest.mark.parametrize(
    "name", ["klingon", "zip", "rot13", "punycode", "idna", "unicode_escape", "a\0b"]
)
def test_a_charset_that_is_none_is_refused(name: str) -> None:
    assert refused(b"abc", f"text/plain; charset={name}")[0] == 415


@pytest.mark.parametrize(
    "kind", ["", "application/octet-stream", "image/png", "application/xml", "nonsense"]
)
def test_anything_else_stays_bytes(kind: str) -> None:
    assert decode_body(b'{"a": 1}', kind) == b'{"a": 1}'


def part(content: bytes, disposition: str = 'form-data; name="a"', *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"Content-Disposition: {disposition}", *headers))
    return b"--xYz\r\n" + head.encode() + b"\r\n" + content + b"\r\n"


MULTIPART = 'multipart/form-data; boundary="xYz"'


def test_a_form_with_files_becomes_a_mapping() -> None:
    data = (
        part("é".encode())
        + part(
            b"\x00\r\n--xY",
            'form-data; name="file"; filename="a %22b%22.png"',
            "Content-Type: image/png",
        )
        + part(b"", 'form-data; name="file"; filename="empty"')
        + part(b"{}", 'form-data; name="meta"', "Content-Type: application/json")
        + part(b"\xe9", 'form-data; name="old"', "Content-Type: text/plain; charset=latin-1")
        + b"--xYz--\r\n"
    )

    assert decode_body(data, MULTIPART) == {
        "a": "é",
        "file": [
            {"filename": 'a "b".png', "content_type": "image/png", "data": b"\x00\r\n--xY"},
            {"filename": "empty", "content_type": "application/octet-stream", "data": b""},
        ],
        "meta": {"filename": "", "content_type": "application/json", "data": b"{}"},
        "old": "é",
    }


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"no boundary at all in here", 400),
        (part(b"cut"), 400),
        (b"--xYz\r\n\r\nno name\r\n--xYz--\r\n", 400),
        (part(b"\xff") + b"--xYz--", 400),
        (part(b"x", 'form-data; name="' + "n" * 9000 + '"') + b"--xYz--", 413),
        (part(b"") * 1001 + b"--xYz--", 413),
    ],
)
def test_a_form_with_files_that_is_broken_is_refused(data: bytes, status: int) -> None:
    assert refused(data, MULTIPART)[0] == status


@pytest.mark.parametrize("kind", ["multipart/form-data", 'multipart/form-data; boundary=""'])
def test_a_form_without_a_boundary_is_refused(kind: str) -> None:
    assert refused(part(b"") + b"--xYz--", kind)[0] == 400


@given(
    st.binary(max_size=60), st.sampled_from(["application/json", MULTIPART, "text/plain; charset=utf-7"])
)
def test_whatever_comes_is_read_or_refused(data: bytes, kind: str) -> None:
    for body in (data, b"--xYz\r\n" + data, part(data) + data):
        with contextlib.suppress(RequestRefused):
            decode_body(body, kind)


def test_a_long_refusal_does_not_repeat_the_body() -> None:
    assert len(refused(b"[" + gzip.compress(b"x") * 1000, "application/json")[1]) < 300

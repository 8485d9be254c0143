"""The reply rule: what a graph answers, as the response that a client gets."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import NodeError, RequestRefused, Thrown
from penstock.core.payload import Error, to_json
from penstock.kinds.http.reply import respond

PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def said(payload: Any, accept: str = "") -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of the response."""
    response = respond(payload, accept)
    return response.status, dict(response.headers), response.body


def mistake(payload: Any) -> str:
    with pytest.raises(NodeError) as caught:
        respond(payload, "")
    assert caught.value.code == "http.reply"
    assert caught.value.remedy
    return caught.value.message


def test_nothing_is_204() -> None:
    assert said(None) == (204, {}, b"")


@pytest.mark.parametrize(
    ("payload", "kind", "body"),
    [
        ({"a": 1}, "application/json", b'{"a":1}'),
        ({}, "application/json", b"{}"),
        ([None, 1], "application/json", b"[null,1]"),
        (False, "application/json", b"false"),
        (0, "application/json", b"0"),
        ("é", "text/plain; charset=utf-8", "é".encode()),
        ("", "text/plain; charset=utf-8", b""),
        (b"\x00\xff", "application/octet-stream", b"\x00\xff"),
        ({"body": 1, "extra": 2}, "application/json", b'{"body":1,"extra":2}'),
        ({"STATUS": 201}, "application/json", b'{"STATUS":201}'),
        ([{"status": 201}], "application/json", b'[{"status":201}]'),
    ],
)
def test_any_other_payload_is_the_body(payload: Any, kind: str, body: bytes) -> None:
    assert said(payload) == (200, {"content-type": kind, "vary": "accept"}, body)


@given(PAYLOADS)
def test_data_is_answered_as_its_json(payload: Any) -> None:
    status, _, body = said({"body": {"data": payload}})

    assert status == 200
    assert body == to_json({"data": payload})


@pytest.mark.parametrize(
    ("payload", "status", "body"),
    [
        ({"status": 201}, 201, b""),
        ({"status": 404, "body": "no"}, 404, b"no"),
        ({"body": {"a": 1}}, 200, b'{"a":1}'),
        ({"body": None}, 204, b""),
        ({"headers": {}}, 204, b""),
        ({"status": None, "body": 1}, 200, b"1"),
        ({"status": 204, "body": "dropped"}, 204, b""),
        ({"status": 304, "body": "dropped"}, 304, b""),
        ({"status": 200, "headers": None, "header": None, "body": b"x"}, 200, b"x"),
    ],
)
def test_a_mapping_of_the_four_keys_is_a_response(payload: Any, status: int, body: bytes) -> None:
    found = said(payload)

    assert (found[0], found[2]) == (status, body)


@pytest.mark.parametrize("field", ["header", "headers"])
def test_headers_go_along(field: str) -> None:
    response = respond({field: {"X-Many": ["a", "b"], "Retry-After": 30, "Age": 1.5}, "body": "x"}, "")

    assert list(response.headers) == [
        ("x-many", "a"),
        ("x-many", "b"),
        ("retry-after", "30"),
        ("age", "1.5"),
        ("content-type", "text/plain; charset=utf-8"),
        ("vary", "accept"),
    ]


def test_both_names_of_the_headers_count() -> None:
    assert said({"header": {"a": "1"}, "headers": {"b": "2"}})[1] == {"a": "1", "b": "2"}


def test_headers_about_another_connection_are_dropped() -> None:
    assert said({"headers": {"Transfer-Encoding": "chunked", "Keep-Alive": "5", "X-A": "b"}})[1] == {
        "x-a": "b"
    }


@pytest.mark.parametrize(
    ("kind", "payload", "complete", "body"),
    [
        ("text/html", "<é>", "text/html; charset=utf-8", "<é>".encode()),
        ("text/html; charset=latin-1", "é", None, b"\xe9"),
        ("application/json", '{"a": 1}', None, b'{"a": 1}'),
        ("application/json", {"a": 1}, None, b'{"a":1}'),
        ("application/problem+json", [1], None, b"[1]"),
        ("application/x-msgpack", {"a": 1}, None, b"\x81\xa1a\x01"),
        ("application/x-www-form-urlencoded", {"a": ["1", "é"]}, None, b"a=1&a=%C3%A9"),
        ("image/png", b"\x89", None, b"\x89"),
        ("image/svg+xml", "<svg/>", None, b"<svg/>"),
    ],
)
def test_a_content_type_of_the_graph_decides(
    kind: str, payload: Any, complete: str | None, body: bytes
) -> None:
    answer = {"headers": {"Content-Type": kind}, "body": payload}

    assert said(answer, "text/css") == (200, {"content-type": complete or kind}, body)


@pytest.mark.parametrize(
    ("payload", "accept", "kind"),
    [
        ({"a": 1}, "application/msgpack", "application/msgpack"),
        ({"a": 1}, "text/html, */*;q=0.1", "application/json"),
        ("a", "application/json", "application/json"),
        ("a", "text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; charset=utf-8"),
        ("a", "application/json, text/plain, */*", "text/plain; charset=utf-8"),
        (b"a", "application/json", "application/json"),
        (b"a", "application/*", "application/octet-stream"),
    ],
)
def test_the_client_chooses_the_form(payload: Any, accept: str, kind: str) -> None:
    status, headers, body = said(payload, accept)

    assert (status, headers["content-type"]) == (200, kind)
    if kind == "application/msgpack":
        assert msgspec.msgpack.decode(body) == payload


def test_a_text_in_another_form_is_a_text_there() -> None:
    assert said("a", "application/json")[2] == b'"a"'


@pytest.mark.parametrize("payload", [{"a": 1}, [1], 7, {"status": 201, "body": [1]}])
def test_nothing_that_the_client_accepts_is_406(payload: Any) -> None:
    with pytest.raises(RequestRefused, match="application/json, application/msgpack") as caught:
        respond(payload, "text/html")
    assert caught.value.status == 406


def test_a_failure_is_told_whatever_the_client_accepts() -> None:
    assert said({"status": 404, "body": {"a": 1}}, "text/html")[2] == b'{"a":1}'


def test_an_answer_without_a_body_is_accepted_by_all() -> None:
    assert said(None, "text/html")[0] == said({"status": 204}, "text/html")[0] == 204


def test_an_error_is_raised_again() -> None:
    with pytest.raises(Thrown, match="secret") as caught:
        respond(Error(code="boom", message="secret"), "")
    assert caught.value.code == "boom"


def test_an_error_within_an_answer_shows_its_code_alone() -> None:
    error = Error(code="boom", message="secret", node="a/b", details={"password": 1}, remedy="secret")

    assert said([1, error])[2] == b'[1,{"code":"boom"}]'
    assert said({"status": 400, "body": error})[2] == b'{"code":"boom"}'
    assert b"secret" not in said([error], "application/msgpack")[2]


@pytest.mark.parametrize("status", [0, 99, 101, 199, 600, 1000, -1, True, 200.0, "200", [200], {}])
def test_a_status_that_is_none_is_a_mistake(status: Any) -> None:
    assert "the status" in mistake({"status": status})


@pytest.mark.parametrize("field", ["header", "headers"])
@pytest.mark.parametrize("headers", ["a: b", [["a", "b"]], 3])
def test_headers_that_are_no_mapping_are_a_mistake(field: str, headers: Any) -> None:
    assert f"`{field}` is" in mistake({field: headers, "body": 1})


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\0", "a\x7f", "日本"])
def test_a_header_cannot_be_smuggled_in(value: str) -> None:
    message = mistake({"headers": {"x-a": value}, "body": 1})

    assert "the header `x-a` has a line break or another character" in message
    assert value not in message


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é"])
def test_a_name_that_no_header_has_is_a_mistake(name: str) -> None:
    assert "is no name of a header" in mistake({"headers": {name: "x"}, "body": 1})


@pytest.mark.parametrize("value", [None, True, {}, [["a"]], b"a", [None]])
def test_a_header_that_is_not_text_is_a_mistake(value: Any) -> None:
    assert "the header `x-a` is" in mistake({"headers": {"x-a": value}, "body": 1})


@pytest.mark.parametrize(
    ("kind", "body", "said_of_it"),
    [
        ("image/png", {"a": 1}, "has no form as `image/png`"),
        ("text/plain; charset=klingon", "a", "names no charset"),
        ("text/plain; charset=ascii", "é", "'é', which ascii has not"),
        ("application/msgpack", 2**70, "has no form as application/msgpack"),
    ],
)
def test_a_body_that_does_not_fit_its_type_is_a_mistake(kind: str, body: Any, said_of_it: str) -> None:
    assert said_of_it in mistake({"headers": {"content-type": kind}, "body": body})


def test_an_answer_that_is_nested_too_deeply_is_a_mistake() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested too deeply" in mistake(deep)


def test_text_that_is_no_unicode_is_answered_with_a_mark_in_its_place() -> None:
    assert said("a\ud800")[2].decode().rstrip("\ufffd") == "a"
    assert msgspec.json.decode(said(["a\ud800"])[2])[0].rstrip("\ufffd") == "a"


def test_a_large_number_keeps_its_digits_in_json() -> None:
    assert said([2**70])[2] == b"[1180591620717411303424]"

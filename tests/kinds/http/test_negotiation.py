"""What a client would like, and what it gets of that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.kinds.http.negotiation import preferred

OFFERS = ("application/json", "application/msgpack", "text/plain")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/msgpack", "application/msgpack"),
        ("Application/MsgPack", "application/msgpack"),
        ("text/*", "text/plain"),
        ("application/*", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("application/json;q=0.5, text/plain", "text/plain"),
        ("application/json;q=0.5, text/plain ; q=0.4", "application/json"),
        ("text/plain, application/json", "application/json"),
        ("application/json;q=0, */*;q=0.1", "application/msgpack"),
        ("application/*;q=0, */*", "text/plain"),
        ("text/plain;charset=utf-8", "text/plain"),
        ("text/plain;q=nonsense, application/msgpack", "application/msgpack"),
        ("text/plain;q=2, application/msgpack", "application/msgpack"),
        ("nonsense, */plain, /", "application/json"),
        ("text/html", None),
        ("*/*;q=0", None),
        ("application/json;q=0.000", None),
        ("text/html;q=1." + ", text/css" * 100, None),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str, chosen: str | None) -> None:
    assert preferred(accept, OFFERS) == chosen


@given(st.text(alphabet="ajtxe/*;,q=.01 ", max_size=300))
def test_any_header_is_read(accept: str) -> None:
    assert preferred(accept, OFFERS) in {*OFFERS, None}

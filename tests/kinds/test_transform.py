from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import NodeError
from penstock.kinds.transform import JsonParse, JsonStringify

from .conftest import Fire, make

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


async def test_json_text_and_json_bytes_parse_alike(fire: Fire) -> None:
    node = make(JsonParse)
    assert await fire(node, json='{"a": [1, 2.5, null]}') == {"parsed": {"a": [1, 2.5, None]}}
    assert await fire(node, json=b'\xef\xbb\xbf{"a": "\xc3\xa9"}') == {"parsed": {"a": "é"}}


async def test_a_long_integer_keeps_all_its_digits(fire: Fire) -> None:
    outputs = await fire(make(JsonParse), json="123456789012345678901234567890")
    assert outputs["parsed"] == 123456789012345678901234567890


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ('{"a": 1,\n "b": }', 2, 7, "expecting value"),
        ("", 1, 1, "expecting value"),
        ("<html>", 1, 1, "expecting value"),
        ('{"a": 1} tail', 1, 10, "extra data"),
        ("[NaN]", 1, 1, "JSON has no NaN"),
        (b'{"a": "\xff"}', 1, 8, "this byte is not UTF-8"),
        ("[" * 100_000, 1, 1, "the values are nested too deeply"),
    ],
)
async def test_broken_json_is_told_with_its_place(
    fire: Fire, text: Any, line: int, column: int, reason: str
) -> None:
    with pytest.raises(NodeError, match=reason) as caught:
        await fire(make(JsonParse), json=text)
    assert caught.value.code == "json.invalid"
    assert (caught.value.details["line"], caught.value.details["column"]) == (line, column)


async def test_data_that_is_parsed_already_is_refused_with_a_remedy(fire: Fire) -> None:
    with pytest.raises(
        NodeError, match="expected JSON text, but a value of type `dict` arrived"
    ) as caught:
        await fire(make(JsonParse), json={"a": 1})
    assert "needs no parsing" in caught.value.remedy


@given(JSON)
def test_what_is_stringified_parses_to_the_same(value: Any) -> None:
    text = make(JsonStringify).run({"value": value})["json"]
    assert make(JsonParse).run({"json": text})["parsed"] == value


@given(st.one_of(st.text(), st.binary()))
def test_no_text_raises_anything_but_a_node_error(text: Any) -> None:
    try:
        found = make(JsonParse).run({"json": text})["parsed"]
    except NodeError:
        return
    assert found == json.loads(text)


async def test_indent_and_sorted_keys_shape_the_text(fire: Fire) -> None:
    value = {"b": 1, "a": [True]}
    assert (await fire(make(JsonStringify), value=value))["json"] == '{"b":1,"a":[true]}'
    assert (await fire(make(JsonStringify, sort_keys=True), value=value))["json"] == '{"a":[true],"b":1}'
    pretty = (await fire(make(JsonStringify, sort_keys=True, indent=2), value=value))["json"]
    assert pretty == json.dumps(value, indent=2, sort_keys=True)


def test_an_indent_that_no_editor_has_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 16"):
        make(JsonStringify, indent=-1)

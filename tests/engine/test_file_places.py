"""Where files are among values, by their schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.file_places import file_places, replaced

FILE = {"type": "string", "format": "file"}
NESTED = {"type": "object", "properties": {"scan": FILE, "note": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "value", "places"),
    [
        ({"properties": {"a": FILE}}, {"a": "x", "b": "y"}, [("a",)]),
        ({"properties": {"a": FILE}}, {"a": None}, []),
        ({"properties": {"a": FILE}}, {"a": 7}, [("a",)]),
        ({"properties": {"a": {**FILE, "default": "run:in/a"}}}, {"a": "run:in/a"}, []),
        ({"properties": {"a": {**FILE, "default": "run:in/a"}}}, {"a": "/etc/passwd"}, [("a",)]),
        ({"properties": {"a": {"items": FILE}}}, {"a": ["x", "y"]}, [("a", 0), ("a", 1)]),
        ({"properties": {"a": {"anyOf": [FILE, {"type": "null"}]}}}, {"a": "x"}, [("a",)]),
        ({"properties": {"a": {"anyOf": [FILE, NESTED]}}}, {"a": {"scan": "x"}}, [("a", "scan")]),
        ({"properties": {"a": {"oneOf": [{"type": "string"}, FILE]}}}, {"a": "x"}, [("a",)]),
        ({"properties": {"a": NESTED}}, {"a": {"scan": "x", "note": "y"}}, [("a", "scan")]),
        ({"items": {"$ref": "#/$defs/n"}, "$defs": {"n": NESTED}}, [{"scan": "x"}], [(0, "scan")]),
        ({"allOf": [{"properties": {"a": FILE}}]}, {"a": "x"}, [("a",)]),
        ({"then": {"properties": {"a": FILE}}}, {"a": "x"}, [("a",)]),
        ({"additionalProperties": FILE}, {"a": "x"}, [("a",)]),
        ({"patternProperties": {"^a": FILE}}, {"a": "x"}, [("a",)]),
        ({"prefixItems": [FILE, {"type": "string"}], "items": FILE}, ["x", "y", "z"], [(0,), (2,)]),
        (FILE, "x", [()]),
        ({"$ref": "#"}, {"a": "x"}, []),
        ({"properties": {"a": True, "b": {"$ref": "#/nowhere"}}}, {"a": "x", "b": "y"}, []),
    ],
)  # fmt: skip
def test_files_are_found_wherever_a_schema_may_have_them(
    schema: dict[str, Any], value: Any, places: list[tuple[str | int, ...]]
) -> None:
    assert file_places(schema, value) == places


def test_a_schema_that_refers_to_itself_is_followed_as_deep_as_it_makes_sense() -> None:
    schema = {"properties": {"file": FILE, "more": {"$ref": "#"}}}
    value: dict[str, Any] = {"file": "x"}
    for _ in range(500):
        value = {"file": "x", "more": value}
    places = file_places(schema, value)
    assert places[0] == ("file",)
    assert len(places) == 501
    for _ in range(5000):
        value = {"file": "x", "more": value}
    assert len(file_places(schema, value)) == 1000, "no value that came as JSON is so deep"


VALUES = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)


@given(VALUES, st.data())
def test_nothing_but_the_place_is_another_one_afterwards(value: Any, data: st.DataObject) -> None:
    place: tuple[Any, ...] = ()
    inner = value
    while isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
        step = data.draw(
            st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner)))
        )
        place, inner = (*place, step), inner[step]
    changed = replaced(value, place, "new")
    assert replaced(changed, place, inner) == value
    for step in place:
        changed = changed[step]
    assert changed == "new"

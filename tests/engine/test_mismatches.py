"""Config of the wrong type: what was found, what is allowed, and where, in the words of documents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.flows import scheme_with

from penstock import Action, Inputs, Outputs
from penstock.core.errors import DocumentError
from penstock.engine.loading import Loader
from penstock.engine.mismatch import Mismatch, explain


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Case(msgspec.Struct, forbid_unknown_fields=True):
    when: str
    count: int = 0


class Paint(Action, kind="test.paint", pure=True):
    colour: Colour = Colour.RED
    cases: list[Case] | None = None
    number: int = 0

    def run(self, inputs: Inputs) -> Outputs:
        return None


def mismatch(value: Any, hint: Any) -> Mismatch:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, hint)
    return explain(caught.value, value, hint, mask=lambda found: found)


def told(fields: str, **more: Any) -> str:
    text = f"flow: f\nnodes:\n  - {{kind: test.paint, name: a, {fields}}}\n"
    with pytest.raises(DocumentError) as caught:
        Loader(scheme_with(Paint), **more).read(text, file="f.yaml")
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        ("x", int, "expected a whole number, found the text `x`"),
        ("x", int | float | None, "expected a number, found the text `x`"),
        (True, str, "expected text, found `true`"),
        (5, list[int] | str, "expected text or a list, found the number `5`"),
        (None, bool, "expected `true` or `false`, found nothing"),
        ([], Case, "expected a mapping, found an empty list"),
        (10, Annotated[int, msgspec.Meta(le=9)],
         "expected a whole number of at most 9, found the number `10`"),
        (0.0, Annotated[float, msgspec.Meta(gt=0)],
         "expected a number of more than 0.0, found the number `0.0`"),
        ([], Annotated[list[int], msgspec.Meta(min_length=1)],
         "expected a list of length at least 1, found an empty list"),
        ([1], tuple[int, int], "expected a list of length 2, found one of length 1"),
        ({"a": 1}, dict[int, int], "expected a whole number as a key, found text"),
        ({"a": {"b": "x"}}, dict[str, dict[str, int]], "expected a whole number, found text"),
        ("x", UUID, "found the text `x`, which is no UUID"),
    ],
)  # fmt: skip
def test_a_type_is_told_as_documents_say_it(value: Any, hint: Any, message: str) -> None:
    assert mismatch(value, hint) == Mismatch((), message)


@pytest.mark.parametrize("hint", [Colour, Literal["red", "blue"], Colour | None])
def test_all_that_is_allowed_is_named_and_what_is_nearest(hint: Any) -> None:
    found = mismatch("bleu", hint)
    assert found.message == "expected one of `blue`, `red`; found the text `bleu`"
    assert found.hint == "did you mean `blue`?"
    assert mismatch("xyz", hint).hint == ""


@pytest.mark.parametrize(
    ("value", "hint", "path"),
    [
        ([{"when": "x", "count": "x"}], list[Case], (0, "count")),
        ({"when": "x", "count": "x"}, Case | list[Case], ("count",)),
        ([[1], [1, "x"]], list[list[int]], (1, 1)),
        ([1, ["red", "x"]], tuple[int, list[Colour]], (1, 1)),
        ({"a": [1, "x"]}, dict[str, list[int]], ()),
    ],
)
def test_the_place_goes_as_deep_as_it_is_known(value: Any, hint: Any, path: Any) -> None:
    assert mismatch(value, hint).path == path


def test_the_options_below_a_list_are_named_too() -> None:
    found = mismatch([1, ["red", "bleu"]], tuple[int, list[Colour]])
    assert found == Mismatch(
        (1, 1), "expected one of `blue`, `red`; found the text `bleu`", "did you mean `blue`?"
    )


def test_a_field_that_is_unknown_is_pointed_at_and_the_nearest_named() -> None:
    first, _, caret, hint = told("cases: [{when: x}, {when: x, cuont: 1}]").splitlines()
    assert first.endswith("nodes[0].cases[1].cuont: unknown field `cuont`")
    assert caret.index("^") == len(
        "    3 |   - {kind: test.paint, name: a, cases: [{when: x}, {when: x, "
    )
    assert hint == "  did you mean `count`?"


def test_a_field_that_is_missing_is_told_with_the_way_to_give_it() -> None:
    text = told("cases: [{count: 1}]")
    assert "nodes[0].cases[0]: `when` is missing" in text
    assert "add `when: …`" in text


def test_a_wrong_choice_is_told_with_its_place() -> None:
    text = told("colour: rde")
    assert "f.yaml:3:41: nodes[0].colour: expected one of `blue`, `red`; found the text `rde`" in text
    assert "did you mean `red`?" in text


@pytest.mark.parametrize("field", ["number", "colour"])
def test_no_part_of_a_secret_is_shown_however_long_it_is(field: str) -> None:
    secret = "s3cret" * 30
    env = "env: {KEY: {name: api, data: '{{ key }}'}}"
    text = told(f"{field}: '{{{{ KEY }}}}', {env}", values={"api": {"key": secret}})
    assert "found the text `•••`" in text
    assert "s3cret" not in text


def test_a_secret_that_is_the_name_of_a_field_hides_no_field() -> None:
    env = "env: {KEY: {name: api, data: '{{ key }}'}}"
    fields = f"cases: [{{when: '{{{{ KEY }}}}', count: x}}], {env}"
    text = told(fields, values={"api": {"key": "count"}})
    assert "cases[0].count" in text
    assert "found the text `x`" in text


KEYS = st.sampled_from(["when", "count", "x - at `$.a", "a.b", "[...]"]) | st.text()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["red", "x - at `$.a`", " - at `$[0]`", "got `int`"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)
HINTS = st.sampled_from([int, Colour, Case, list[Case], dict[str, list[Colour]], tuple[int, Case] | str])


@given(VALUES, HINTS)
def test_whatever_does_not_fit_is_explained(value: Any, hint: Any) -> None:
    refused: msgspec.ValidationError | None = None
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        refused = error
    if refused is not None:
        found = explain(refused, value, hint, mask=lambda shown: shown)
        assert found.message
        assert "Expected `" not in found.message

"""`test` and `assert`, and the differences that they tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.kinds.testing.assertion import Assert
from penstock.kinds.testing.difference import differences
from penstock.kinds.testing.mock import Mock
from penstock.kinds.testing.trial import Trial

from .conftest import Calls, RunFlow, make

payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (1, 2, ["the answer: expected 1, found 2"]),
        ("1", 1, ['the answer: expected "1", found 1']),
        (True, 1, ["the answer: expected true, found 1"]),
        (0, False, ["the answer: expected 0, found false"]),
        (None, [], ["the answer: expected null, found []"]),
        (b"x", "x", ['the answer: expected "eA==", found "x"']),
        ({"a": 1}, [1], ['the answer: expected {"a":1}, found [1]']),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["`a.b`: expected 1, found 2"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["`b`: expected 2, and it is missing"]),
        ({"a": 1}, {"a": 1, "b": None}, ["`b`: not expected, found null"]),
        ([1, 2], [1], ["the answer: expected 2 items, found 1 item"]),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 1}, 3]}, ["`a[1]`: expected 2, found 3"]),
        ("x" * 200, "", [f'the answer: expected "{"x" * 98}…, found ""']),
    ],
)
def test_a_difference_says_where_it_is_and_what_was_found(
    expected: Any, found: Any, told: list[str]
) -> None:
    assert differences(expected, found) == told


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 1.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"code": "late", "message": "too late"}, Error(code="late", message="too late")),
    ],
)
def test_what_means_the_same_is_equal(expected: Any, found: Any) -> None:
    assert differences(expected, found) == []


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, []),
        ([{"a": 1}], [{"a": 1, "b": 2}], []),
        ({}, {"a": 1}, []),
        ({"a": 1}, {"b": 1}, ["`a`: expected 1, and it is missing"]),
        ([1], [1, 2], ["the answer: expected 1 item, found 2 items"]),
    ],
)
def test_a_part_may_leave_keys_of_mappings_out(part: Any, whole: Any, told: list[str]) -> None:
    assert differences(part, whole, partial=True) == told


@given(payloads)
def test_a_payload_does_not_differ_from_itself(payload: Any) -> None:
    assert differences(payload, payload) == differences(payload, payload, partial=True) == []


@given(payloads, payloads)
def test_payloads_are_told_apart_from_either_side(one: Any, other: Any) -> None:
    assert bool(differences(one, other)) == bool(differences(other, one))


# --- assert -----------------------------------------------------------------------


def verify(payload: Any, **config: Any) -> Any:
    return make(Assert, **config).run({"in": payload})


@pytest.mark.parametrize(
    ("payload", "config"),
    [
        (42, {"expect": 42}),
        (None, {"expect": None}),
        ({"a": 1, "b": 2}, {"include": {"a": 1}}),
        (42, {"that": "self > 40"}),
        (42, {"that": ["self > 40", "self < 50"], "expect": 42}),
    ],
)
def test_what_is_as_expected_passes(payload: Any, config: dict[str, Any]) -> None:
    assert verify(payload, **config) == {"out": payload}


def test_what_is_not_as_expected_fails_with_every_difference() -> None:
    with pytest.raises(NodeError) as caught:
        verify(
            {"total": 12, "items": []},
            expect={"total": 13, "items": []},
            include={"items": [1]},
            that=["self.total > 20", "self.name == ''", "self.total == 12"],
        )
    assert caught.value.code == "assertion"
    assert caught.value.message.splitlines() == [
        "the answer is not what was expected",
        "  `total`: expected 13, found 12",
        "  `items`: expected 1 item, found 0 items",
        '  `self.total > 20` does not hold: self is {"total":12,"items":[]}',
        "  `self.name == ''`: there is no field `name`",
    ]
    assert caught.value.details["found"] == {"total": 12, "items": []}
    assert len(caught.value.details["differences"]) == 4


def test_a_message_of_ones_own_comes_first() -> None:
    with pytest.raises(NodeError, match=r"^an order needs items\n  `self` does not hold"):
        verify(False, that="self", message="an order needs items")


def test_of_very_many_differences_the_first_are_told() -> None:
    with pytest.raises(NodeError) as caught:
        verify([0] * 50, expect=[1] * 50)
    assert len(caught.value.message.splitlines()) == 22
    assert caught.value.message.endswith("and 30 more")
    assert len(caught.value.details["differences"]) == 50


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "it expects nothing"),
        ({"that": "self ="}, "`self =` is not a condition"),
        ({"that": []}, "nothing"),
    ],
)
def test_an_assertion_that_cannot_be_used_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(Assert, **config)


# --- test -------------------------------------------------------------------------


async def double(value: Any) -> Any:
    return value * 2


async def refuse(value: Any) -> Any:
    raise NodeError("too late", code="late", details={"by": value})


async def test_a_test_calls_its_branch_with_the_input_and_checks_the_answer() -> None:
    assert await make(Trial, input=21, expect=42).run({"in": None}, Calls(out=double)) == {"done": 42}


async def test_without_an_input_the_branch_gets_what_came() -> None:
    assert await make(Trial, expect=4).run({"in": 2}, Calls(out=double)) == {"done": 4}
    assert await make(Trial, input=None).run({"in": 2}, Calls(out=_echo)) == {"done": None}


async def _echo(value: Any) -> Any:
    return value


async def test_an_answer_that_is_not_expected_fails_the_test() -> None:
    with pytest.raises(NodeError, match="the answer: expected 43, found 42"):
        await make(Trial, input=21, expect=43).run({"in": None}, Calls(out=double))


async def test_a_branch_that_fails_fails_the_test() -> None:
    with pytest.raises(NodeError, match="too late"):
        await make(Trial, that="true").run({"in": None}, Calls(out=refuse))


@pytest.mark.parametrize("fails", [True, "late"])
async def test_a_failure_that_is_expected_is_the_answer(*, fails: bool | str) -> None:
    test = make(Trial, input=5, fails=fails, include={"details": {"by": 5}}, that="self == 'late'")
    answer = (await test.run({"in": None}, Calls(out=refuse)))["done"]
    assert answer.code == "late"


async def test_another_failure_than_the_expected_one_fails_the_test() -> None:
    with pytest.raises(NodeError, match=r"expected the failure `early`, found `late` in .*: too late"):
        await make(Trial, fails="early").run({"in": None}, Calls(out=refuse))


async def test_a_branch_that_should_have_failed_fails_the_test() -> None:
    with pytest.raises(NodeError, match="expected the failure `late`, found 42") as caught:
        await make(Trial, input=21, fails="late").run({"in": None}, Calls(out=double))
    assert caught.value.code == "assertion"


async def test_what_hangs_from_check_is_given_the_answer_and_has_to_succeed() -> None:
    seen: list[Any] = []

    async def look(value: Any) -> None:
        seen.append(value)

    ctx = Calls(out=double, check=look)
    assert await make(Trial, input=21).run({"in": None}, ctx) == {"done": 42}
    assert seen == [42]
    with pytest.raises(NodeError, match="too late"):
        await make(Trial, input=21).run({"in": None}, Calls(out=double, check=refuse))


async def test_a_mock_is_not_silently_left_out() -> None:
    with pytest.raises(NodeError, match="cannot be done here") as caught:
        await make(Trial, mock={"fetch": 1}).run({"in": None}, Calls(out=double))
    assert "penstock test" in caught.value.remedy


def test_a_failure_without_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="write the code of the failure"):
        make(Trial, fails="")


async def test_a_flow_can_test_itself(run_flow: RunFlow) -> None:
    document = """
        flow: self-test
        nodes:
          - {kind: test, name: doubles, input: 21, links: {"out[0]": double, "out[1]": right}}
          - {kind: snippet, name: double, language: cel, code: self * 2}
          - {kind: assert, name: right, that: self == 42}
        """
    assert await run_flow(document) == 42


# --- mock -------------------------------------------------------------------------


def test_a_mock_answers_what_was_written_down() -> None:
    mock = make(Mock, answers={"body": {"a": 1}, "status": 200}, inputs=["url"], outputs=["headers"])
    assert mock.run({"in": None, "url": "anything"}) == {"body": {"a": 1}, "status": 200}
    inputs, outputs = mock.ports()
    assert list(inputs) == ["in", "url"]
    assert list(outputs) == ["out", "headers", "body", "status"]


def test_a_mock_can_fail() -> None:
    with pytest.raises(NodeError, match="no route") as caught:
        make(Mock, answers={"error": {"code": "http.connect", "message": "no route", "details": 1}}).run(
            {}
        )
    assert (caught.value.code, caught.value.details) == ("http.connect", 1)
    with pytest.raises(NodeError, match="it was to fail"):
        make(Mock, answers={"error": {}}).run({})


@pytest.mark.parametrize("error", ["late", {"kode": "late"}, None])
def test_a_failure_of_a_mock_that_says_something_else_is_refused(error: Any) -> None:
    with pytest.raises(ValueError, match="write a mapping of code, details, message"):
        make(Mock, answers={"error": error})


async def test_a_mock_holds_the_place_of_a_node_in_a_flow(run_flow: RunFlow) -> None:
    document = """
        flow: draft
        inputs: {url: {type: string}}
        nodes:
          - {kind: mock, name: fetch, inputs: [url], answers: {body: {price: 3}}, links: {body: price}}
          - {kind: snippet, name: price, language: cel, code: self.price * 2}
        """
    assert await run_flow(document, url="http://nowhere") == 6

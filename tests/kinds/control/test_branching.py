from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock import load_flow
from penstock.core.errors import DocumentError, NodeError
from penstock.core.payload import Error
from penstock.core.policies import Join
from penstock.core.problems import format_path
from penstock.engine.kind import FieldError
from penstock.kinds.branching import If, Merge, Nop, Switch

from .conftest import make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("payload", "port"), [({"count": 11}, "true"), ({"count": 10}, "false")])
def test_a_condition_decides_the_way(payload: Any, port: str) -> None:
    assert make(If, when="self.count > 10").run({"in": payload}) == {port: payload}


@pytest.mark.parametrize("payload", [None, False, 0, "", [], {}, 0.0, b""])
def test_without_a_condition_what_is_empty_is_false(payload: Any) -> None:
    assert make(If).run({"in": payload}) == {"false": payload}


@pytest.mark.parametrize("payload", [True, 1, "no", [0], {"a": None}])
def test_without_a_condition_what_is_there_is_true(payload: Any) -> None:
    assert make(If).run({"in": payload}) == {"true": payload}


def test_a_yaml_truth_value_is_a_condition_too() -> None:
    assert make(If, when=True).run({"in": 0}) == {"true": 0}


def test_a_condition_that_is_not_a_truth_value_fails() -> None:
    with pytest.raises(NodeError, match="answers int, not true or false") as caught:
        make(If, when="self + 1").run({"in": 1})
    assert caught.value.code == "expression.type"


def test_a_field_that_is_missing_fails_and_says_how_to_ask_for_it() -> None:
    with pytest.raises(NodeError, match=r"no field `count`[\s\S]*has\(self\.count\)") as caught:
        make(If, when="self.count > 1").run({"in": {}})
    assert caught.value.code == "expression.missing"


def test_a_broken_condition_is_refused_with_its_place() -> None:
    with pytest.raises(FieldError, match=r"`self\.a >` is not a condition: line 1, column 9") as caught:
        make(If, when="self.a >")
    assert caught.value.field == "when"


def cases(*pairs: tuple[Any, str]) -> list[dict[str, Any]]:
    return [{"when": when, "port": port} for when, port in pairs]


def test_the_first_case_that_holds_gets_the_payload() -> None:
    node = make(
        Switch, match=cases(("self > 100", "out[0]"), ("self > 10", "out[1]"), ("true", "out[2]"))
    )
    assert [node.run({"in": size}) for size in (500, 50, 5)] == [
        {"out[0]": 500},
        {"out[1]": 50},
        {"out[2]": 5},
    ]


def test_no_case_that_holds_sends_nothing() -> None:
    assert make(Switch, match=cases(("self > 1", "out[0]"))).run({"in": 0}) is None
    assert make(Switch, match=[]).run({"in": 0}) is None


def test_an_error_is_matched_by_its_code() -> None:
    node = make(Switch, match=cases(('self == "invalid argument"', "out[0]"), ("true", "out[1]")))
    known = Error(code="invalid argument", message="a must be positive")
    other = Error(code="timeout", message="invalid argument")
    assert node.run({"in": known}) == {"out[0]": known}
    assert node.run({"in": other}) == {"out[1]": other}


def test_all_that_is_wrong_with_the_cases_is_said_at_once() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        make(Switch, match=cases(("true", "left"), ("sel", "out[1]")))
    port, when = caught.value.exceptions
    assert isinstance(port, FieldError)
    assert isinstance(when, FieldError)
    assert (port.path, when.path) == (("match", 0, "port"), ("match", 1, "when"))
    assert "write `out[0]`" in str(port)
    assert "`sel` is not a condition" in str(when)


def test_the_caret_of_a_broken_case_stands_under_its_condition(tmp_path: Path) -> None:
    file = tmp_path / "sort.yaml"
    file.write_text(
        "flow: sort\nnodes:\n  - kind: switch\n    match:\n"
        "      - {when: self > 1, port: left}\n      - {when: sel > 1, port: 'out[1]'}\n"
    )
    with pytest.raises(DocumentError) as caught:
        load_flow(file)
    places = [(str(problem.place), format_path(problem.path)) for problem in caught.value.problems]
    assert places == [
        (f"{file}:5:32", "nodes[0].match[0].port"),
        (f"{file}:6:16", "nodes[0].match[1].when"),
    ]


def test_a_merge_lists_what_came_in_the_order_of_its_ports() -> None:
    assert make(Merge).run({"in[10]": "c", "in[2]": "b", "in[0]": "a"}) == {"out": ["a", "b", "c"]}
    assert make(Merge).run({"in[1]": None}) == {"out": [None]}
    assert make(Merge, mode="first").run({"in[1]": 2, "in[3]": 1}) == {"out": 2}


def test_a_merge_that_nothing_reached_sends_an_empty_list_or_nothing() -> None:
    assert make(Merge).run({}) == {"out": []}
    assert make(Merge, mode="first").run({}) is None


def test_a_merge_does_not_wait_for_branches_that_closed() -> None:
    assert Merge.default_join is Join.ANY


def test_nop_sends_nothing() -> None:
    assert make(Nop).run({"in": 1}) is None

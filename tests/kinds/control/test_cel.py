from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.kinds.languages import Options, find_language

FAILURE = Error(
    code="invalid argument", message="n must be positive", node="check", details={"n": b"\x00"}
)


def cel(code: str, payload: Any = None) -> Any:
    return find_language("cel")(code, Options())(payload)


@pytest.mark.parametrize(
    ("code", "payload", "answer"),
    [
        ("has(self.body) ? self.body : null", {"body": [1]}, [1]),
        ("has(self.body) ? self.body : null", {}, None),
        ("self.a.b[1].c", {"a": {"b": [0, {"c": "deep"}]}}, "deep"),
        ('self["a b"]', {"a b": 1}, 1),
        ("self == b'ab'", b"ab", True),
        ("self + 1", 41, 42),
        ("self", 2**64 - 1, 2**64 - 1),
        ("self.map(x, x * 2).filter(x, x > 2)", [1, 2, 3], [4, 6]),
        ("self.all(x, x > 0) && self.exists(x, x == 2)", [1, 2], True),
        ('self.split(",").map(x, x.upperAscii())', "a,b", ["A", "B"]),
        ("math.greatest(self, 3)", 7, 7),
        ('{"b": 1, "a": [1u, 2.5]}', None, {"a": [1, 2.5], "b": 1}),
        ('timestamp(self) < timestamp("2030-01-01T00:00:00Z")', "2026-11-20T08:00:00Z", True),
        ('timestamp("2026-11-20T08:00:00Z") + duration("90m")', None, "2026-11-20T09:30:00Z"),
        ('duration("90s")', None, 90.0),
        ("optional.of(3)", None, 3),
        ("optional.none()", None, None),
    ],
)
def test_an_expression_answers_a_payload(code: str, payload: Any, answer: Any) -> None:
    assert cel(code, payload) == answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ('self == "invalid argument"', True),
        ('self != "invalid argument"', False),
        ('self in ["timeout", "invalid argument"]', True),
        ("self.error()", "n must be positive"),
        ("self.code", "invalid argument"),
        ("self.message.startsWith('n ')", True),
        ("self.details.n", b"\x00"),
        ("has(self.details)", True),
        ('self.code == "x" || self == "invalid argument"', True),
        ('self.node == "check" && self.error() != ""', True),
    ],
)
def test_an_error_reads_as_its_code_and_has_fields(code: str, answer: Any) -> None:
    assert cel(code, FAILURE) == answer


def test_errors_inside_a_payload_are_mappings() -> None:
    assert cel('self.exists(e, e.code == "invalid argument")', [FAILURE]) is True
    assert cel("self[0].error()", [FAILURE]) == "n must be positive"


def test_what_is_no_error_has_no_error_text() -> None:
    assert cel("self.error()", "fine") is None


def test_mappings_are_answered_in_the_order_of_their_keys() -> None:
    payload = {f"key{number}": number for number in range(50, 0, -1)}
    assert list(cel("self", payload)) == sorted(payload)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("self +", "line 1, column 7: it ends too early"),
        ("self.a &&\n ) b", r"line 2, column 2: unexpected '\)'"),
        ("", "line 1, column 1: it ends too early"),
        ("status == 200", "there is no `status`; the payload is `self`: did you mean `self.status`"),
        ("self.map(x, x + y)", "there is no `y`"),
        ("self.splt(',')", "there is no function `splt`: did you mean `split`"),
        ("math.graetest(1, 2)", "there is no function `graetest`"),
        ("(" * 5000 + "1" + ")" * 5000, "line 1, column 97: Recursion limit of 96 exceeded"),
    ],
)
def test_a_mistake_is_found_before_anything_runs(code: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        find_language("cel")(code, Options())


@pytest.mark.parametrize(
    ("code", "payload", "error", "complaint"),
    [
        ("self.a", {}, "expression.missing", "there is no field `a`"),
        ("self.a", None, "expression.type", "No such overload"),
        ("self ? 1 : 2", 1, "expression.type", "No such overload"),
        ("1 / self", 0, "expression.error", "division by zero"),
        ("self[3]", [], "expression.error", "out of bounds"),
        ("self + 1", 2**63 - 1, "expression.error", "overflow"),
        ("int(self)", "x", "expression.error", "invalid digit"),
        ("self.split(1)", "a,b", "expression.error", "split"),
    ],
)
def test_a_failing_expression_says_which_and_why(
    code: str, payload: Any, error: str, complaint: str
) -> None:
    with pytest.raises(NodeError, match=complaint) as caught:
        cel(code, payload)
    assert caught.value.code == error
    assert f"`{code}`" in caught.value.message


def test_a_payload_that_the_language_cannot_hold_is_refused() -> None:
    with pytest.raises(NodeError, match="CEL cannot read the payload") as caught:
        cel("self == 'a'", "\ud800")
    assert caught.value.code == "expression.error"


def test_a_failing_function_is_not_logged_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NodeError):
        cel("self.split(1)", "a,b")
    assert logging.getLogger("cel").handlers
    assert capfd.readouterr() == ("", "")


CALLS = """
bytes('a')  'a'.contains('b')  double(1)  duration('1s')  dyn(1)  'a'.endsWith('b')  int('1')
'a'.matches('a')  size('a')  'a'.startsWith('b')  string(1)  type(1)  uint(1)
optional.of(1).hasValue()  optional.of(1).value()  optional.none().orValue(1)
optional.none().or(optional.of(1))  optional.ofNonZeroValue(0)
"""
PARTS = """
getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes
getMonth getSeconds
"""


@pytest.mark.parametrize(
    "call", [*CALLS.split(), *(f"timestamp('2026-11-20T08:00:00Z').{p}()" for p in PARTS.split())]
)
def test_the_functions_of_the_language_are_there(call: str) -> None:
    cel(call)


def test_neither_the_command_line_of_the_binding_nor_its_friends_are_imported() -> None:
    code = (
        "import sys; from penstock.kinds.languages import *;"
        "find_language('cel')('self.split(\",\")', Options())('a');"
        "print(sorted({'cel', 'typer', 'rich', 'prompt_toolkit', 'pygments'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")

"""A document as far as it can be read, and what is wrong with the rest."""

from __future__ import annotations

import pytest
from tests.document.rendering import problems

from penstock.core.errors import DocumentError
from penstock.document import examine, examine_file
from penstock.document.findings import Findings

BROKEN = """\
flow: zen
settings: {timeout: never}
nodes:
  - {kind: a, name: x, links: {out: y}}
  - 7
"""


def test_the_specs_that_can_be_read_come_with_the_problems_of_the_others() -> None:
    examination = examine(BROKEN, file="zen.yaml")

    (flow,) = examination.document.flows
    assert [node.name for node in flow.nodes] == ["x"]
    assert [problem.path for problem in examination.findings.problems] == [
        ("nodes", 1),
        ("settings", "timeout"),
    ]
    assert str(examination.refusal()) == problems(BROKEN, file="zen.yaml")


def test_what_is_found_later_takes_its_place_in_the_order_of_the_text() -> None:
    examination = examine(BROKEN, file="zen.yaml")

    examination.findings.report("unknown kind `a`", ("nodes", 0, "kind"))

    assert [str(problem.place) for problem in examination.refusal().problems] == [
        "zen.yaml:2:21",
        "zen.yaml:4:12",
        "zen.yaml:5:5",
    ]


def test_a_text_that_is_no_document_at_all_is_refused_at_once() -> None:
    with pytest.raises(DocumentError, match="a `,` or `]` is missing"):
        examine("a: [1")


def test_a_file_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(DocumentError, match="there is no such file"):
        examine_file("nowhere.yaml")


@pytest.mark.parametrize(
    ("path", "said"),
    [(("a",), False), (("a", "b"), False), (("a", "b", 0), False), (("b",), True), ((), True)],
)
def test_a_later_stage_is_silent_at_and_below_what_an_earlier_one_found(
    path: tuple[str | int, ...], said: bool
) -> None:
    findings = Findings()
    findings.report("first", ("a",))
    findings.next_stage()

    findings.report("second", path)

    assert [problem.message for problem in findings.problems] == (
        ["first", "second"] if said else ["first"]
    )


def test_one_stage_says_all_it_finds_at_one_place() -> None:
    findings = Findings()
    findings.report("first", ("a",))
    findings.report("second", ("a",))

    assert len(findings.problems) == 2


def test_a_problem_beyond_those_that_are_kept_silences_its_consequences_too() -> None:
    findings = Findings()
    for index in range(101):
        findings.report("first", (index,))
    findings.next_stage()

    findings.report("second", (100, "x"))

    assert findings.left_out == 1


def test_a_doubt_is_no_problem_and_silences_what_follows() -> None:
    findings = Findings()
    findings.doubt(("a",))
    findings.next_stage()

    findings.report("second", ("a", "b"))

    assert findings.problems == []
    assert list(findings.doubts(())) == [("a",)]

"""Documents that come as data instead of text."""

from __future__ import annotations

import pytest

from penstock.core.errors import DocumentError
from penstock.document.reader import examine, examine_data


def problems(data: object, file: str = "body") -> list[str]:
    try:
        return [str(problem) for problem in examine_data(data, file=file).refusal().problems]
    except DocumentError as error:
        return [str(problem) for problem in error.problems]


def test_data_means_what_its_text_means() -> None:
    text = "- {kind: debug.log, name: a, links: {out: b}}\n- {kind: debug.log, name: b, timeout: 3s}\n"
    parsed = examine(text).document

    assert examine_data(parsed.source.data).document.nodes == parsed.nodes


def test_a_problem_names_the_data_and_the_path_but_no_line() -> None:
    assert problems([{"kind": "debug.log", "name": "a b"}])[0].startswith(
        "body: [0].name: `a b` is not a name"
    )


def test_without_a_name_the_path_alone_is_told() -> None:
    assert problems([{"kind": 3}], file="")[0].startswith("[0].kind: expected text")


NESTED: list[object] = []
for _ in range(200):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"flow": "a", "nodes": [{"kind": "x", "n": float("nan")}]}, "nodes[0].n: `nan` is no finite"),
        ({"kind": "x", "raw": b"bytes"}, "raw: a value of type `bytes` cannot stand in a document"),
        ({"kind": "x", 3: "y"}, "a key of type `int` is no text"),
        ({"kind": "x", "n": 10**120}, "n: a whole number of more than 100 digits"),
        ({"kind": "x", "t": "\ud800"}, "t: half of a character is missing"),
        ({"kind": "x", "\udfff": "t"}, "half of a character is missing"),
        ({"kind": "x", "deep": NESTED}, "nested deeper than 100 levels"),
    ],
)
def test_data_that_no_text_could_say_is_refused(data: object, told: str) -> None:
    assert told in "\n".join(problems(data))


def test_every_problem_is_told_in_order() -> None:
    found = problems({"kind": "x", "a": b"", "b": [float("inf"), b""], "c": {1: b""}})

    assert [line.split(":")[1].strip() for line in found] == ["a", "b[0]", "b[1]", "c", "c[1]"]


@pytest.mark.parametrize(
    "text", ["flow: f\nrevision: 3\nnodes: [{kind: x}]", "- {kind: x, revision: 3}"]
)
def test_the_revision_that_a_spec_was_made_from_is_no_part_of_it(text: str) -> None:
    examination = examine(text)

    assert examination.findings.problems == []
    assert all("revision" not in node.config for node in examination.document.nodes)


def test_a_revision_is_a_whole_number() -> None:
    (problem,) = examine("- {kind: x, revision: new}").refusal().problems

    assert "[0].revision: expected a whole number" in str(problem)


def test_a_node_within_a_flow_has_no_revision() -> None:
    document = examine("flow: f\nnodes: [{kind: x, name: n, revision: 1}]").document

    assert document.flows[0].nodes[0].config == {"revision": 1}

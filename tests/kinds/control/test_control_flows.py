"""The control kinds in flow documents, run by the engine from end to end."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.errors import DocumentError, RunFailed
from penstock.kinds import KINDS
from penstock.kinds.branching import If, Merge, Nop, Switch
from penstock.kinds.composing import Fork, Pipe
from penstock.kinds.errors import RetryBranch, Throw, Try
from penstock.kinds.looping import Loop, Split
from penstock.kinds.snippet import Snippet

from .conftest import RunFlow

if TYPE_CHECKING:
    from penstock.engine.kind import Node

EXAMPLES: list[tuple[type[Node], dict[str, Any], Any]] = [
    (If, {"count": 11}, "a lot"),
    (If, {"count": 1}, "not much"),
    (Switch, {"size": 101}, "large"),
    (Switch, {"size": 1}, "small"),
    (Merge, {}, ["left", "right"]),
    (Nop, {}, None),
    (Loop, {}, [1, 4, 9]),
    (Split, {}, ["Ada", 1851]),
    (Fork, {}, [6, 24]),
    (Pipe, {}, 16),
    (Try, {}, "it said: not today"),
    (RetryBranch, {}, "gave up"),
    (Throw, {}, "nothing to do"),
    (Snippet, {}, {"net": 7, "gross": 8.4}),
]


@pytest.mark.parametrize(("kind", "inputs", "result"), EXAMPLES)
async def test_the_example_of_each_kind_runs(
    run_flow: RunFlow, kind: type[Node], inputs: dict[str, Any], result: Any
) -> None:
    example = (inspect.getdoc(kind) or "").partition("Example:\n")[2]
    assert await run_flow(example, **inputs) == result


@pytest.mark.parametrize("kind", list(dict.fromkeys(kind for kind, _, _ in EXAMPLES)))
def test_each_kind_is_found_by_its_name_and_its_aliases(kind: type[Node]) -> None:
    place = f"{kind.__module__}:{kind.__name__}"
    assert {KINDS.get(name) for name in (kind.kind, *kind.aliases)} == {place}


CATCH = """
    flow: catch
    inputs: {code: {type: string}}
    nodes:
      - kind: snippet
        name: make
        language: cel
        code: '{"code": self.code, "message": "it is bad"}'
        links: {out: throw}
      - {kind: throw, name: throw, links: {error: catch}}
      - kind: switch
        name: catch
        match:
          - when: self == "invalid argument"
            port: out[0]
          - when: 'true'
            port: out[1]
        links:
          out[0]:
            - name: status_400
              port: in
          out[1]:
            - name: status_500
              port: in
      - kind: snippet
        name: status_400
        language: javascript
        code: >
          export default function (args) {
            return {
              body: {
                error: args.error()
              },
              status: 400
            };
          }
      - kind: snippet
        name: status_500
        language: json
        code: >
          {
            "body": {
              "error": "Internal Server Error"
            },
            "status": 500
          }
"""


async def test_the_catch_of_the_seed_tells_errors_apart(run_flow: RunFlow) -> None:
    assert await run_flow(CATCH, code="invalid argument") == {
        "body": {"error": "it is bad"},
        "status": 400,
    }
    assert await run_flow(CATCH, code="other") == {
        "body": {"error": "Internal Server Error"},
        "status": 500,
    }


BRANCHES = """
    flow: branches
    inputs: {n: {type: integer}}
    nodes:
      - {kind: if, name: ask, when: self.n > 1, links: {"out[0]": more, "out[1]": less}}
      - {kind: snippet, name: more, language: text, code: more, links: {out: "merge.in[0]"}}
      - {kind: snippet, name: less, language: text, code: less, links: {out: "merge.in[1]"}}
      - {kind: merge, name: merge, mode: first}
"""


@pytest.mark.parametrize(("n", "taken"), [(2, "more"), (1, "less")])
async def test_a_merge_goes_on_with_the_branch_that_was_taken(
    run_flow: RunFlow, n: int, taken: str
) -> None:
    assert await run_flow(BRANCHES, n=n) == taken


async def test_a_merge_that_must_have_all_is_skipped_when_a_branch_stays_empty(
    run_flow: RunFlow,
) -> None:
    assert await run_flow(BRANCHES.replace("mode: first", "join: all"), n=2) is None


async def test_a_condition_without_a_way_on_answers_the_payload(run_flow: RunFlow) -> None:
    flow = """
        flow: leaf
        nodes:
          - {kind: snippet, name: one, language: json, code: '1', links: {out: ask}}
          - {kind: if, name: ask, when: self == 1}
    """
    assert await run_flow(flow) == 1


async def test_nested_loops_keep_every_order(run_flow: RunFlow) -> None:
    flow = """
        flow: table
        nodes:
          - {kind: loop, name: rows, items: 3, links: {body: row, done: table}}
          - kind: snippet
            name: row
            language: javascript
            code: "[0, 1, 2].map(n => [args, n])"
            links: {out: cells}
          - {kind: loop, name: cells, concurrency: 1, links: {out: cell}}
          - {kind: snippet, name: cell, language: cel, code: "self[0] * 10 + self[1]"}
          - {kind: snippet, name: table, language: cel, code: '{"rows": self}'}
    """
    assert await run_flow(flow) == {"rows": [[0, 1, 2], [10, 11, 12], [20, 21, 22]]}


async def test_a_failure_deep_in_a_loop_names_the_item_and_the_node(run_flow: RunFlow) -> None:
    flow = """
        flow: deep
        nodes:
          - {kind: loop, name: each, items: [a, b], concurrency: 1, links: {out: check}}
          - {kind: if, name: check, when: self == 'a', links: {"false": stop}}
          - {kind: throw, name: stop}
    """
    with pytest.raises(RunFailed) as caught:
        await run_flow(flow)
    assert (caught.value.error.node, caught.value.error.message) == ("each[1]/stop", "b")


async def test_try_catches_what_fails_far_downstream(run_flow: RunFlow) -> None:
    flow = """
        flow: far
        nodes:
          - {kind: try, name: try, links: {out: first, error: say, done: never}}
          - {kind: snippet, name: first, language: json, code: '0', links: {out: second}}
          - {kind: snippet, name: second, language: cel, code: 1 / self, links: {out: third}}
          - {kind: nop, name: third}
          - {kind: nop, name: never}
          - {kind: snippet, name: say, language: cel, code: "[self.code, self.node]"}
    """
    assert await run_flow(flow) == ["expression.error", "try[0]/second"]


async def test_all_that_is_wrong_with_the_code_of_a_flow_is_said_at_once(run_flow: RunFlow) -> None:
    flow = """
        flow: wrong
        nodes:
          - {kind: snippet, name: a, language: cel, code: self +}
          - {kind: if, name: b, when: count > 3}
          - {kind: snippet, name: c, language: javascript, code: let x}
    """
    with pytest.raises(DocumentError) as caught:
        await run_flow(flow)
    assert [problem.path[:2] for problem in caught.value.problems] == [
        ("nodes", 0),
        ("nodes", 1),
        ("nodes", 2),
    ]

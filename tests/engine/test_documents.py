"""What the compiler finds wrong with a flow: all of it, with file, line, column and a way out."""

from __future__ import annotations

import textwrap
from typing import Annotated, Any

import msgspec
import pytest
from tests.engine.flows import graph, scheme_with

from penstock import Action, Control, Duration, Inputs, Outputs, Port, field, node
from penstock.core.errors import DocumentError
from penstock.engine.loading import Loader


class Case(msgspec.Struct, forbid_unknown_fields=True):
    when: str
    port: str = "out[0]"


class Fetch(Action, kind="test.fetch"):
    url: str
    retries: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    wait: Duration = Duration(0)
    match: list[Case] = field(default_factory=list)
    in_ports = {"url": Port(str, "where")}
    out_ports = {"body": Port(str), "status": Port(int), "out[]": Port()}

    async def run(self, inputs: Inputs) -> Outputs:
        return None


class Parse(Action, kind="test.parse", pure=True):
    in_ports = {"json": Port(str | bytes)}
    out_ports = {"parsed": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return None


class Calls(Control, kind="test.calls"):
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: Any) -> Outputs:
        return None


@node("test.pair", pure=True)
def pair(left: Any, right: Any) -> Any:
    return None


@node("test.any", pure=True)
def anything(value: Any = None) -> Any:
    return value


KINDS = (Fetch, Parse, Calls, pair, anything)


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        Loader(scheme_with(*KINDS)).read(textwrap.dedent(text), file="flow.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_a_problem_names_file_line_and_column_and_points_at_it() -> None:
    (found,) = problems("""\
        flow: f
        nodes:
          - kind: test.fetch
            name: a
            url: http://x
            links: {bdy: b}
          - {kind: test.any, name: b}
        """)
    assert found.startswith("flow.yaml:6:")
    assert "nodes[0].links.bdy: `test.fetch` has no out-port `bdy`" in found
    lines = found.splitlines()
    assert lines[1] == "    6 |     links: {bdy: b}"
    assert lines[2].index("^") in (lines[1].index("bdy"), lines[1].index("b}"))
    assert "did you mean `body`?" in found


@pytest.mark.parametrize(
    ("node_text", "place", "message", "hint"),
    [
        (
            "{kind: test.fetsh, name: a}",
            "nodes[0].kind",
            "unknown kind `test.fetsh`",
            "did you mean `test.fetch`?",
        ),
        (
            "{kind: test.fetch, name: a}",
            "nodes[0]",
            "`test.fetch` needs the field `url`",
            "add `url: …`",
        ),
        (
            "{kind: test.fetch, name: a, url: x, retrys: 2}",
            "nodes[0].retrys",
            "has no field `retrys`",
            "did you mean `retr",
        ),
        ("{kind: test.fetch, name: a, url: 5}", "nodes[0].url", "text, found the number `5`", ""),
        ("{kind: test.fetch, name: a, url: x, retries: 10}", "nodes[0].retries", "of at most 9", ""),
        ("{kind: test.fetch, name: a, url: x, wait: soon}", "nodes[0].wait", "is not a duration", ""),
        (
            "{kind: test.fetch, name: a, url: x, match: [{when: y}, {when: z, prt: q}]}",
            "nodes[0].match[1].prt",
            "unknown field `prt`",
            "",
        ),
        (
            "{kind: test.any, name: a, links: {out: nobody}}",
            "nodes[0].links.out",
            "no node is named `nobody`",
            "allowed: a, b",
        ),
        (
            "{kind: test.any, name: a, links: {out: b.lft}}",
            "nodes[0].links.out",
            "no in-port `lft`",
            "`left`",
        ),
        (
            "{kind: test.any, name: a, links: {out: b}}",
            "nodes[0].links.out",
            "no in-port `in`",
            "left, right",
        ),
        (
            "{kind: test.any, name: a, timeout: never}",
            "nodes[0].timeout",
            "expected a duration",
            "1h30m",
        ),
        (
            "{kind: test.any, name: a, retry: {attempts: 0}}",
            "nodes[0].retry.attempts",
            "whole number from 1",
            "",
        ),
        ("{kind: test.any, name: a, join: some}", "nodes[0].join", "some", ""),
    ],
)
def test_each_mistake_in_a_node_is_placed_and_explained(
    node_text: str, place: str, message: str, hint: str
) -> None:
    text = f"flow: f\nnodes:\n  - {node_text}\n  - {{kind: test.pair, name: b, left: 1}}\n"
    text = text.replace(", left: 1", "")
    found = problems(text + "inputs: {left: {}, right: {}}\n")
    assert any(
        one.startswith("flow.yaml:3:") and f": {place}" in one and message in one and hint in one
        for one in found
    ), found


def test_the_caret_of_an_unknown_field_stands_under_its_name() -> None:
    (found,) = problems("flow: f\nnodes: [{kind: test.any, name: a, colour: red}]\n")
    line, caret = found.splitlines()[1:3]
    assert caret.index("^") == line.index("colour")


def test_all_problems_are_told_at_once_in_the_order_of_the_text() -> None:
    found = problems("""\
        flow: f
        nodes:
          - {kind: nope, name: a}
          - {kind: test.fetch, name: b, url: [], links: {out: zz}}
          - {kind: test.fetch, name: c, links: {body: nowhere}}
          - {kind: test.any, name: d, links: {wrong: a}}
        """)
    assert [int(one.split(":")[1]) for one in found] == sorted(int(one.split(":")[1]) for one in found)
    text = "\n".join(found)
    for part in (
        "unknown kind `nope`",
        "found an empty list",
        "needs the field `url`",
        "no node is named `nowhere`",
        "no out-port `wrong`",
    ):
        assert part in text


def test_a_cycle_is_printed() -> None:
    (found,) = problems("""\
        flow: f
        nodes:
          - {kind: test.any, name: a, links: {out: b}}
          - {kind: test.any, name: b, links: {out: c}}
          - {kind: test.any, name: c, links: {out: a}}
        """)
    assert "a → b → c → a" in found
    assert "`loop`" in found


@pytest.mark.parametrize("links", ["{out: a}", "{error: a}"])
def test_a_node_that_feeds_itself_is_a_cycle(links: str) -> None:
    (found,) = problems(f"flow: f\nnodes:\n  - {{kind: test.any, name: a, links: {links}}}\n")
    assert "a → a" in found


def test_a_call_may_not_lead_back_either() -> None:
    (found,) = problems("""\
        flow: f
        nodes:
          - {kind: test.calls, name: a, links: {out: b}}
          - {kind: test.any, name: b, links: {out: a}}
        """)
    assert "a → b → a" in found


def test_types_that_can_never_meet_are_told() -> None:
    (found,) = problems("""\
        flow: f
        nodes:
          - {kind: test.fetch, name: a, url: x, links: {status: b}}
          - {kind: test.parse, name: b}
        """)
    assert "`a.status` is int, and `b.json` takes str | bytes" in found
    assert "nodes[0].links.status" in found


def test_a_port_that_nothing_feeds_is_told_with_the_ways_out() -> None:
    (found,) = problems("""\
        flow: f
        inputs: {other: {}}
        nodes:
          - {kind: test.any, name: a, links: {out: b.left}}
          - {kind: test.pair, name: b}
        """)
    assert "in-port `right` of `b` gets no value" in found
    assert "link something to it" in found


def test_an_entry_s_needs_become_the_flow_s_inputs_when_it_declares_none() -> None:
    flow = graph("{flow: f, nodes: [{kind: test.parse, name: a}]}", *KINDS)
    assert list(flow.input_schema["properties"]) == ["json"]
    assert flow.input_schema["required"] == ["json"]


def test_a_node_inside_a_call_cannot_wait_for_one_outside() -> None:
    (found,) = problems("""\
        flow: f
        nodes:
          - {kind: test.calls, name: c, links: {out: p.left}}
          - {kind: test.any, name: a, links: {out: p.right}}
          - {kind: test.pair, name: p}
        """)
    assert "`c.out` calls `p`, which also waits for `a` outside of that call" in found


def test_a_named_output_must_exist() -> None:
    found = problems("""\
        flow: f
        outputs: {x: nobody.out, y: a.ot}
        nodes:
          - {kind: test.any, name: a}
        """)
    assert any("outputs.x: no node is named `nobody`" in one for one in found)
    (port,) = problems("{flow: f, outputs: {y: a.ot}, nodes: [{kind: test.any, name: a}]}")
    assert "outputs.y: `a` has no out-port `ot`" in port
    assert "did you mean `out`?" in port


def test_a_flow_needs_nodes() -> None:
    (found,) = problems("flow: f\nnodes: []\n")
    assert "a flow needs at least one node" in found


def test_links_may_name_nodes_by_id() -> None:
    flow = graph(
        """
        flow: f
        nodes:
          - {kind: test.any, id: 0195-a, name: a, links: {out: 0195-b}}
          - {kind: test.any, id: 0195-b, name: b}
        """,
        *KINDS,
    )
    assert [vertex.name for vertex in flow.plan.vertices] == ["a", "b"]


def test_two_specs_that_mean_the_same_have_one_revision() -> None:
    one = graph(
        "{flow: f, nodes: [{kind: test.any, name: a, links: {out: b}}, {kind: test.any, name: b}]}",
        *KINDS,
    )
    two = graph(
        """
        # a comment
        flow: f
        nodes:
          - name: a
            kind: test.any
            links:
              out: [{name: b, port: in}]
          - {kind: test.any, name: b}
        """,
        *KINDS,
    )
    three = graph("{flow: f, nodes: [{kind: test.any, name: a}, {kind: test.any, name: b}]}", *KINDS)
    assert one.revision == two.revision
    assert one.revision != three.revision


def test_thousands_of_problems_are_told_in_time() -> None:
    nodes = "\n".join(
        f"  - {{kind: test.any, name: n{n}, links: {{out: nowhere{n}}}}}" for n in range(1000)
    )
    assert 100 <= len(problems(f"flow: f\nnodes:\n{nodes}\n")) <= 1000

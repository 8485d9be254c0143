"""What the reader finds and what the compiler finds make one list, without consequences in it."""

from __future__ import annotations

import copy
import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.flows import scheme_with

from penstock import Port, node
from penstock.core.errors import DocumentError, SettingsError
from penstock.core.problems import Problem
from penstock.document import read
from penstock.engine.kind import Action, Control, Inputs, Outputs
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Parse(Action, kind="test.parse", pure=True):
    indent: int = 0
    in_ports = {"json": Port(str)}
    out_ports = {"parsed": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return None


class Calls(Control, kind="test.calls"):
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}
    requires_call = True

    async def run(self, inputs: Inputs, ctx: Any) -> Outputs:
        return None


@node("test.any", pure=True)
def anything(value: Any = None) -> Any:
    return value


LOADER = Loader(scheme_with(Parse, Calls, anything))


def found(text: str, *, file: str = "flow.yaml") -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as raised:
        LOADER.read(textwrap.dedent(text), file=file)
    return raised.value.problems


def told(text: str, *, file: str = "flow.yaml") -> list[str]:
    """`path: message` of each problem."""
    return [str(problem).splitlines()[0].split(": ", 1)[1] for problem in found(text, file=file)]


# --- one list -----------------------------------------------------------------------------


def test_text_reader_and_compiler_add_to_one_list() -> None:
    assert told("""\
        flow: f
        settings: {timeout: 5s, timeout: 6s}
        nodes:
          - {kind: nope, name: a, timeout: never, links: {out: b}}
          - {kind: test.parse, name: b, indent: x, links: {parsed: [c, zz], wrong: c}}
          - {kind: test.any, name: c, colour: red, retry: {attempts: 0}}
        """) == [
        "settings.timeout: the key `timeout` appears twice",
        "nodes[0].kind: unknown kind `nope`",
        "nodes[0].timeout: expected a duration, found the text `never`",
        "nodes[1].indent: expected a whole number, found the text `x`",
        "nodes[1].links.parsed[1]: no node is named `zz`",
        "nodes[1].links.wrong: `test.parse` has no out-port `wrong`",
        "nodes[2].colour: `test.any` has no field `colour`",
        "nodes[2].retry.attempts: expected a whole number from 1 to 1000000, found the number `0`",
    ]


def test_a_wrong_policy_hides_neither_an_unfed_port_nor_a_missing_call() -> None:
    assert told("""\
        flow: f
        settings: {max_parallel: 0}
        inputs: {other: {}}
        nodes:
          - {kind: test.parse, name: a}
          - {kind: test.calls, name: b}
        outputs: {x: a.prased}
        """) == [
        "settings.max_parallel: expected a whole number of at least 1, found the number `0`",
        "nodes[0]: in-port `json` of `a` gets no value",
        "nodes[1]: `b` has nothing to call",
        "outputs.x: `a` has no out-port `prased`",
    ]


def test_both_ends_of_a_link_are_told() -> None:
    assert told("""\
        flow: f
        nodes:
          - {kind: test.any, name: a, links: {ot: b.jsn}}
          - {kind: test.parse, name: b}
        """) == [
        "nodes[0].links.ot: `test.any` has no out-port `ot`",
        "nodes[0].links.ot: `test.parse` has no in-port `jsn`",
    ]


def test_each_of_two_nodes_with_one_name_is_looked_at() -> None:
    assert told("""\
        flow: f
        nodes:
          - {kind: test.any, name: a, colour: red}
          - {kind: nope, name: a}
        """) == [
        "nodes[0].colour: `test.any` has no field `colour`",
        "nodes[1].kind: unknown kind `nope`",
        "nodes[1].name: another node is named `a`",
    ]


def test_beyond_a_hundred_problems_only_their_number_is_told() -> None:
    nodes = "\n".join(f"  - {{kind: nope, name: n{n}, timeout: never}}" for n in range(100))
    problems = found(f"flow: f\nnodes:\n{nodes}\n")
    assert len(problems) == 101
    assert problems[-1].message == "… and 100 more problems"


# --- no consequences ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "only"),
    [
        pytest.param(
            "[{kind: test.any, name: a, links: {out: b}}, b]",
            "nodes[1]: expected a node spec",
            id="a link to a node that is no mapping",
        ),
        pytest.param(
            "[{kind: test.any, name: a, links: {out: b}}, {kind: test.any, name: [b]}]",
            "nodes[1].name: expected text",
            id="a link to a node whose name is no text",
        ),
        pytest.param(
            "[7]\noutputs: {x: a.out}",
            "nodes[0]: expected a node spec",
            id="an output of a node that is no mapping",
        ),
        pytest.param(
            "{a: 1}\noutputs: {x: a.out}",
            "nodes: expected a list",
            id="an output of nodes that are no list",
        ),
        pytest.param(
            "[{kind: nope, name: a}]\noutputs: {x: a.y}",
            "nodes[0].kind: unknown kind",
            id="an output of a kind that is unknown",
        ),
        pytest.param(
            "[{name: a}]", "nodes[0]: `kind` is missing", id="the kind of a node that names none"
        ),
        pytest.param(
            "[{kind: [x], name: a}]", "nodes[0].kind: expected text", id="a kind that is no text"
        ),
        pytest.param(
            "[{kind: *x, name: a}]", "nodes[0].kind: nothing is named `&x`", id="a kind by a lost alias"
        ),
        pytest.param(
            "[{kind: test.parse, name: a, json: *x}]",
            "nodes[0].json: nothing is named `&x`",
            id="a field by a lost alias",
        ),
        pytest.param(
            "[{kind: test.any, name: a, [x]: 1}]", "nodes[0]: a key must be text", id="a list as a key"
        ),
        pytest.param(
            "[{kind: test.parse, name: a, json: {{ x }}}]",
            "nodes[0].json: a key must be text",
            id="a template without quotes",
        ),
        pytest.param(
            "[{kind: test.any, name: a, links: {out: 5}}, {kind: test.parse, name: b}]",
            "nodes[0].links.out: expected a link",
            id="a port that an unreadable link may feed",
        ),
        pytest.param(
            "[{kind: test.any, name: a, links: {out: c}}, {kind: test.parse, name: b}]",
            "nodes[0].links.out: no node is named `c`",
            id="a port that a misspelt link may feed",
        ),
        pytest.param(
            "[{kind: test.any, name: a, links: {out: b.jsn}}, {kind: test.parse, name: b}]",
            "nodes[0].links.out: `test.parse` has no in-port `jsn`",
            id="a port that a misspelt port may be",
        ),
        pytest.param(
            "[{kind: test.calls, name: a, links: {out: c}}, {kind: test.any, name: b}]",
            "nodes[0].links.out: no node is named `c`",
            id="a call whose link is misspelt",
        ),
        pytest.param(
            "[{kind: debug.log, name: a, massage: x}]",
            "nodes[0].massage: `debug.log` has no field `massage`",
            id="a port whose field is misspelt",
        ),
        pytest.param(
            "[{kind: call, name: a, flwo: x.yaml}]",
            "nodes[0].flwo: `call` has no field `flwo`",
            id="a needed field that is misspelt",
        ),
        pytest.param(
            "[{kind: nope, name: a, links: {out: b}}, {kind: test.parse, name: b}]",
            "nodes[0].kind: unknown kind",
            id="a port that an unknown kind feeds",
        ),
        pytest.param(
            "[{kind: test.calls, name: a, links: {out: b}}, {kind: nope, name: c, links: {out: b}}, "
            "{kind: test.parse, name: b}]",
            "nodes[1].kind: unknown kind",
            id="a call that an unknown kind may be inside of",
        ),
    ],
)
def test_what_follows_from_a_mistake_is_not_told(text: str, only: str) -> None:
    (problem,) = told(f"flow: f\ninputs: {{value: {{}}}}\nnodes: {text}\n")
    assert problem.startswith(only)


def test_nodes_without_a_name_do_not_replace_each_other() -> None:
    flow = LOADER.read("{flow: f, nodes: [{kind: test.any}, {kind: test.any, name: node-1}]}", file="f")
    assert [vertex.name for vertex in flow.plan.vertices] == ["node-1-", "node-1"]  # type: ignore[attr-defined]


# --- any damage ---------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "flow": "f",
    "inputs": {"value": {"type": "string"}},
    "settings": {"timeout": "5s", "on_error": {"strategy": "retry", "max_retries": 2}},
    "env": {"WORD": {"data": "word"}},
    "nodes": [
        {"kind": "test.any", "name": "a", "links": {"out": ["b", "c.in"], "error": {"name": "d"}}},
        {"kind": "test.parse", "id": "0195-b", "name": "b", "indent": 2, "retry": {"attempts": 2}},
        {"kind": "test.calls", "name": "c", "links": {"out": "e", "done": {"id": "0195-b"}}},
        {"kind": "test.any", "name": "d", "timeout": "1s", "env": {"X": {"data": "{{ .WORD }}"}}},
        {"kind": "test.any", "name": "e", "annotations": {"x": 1}, "join": "any"},
    ],
    "outputs": {"result": "b.parsed"},
}
PIECES = st.sampled_from([None, 5, 1.5, True, "", "a", "b.json", "nope", [], ["a"], {}, {"name": "b"}])


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The whole flow with some of its parts replaced or removed."""
    flow = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 4))):
        holder: Any = flow
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = draw(st.sampled_from(keys))
            below = holder[key]
            if not isinstance(below, dict | list) or not below or draw(st.booleans()):
                break
            holder = below
        if draw(st.booleans()):
            holder[key] = copy.deepcopy(draw(PIECES))
        elif len(holder) > 1:
            del holder[key]
    return flow


def problems_of(look: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        look()
    except DocumentError as error:
        return error.problems
    return ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_a_damaged_flow_compiles_or_is_refused_with_all_that_its_reader_found(flow: Any) -> None:
    text = json.dumps(flow, indent=1)
    problems = problems_of(lambda: LOADER.read(text, file="flow.json"))
    places = [(problem.place.line, problem.place.column) for problem in problems if problem.place]
    assert len(places) == len(problems)
    assert places == sorted(places)
    assert len(set(map(str, problems))) == len(problems)
    assert set(problems_of(lambda: read(text, file="flow.json"))) <= set(problems)


# --- the flow engine's JSON ---------------------------------------------------------------


def workflow(kind: str, connections: list[dict[str, str]], **config: Any) -> str:
    nodes = [
        {"id": "0195-a", "name": "Any", "node_type": "test.any"},
        {"id": "0195-b", "name": "Parse it", "node_type": kind, "config": config},
    ]
    return json.dumps({"name": "zen", "nodes": nodes, "connections": connections}, indent=1)


LINK = {"from_node": "0195-a", "from_port": "out", "to_node": "0195-b", "to_port": "json"}


def test_a_flow_engine_document_is_loaded_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "zen.json"
    file.write_text(workflow("test.parse", [LINK], indent={"type": "Number", "value": 2}))
    flow = LOADER.load(file)
    assert flow.name == "zen"
    assert [vertex.name for vertex in flow.plan.vertices] == ["Any", "0195-b"]  # type: ignore[attr-defined]


def test_its_problems_stand_in_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "zen.json"
    file.write_text(workflow("test.parse", [LINK | {"to_port": "jsn"}], indent="x", depth=1))
    with pytest.raises(DocumentError) as raised:
        LOADER.load(file)
    lines = [(problem.place.text.strip(), problem.message) for problem in placed(raised.value)]
    assert lines == [
        ('"indent": "x",', "expected a whole number, found the text `x`"),
        ('"depth": 1', "`test.parse` has no field `depth`"),
        ("{", "`test.parse` has no in-port `jsn`"),
    ]
    (unknown,) = found(workflow("test.prase", [LINK]), file="zen.json")
    assert str(unknown).splitlines()[0].endswith("nodes[1].node_type: unknown kind `test.prase`")
    assert unknown.place is not None
    assert unknown.place.text.strip() == '"node_type": "test.prase",'


def placed(error: DocumentError) -> Iterator[Any]:
    for problem in error.problems:
        assert problem.place is not None
        yield problem


# --- several flows, and flows that call flows ---------------------------------------------


def test_the_problems_of_a_called_flow_name_its_file_and_come_after_the_caller_s(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        "flow: inner\nnodes:\n  - {kind: nope, name: x}\n  - {kind: test.any, name: y, timeout: never}\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes:\n"
        "  - {kind: call, name: a, flow: inner.yaml}\n"
        "  - {kind: call, name: b, flow: inner.yaml}\n"
        "  - {kind: nope, name: c}\n"
    )
    with pytest.raises(DocumentError) as raised:
        LOADER.load(tmp_path / "outer.yaml")
    heads = [str(problem).splitlines()[0] for problem in raised.value.problems]
    assert heads == [
        f"{tmp_path}/outer.yaml:5:12: nodes[2].kind: unknown kind `nope`",
        f"{tmp_path}/inner.yaml:3:12: nodes[0].kind: unknown kind `nope`",
        f"{tmp_path}/inner.yaml:4:40: nodes[1].timeout: expected a duration, found the text `never`",
    ]


def test_a_called_flow_that_is_not_there_is_told_where_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").touch()
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes:\n  - {kind: call, name: a, flow: iner.yaml}\n"
    )
    with pytest.raises(DocumentError) as raised:
        LOADER.load(tmp_path / "outer.yaml")
    (problem,) = placed(raised.value)
    assert problem.place.line == 3
    assert "there is no such file" in problem.message
    assert f"did you mean `{tmp_path}/inner.yaml`?" in problem.message


def test_a_wrong_document_is_told_before_which_of_its_flows_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "- {flow: one, nodes: [{kind: test.any, name: a, timeout: never}]}\n"
        "- {flow: two, nodes: [{kind: test.any, name: a}]}\n"
    )
    with pytest.raises(DocumentError, match="expected a duration"):
        LOADER.load(file)
    file.write_text(file.read_text().replace("never", "5s"))
    with pytest.raises(SettingsError, match="holds several flows: one, two"):
        LOADER.load(file)


def test_a_check_finds_the_problems_of_every_flow_and_node_of_a_document(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(
        "- {flow: one, nodes: [{kind: nope, name: a}]}\n"
        "- {flow: two, nodes: [{kind: test.any, name: a, colour: red}]}\n"
        "- {kind: test.prase, name: c}\n"
        "- {kind: test.parse, name: d, indent: x, links: {parsed: elsewhere}}\n"
        "- {kind: test.parse, name: e, indent: '{{ WIDTH }}', env: {WIDTH: {name: widths}}}\n"
        "- {kind: test.parse, name: f, widht: '{{ WIDTH }}', env: {WIDTH: {name: widths}}}\n"
    )
    with pytest.raises(DocumentError) as raised:
        LOADER.check(file)
    assert [(problem.place.line, problem.message) for problem in placed(raised.value)] == [
        (1, "unknown kind `nope`"),
        (2, "`test.any` has no field `colour`"),
        (3, "unknown kind `test.prase`"),
        (4, "expected a whole number, found the text `x`"),
        (6, "`test.parse` has no field `widht`"),
    ]
    file.write_text("- {flow: one, nodes: [{kind: test.any, name: a}]}\n- {kind: test.any, name: b}\n")
    document = LOADER.check(file)
    assert [flow.name for flow in document.flows] == ["one"]
    assert [node.name for node in document.nodes] == ["b"]


def test_a_check_takes_the_calls_of_a_resident_graph_for_those_of_its_namespace(tmp_path: Path) -> None:
    file = tmp_path / "calls.yaml"
    file.write_text(
        "- {kind: call, name: here, flow: greet}\n"
        "- {kind: call, name: elsewhere, flow: may-come-later}\n"
        "- {flow: greet, nodes: [{kind: nop, name: a}]}\n"
        "- {flow: twice, nodes: [{kind: call, name: again, flow: greet}]}\n"
    )
    assert len(Loader(standard_scheme()).check(file).nodes) == 2


def test_a_resident_graph_is_not_a_flow() -> None:
    (problem,) = found("- {kind: test.any, name: a}\n")
    assert "this is a resident graph" in problem.message
    assert "`flow: NAME`" in problem.hint

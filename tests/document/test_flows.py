"""Flow documents: what they say, and everything that can be wrong with them at once."""

from __future__ import annotations

import pytest
from tests.document.rendering import only_flow, problems

from penstock.core.duration import Duration
from penstock.core.policies import Join, OnError, Record, Retry, Strategy
from penstock.core.problems import Problem
from penstock.core.spec import EnvRef, Link, NodeSpec, Settings
from penstock.document import place, read

ZEN = """\
flow: zen
description: Fetch a line and log it
inputs: {url: {type: string, format: uri}}
required: [url]
outputs: {title: parse.parsed, seen: log}
settings: {timeout: 30s, max_parallel: 5, on_error: stop}
author: Ada
tags: [web]
nodes:
  - {kind: http.request, name: fetch, method: GET, links: {body: parse.json}}
  - {kind: transform.json_parse, name: parse, links: {parsed: log.message}}
  - {kind: debug.log, name: log}
"""


def test_a_flow_document_reads_into_its_spec() -> None:
    flow = only_flow(ZEN)

    assert flow.name == "zen"
    assert flow.description == "Fetch a line and log it"
    assert flow.input_schema == {
        "type": "object",
        "properties": {"url": {"type": "string", "format": "uri"}},
        "required": ["url"],
    }
    assert flow.outputs == {"title": "parse.parsed", "seen": "log.out"}
    assert flow.settings == Settings(timeout=Duration(seconds=30), max_parallel=5)
    assert (flow.author, flow.tags) == ("Ada", ("web",))
    fetch, parse, log = flow.nodes
    assert fetch == NodeSpec(
        kind="http.request",
        name="fetch",
        config={"method": "GET"},
        links=(Link(port="body", node="parse", to="json", at=("nodes", 0, "links", "body")),),
        at=("nodes", 0),
        kind_at=("nodes", 0, "kind"),
        config_at=("nodes", 0),
    )
    assert [link.to for link in parse.links] == ["message"]
    assert log.config == {}


def test_a_property_may_say_itself_that_it_is_required() -> None:
    inputs = "{x: {required: true}, y: {required: false}, z: {type: object, required: [k]}}"
    flow = only_flow(f"flow: a\ninputs: {inputs}\nnodes: [{{kind: nop}}]")

    assert flow.required == ("x",)
    assert flow.inputs == {"x": {}, "y": {}, "z": {"type": "object", "required": ["k"]}}


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("{out: b}", [("out", "b", "in")]),
        ("{out: b.port}", [("out", "b", "port")]),
        ("{out: 'b.out[0]'}", [("out", "b", "out[0]")]),
        ("{out: [b, b.x]}", [("out", "b", "in"), ("out", "b", "x")]),
        ("{out: {name: b, port: x}}", [("out", "b", "x")]),
        ("{out: [{name: b}]}", [("out", "b", "in")]),
        ("{out: {id: c-1, port: x}}", [("out", "c-1", "x")]),
        ("{out: {id: b-1}}", [("out", "b", "in")]),
        ("{'out[1]': b, error: c-1}", [("out[1]", "b", "in"), ("error", "c-1", "in")]),
        ("{out: }", []),
        ("", []),
    ],
)
@pytest.mark.parametrize("field", ["links", "ports"])
def test_a_link_may_be_written_in_many_ways(
    field: str, links: str, expected: list[tuple[str, str, str]]
) -> None:
    flow = only_flow(
        f"flow: a\nnodes:\n- {{kind: nop, name: a, {field}: {links}}}\n"
        "- {kind: nop, name: b, id: b-1}\n- {kind: nop, id: c-1}"
    )

    assert [(link.port, link.node, link.to) for link in flow.nodes[0].links] == expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("retry", "3", Retry(attempts=3)),
        ("retry", "{attempts: 5, delay: 10ms}", Retry(attempts=5, delay=Duration(milliseconds=10))),
        ("retry", "{on: timeout, unless: [a, b]}", Retry(on=("timeout",), unless=("a", "b"))),
        ("retry", "", None),
        ("timeout", "1.5s", Duration(seconds=1.5)),
        ("timeout", "2", Duration(seconds=2)),
        ("join", "any", Join.ANY),
        (
            "annotations",
            "{a: 1, b: true, c: x, d: [1], e: }",
            {"a": "1", "b": "true", "c": "x", "d": "[1]", "e": ""},
        ),
        (
            "env",
            '{A: {name: v, data: "{{ .X }}"}, B: {id: i}, C: {data: 1}}',
            {
                "A": EnvRef(name="v", data="{{ .X }}", at=("nodes", 0, "env", "A")),
                "B": EnvRef(id="i", at=("nodes", 0, "env", "B")),
                "C": EnvRef(data=1, at=("nodes", 0, "env", "C")),
            },
        ),
    ],
)
def test_the_fields_that_every_node_has_are_decoded(field: str, value: str, expected: object) -> None:
    flow = only_flow(f"flow: a\nnodes:\n- kind: nop\n  {field}: {value}\n  own: 1")

    assert getattr(flow.nodes[0], field) == expected
    assert flow.nodes[0].config == {"own": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("stop", OnError()),
        ("continue", OnError(strategy=Strategy.CONTINUE)),
        ("retry", OnError(strategy=Strategy.RETRY)),
        (
            "{strategy: retry, max_retries: 2, delay: 1s}",
            OnError(strategy=Strategy.RETRY, max_retries=2, delay=Duration(seconds=1)),
        ),
        ("{strategy: retry, max_retries: 0}", OnError(strategy=Strategy.RETRY, max_retries=0)),
        ("StopWorkflow", OnError()),
        ("continue_on_error", OnError(strategy=Strategy.CONTINUE)),
        ("{type: RetryWorkflow, max_retries: 4}", OnError(strategy=Strategy.RETRY, max_retries=4)),
        ("{RetryWorkflow: {max_retries: 4}}", OnError(strategy=Strategy.RETRY, max_retries=4)),
        ("{RetryWorkflow: {max_attempts: 4}}", OnError(strategy=Strategy.RETRY, max_retries=3)),
        ("{retry_workflow: {}}", OnError(strategy=Strategy.RETRY)),
    ],
)
def test_every_shape_of_an_error_strategy_is_read(value: str, expected: OnError) -> None:
    flow = only_flow(
        f"flow: a\nsettings: {{on_error: {value}, record: effects}}\nnodes: [{{kind: nop}}]"
    )

    assert flow.settings == Settings(on_error=expected, record=Record.EFFECTS)


def test_a_list_holds_flows_and_nodes_side_by_side() -> None:
    document = read(
        "- {kind: nop, name: a, links: {out: b}}\n"
        "- {flow: f, nodes: [{kind: nop, name: a}]}\n"
        "- {kind: flow, name: g, nodes: [{kind: nop, name: a}]}\n"
        "- {kind: nop, name: a, namespace: other}\n"
    )

    assert [flow.name for flow in document.flows] == ["f", "g"]
    assert [flow.at for flow in document.flows] == [(1,), (2,)]
    assert [(node.namespace, node.name) for node in document.nodes] == [("default", "a"), ("other", "a")]


def test_a_resident_node_may_link_to_a_node_that_lives_elsewhere() -> None:
    document = read("- {kind: nop, name: a, links: {out: in-the-database.x}}")

    assert document.nodes[0].links[0].node == "in-the-database"


def test_one_spec_alone_is_a_document() -> None:
    assert read("kind: nop\nname: a").nodes[0].name == "a"


def test_nodes_of_a_flow_live_in_its_namespace() -> None:
    assert only_flow("flow: a\nnamespace: n\nnodes: [{kind: nop}]").nodes[0].namespace == "n"


MANY_PROBLEMS = """\
flow: zen
settings: {timeot: 30s, on_error: {strategy: stpo}}
outputs: {title: prse.parsed}
nodes:
  - kind: http.request
    name: fetch
    links: {body: pars.json}
    retry: {attempts: many}
  - {kind: transform.json_parse, name: parse, timeout: soon}
  - {name: parse}
"""


def test_all_problems_of_a_document_are_told_at_once_in_its_order() -> None:
    assert (
        problems(MANY_PROBLEMS, file="zen.yaml")
        == """\
zen.yaml:2:12: settings.timeot: unknown field `timeot`
    2 | settings: {timeot: 30s, on_error: {strategy: stpo}}
      |            ^
  did you mean `timeout`?

zen.yaml:2:46: settings.on_error.strategy: found the text `stpo`, which is no error strategy
    2 | settings: {timeot: 30s, on_error: {strategy: stpo}}
      |                                              ^
  did you mean `stop`?

zen.yaml:3:18: outputs.title: no node is named `prse`
    3 | outputs: {title: prse.parsed}
      |                  ^
  did you mean `parse`?

zen.yaml:7:19: nodes[0].links.body: no node is named `pars`
    7 |     links: {body: pars.json}
      |                   ^
  did you mean `parse`?

zen.yaml:8:23: nodes[0].retry.attempts: expected a whole number from 1 to 1000000, found the text `many`
    8 |     retry: {attempts: many}
      |                       ^

zen.yaml:9:56: nodes[1].timeout: expected a duration, found the text `soon`
    9 |   - {kind: transform.json_parse, name: parse, timeout: soon}
      |                                                        ^
  write 500ms, 30s, 5m, 2h, 3d, 1h30m or PT5M

zen.yaml:10:5: nodes[2]: `kind` is missing
   10 |   - {name: parse}
      |     ^
  `penstock kinds` lists the kinds of nodes

zen.yaml:10:12: nodes[2].name: another node is named `parse`
   10 |   - {name: parse}
      |            ^
  give one of them another name"""
    )


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        (
            "foo: 1",
            "1:1: this mapping is neither a flow nor a node spec",
            "write a mapping with `flow:`",
        ),
        ("flw: a\nx: 1", "1:1: this mapping is neither a flow nor a node spec", "did you mean `flow`?"),
        ("42", "1:1: expected a flow or node specs, found the number `42`", "write a mapping"),
        ("[]", "1:1: the list of specs is empty", "write a mapping"),
        ("- 3", "1:3: [0]: expected a node spec (a mapping with `kind`), found the number `3`", ""),
        ("flow:\nnodes: [{kind: a}]", "1:1: `flow` is missing", "a flow needs a name"),
        ("flow: a b\nnodes: [{kind: a}]", "1:7: flow: `a b` is not a name", "letters, digits"),
        (
            "flow: 404\nnodes: [{kind: a}]",
            "1:7: flow: expected text, found the number `404`",
            "put it in quotes",
        ),
        ("flow: a\nkind: nop\nnodes: [{kind: a}]", "2:7: kind: found the text `nop`, but a mapping", ""),
        ("flow: a\nnodes: []", "1:1: `nodes` is missing", "a flow needs at least one node"),
        ("flow: a\nnodes: {b: {kind: c}}", "2:8: nodes: expected a list, found a mapping", ""),
        (
            "flow: a\nnodes: [{kind: a}]\nlinks: {}",
            "3:1: links: unknown field `links`",
            "belong to the nodes",
        ),
        (
            "flow: a\nnodes: [{kind: a}]\nnotes: 1",
            "3:1: notes: unknown field `notes`",
            "allowed: annotations",
        ),
        ("flow: a\nnodes: [{kind: a, name: a.b}]", "2:25: nodes[0].name: `a.b` is not a name", ""),
        (
            "flow: a\nnodes: [{kind: a, join: al}]",
            "2:25: nodes[0].join: found the text `al`",
            "did you mean `all`?",
        ),
        (
            "flow: a\nnodes: [{kind: a, retry: true}]",
            "2:26: nodes[0].retry: expected a whole number",
            "",
        ),
        (
            "flow: a\nnodes: [{kind: a, retry: {dly: 1}}]",
            "2:27: nodes[0].retry.dly: unknown field",
            "`delay`?",
        ),
        (
            "flow: a\nnodes: [{kind: a, retry: {jitter: 2}}]",
            "2:35: nodes[0].retry.jitter: expected a number",
            "",
        ),
        (
            "flow: a\nnodes: [{kind: a, links: b}]",
            "2:26: nodes[0].links: expected a mapping from out-ports",
            "",
        ),
        ("flow: a\nnodes: [{kind: a, links: {o: 3}}]", "2:30: nodes[0].links.o: expected a link", ""),
        ("flow: a\nnodes: [{kind: a, links: {o: .x}}]", "2:30: nodes[0].links.o: expected a link", ""),
        (
            "flow: a\nnodes: [{kind: a, links: {o: {prt: x}}}]",
            "2:30: nodes[0].links.o: `name` is missing",
            "",
        ),
        (
            "flow: a\nnodes: [{kind: a, name: a, id: b, links: {o: {name: a, id: b}}}]",
            "2:56: nodes[0].links.o.id: `name` and `id` are both given",
            "one of them is enough",
        ),
        (
            "flow: a\nnodes: [{kind: a, name: a, links: {}, ports: {o: a}}]",
            "2:39: nodes[0].ports: `links` and `ports` are both given",
            "keep one of them",
        ),
        (
            "flow: a\nnodes: [{kind: a, env: {A: x}}]",
            "2:28: nodes[0].env.A: expected a mapping with `name`",
            "",
        ),
        ("flow: a\nnodes: [{kind: a, env: {A: {}}}]", "2:28: nodes[0].env.A: `name` is missing", ""),
        (
            "flow: a\nnodes: [{kind: a, id: x}, {kind: a, id: x}]",
            "2:41: nodes[1].id: another node has the id `x`",
            "",
        ),
        (
            "flow: a\nrequired: [x]\nnodes: [{kind: a}]",
            "2:11: required: no input is named `x`",
            "under `inputs`",
        ),
        (
            "flow: a\ninputs: {x: {type: strng}}\nnodes: [{kind: a}]",
            "2:20: inputs.x.type: found the text `strng`, which is no JSON type",
            "did you mean `string`?",
        ),
        (
            "flow: a\noutputs: {x: a.}\nnodes: [{kind: a, name: a}]",
            "2:14: outputs.x: `x` does not say",
            "node.port",
        ),
        (
            "flow: a\nsettings: {max_parallel: 0}\nnodes: [{kind: a}]",
            "2:26: settings.max_parallel: expected",
            "",
        ),
        (
            "flow: a\nsettings: {on_error: {}, record: fll}\nnodes: [{kind: a}]",
            "2:34: settings.record",
            "`full`?",
        ),
        (
            "flow: a\nsettings: {on_error: {delay: 1s}}\nnodes: [{kind: a}]",
            "2:22: settings.on_error: `strategy`",
            "",
        ),
        (
            "flow: a\nsettings: {on_error: 3}\nnodes: [{kind: a}]",
            "2:22: settings.on_error: expected a strategy",
            "",
        ),
        ("flow: a\ntriggers: [x]\nnodes: [{kind: a}]", "2:12: triggers[0]: expected a mapping", ""),
        (
            "flow: a\ntags: [1]\nnodes: [{kind: a}]",
            "2:8: tags[0]: expected text, found the number `1`",
            "quotes",
        ),
        (
            "flow: a\nnamespace: n\nnodes: [{kind: a, namespace: m}]",
            "3:30: nodes[0].namespace: the flow around it is in the namespace `n`",
            "",
        ),
        (
            "- {flow: a, nodes: [{kind: a}]}\n- {flow: a, nodes: [{kind: a}]}",
            "2:10: [1].flow: another flow",
            "",
        ),
        ("- {kind: a, name: x}\n- {kind: a, name: x}", "2:19: [1].name: another node is named `x`", ""),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, line: str, hint: str) -> None:
    found = problems(text)

    assert found.startswith(f"flow.yaml:{line}")
    assert hint in found
    assert found.count("flow.yaml:") == (2 if "prt" in text else 1)


def test_a_spec_that_cannot_be_read_hides_no_link_to_it() -> None:
    assert "no node is named" not in problems("flow: a\nnodes:\n- {kind: a, links: {out: b}}\n- b")


def test_only_the_first_hundred_problems_are_told() -> None:
    told = problems("\n".join(f"- {i}" for i in range(1000)))

    assert told.count("expected a node spec") == 100
    assert told.endswith("… and 900 more problems\n  is this the right file?")


def test_later_problems_are_placed_in_the_document() -> None:
    document = read(ZEN, file="zen.yaml")
    found = [
        Problem("no port `jsn`", document.flows[0].nodes[0].links[0].at),
        Problem("unknown field", ("nodes", 0, "method"), at_key=True),
        Problem("wrong value", ("nodes", 0, "method")),
    ]

    placed = [str(problem.place) for problem in place(found, document.source)]

    assert placed == ["zen.yaml:10:39", "zen.yaml:10:47", "zen.yaml:10:66"]

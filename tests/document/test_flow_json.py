"""The flow engine's documents, in every spelling that was met."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.document.rendering import only_flow, problems

from penstock.core.duration import Duration
from penstock.core.policies import OnError, Retry, Strategy
from penstock.core.spec import FlowSpec, Settings

FETCH = "d78dfffd-0a95-4e30-97b4-dc792d0217c8"
PARSE = "d78dfffd-0a95-4e30-97b4-dc792d0217c2"
PIPELINE: dict[str, Any] = {
    "id": "660f9511-f3ac-42e5-b827-557766551111",
    "name": "API Data Pipeline",
    "description": "Fetches and parses",
    "nodes": [
        {
            "id": FETCH,
            "node_type": "http.request",
            "name": "Fetch User Data",
            "config": {
                "method": {"type": "String", "value": "GET"},
                "headers": {"Accept": "text/plain"},
            },
            "position": {"x": 100.0, "y": 100.0},
            "retry_policy": {"max_attempts": 4, "delay_ms": 500, "backoff_multiplier": 3.0},
        },
        {
            "id": PARSE,
            "node_type": "transform.json_parse",
            "name": "parse",
            "config": {},
            "retry_policy": None,
        },
    ],
    "connections": [{"from_node": FETCH, "from_port": "body", "to_node": PARSE, "to_port": "json"}],
    "triggers": [{"id": "t", "trigger_type": {"type": "Manual"}, "enabled": True}],
    "settings": {"max_execution_time_ms": 30000, "max_parallel_nodes": 5, "on_error": "StopWorkflow"},
}


def flow_of(document: dict[str, Any]) -> FlowSpec:
    return only_flow(json.dumps(document), file="flow.json")


def linked(connection: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    nodes = [{"id": "a", "type": "nop"}, {"id": "b-1", "type": "nop", "name": "Second one"}]
    flow = flow_of({"nodes": nodes, "connections": [connection]})
    return [(node.key, link.port, link.node, link.to) for node in flow.nodes for link in node.links]


def with_node(**fields: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "a", "type": "nop", **fields}], "connections": []}


def test_a_document_of_the_flow_engine_reads_into_a_flow() -> None:
    flow = flow_of(PIPELINE)

    assert (flow.name, flow.id) == ("API-Data-Pipeline", "660f9511-f3ac-42e5-b827-557766551111")
    assert flow.annotations == {"title": "API Data Pipeline"}
    assert flow.settings == Settings(timeout=Duration(seconds=30), max_parallel=5)
    assert flow.triggers == ({"id": "t", "trigger_type": {"type": "Manual"}, "enabled": True},)
    fetch, parse = flow.nodes
    assert fetch.key == FETCH
    assert fetch.annotations == {"title": "Fetch User Data", "position": '{"x":100.0,"y":100.0}'}
    assert fetch.config == {"method": "GET", "headers": {"Accept": "text/plain"}}
    assert fetch.retry == Retry(
        attempts=4, delay=Duration(milliseconds=500), factor=3.0, max_delay=Duration(minutes=1)
    )
    assert (parse.key, parse.id) == ("parse", PARSE)
    (link,) = fetch.links
    assert (link.port, link.node, link.to) == ("body", "parse", "json")


def test_specs_point_back_into_the_document_they_came_from() -> None:
    fetch, _ = flow_of(PIPELINE).nodes

    assert fetch.at == ("nodes", 0)
    assert fetch.config_at == ("nodes", 0, "config")
    assert fetch.links[0].at == ("connections", 0)


def test_the_same_document_reads_from_yaml() -> None:
    flow = only_flow(
        "name: GitHub Zen\nnodes:\n- {id: a, node_type: http.request}\n- {id: b, kind: debug.log}\n"
        "connections:\n- {from_node: a, from_port: body, to_node: b, to_port: message}\n"
    )

    assert flow.name == "GitHub-Zen"
    assert flow.nodes[0].links[0].to == "message"


def test_everything_but_the_nodes_may_be_missing() -> None:
    flow = flow_of({"nodes": [{"type": "nop"}]})

    assert (flow.name, flow.settings, flow.nodes[0].key) == ("flow", Settings(), "node-1")


def test_metadata_and_other_notes_become_annotations() -> None:
    flow = flow_of({**with_node(metadata={"color": "red"}), "metadata": {"team": 7}, "version": "1.2"})

    assert flow.annotations == {"team": "7", "version": "1.2"}
    assert flow.nodes[0].annotations == {"color": "red"}


def test_nodes_of_one_name_are_told_apart_by_their_ids() -> None:
    flow = flow_of({"nodes": [{"id": x, "type": "nop", "name": "log"} for x in "ab"], "connections": []})

    assert [node.key for node in flow.nodes] == ["a", "b"]


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({"from_node": "a", "from_port": "x", "to_node": "b-1", "to_port": "y"}, ("a", "x", "b-1", "y")),
        ({"from_node": "a", "to_node": "b-1"}, ("a", "out", "b-1", "in")),
        ({"from": "a", "to": "b-1"}, ("a", "out", "b-1", "in")),
        ({"from": "a.x", "to": "b-1.y"}, ("a", "x", "b-1", "y")),
        ({"from": "a", "from_port": "x", "to": "b-1", "to_port": "y"}, ("a", "x", "b-1", "y")),
        (
            {"from": {"node": "a", "port": "x"}, "to": {"node": "b-1", "port": "y"}},
            ("a", "x", "b-1", "y"),
        ),
        ({"from": {"node_id": "a"}, "to": {"id": "b-1"}}, ("a", "out", "b-1", "in")),
        (
            {"source": "a", "source_port": "x", "target": "b-1", "target_port": "y"},
            ("a", "x", "b-1", "y"),
        ),
        ({"source_node": "a", "target_node": "b-1", "id": "c"}, ("a", "out", "b-1", "in")),
        ({"from": "a", "to": "Second one"}, ("a", "out", "b-1", "in")),
    ],
)
def test_a_connection_may_be_written_in_many_ways(
    connection: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    assert linked(connection) == [expected]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"type": "String", "value": "GET"}, "GET"),
        ({"type": "StringArc", "value": "GET"}, "GET"),
        ({"type": "Number", "value": 5.0}, 5),
        ({"type": "Number", "value": 0.5}, 0.5),
        ({"type": "Bool", "value": True}, True),
        ({"type": "Null"}, None),
        ({"type": "Null", "value": None}, None),
        ({"type": "Bytes", "value": [104, 105]}, "hi"),
        ({"type": "Array", "value": [{"type": "String", "value": "-c"}, 1]}, ["-c", 1]),
        ({"type": "Object", "value": {"a": {"type": "Bool", "value": False}}}, {"a": False}),
        (
            {"type": "Json", "value": {"type": "String", "value": "kept"}},
            {"type": "String", "value": "kept"},
        ),
        ({"a": [{"type": "String", "value": "deep"}]}, {"a": ["deep"]}),
        ({"type": "string", "value": "GET"}, {"type": "string", "value": "GET"}),
        ({"type": "String", "value": 5}, {"type": "String", "value": 5}),
        ({"type": "Number", "value": True}, {"type": "Number", "value": True}),
        ({"type": "String", "value": "a", "more": 1}, {"type": "String", "value": "a", "more": 1}),
        ({"type": "String"}, {"type": "String"}),
    ],
)
def test_a_value_is_untagged_only_when_it_is_a_tagged_one(value: Any, plain: Any) -> None:
    found = flow_of(with_node(config={"value": value})).nodes[0].config["value"]

    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, Retry(attempts=3, delay=Duration(seconds=1), max_delay=Duration(minutes=1))),
        ({"max_retries": 2}, Retry(attempts=3, max_delay=Duration(minutes=1))),
        ({"max_retries": 0}, Retry(attempts=1, max_delay=Duration(minutes=1))),
        (
            {"attempts": 5, "delay_seconds": 2},
            Retry(attempts=5, delay=Duration(seconds=2), max_delay=Duration(minutes=1)),
        ),
        ({"initial_delay_ms": 0}, Retry(delay=Duration(0), max_delay=Duration(minutes=1))),
        ({"max_delay_ms": None}, Retry(max_delay=Duration(days=365))),
        (
            {"max_delay": "2s", "backoff": "constant"},
            Retry(max_delay=Duration(seconds=2), backoff="constant"),
        ),
        ({"retry_on_timeout": False}, Retry(max_delay=Duration(minutes=1), unless=("timeout",))),
        (2, Retry(attempts=2)),
    ],
)
def test_a_retry_policy_keeps_the_engines_defaults(policy: Any, expected: Retry) -> None:
    assert flow_of(with_node(retry_policy=policy)).nodes[0].retry == expected


def test_a_policy_that_does_not_retry_timeouts_retries_everything_else() -> None:
    retry = flow_of(with_node(retry_policy={"retry_on_timeout": False})).nodes[0].retry

    assert retry is not None
    assert not retry.covers("timeout")
    assert retry.covers("http.status")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_execution_time_ms": None, "max_parallel_nodes": 3}, Settings(max_parallel=3)),
        (
            {"timeout_seconds": 2, "max_parallel": 3},
            Settings(timeout=Duration(seconds=2), max_parallel=3),
        ),
        (
            {"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
            Settings(on_error=OnError(strategy=Strategy.RETRY, max_retries=2)),
        ),
        (
            {"on_error": {"type": "RetryWorkflow", "max_retries": 3, "delay_ms": 250}},
            Settings(
                on_error=OnError(
                    strategy=Strategy.RETRY, max_retries=3, delay=Duration(milliseconds=250)
                )
            ),
        ),
        ({"on_error": "ContinueOnError"}, Settings(on_error=OnError(strategy=Strategy.CONTINUE))),
    ],
)
def test_settings_are_read_in_their_units(settings: dict[str, Any], expected: Settings) -> None:
    assert flow_of({**with_node(), "settings": settings}).settings == expected


def test_a_config_field_that_belongs_to_every_node_here_moves_to_its_place() -> None:
    node = flow_of(
        with_node(config={"timeout": {"type": "Number", "value": 5.0}, "env": {"A": "x"}})
    ).nodes[0]

    assert node.timeout == Duration(seconds=5)
    assert node.config == {"environment": {"A": "x"}}


@pytest.mark.parametrize(
    ("document", "line", "hint"),
    [
        ({"nodes": []}, "1:1: `nodes` is missing", "at least one node"),
        ({"nodes": [3]}, "1:12: nodes[0]: expected a node", ""),
        ({"nodes": [{"id": "a"}]}, "1:12: nodes[0]: `node_type` is missing", "penstock kinds"),
        (with_node(id=5), "1:19: nodes[0].id: expected text, found the number `5`", "put it in quotes"),
        (with_node(id="a b"), "1:19: nodes[0].id: `a b` is not an id", "letters, digits"),
        (with_node(confg={}), "1:39: nodes[0].confg: unknown field `confg`", "did you mean `config`?"),
        (with_node(links={}), "1:39: nodes[0].links: unknown field `links`", "by `connections`"),
        (
            with_node(retry_policy={"max_attempts": 0}),
            "1:72: nodes[0].retry_policy.max_attempts: expected",
            "",
        ),
        (
            with_node(retry_policy={"delay_ms": "x"}),
            "1:68: nodes[0].retry_policy.delay_ms: expected a duration",
            "",
        ),
        (
            with_node(config={"a": {"type": "Bytes", "value": [255]}}),
            "1:82: nodes[0].config.a.value: these",
            "file",
        ),
        ({**with_node(), "conections": []}, "1:60: conections: unknown field", ""),
        (
            {**with_node(), "settings": {"on_error": "RetryWorkflo"}},
            "1:85: settings.on_error: found",
            "`RetryWorkflow`?",
        ),
        (
            {"nodes": [{"id": "a", "type": "nop"}], "connections": [3]},
            "1:57: connections[0]: expected a conn",
            "",
        ),
        (
            {"nodes": [{"id": "abc", "type": "nop"}], "connections": [{"from": "abd", "to": "abc"}]},
            "1:68: connections[0].from: no node is named `abd`",
            "did you mean `abc`?",
        ),
        (
            {"nodes": [{"id": "a", "type": "nop"}], "connections": [{"from": "a"}]},
            "1:57: connections[0]: `to_node`",
            "",
        ),
        (
            {"nodes": [{"id": "a", "type": "nop"}], "connections": [{"from": "a", "to": {"port": "x"}}]},
            "1:77: connections[0].to: `node` is missing",
            "",
        ),
        (
            {
                "nodes": [{"id": "a", "type": "nop"}],
                "connections": [{"from": "a", "to": "a", "to_prt": "x"}],
            },
            "1:82: connections[0].to_prt: unknown field",
            "did you mean `to_port`?",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(document: dict[str, Any], line: str, hint: str) -> None:
    found = problems(json.dumps(document), file="flow.json")

    assert found.startswith(f"flow.json:{line}")
    assert hint in found
    assert found.count("flow.json:") == 1

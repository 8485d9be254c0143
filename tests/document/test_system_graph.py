"""The example graph of the seed loads as it is written there."""

from __future__ import annotations

from pathlib import Path

from penstock.document import read_file

SYSTEM = Path(__file__).parent / "data" / "system.yaml"


def test_the_graph_of_the_system_namespace_reads_into_nine_nodes() -> None:
    document = read_file(SYSTEM)

    assert document.flows == ()
    assert [(node.kind, node.name) for node in document.nodes] == [
        ("listener", "listener"),
        ("router", "router"),
        ("block", "nodes_create"),
        ("block", "nodes_read"),
        ("block", "nodes_update"),
        ("block", "nodes_delete"),
        ("switch", "catch"),
        ("snippet", "status_400"),
        ("snippet", "status_500"),
    ]


def test_its_links_connect_the_router_and_the_catch() -> None:
    links = {
        node.name: [(link.port, link.node, link.to) for link in node.links]
        for node in read_file(SYSTEM).nodes
    }

    assert links["listener"] == [("out", "router", "in"), ("error", "catch", "in")]
    assert links["router"] == [
        ("out[0]", "nodes_create", "in"),
        ("out[1]", "nodes_read", "in"),
        ("out[2]", "nodes_update", "in"),
        ("out[3]", "nodes_delete", "in"),
    ]
    assert links["catch"] == [("out[0]", "status_400", "in"), ("out[1]", "status_500", "in")]


def test_its_configs_keep_conditions_and_code_as_text() -> None:
    nodes = {node.name: node for node in read_file(SYSTEM).nodes}

    assert nodes["listener"].config == {"protocol": "http", "port": 8000}
    assert nodes["catch"].config["match"] == [
        {"when": 'self == "invalid argument"', "port": "out[0]"},
        {"when": "true", "port": "out[1]"},
    ]
    assert nodes["nodes_read"].config["specs"][0]["code"] == "null"
    assert nodes["status_400"].config["code"].startswith("export default function (args) {\n  return {")

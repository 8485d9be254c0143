"""Whatever a file holds, reading it gives specs or a DocumentError, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core.errors import DocumentError
from penstock.core.spec import FlowSpec, digest, from_document, to_document
from penstock.document import Document, read

# A busy machine is slow; that is no failure of what is tested here.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.sampled_from(
    [
        *(
            "flow",
            "kind",
            "name",
            "id",
            "nodes",
            "links",
            "ports",
            "out",
            "in",
            "error",
            "settings",
            "on_error",
        ),
        *(
            "timeout",
            "retry",
            "attempts",
            "delay",
            "env",
            "annotations",
            "inputs",
            "outputs",
            "required",
            "type",
        ),
        *(
            "connections",
            "from_node",
            "to_node",
            "from",
            "to",
            "node",
            "port",
            "config",
            "value",
            "String",
            "Null",
        ),
        *(
            "retry_policy",
            "max_attempts",
            "delay_ms",
            "triggers",
            "tags",
            "namespace",
            "join",
            "stop",
            "RetryWorkflow",
        ),
        *(
            "a",
            "b",
            "a.b",
            "<<",
            "30s",
            "metadata",
            "specs",
            "strategy",
            "max_retries",
            "max_delay_ms",
            "unless",
        ),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)
FRAGMENTS = st.sampled_from(
    [
        *("a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", ",", '"', "'", "&a ", "*a", "<<", "!t "),
        *("|", ">", "#", "\t", "---\n", "1e9", "0x1", "\\", "%", "@", "flow: a\n", "nodes:\n"),
        *("null", "\u2028", "\ufeff", "é", "?"),
    ]
)


def specs_or_refusal(text: str | bytes, file: str) -> Document | None:
    """What a text reads as, or None after a refusal that says something."""
    try:
        document = read(text, file=file)
    except DocumentError as error:
        refusal = error
    else:
        return usable(document)
    assert refusal.problems
    assert str(refusal)
    return None


def usable(document: Document) -> Document:
    """The document, after its specs went through what the engine does with every spec."""
    for spec in (*document.flows, *document.nodes):
        assert len(digest(spec)) == 32
    for flow in document.flows:
        assert to_document(from_document(to_document(flow))) == to_document(flow)
    return document


@PATIENT
@given(st.binary(max_size=200), st.sampled_from(["a.yaml", "a.json"]))
def test_any_bytes_are_read_or_refused(raw: bytes, file: str) -> None:
    specs_or_refusal(raw, file)


@given(
    st.text(st.characters(exclude_categories=[]), max_size=200), st.sampled_from(["a.yaml", "a.json"])
)
def test_any_text_is_read_or_refused(text: str, file: str) -> None:
    specs_or_refusal(text, file)


@PATIENT
@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_anything_that_looks_like_yaml_is_read_or_refused(text: str) -> None:
    specs_or_refusal(text, "a.yaml")


@PATIENT
@given(TREES)
def test_any_structure_is_read_or_refused_alike_in_json_and_yaml(tree: Any) -> None:
    # Quoted and tagged, because the dumper's idea of what plain text means is YAML 1.1.
    as_json = specs_or_refusal(json.dumps(tree), "a.json")
    as_yaml = specs_or_refusal(yaml.safe_dump(tree, default_style='"'), "a.yaml")

    assert (as_json is None) == (as_yaml is None)
    if as_json is not None and as_yaml is not None:
        assert [digest(spec) for spec in (*as_json.flows, *as_json.nodes)] == [
            digest(spec) for spec in (*as_yaml.flows, *as_yaml.nodes)
        ]


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True).filter(
    lambda name: name.lower() not in YAML_1_1
)
YAML_1_1 = {"on", "off", "yes", "no", "y", "n", "true", "false", "null"}


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    targets = st.sampled_from(names).map(lambda name: {"name": name, "port": "in"})
    nodes = [
        {
            "kind": "nop",
            "name": name,
            "links": {"out": draw(st.lists(targets, max_size=3))},
            "note": draw(st.text()),
        }
        for name in names
    ]
    return {"flow": draw(NAMES), "nodes": nodes, "outputs": {"x": f"{draw(st.sampled_from(names))}.out"}}


@PATIENT
@given(flows())
def test_a_valid_flow_is_read_as_it_was_written(written: dict[str, Any]) -> None:
    document = specs_or_refusal(json.dumps(written), "a.json")

    assert document is not None
    flow: FlowSpec = document.flows[0]
    assert [node.name for node in flow.nodes] == [node["name"] for node in written["nodes"]]
    assert [[link.node for link in node.links] for node in flow.nodes] == [
        [link["name"] for link in node["links"]["out"]] for node in written["nodes"]
    ]
    assert [node.config["note"] for node in flow.nodes] == [node["note"] for node in written["nodes"]]

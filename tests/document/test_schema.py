"""The JSON Schema accepts what the reader accepts, and marks what is misspelt."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from tests.document.test_flow_json import PIPELINE
from tests.document.test_flows import MANY_PROBLEMS, ZEN
from tests.document.test_system_graph import SYSTEM

from penstock.document import read
from penstock.document.schema import DIALECT, KindInfo, document_schema
from penstock.document.source import read_source

KINDS = [
    KindInfo(name="nop", summary="Passes its payload on."),
    KindInfo(
        name="http.request",
        aliases=("http",),
        summary="Sends a request.",
        config={
            "url": {"type": "string"},
            "method": {"enum": ["GET", "POST"]},
            "tls": {"$ref": "#/$defs/Tls"},
            "headers": {"type": "object"},
        },
        in_ports=("url", "body"),
        out_ports=("status", "body", "headers"),
        defs={
            "Tls": {
                "type": "object",
                "properties": {"verify": {"type": "boolean"}},
                "additionalProperties": False,
            }
        },
    ),
    KindInfo(name="transform.json_parse", in_ports=("json",), out_ports=("parsed",)),
    KindInfo(name="debug.log", in_ports=("message",), out_ports=("message",)),
    KindInfo(
        name="listener", config={"protocol": {}, "port": {"type": "integer"}}, required=("protocol",)
    ),
    KindInfo(name="router", config={"routes": {"type": "array"}}, out_ports=("out[]",)),
    KindInfo(name="block", config={"specs": {"type": "array"}}),
    KindInfo(name="switch", config={"match": {"type": "array"}}, out_ports=("out[]",)),
    KindInfo(name="snippet", config={"language": {}, "code": {}}, out_ports=None),
]
SCHEMA = document_schema(KINDS)


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMA)


def data(text: str) -> Any:
    return read_source(text, file="x.yaml").data


def test_the_schema_is_a_schema_of_2020_12() -> None:
    assert SCHEMA["$schema"] == DIALECT
    jsonschema_rs.meta.validate(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


FULL = """\
flow: full
description: Everything at once
namespace: n
author: Ada
tags: web
triggers: [{kind: cron}]
annotations: {a: 1}
env: {A: {name: v}}
inputs: {url: {type: string, required: true}, n: {type: [integer, 'null'], default: 1}, any: }
required: [n]
outputs: {x: a.out}
settings:
  timeout: 5m
  max_parallel: 3
  on_error: {strategy: retry, max_retries: 2, delay: 1s}
  record: effects
nodes:
  - {kind: http, name: a, id: x, url: u, tls: {verify: true}, retry: 3, timeout: 1.5, links: {status: b}}
  - kind: nop
    name: b
    retry: {attempts: 3, delay: 10ms, backoff: linear, factor: 2, max_delay: PT5M, jitter: 0.5}
    join: any
    annotations: {x: true}
    env: {A: {name: v, data: "{{ .X }}"}, B: {id: i}}
    links:
      out: [c, c.in, {name: c, port: in}, {id: x}]
      error: {name: c}
  - {kind: switch, name: c, match: [], ports: {'out[0]': d, 'out[12]': d}}
  - {kind: snippet, name: d, retry: {on: [a], unless: b}, links: {anything: }}
"""


@pytest.mark.parametrize(
    "text",
    [
        ZEN,
        FULL,
        SYSTEM.read_text(),
        json.dumps(PIPELINE),
        "kind: nop",
        "- {kind: flow, name: f, nodes: [{kind: nop}]}\n- {kind: nop}",
        "flow: a\nsettings:\nnodes: [{kind: nop, links: , retry: , timeout: }]",
        "flow: a\nsettings: {on_error: continue_on_error}\nnodes: [{kind: nop}]",
        "flow: a\nsettings: {on_error: {RetryWorkflow: {max_attempts: 3}}}\nnodes: [{kind: nop}]",
        "flow: a\nsettings: {on_error: {type: StopWorkflow}}\nnodes: [{kind: nop}]",
    ],
)
def test_a_document_that_reads_is_valid(
    validator: jsonschema_rs.Draft202012Validator, text: str
) -> None:
    read(text)

    assert [str(error) for error in validator.iter_errors(data(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        MANY_PROBLEMS,
        "[]",
        "3",
        "foo: 1",
        "- {kind: unknown}",
        "- {kind: http, metod: GET}",
        "- {kind: http, method: GTE}",
        "- {kind: http, tls: {verfy: true}}",
        "- {kind: http, links: {bdy: a}}",
        "- {kind: nop, links: {'out[0]': a}}",
        "- {kind: switch, links: {out: a}}",
        "- {kind: nop, links: {out: 3}}",
        "- {kind: nop, links: {out: {nme: a}}}",
        "- {kind: nop, links: {out: {name: a, id: b}}}",
        "- {kind: nop, links: {}, ports: {}}",
        "- {kind: nop, name: a b}",
        "- {kind: nop, retry: {atempts: 3}}",
        "- {kind: nop, retry: 0}",
        "- {kind: nop, timeout: soon}",
        "- {kind: nop, join: al}",
        "- {kind: nop, env: {A: {nme: x}}}",
        "- {kind: listener}",
        "- name: a",
        "flow: a",
        "flow: a\nnodes: []",
        "flow: a\nnodes: [{kind: nop}]\nsetings: {}",
        "flow: a\nnodes: [{kind: nop}]\nsettings: {timeot: 3}",
        "flow: a\nnodes: [{kind: nop}]\nsettings: {on_error: stpo}",
        "flow: a\nnodes: [{kind: nop}]\nsettings: {on_error: {strategy: stpo}}",
        "flow: a\nnodes: [{kind: nop}]\nsettings: {on_error: {RetryWorkflow: {max: 3}}}",
        "flow: a\nnodes: [{kind: nop}]\ninputs: {x: {type: strng}}",
        "nodes: [{id: a}]",
        "nodes: [{id: a, type: unknown}]",
    ],
)
def test_a_mistake_makes_a_document_invalid(
    validator: jsonschema_rs.Draft202012Validator, text: str
) -> None:
    assert not validator.is_valid(data(text))


def test_an_editor_finds_the_kinds_with_their_summaries() -> None:
    kind = SCHEMA["$defs"]["node"]["properties"]["kind"]

    assert dict(zip(kind["enum"], kind["enumDescriptions"], strict=True))["http"] == "Sends a request."


def test_an_editor_finds_the_fields_and_ports_of_a_kind() -> None:
    request = SCHEMA["$defs"]["kind.http.request"]["properties"]

    assert {"url", "method", "retry", "timeout", "links"} <= request.keys()
    assert request["links"]["properties"].keys() == {"status", "body", "headers", "error"}

"""`env`: variables of value documents in a node's config."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import Runtime, node
from penstock.core.errors import DocumentError

VALUES = {
    "api": {"host": "example.org", "token": "t0p", "port": 8080, "nested": {"a": [1, 2]}},
    "plain": "just text",
    "uuid-1": {"x": 1},
}


@node("say", pure=True)
def say(*, text: str = "") -> str:
    return text


async def told(runtime: Runtime, text: str) -> Any:
    """What the node of kind `tell` in this document finds in its config."""
    found: dict[str, Any] = {}

    @node("tell")
    def tell(*, text: str = "", many: dict[str, Any] = {}) -> None:  # noqa: B006 - copied by `node`
        found.update(text=text, many=many)

    await result_of(await runtime.start(graph(text, tell, values=VALUES)))
    return found


async def told_one(runtime: Runtime, env: str, fields: str) -> Any:
    text = f"flow: f\nnodes:\n  - kind: tell\n    name: a\n    env: {env}\n    {fields}\n"
    return await told(runtime, text)


@pytest.mark.parametrize(
    ("env", "field", "expected"),
    [
        ("{TOKEN: {name: api, data: '{{ token }}'}}", "Bearer {{ TOKEN }}", "Bearer t0p"),
        ("{TOKEN: {name: api, data: '{{ .token }}'}}", "Bearer {{ .TOKEN }}", "Bearer t0p"),
        ("{TOKEN: {name: api, data: '{{ .token }}'}}", "{{- .TOKEN -}}", "t0p"),
        (
            "{URL: {name: api, data: 'https://{{ host }}:{{ port }}'}}",
            "{{ URL }}/v1",
            "https://example.org:8080/v1",
        ),
        ("{P: {name: plain}}", "{{ P }}", "just text"),
        ("{P: {name: plain, data: '<{{ value }}>'}}", "{{ P }}", "<just text>"),
        ("{A: {name: api}}", "{{ A.nested.a[1] }}", "2"),
        ("{X: {id: uuid-1, data: '{{ x }}'}}", "{{ X }}", "1"),
        ("{L: {data: literal}}", "{{ L }}", "literal"),
        ("{TOKEN: {name: api, data: '{{ token }}'}}", "no {{ OTHER }} here", "no {{ OTHER }} here"),
        (
            "{TOKEN: {name: api, data: '{{ token }}'}}",
            "{{ message }} by TOKEN",
            "{{ message }} by TOKEN",
        ),
    ],
)
async def test_templates_are_filled(runtime: Runtime, env: str, field: str, expected: str) -> None:
    assert (await told_one(runtime, env, f'text: "{field}"'))["text"] == expected


async def test_templates_are_filled_wherever_text_is(runtime: Runtime) -> None:
    env = "{T: {name: api, data: '{{ token }}'}}"
    found = await told_one(runtime, env, "many: {headers: [{value: 'x {{ T }}'}], n: 1}")
    assert found["many"] == {"headers": [{"value": "x t0p"}], "n": 1}


async def test_a_flow_s_env_reaches_its_nodes_and_theirs_goes_first(runtime: Runtime) -> None:
    text = """
    flow: f
    env: {A: {data: outer}, B: {data: outer}}
    nodes: [{kind: tell, name: a, env: {B: {data: inner}}, text: "{{ A }} {{ B }}"}]
    """
    assert (await told(runtime, text))["text"] == "outer inner"


async def test_a_filled_text_is_read_as_what_its_field_wants(runtime: Runtime) -> None:
    found: dict[str, Any] = {}

    @node("take")
    def take(*, port: int = 0, loud: bool = False, word: str = "", either: int | str = "") -> None:
        found.update(port=port, loud=loud, word=word, either=either)

    env = "{PORT: {name: api, data: '{{ .port }}'}, LOUD: {data: 'true'}}"
    fields = "port: '{{ PORT }}', loud: '{{ LOUD }}', word: '{{ PORT }}', either: '{{ PORT }}'"
    text = f"flow: f\nnodes:\n  - {{kind: take, name: a, env: {env}, {fields}}}\n"
    await result_of(await runtime.start(graph(text, take, values=VALUES)))
    assert found == {"port": 8080, "loud": True, "word": "8080", "either": "8080"}


def test_a_filled_text_that_is_no_number_is_told_as_any_other() -> None:
    @node("take")
    def take(*, port: int = 0) -> None:
        return None

    text = "flow: f\nnodes:\n  - {kind: take, name: a, env: {P: {data: x}}, port: '{{ P }}'}\n"
    with pytest.raises(DocumentError, match="expected a whole number"):
        graph(text, take)


def test_a_missing_value_is_named_with_the_nearest() -> None:
    text = "{flow: f, nodes: [{kind: say, name: a, env: {T: {name: apo}}, text: '{{ T }}'}]}"
    with pytest.raises(DocumentError, match=r"env `T` wants the value `apo`(.|\n)*did you mean `api`\?"):
        graph(text, say, values=VALUES)


@pytest.mark.parametrize(
    "template",
    [
        "{{ T.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() if T }}",
        "{{ cycler.__init__.__globals__ if T }}",
        "{% for n in range(10**9) %}{{ T }}{% endfor %}",
        "{{ 1 / 0 if T }}",
        "{{ T.upper(1, 2, 3) }}",
    ],
)
def test_templates_run_in_a_sandbox_and_their_failures_are_told(template: str) -> None:
    text = f'{{flow: f, nodes: [{{kind: say, name: a, env: {{T: {{data: t}}}}, text: "{template}"}}]}}'
    with pytest.raises(DocumentError, match="template"):
        graph(text, say, values={})


def test_a_broken_template_is_told_with_its_place() -> None:
    text = "{flow: f, nodes: [{kind: say, name: a, env: {T: {data: t}}, text: '{{ T '}]}"
    with pytest.raises(DocumentError, match=r"flow\.yaml:1:\d+: nodes\[0\]\.text: template"):
        graph(text, say, values={})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{{ .tokn }}", r"env `T`, from the value `api`: has no `tokn`; did you mean `token`\?"),
        ("{{ .nested.b }}", r"env `T`, from the value `api`: template: .*has no attribute 'b'"),
    ],
)
def test_what_a_value_does_not_hold_is_named(data: str, message: str) -> None:
    text = f"""
    flow: f
    nodes: [{{kind: say, name: a, env: {{T: {{name: api, data: '{data}'}}}}, text: '{{{{ T }}}}'}}]
    """
    with pytest.raises(DocumentError, match=message):
        graph(text, say, values=VALUES)


async def test_secrets_are_not_in_the_revision(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: say, name: a, env: {T: {name: api, data: '{{ token }}'}}, text: '{{ T }}'}
    """
    flow = graph(text, say, values=VALUES)
    assert await result_of(await runtime.start(flow)) == "t0p"  # too short to be masked
    assert "t0p" not in str(flow.document())

"""Secrets: what a value gave a flow is nowhere in what the flow records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import result_of
from tests.engine.watching import seen as seen_event

from penstock import NodeContext, Runtime, flow, node
from penstock.core.duration import Duration
from penstock.core.errors import DocumentError, NodeError, RunFailed
from penstock.core.payload import Error
from penstock.engine.redaction import MASK, Redactor
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "hunter2-and-more"
KEY = "-----BEGIN KEY-----\nabc/def+ghi=\n-----END KEY-----\n"
VALUES = {"api": {"token": TOKEN, "user": "ada", "key": KEY, "nested": {"deep": ["s3cret", 5]}}}


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (f"Bearer {TOKEN}!", f"Bearer {MASK}!"),
        ({"a": [TOKEN, 1]}, {"a": [MASK, 1]}),
        ({TOKEN: None}, {MASK: None}),
        ((TOKEN, "other"), (MASK, "other")),
        (f"x{TOKEN}".encode(), b"x" + MASK.encode()),
        ("nothing in it", "nothing in it"),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_secrets_are_masked_at_any_depth(value: Any, masked: Any) -> None:
    assert Redactor([TOKEN]).payload(value) == masked


def test_an_error_is_masked_but_for_its_code_and_node() -> None:
    error = Error(code="http.status", message=f"a {TOKEN}", node="n", details=[TOKEN], remedy=TOKEN)
    found = Redactor([TOKEN, "http.status"]).payload(error)
    assert found == Error(code="http.status", message=f"a {MASK}", node="n", details=[MASK], remedy=MASK)


@pytest.mark.parametrize(
    "written",
    [
        'a "quoted"\tsecret/ä',
        json.dumps('a "quoted"\tsecret/ä')[1:-1],
        json.dumps('a "quoted"\tsecret/ä', ensure_ascii=False)[1:-1],
        "a%20%22quoted%22%09secret/%C3%A4",
        "a%20%22quoted%22%09secret%2F%C3%A4",
        "a+%22quoted%22%09secret%2F%C3%A4",
    ],
)
def test_a_secret_is_known_however_it_is_written(written: str) -> None:
    assert Redactor(['a "quoted"\tsecret/ä']).text(f"<{written}>") == f"<{MASK}>"


def test_each_line_of_a_long_secret_is_one() -> None:
    assert Redactor([KEY]).text("got abc/def+ghi=") == f"got {MASK}"


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh abcd") == f"{MASK} {MASK}"


def test_short_texts_are_in_every_other_word_and_stay() -> None:
    assert not Redactor(["abc", ""])


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_holds_no_secret_is_not_copied(value: Any) -> None:
    assert Redactor(["\x00never in it\x00"]).payload(value) is value


def test_names_that_a_replay_finds_its_way_by_stay() -> None:
    data = {
        "kind": "body", "port": "body", "timer": "body@1.0", "many": ["body"], "flow": "body",
        "outputs": {"body": "body"}, "inputs": {"body": ["body"]}, "message": "body",
    }  # fmt: skip
    found = Redactor(["body"]).event(data)
    assert found == data | {
        "outputs": {"body": MASK}, "inputs": {"body": [MASK]}, "message": MASK,
    }  # fmt: skip


@node("leak")
def leak(text: Any = None, *, secret: str = "", fails: bool = False, ctx: NodeContext) -> Any:
    ctx.message(f"using {secret}", detail=[secret])
    ctx.stdout(secret)
    ctx.stderr(f"warning: {secret}")
    ctx.data({"secret": secret})
    ctx.progress(0.5, secret)
    if fails:
        raise NodeError(f"refused {secret}", details={"sent": secret}, remedy=f"is {secret} right?")
    return {"secret": secret, "text": text}


def leaking(env: str, *, secret: str = "{{ S }}", fails: bool = False) -> Any:
    text = f"""
    flow: f
    inputs: {{text: {{default: null}}}}
    nodes:
      - {{kind: leak, name: a, env: {{S: {env}}}, secret: "{secret}", fails: {str(fails).lower()}}}
    """
    return graph(text, leak, values=VALUES)


async def everything(runtime: Runtime, run: Any) -> str:
    rows = [row.error for row in await runtime.runs()]
    return repr([event.to_mapping() async for event in run.events()]) + repr(rows)


@pytest.mark.parametrize(
    "env", ["{name: api, data: '{{ token }}'}", "{name: api, data: '{{ .token }}'}", "{name: api}"]
)
async def test_nothing_that_is_recorded_shows_a_secret(runtime: Runtime, env: str) -> None:
    secret = "{{ S.token }}" if env == "{name: api}" else "{{ S }}"
    run = await runtime.start(leaking(env, secret=secret), text=f"in {TOKEN}")
    assert await result_of(run) == {"secret": MASK, "text": f"in {MASK}"}
    told = await everything(runtime, run)
    assert TOKEN not in told
    assert told.count(MASK) >= 8


async def test_a_failure_shows_no_secret_anywhere(runtime: Runtime) -> None:
    run = await runtime.start(leaking("{name: api, data: '{{ token }}'}", fails=True))
    with pytest.raises(RunFailed) as caught:
        await result_of(run)
    assert TOKEN not in repr((str(caught.value), caught.value.error.to_mapping()))
    assert TOKEN not in await everything(runtime, run)


async def test_what_a_template_makes_of_a_secret_is_secret_too(runtime: Runtime) -> None:
    env = "{name: api, data: '{{ user }}:{{ token | upper }}'}"
    run = await runtime.start(leaking(env, secret="{{ S }} {{ S | reverse }}"))
    await result_of(run)
    told = await everything(runtime, run)
    for text in (TOKEN, TOKEN.upper(), TOKEN.upper()[::-1]):
        assert text not in told


async def test_only_what_is_used_of_a_value_is_masked(runtime: Runtime) -> None:
    env = "{name: api, data: '{{ nested.deep[0] }}'}"
    run = await runtime.start(leaking(env), text=f"{TOKEN} s3cret")
    assert (await result_of(run))["text"] == f"{TOKEN} {MASK}"


async def test_literals_of_the_document_are_no_secrets(runtime: Runtime) -> None:
    run = await runtime.start(leaking("{data: literal}"))
    assert (await result_of(run))["secret"] == "literal"


async def test_a_called_flow_keeps_its_own_secrets(runtime: Runtime) -> None:
    inner = leaking("{name: api, data: '{{ token }}'}")

    @flow
    async def outer(ctx: Any) -> Any:
        return await ctx.call(inner, text="x")

    run = await runtime.start(outer)
    assert await result_of(run) == {"secret": MASK, "text": "x"}
    assert TOKEN not in await everything(runtime, run)


def test_a_problem_of_a_document_shows_no_secret() -> None:
    text = """
    flow: f
    nodes:
      - {kind: paint, name: a, env: {S: {name: api, data: '{{ token }}'}}, colour: "{{ S }}"}
    """

    @node("paint")
    def paint(*, colour: Duration) -> None:
        del colour

    with pytest.raises(DocumentError, match=MASK) as caught:
        graph(text, paint, values=VALUES)
    assert TOKEN not in str(caught.value)


def holdings(folder: Path) -> bytes:
    """All that is in the files of a folder: the database, its journal, the blobs."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_database_holds_no_secret(tmp_path: Path) -> None:
    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
        run = await runtime.start(leaking("{name: api, data: '{{ token }}'}"), text=TOKEN * 50_000)
        await result_of(run)
        failing = await runtime.start(leaking("{name: api, data: '{{ token }}'}", fails=True))
        with pytest.raises(RunFailed):
            await result_of(failing)
    held = holdings(tmp_path)
    assert MASK.encode() in held
    assert TOKEN.encode() not in held


async def test_a_run_that_is_brought_back_computes_masked_outputs_of_pure_nodes_again(
    tmp_path: Path,
) -> None:
    seen: list[Any] = []

    @node("effect")
    async def effect(value: Any) -> str:
        seen.append(value)
        return "sent"

    text = """
    flow: f
    env: {TOKEN: {name: api, data: "{{ .token }}"}}
    nodes:
      - kind: snippet
        name: header
        language: text
        code: "Bearer {{ .TOKEN }}"
        links: {out: [nap, send.value]}
      - {kind: time.delay, name: nap, duration: 1d, links: {out: again.value}}
      - {kind: effect, name: send}
      - {kind: effect, name: again}
    """
    url, clock = f"sqlite:///{tmp_path}/runs.db", FakeClock()
    flow_with_secret = graph(text, effect, values=VALUES)
    async with Runtime(url, clock=clock) as first:
        run = await first.start(flow_with_secret)
        await seen_event(run, "run.waiting")
    clock.advance(86_400)
    async with Runtime(url, scheme=scheme_with(effect), clock=clock, values=VALUES) as second:
        assert await result_of(second.get(run.fid)) == ["sent", "sent"]
    assert seen == [f"Bearer {TOKEN}"] * 2
    assert TOKEN.encode() not in (tmp_path / "runs.db").read_bytes()

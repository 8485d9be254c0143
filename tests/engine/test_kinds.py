"""Custom kinds: by decorator and by class, loaded once, found through plugins."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import result_of, seen

from penstock import (
    Action,
    Duration,
    Inputs,
    NodeContext,
    Outputs,
    Port,
    Runtime,
    field,
    load_flow,
    node,
)
from penstock.core.errors import DocumentError, RunFailed, SettingsError
from penstock.engine.scheme import Scheme
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from pathlib import Path

# --- by decorator -------------------------------------------------------------------------


@node("text.shout", aliases=("shout",), pure=True)
def shout(text: str, *, marks: int = 1) -> str:
    """Say it louder."""
    return text.upper() + "!" * marks


def test_a_decorated_function_stays_callable() -> None:
    assert shout("hey", marks=2) == "HEY!!"
    assert shout.__doc__ == "Say it louder."


async def test_parameters_are_ports_and_keywords_config(runtime: Runtime) -> None:
    for kind in ("text.shout", "shout"):
        flow = graph(f"{{flow: f, nodes: [{{kind: {kind}, name: a, marks: 3}}]}}", shout)
        assert await result_of(await runtime.start(flow, text="hey")) == "HEY!!!"
    assert flow.input_schema["properties"] == {"text": {"type": "string"}}
    assert flow.input_schema["required"] == ["text"]


async def test_a_payload_that_does_not_fit_the_hint_is_the_node_s_failure(runtime: Runtime) -> None:
    @node("number")
    async def number() -> Any:
        return 5

    text = "{flow: f, nodes: [{kind: number, name: n, links: {out: a}}, {kind: shout, name: a}]}"
    with pytest.raises(RunFailed, match="in-port `text`: Expected `str`, got `int`") as raised:
        await result_of(await runtime.start(graph(text, shout, number)))
    assert raised.value.error.code == "input.type"


class Item(msgspec.Struct):
    name: str
    count: int = 1


async def test_structures_arrive_as_the_hint_says(runtime: Runtime) -> None:
    @node("total")
    async def total(items: list[Item], *, ctx: NodeContext, wait: Duration) -> dict[str, Any]:
        return {
            "total": sum(item.count for item in items),
            "wait": wait.total_seconds(),
            "node": ctx.node,
        }

    total_node = graph("{flow: f, nodes: [{kind: total, name: a, wait: 2m}]}", total)
    run = await runtime.start(total_node, items=[{"name": "x", "count": 2}, {"name": "y"}])
    assert await result_of(run) == {"total": 3, "wait": 120.0, "node": "a"}


async def test_outputs_may_be_named(runtime: Runtime) -> None:
    @node("divide", outputs={"quotient": int, "rest": int})
    async def divide(number: int, by: int = 3) -> dict[str, int]:
        return {"quotient": number // by, "rest": number % by}

    text = "{flow: f, outputs: {q: a.quotient, r: a.rest}, nodes: [{kind: divide, name: a}]}"
    assert await result_of(await runtime.start(graph(text, divide), number=11)) == {"q": 3, "r": 2}


def test_parameters_without_a_name_are_refused() -> None:
    with pytest.raises(TypeError, match=r"\*values has none"):

        @node("bad")
        def bad(*values: int) -> None:
            return None


def test_mutable_defaults_are_not_shared_between_nodes() -> None:
    @node("keeps")
    def keeps(*, seen: list[int] = []) -> int:  # noqa: B006 - that is the point
        seen.append(1)
        return len(seen)

    first, second = keeps.node_class(), keeps.node_class()
    first.seen.append(1)  # type: ignore[attr-defined]
    assert second.seen == []  # type: ignore[attr-defined]


# --- by class -----------------------------------------------------------------------------


class Counter(Action, kind="counter"):
    """Count the runs that came by."""

    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    labels: list[str] = field(default_factory=list)
    in_ports = {"in": Port(default=None)}

    async def load(self) -> None:
        self.numbers = itertools.count(self.start)

    async def run(self, inputs: Inputs) -> Outputs:
        return {"out": next(self.numbers)}


async def test_what_an_instance_keeps_lives_across_runs(runtime: Runtime) -> None:
    flow = graph("{flow: f, nodes: [{kind: counter, name: a, start: 5}]}", Counter)
    assert [await result_of(await runtime.start(flow)) for _ in range(3)] == [5, 6, 7]
    other = graph("{flow: g, nodes: [{kind: counter, name: a}]}", Counter)
    assert await result_of(await runtime.start(other)) == 0


class Life(Action, kind="life"):
    """Tell what happens to it."""

    label: str
    fails: str = ""
    in_ports = {"in": Port(default=None)}
    told: list[str] = field(default_factory=list, init=False)

    async def load(self) -> None:
        LIVES.append(f"load {self.label}")
        await asyncio.sleep(0)
        if self.fails == "load":
            raise OSError(f"cannot load {self.label}")
        self.told.append("loaded")

    async def unload(self) -> None:
        LIVES.append(f"unload {self.label}")
        if self.fails == "unload":
            raise OSError(f"cannot unload {self.label}")

    async def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(self.told)}


LIVES: list[str] = []


@pytest.fixture(autouse=True)
def _no_lives() -> None:
    LIVES.clear()


LIFE = """
flow: f
nodes:
  - {kind: life, name: a, label: a, links: {out: b}}
  - {kind: life, name: b, label: b, links: {out: c}}
  - {kind: life, name: c, label: c}
"""


async def test_nodes_are_loaded_once_dependencies_first_and_unloaded_in_reverse() -> None:
    flow = graph(LIFE, Life)
    async with Runtime("memory:") as runtime:
        for _ in range(2):
            assert await result_of(await runtime.start(flow)) == ["loaded"]
        assert LIVES == ["load c", "load b", "load a"]
    assert LIVES[3:] == ["unload a", "unload b", "unload c"]


async def test_runs_that_start_together_share_one_loading() -> None:
    flow = graph(LIFE, Life)
    async with Runtime("memory:") as runtime:
        runs = await asyncio.gather(*(runtime.start(flow) for _ in range(5)))
        assert [await result_of(run) for run in runs] == [["loaded"]] * 5
    assert LIVES == ["load c", "load b", "load a", "unload a", "unload b", "unload c"]


async def test_a_failing_load_unloads_what_was_loaded_and_starts_nothing() -> None:
    flow = graph(LIFE.replace("label: a,", "label: a, fails: load,"), Life)
    async with Runtime("memory:") as runtime:
        with pytest.raises(Exception, match="cannot load a"):
            await runtime.start(flow)
        assert LIVES == ["load c", "load b", "load a", "unload b", "unload c"]
        assert await runtime.runs() == []
        LIVES.clear()
        with pytest.raises(Exception, match="cannot load a"):
            await runtime.start(flow)
        assert LIVES[:3] == ["load c", "load b", "load a"], "it is tried again"


async def test_a_failing_unload_keeps_nothing_else_from_closing(tmp_path: Path) -> None:
    other = graph("{flow: g, nodes: [{kind: life, name: z, label: z}]}", Life)
    flow = graph(LIFE.replace("label: b,", "label: b, fails: unload,"), Life)
    runtime = Runtime(f"sqlite:///{tmp_path}/runs.db")
    await runtime.__aenter__()
    await result_of(await runtime.start(other))
    await result_of(await runtime.start(flow))
    LIVES.clear()
    with pytest.raises((OSError, ExceptionGroup)):
        await runtime.__aexit__(None, None, None)
    assert LIVES == ["unload a", "unload b", "unload c", "unload z"]
    with pytest.raises(Exception, match="not open"):
        await runtime.store.runs()


async def test_a_called_flow_is_unloaded_too(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text("flow: inner\nnodes: [{kind: life, name: x, label: inner}]\n")
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml}]\n"
    )
    flow = load_flow(tmp_path / "outer.yaml", scheme=scheme_with(Life))
    async with Runtime("memory:") as runtime:
        runs = await asyncio.gather(*(runtime.start(flow) for _ in range(3)))
        assert [await result_of(run) for run in runs] == [["loaded"]] * 3
    assert LIVES == ["load inner", "unload inner"]


async def test_nothing_is_unloaded_while_a_run_needs_it() -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(value: Any = None) -> None:
        try:
            await gate.wait()
        finally:
            LIVES.append("run ended")

    text = "{flow: f, nodes: [{kind: life, name: a, label: a, links: {out: b}}, {kind: hold, name: b}]}"
    async with Runtime("memory:") as runtime:
        run = await runtime.start(graph(text, Life, hold))
        await seen(run, "node.started", "b")
    assert LIVES == ["load a", "run ended", "unload a"]


async def test_what_the_config_says_is_checked_when_the_flow_is_made() -> None:
    class Fussy(Action, kind="fussy"):
        low: int = 0
        high: int = 1

        def check(self) -> None:
            if self.low > self.high:
                raise ValueError("`low` is above `high`")

    with pytest.raises(
        DocumentError, match=r"flow\.yaml:1:\d+: nodes\[0\]: `fussy`: `low` is above `high`"
    ):
        graph("{flow: f, nodes: [{kind: fussy, name: a, low: 3}]}", Fussy)


async def test_hidden_fields_cannot_be_set_by_a_document() -> None:
    with pytest.raises(DocumentError, match="`life` has no field `told`"):
        graph("{flow: f, nodes: [{kind: life, name: a, label: a, told: [x]}]}", Life)


# --- schemes and plugins ------------------------------------------------------------------


def test_a_scheme_knows_nothing_by_itself() -> None:
    assert Scheme().names() == []
    assert Scheme().get("nop") is None
    assert Scheme().hint("nop") == ""


def test_every_built_in_kind_loads_and_answers_to_its_name() -> None:
    scheme = standard_scheme()
    assert scheme.names()
    for name in scheme.names():
        kind = scheme.get(name)
        assert kind is not None, scheme.broken
        assert name in (kind.kind, *kind.aliases), name
    assert scheme.broken == {}


def test_a_later_kind_replaces_an_earlier_one_of_the_same_name() -> None:
    scheme = standard_scheme()
    before = scheme.get("time.delay")
    scheme.add(Counter, shout)

    class Mine(Action, kind="time.delay"):
        pass

    scheme.add(Mine)
    assert scheme.get("time.delay") is Mine
    assert before is not Mine


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package that brings kinds, some of them broken."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[penstock.kinds]\n"
        "acme.hello = acme_kinds:Hello\n"
        "acme.say = acme_kinds:say\n"
        "acme.gone = acme_kinds:Gone\n"
        "acme.crash = acme_crash:Kind\n"
        "acme.number = acme_kinds:NUMBER\n"
        "time.delay = acme_kinds:Hello\n"
    )
    (tmp_path / "acme_kinds.py").write_text(
        "from penstock import Action, node\n"
        "NUMBER = 7\n"
        "class Hello(Action, kind='acme.hello', pure=True):\n"
        "    def run(self, inputs):\n"
        "        return {'out': 'hello'}\n"
        "@node('acme.say')\n"
        "def say(text: str = 'said') -> str:\n"
        "    return text\n"
    )
    (tmp_path / "acme_crash.py").write_text("raise RuntimeError('bad day')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("acme_kinds", "acme_crash"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


async def test_a_plugin_s_kinds_are_found_when_they_are_named(plugins: Path, runtime: Runtime) -> None:
    flow = graph(
        "{flow: f, nodes: [{kind: acme.hello, name: a, links: {out: b}}, {kind: acme.say, name: b}]}"
    )
    assert await result_of(await runtime.start(flow)) == "hello"


def test_plugins_are_imported_only_when_they_are_named(plugins: Path) -> None:
    scheme = standard_scheme()
    assert "acme.hello" in scheme.names()
    assert "acme_kinds" not in sys.modules
    assert scheme.get("nope") is None
    assert "acme_kinds" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("acme.crash", "RuntimeError: bad day"),
        ("acme.gone", "AttributeError"),
        ("acme.number", "is not a kind|no kind|not a kind"),
    ],
)
def test_a_broken_plugin_is_reported_and_stops_nothing(plugins: Path, kind: str, reason: str) -> None:
    scheme = standard_scheme()
    with pytest.raises(DocumentError, match=rf"unknown kind `{kind}`(.|\n)*({reason})"):
        graph(f"{{flow: f, nodes: [{{kind: {kind}, name: a}}]}}")
    assert scheme.get(kind) is None
    assert kind in scheme.broken
    assert scheme.get("acme.hello") is not None


def test_a_plugin_does_not_replace_a_built_in_kind(plugins: Path) -> None:
    kind = standard_scheme().get("time.delay")
    assert kind is not None
    assert kind.__module__ == "penstock.kinds.time"


def test_kinds_of_a_file_are_added(tmp_path: Path) -> None:
    file = tmp_path / "my_own_kinds.py"
    file.write_text("from penstock import node\n@node('my.own')\ndef own() -> int:\n    return 1\n")
    assert standard_scheme(str(file)).get("my.own") is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1\n", "defines no kinds"), ("import nowhere_at_all\n", "cannot import"), (None, "no file")],
)
def test_a_file_without_kinds_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / f"kinds_{len(message)}.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        standard_scheme(str(file))


async def test_a_state_is_per_node_and_per_run(runtime: Runtime) -> None:
    class Tally(Action, kind="tally"):
        in_ports = {"in": Port(default=None)}

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ctx.state["count"] = ctx.state.get("count", 0) + 1
            return {"out": ctx.state["count"]}

    text = """
    flow: f
    nodes:
      - {kind: tally, name: a, links: {out: [c, c, c]}}
      - {kind: tally, name: b}
      - {kind: tally, name: c}
    """
    flow = graph(text, Tally)
    for _ in range(2):
        found = await result_of(await runtime.start(flow))
        assert (sorted(found[:3]), found[3]) == ([1, 2, 3], 1)

"""References: which flows a name, a module, a package or a folder stands for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import Runtime
from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.runtime import flows_of, load_flow

MODULE = '''
"""Flows."""

from penstock import Context, flow

__author__ = "Grace"


@flow
async def first(ctx: Context, number: int = 1) -> int:
    """The first."""
    return number


@flow(name="renamed")
async def second(ctx: Context) -> str:
    return "second"


third = flow(name="third")(second.function)


class Holder:
    @staticmethod
    def inner(number: int) -> int:
        return number + 1


def plain(number: int) -> int:
    return number * 2


value = 7
'''

YAML = "flow: {name}\nnodes: [{{kind: debug.log, name: log}}]\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules are imported, and forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None) or tmp_path):
            del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__in__", "__init__").replace("_S_", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("flows_here:first", "first"),
        ("flows_here.first", "first"),
        ("flows_here.py:second", "renamed"),
        ("flows_here:third", "third"),
        ("flows_here:plain", "plain"),
        ("flows_here:Holder.inner", "inner"),
        ("flows_here.Holder.inner", "inner"),
    ],
)
def test_a_reference_names_one_flow(here: Path, reference: str, name: str) -> None:
    write(here, flows_here=MODULE)
    assert load_flow(reference).name == name
    assert [flow.name for flow in flows_of(reference)] == [name]


def test_a_module_stands_for_all_its_flows(here: Path) -> None:
    write(here, flows_here=MODULE, borrowing="from flows_here import first\n" + MODULE)
    for reference in ("flows_here", "flows_here.py"):
        assert [flow.name for flow in flows_of(reference)] == ["first", "renamed", "third"]
    assert len(flows_of("borrowing")) == 3, "what it imports is another's"


def test_a_package_stands_for_the_flows_of_all_its_modules(here: Path) -> None:
    one = "from penstock import flow\n@flow\nasync def {name}(ctx): ...\n"
    write(
        here,
        shop_S___in__="from shop.orders import order\n",
        shop_S_orders=one.format(name="order"),
        shop_S_deep_S___in__="",
        shop_S_deep_S_bills=one.format(name="bill"),
        shop_S___main__="raise AssertionError('a program is not imported')\n",
    )
    assert sorted(flow.name for flow in flows_of("shop")) == ["bill", "order"]
    (here / "shop" / "zen.yaml").write_text(YAML.format(name="zen"))
    assert sorted(flow.name for flow in flows_of(here / "shop")) == ["bill", "order", "zen"]


def test_a_folder_stands_for_its_documents(here: Path) -> None:
    (here / "a.yaml").write_text(YAML.format(name="a"))
    (here / "b.json").write_text('{"flow": "b", "nodes": [{"kind": "debug.log", "name": "x"}]}')
    (here / "graph.yaml").write_text("- {kind: debug.log, name: resident}\n")
    (here / "two.yml").write_text(
        "- {flow: c, nodes: [{kind: debug.log, name: x}]}\n"
        "- {flow: d, nodes: [{kind: debug.log, name: y}]}\n"
    )
    (here / ".hidden.yaml").write_text("[")
    write(here, not_asked="raise AssertionError('it was not named')")
    assert [flow.name for flow in flows_of(here)] == ["a", "b", "c", "d"]


def test_the_problems_of_all_documents_are_told_together(here: Path) -> None:
    (here / "a.yaml").write_text("{flow: a, nodes: [{kind: nothing, name: x}]}")
    (here / "b.yaml").write_text("{flow: b, nods: []}")
    with pytest.raises(DocumentError) as raised:
        flows_of(here)
    files = [Path(problem.place.file).name for problem in raised.value.problems if problem.place]
    assert set(files) == {"a.yaml", "b.yaml"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("flows_here:nothing", "`flows_here` has no `nothing`"),
        ("flows_here:fist", "did you mean `first`?"),
        ("flows_here:Holder.outer", "`flows_here:Holder` has no `outer`"),
        ("flows_here:value", "a value of type `int`, not a flow"),
        ("flows_here:Holder", "a class `Holder`, not a flow"),
        ("flows_here", "holds 3 flows\nsay which one: flows_here:first, flows_here:second"),
        ("broken_here:x", "importing `broken_here` failed: ZeroDivisionError"),
        ("broken_here.x", "importing `broken_here.x` failed: ZeroDivisionError"),
        ("ending_here:x", "ends the program"),
        ("no_module_here:x", "cannot import `no_module_here`"),
        ("no_module_here.x", "there is no such file"),
        ("nothing_here.yaml", "there is no such file"),
    ],
)
def test_what_is_not_there_is_told(here: Path, reference: str, message: str) -> None:
    write(here, flows_here=MODULE, broken_here="1 / 0", ending_here="raise SystemExit(1)")
    with pytest.raises(PenstockError) as raised:
        load_flow(reference)
    assert message in str(raised.value)


def test_a_module_without_flows_is_told_when_one_is_wanted(here: Path) -> None:
    write(here, empty_here="")
    assert flows_of("empty_here") == []
    with pytest.raises(SettingsError, match="holds 0 flows"):
        load_flow("empty_here.py")


@pytest.mark.parametrize("name", ["second", "third", "plain", "Holder.inner"])
async def test_a_run_finds_its_flow_again_by_what_it_was_made_of(
    here: Path, url: str, name: str
) -> None:
    write(here, flows_here=MODULE)
    flow = load_flow(f"flows_here:{name}")
    inputs = {"number": 3} if flow.input_schema["properties"] else {}
    async with Runtime(url) as runtime:
        run = await runtime.launch(flow, inputs)
        await run.result()
    async with Runtime(url) as runtime:
        row = await runtime.get(run.fid).row()
        found = await runtime.revisions.of(row)
        assert found is not flow or flow.document().get("plain") is None
        assert (found.name, found.revision) == (flow.name, flow.revision)

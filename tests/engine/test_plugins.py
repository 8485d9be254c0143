"""Schemes: where kinds come from."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import (
    Action,
    Inputs,
    Outputs,
    Port,
    Runtime,
    field,
    node,
)
from penstock.core.errors import DocumentError, SettingsError
from penstock.engine.scheme import Scheme
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from pathlib import Path


@node("text.shout", aliases=("shout",), pure=True)
def shout(text: str, *, marks: int = 1) -> str:
    """Say it louder."""
    return text.upper() + "!" * marks


class Counter(Action, kind="counter"):
    """Count the runs that came by."""

    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    labels: list[str] = field(default_factory=list)
    in_ports = {"in": Port(default=None)}

    async def load(self) -> None:
        self.numbers = itertools.count(self.start)

    async def run(self, inputs: Inputs) -> Outputs:
        return {"out": next(self.numbers)}


def test_a_scheme_knows_nothing_by_itself() -> None:
    assert Scheme().names() == []
    assert Scheme().get("nop") is None
    assert Scheme().hint("nop") == ""


def test_an_unknown_kind_gets_the_nearest_name_or_the_way_to_all_of_them() -> None:
    scheme = standard_scheme()
    assert scheme.hint("debug.lgo") == "did you mean `debug.log`?"
    assert scheme.hint("quantum") == "`penstock kinds` lists those there are"


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

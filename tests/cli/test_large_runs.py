"""What is shown of runs that are too large to be read, and of terminals that are too narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.cli.console import Console
from penstock.cli.outline import outline
from penstock.cli.tree import Row, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome
    from tests.cli.streams import Stream

    Penstock = Callable[..., Outcome]

MANY = """
flow: many
nodes:
  - {kind: snippet, name: all, language: python, code: list(range(300)), links: {out: each}}
  - {kind: loop, name: each, links: {out: say}}
  - {kind: debug.log, name: say}
"""


@pytest.fixture
def many(tmp_path: Path) -> str:
    path = tmp_path / "many.yaml"
    path.write_text(MANY)
    return str(path)


def test_of_a_long_loop_only_the_beginning_is_told_line_by_line(penstock: Penstock, many: str) -> None:
    done = penstock("run", many)
    assert done.code == 0
    assert done.err.count("/say: completed") == 50
    assert "and so on; `penstock runs show" in done.err
    assert "each: completed" in done.err


def test_show_prints_part_of_a_long_result_and_says_so(penstock: Penstock, many: str) -> None:
    penstock("run", many)
    done = penstock("runs", "show")
    assert "  38,\n" in done.out
    assert "  39,\n" not in done.out
    assert "302 lines; `penstock runs result" in done.err
    everything = penstock("runs", "show", "--full")
    assert "  299\n]" in everything.out
    assert everything.out.count("✓ say") == 300
    assert everything.err == ""


def test_show_prints_the_beginning_of_a_very_long_line(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(
        "{flow: f, inputs: {x: {}}, nodes: [{kind: snippet, language: python, code: '\"ab\" * 5000'}]}"
    )
    penstock("run", "long.yaml", "--set", f"x={'y' * 5000}")
    done = penstock("runs", "show")
    assert max(map(len, done.out.splitlines())) < 1100
    assert "part of the result; `penstock runs result" in done.err


def test_show_prints_part_of_a_flow_of_a_thousand_nodes(penstock: Penstock, tmp_path: Path) -> None:
    nodes = "".join(f"  - {{kind: nop, name: n{number}}}\n" for number in range(1000))
    (tmp_path / "wide.yaml").write_text(f"flow: wide\nnodes:\n{nodes}")
    penstock("run", "wide.yaml", "-q")
    done = penstock("runs", "show")
    assert done.out.count(" nop ") < 200
    assert "801 completed not shown" in done.out
    assert "1000 rows; `penstock runs show" in done.err


@pytest.mark.parametrize("width", [80, 60, 40, 30])
def test_no_line_is_wider_than_the_terminal(report: Stream, width: int) -> None:
    found = rows(report.record, now=0, fold=False)
    assert max(map(len, outline(found, Console(color="never"), width=width))) <= width


def test_what_is_said_of_a_node_gives_way_before_its_name() -> None:
    row = Row(
        guide="├─ ", label="fetch", state="failed", kind="http.request", text="no answer", seconds=1
    )
    (line,) = outline([row], Console(color="never"), width=36)
    assert line == "├─ ✗ fetch  http.request  1s"


def test_wide_characters_keep_the_columns_straight() -> None:
    found = [
        Row(guide="", label="a", text="日本", seconds=1, state="completed"),
        Row(guide="", label="b", text="abcd", seconds=2, state="completed"),
    ]
    assert list(outline(found, Console(color="never"))) == ["✓ a  日本  1s", "✓ b  abcd  2s"]


def test_an_empty_run_has_no_lines() -> None:
    assert list(outline([], Console(color="never"), width=40)) == []

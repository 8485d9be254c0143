"""`penstock apply`, `diff`, `get`, `delete` and `rollback`, for specs."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

GRAPH = """
- {kind: snippet, name: a, language: cel, code: self, links: {out: b}}
- {kind: debug.log, name: b}
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "graph.yaml"
    path.write_text(GRAPH)
    return path


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# --- apply --------------------------------------------------------------------


def test_apply_says_what_became_of_each_document(penstock: Penstock, graph: Path) -> None:
    first, second = (
        penstock("apply", "specs", "-f", "graph.yaml"),
        penstock("apply", "specs", "-f", graph),
    )

    assert (first.code, second.code) == (0, 0)
    assert words(first.out) == [
        ["created", "default/a", "revision", "1"],
        ["created", "default/b", "revision", "1"],
    ]
    assert first.err == "2 created\n"
    assert second.err == "2 unchanged\n"


def test_apply_tells_programs_in_json(penstock: Penstock, graph: Path) -> None:
    done = penstock("apply", "specs", "-f", graph, "-n", "prod", "--json")
    (a, b) = json.loads(done.out)

    assert done.err == ""
    assert (a["action"], a["namespace"], a["name"], a["revision"]) == ("created", "prod", "a", 1)
    assert b["id"] != a["id"]


def test_apply_takes_files_folders_and_stdin(
    penstock: Penstock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs" / "deep").mkdir(parents=True)
    (tmp_path / "specs" / "one.yaml").write_text("- {kind: debug.log, name: one}")
    (tmp_path / "specs" / "deep" / "two.json").write_text('[{"kind": "debug.log", "name": "two"}]')
    (tmp_path / "specs" / "README.md").write_text("no specs")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"- {kind: debug.log, name: three}")))
    done = penstock("apply", "specs", "-f", "specs", "-f", "-")

    assert [line[1] for line in words(done.out)] == ["default/two", "default/one", "default/three"]


def test_apply_writes_nothing_when_one_of_the_files_is_wrong(
    penstock: Penstock, graph: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("- {kind: debug.lgo}")
    done = penstock("apply", "specs", "-f", graph, "-f", "bad.yaml", "-f", "missing.yaml")
    also = penstock("apply", "specs", "-f", graph, "-f", "bad.yaml")

    assert (done.code, also.code) == (2, 2)
    assert "missing.yaml: there is no such file" in done.err
    assert "bad.yaml:1:10: [0].kind: unknown kind `debug.lgo`" in also.err
    assert "did you mean `debug.log`?" in also.err
    assert penstock("get", "specs", "-o", "name").out == ""


def test_apply_with_an_old_revision_is_a_conflict(
    penstock: Penstock, graph: Path, tmp_path: Path
) -> None:
    penstock("apply", "specs", "-f", graph)
    (tmp_path / "b.yaml").write_text(penstock("get", "specs", "b", "-o", "yaml").out)
    graph.write_text(GRAPH.replace("name: b}", "name: b, message: theirs}"))
    penstock("apply", "specs", "-f", graph)
    (tmp_path / "b.yaml").write_text((tmp_path / "b.yaml").read_text() + "  message: mine\n")
    done = penstock("apply", "specs", "-f", "b.yaml")

    assert done.code == 1
    assert "`b` was made from revision 1, but is at revision 2 by now" in done.err
    assert "hint:" in done.err


def test_a_dry_run_writes_nothing(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    graph.write_text("- {kind: debug.log, name: c}")
    done = penstock("apply", "specs", "-f", graph, "--prune", "--dry-run")

    assert [line[:2] for line in words(done.out)] == [
        ["created", "default/c"],
        ["deleted", "default/a"],
        ["deleted", "default/b"],
    ]
    assert done.err == "1 created, 2 deleted; nothing was written\n"
    assert penstock("get", "specs", "-o", "name").out == "a\nb\n"


def test_pruning_leaves_what_the_files_say(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    graph.write_text("- {kind: debug.log, name: b}")
    penstock("apply", "specs", "-f", graph, "--prune")

    assert penstock("get", "specs", "-o", "name").out == "b\n"


def test_what_cannot_be_active_yet_is_written_with_a_warning(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text("- {kind: debug.log, name: c}")
    (tmp_path / "graph.yaml").write_text(
        "- {kind: debug.log, name: a, links: {out: nowhere}}\n"
        "- {kind: debug.log, name: b, links: {out: c.nope}}\n"
    )
    penstock("apply", "specs", "-f", "known.yaml")
    done = penstock("apply", "specs", "-f", "graph.yaml")

    assert done.code == 0
    assert "warning: default/a is waiting: `nowhere` is missing\n" in done.err
    assert "warning: default/b is broken: " in done.err
    assert "default/c is" not in done.err
    assert "warning" not in penstock("apply", "specs", "-f", "graph.yaml").err


def test_a_flow_can_be_applied(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("flow: daily\nnodes: [{kind: debug.log, name: x}]")

    assert penstock("apply", "specs", "-f", "flow.yaml").code == 0
    assert words(penstock("get", "specs").out)[1][:3] == ["daily", "flow", "1"]


@pytest.mark.parametrize(
    "args", [("specs",), ("things", "-f", "x"), ("specs", "-f", "empty"), ("specs", "--nope", "-f", "x")]
)
def test_a_wrong_command_line_is_told(penstock: Penstock, tmp_path: Path, args: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()

    assert penstock("apply", *args).code == 2


# --- get ----------------------------------------------------------------------


def test_get_shows_a_table_with_what_each_spec_waits_for(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(
        "- {kind: debug.log, name: a}\n"
        "- {kind: debug.log, name: b, links: {out: nowhere}}\n"
        "- {kind: debug.log, name: c, env: {T: {name: token}}, message: '{{ T }}'}\n"
    )
    (tmp_path / "more.yaml").write_text("- {kind: debug.log, name: d, links: {out: a.nope}}")
    penstock("apply", "specs", "-f", "graph.yaml")
    penstock("apply", "specs", "-f", "more.yaml")
    done = penstock("get", "specs")
    head, *rows = done.out.splitlines()
    start = head.index("STATUS")

    assert head.split() == ["NAME", "KIND", "REVISION", "CHANGED", "STATUS", "ORIGIN"]
    assert [row[start : head.index("ORIGIN")].strip() for row in rows[:3]] == [
        "not served",
        "not served; waiting: `nowhere` is missing",
        "not served; waiting: the value `token` is missing",
    ]
    assert rows[3][start:].startswith("not served; broken: ")
    assert "`nope`" in rows[3]


def test_what_waited_for_a_value_does_so_no_longer_when_it_is_there(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "graph.yaml").write_text(
        "- {kind: debug.log, name: c, env: {T: {name: token}}, message: '{{ T }}'}"
    )
    (tmp_path / "values.yaml").write_text("token: abc-def")
    penstock("apply", "specs", "-f", "graph.yaml")
    penstock("apply", "values", "-f", "values.yaml")

    assert json.loads(penstock("get", "specs", "--json").out)[0]["status"] == "not served"


def test_what_get_prints_as_yaml_can_be_applied_again(
    penstock: Penstock, graph: Path, tmp_path: Path
) -> None:
    penstock("apply", "specs", "-f", graph)
    (tmp_path / "again.yaml").write_text(penstock("get", "specs", "-o", "yaml").out)

    assert penstock("apply", "specs", "-f", "again.yaml").err == "2 unchanged\n"


def test_get_tells_programs_everything(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    (one,) = json.loads(penstock("get", "specs", "a", "-o", "json").out)

    assert (one["kind"], one["revision"], one["origin"], one["status"]) == (
        "snippet", 1, str(graph), "not served",
    )  # fmt: skip
    assert one["document"]["links"] == {"out": "b"}


def test_get_knows_namespaces(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    penstock("apply", "specs", "-f", graph, "-n", "prod")

    assert penstock("get", "specs", "-n", "prod", "-o", "name").out == "a\nb\n"
    assert penstock("get", "specs", "--all", "-o", "name").out.split() == [
        "default/a", "default/b", "prod/a", "prod/b",
    ]  # fmt: skip
    assert words(penstock("get", "namespaces").out) == [
        ["NAMESPACE", "SPECS", "VALUES"], ["default", "2", "0"], ["prod", "2", "0"],
    ]  # fmt: skip
    assert json.loads(penstock("get", "namespaces", "--json").out)[0] == {
        "namespace": "default", "specs": 2, "values": 0,
    }  # fmt: skip


def test_get_of_nothing_says_so(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    penstock("delete", "specs", "--all")

    assert penstock("get", "specs").err == "there is nothing\n"
    assert penstock("get", "specs", "--json").out == "[]\n"
    assert penstock("get", "specs", "-o", "yaml").out == ""
    assert penstock("get", "namespaces").out == ""


def test_get_of_an_unknown_name_is_an_error(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    done = penstock("get", "specs", "a", "x", "y")

    assert (done.code, done.out) == (4, "")
    assert "has no specs `x`, `y`" in done.err


def test_history_and_old_revisions(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    graph.write_text(GRAPH.replace("code: self", "code: self + 1"))
    penstock("apply", "specs", "-f", graph)

    assert [row[2] for row in words(penstock("get", "specs", "a", "--history").out)[1:]] == ["2", "1"]
    assert "code: self\n" in penstock("get", "specs", "a", "--revision", "1", "-o", "yaml").out
    assert penstock("get", "specs", "a", "--revision", "7").code == 4
    assert penstock("get", "specs", "a", "b", "--history").code == 2


# --- diff ---------------------------------------------------------------------


def test_diff_shows_what_apply_would_change(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    same = penstock("diff", "specs", "-f", graph)
    graph.write_text(GRAPH.replace("code: self", "code: self + 1") + "- {kind: debug.log, name: c}")
    other = penstock("diff", "specs", "-f", graph)

    assert (same.code, same.out) == (0, "")
    assert other.code == 1
    assert "--- default/a\n+++ default/a\n" in other.out
    assert "\n-code: self\n+code: self + 1\n" in other.out
    assert "--- /dev/null\n+++ default/c\n" in other.out


def test_diff_is_coloured_where_colours_are_wanted(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    graph.write_text("- {kind: debug.log, name: c}")
    done = penstock("diff", "specs", "-f", graph, "--color", "always")

    assert "\x1b[32m+kind: debug.log\x1b[0m" in done.out


def test_diff_of_revisions(penstock: Penstock, graph: Path) -> None:
    for code in ("self", "self + 1", "self + 2"):
        graph.write_text(GRAPH.replace("code: self", f"code: {code}"))
        penstock("apply", "specs", "-f", graph)
    two = penstock("diff", "specs", "a", "--revision", "1", "--revision", "2")

    assert "-code: self\n+code: self + 1\n" in two.out
    assert "-code: self\n+code: self + 2\n" in penstock("diff", "specs", "a", "--revision", "1").out
    assert penstock("diff", "specs", "a", "--revision", "3").code == 0
    (plain,) = json.loads(penstock("diff", "specs", "a", "--revision", "1", "--json").out)
    assert (plain["before"]["code"], plain["after"]["code"]) == ("self", "self + 2")


@pytest.mark.parametrize(
    "args", [(), ("a",), ("a", "-f", "graph.yaml"), ("-f", "graph.yaml", "--revision", "1")]
)
def test_diff_wants_files_or_revisions(penstock: Penstock, graph: Path, args: tuple[str, ...]) -> None:
    assert penstock("diff", "specs", *args).code == 2


def test_diff_of_an_invalid_document_is_told_from_a_difference(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    graph.write_text("- {kind: debug.lgo}")

    assert penstock("diff", "specs", "-f", graph).code == 2


def test_a_store_that_is_not_there_is_made_by_apply_alone(penstock: Penstock, graph: Path) -> None:
    assert penstock("get", "specs").code == 4
    assert penstock("diff", "specs", "-f", graph).code == 4
    assert penstock("apply", "specs", "-f", graph, "--dry-run").code == 4
    assert penstock("apply", "specs", "-f", graph).code == 0


# --- delete and rollback ------------------------------------------------------


def test_what_was_deleted_comes_back_by_its_id(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    deleted = words(penstock("delete", "specs", "a").out)[0]
    done = penstock("rollback", "specs", deleted[-1], "1")

    assert deleted[:4] == ["deleted", "default/a", "revision", "2"]
    assert words(done.out) == [["created", "default/a", "revision", "3"]]


def test_delete_deletes_all_or_nothing(penstock: Penstock, graph: Path) -> None:
    penstock("apply", "specs", "-f", graph)
    done = penstock("delete", "specs", "a", "x")

    assert done.code == 4
    assert "has no specs `x`; nothing was deleted" in done.err
    assert penstock("get", "specs", "-o", "name").out == "a\nb\n"


def test_delete_takes_files_and_everything(penstock: Penstock, graph: Path) -> None:
    for namespace in ("default", "prod"):
        penstock("apply", "specs", "-f", graph, "-n", namespace)
    graph.write_text("- {kind: debug.log, name: b}\n- {kind: debug.log, name: unknown}")

    assert penstock("delete", "specs", "-f", graph).err == "1 deleted\n"
    assert penstock("delete", "specs", "--all", "-n", "prod").err == "2 deleted\n"
    assert penstock("get", "specs", "--all", "-o", "name").out == "default/a\n"


@pytest.mark.parametrize("args", [(), ("a", "--all"), ("a", "-f", "graph.yaml")])
def test_delete_wants_to_be_told_what(penstock: Penstock, graph: Path, args: tuple[str, ...]) -> None:
    assert penstock("delete", "specs", *args).code == 2


def test_rollback_writes_a_new_revision(penstock: Penstock, graph: Path) -> None:
    for code in ("self", "self + 1"):
        graph.write_text(GRAPH.replace("code: self", f"code: {code}"))
        penstock("apply", "specs", "-f", graph)
    done = penstock("rollback", "specs", "a", "1")

    assert words(done.out) == [["updated", "default/a", "revision", "3"]]
    assert penstock("diff", "specs", "a", "--revision", "1").code == 0
    assert penstock("rollback", "specs", "a", "9").code == 4

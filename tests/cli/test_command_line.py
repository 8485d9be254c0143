"""The commands, each through the command line: output, exit codes, messages."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest

from penstock.cli.catalogue import type_text
from penstock.cli.main import COMMANDS
from penstock.cli.runs import COMMANDS as RUNS
from penstock.core.duration import Duration
from penstock.core.policies import Backoff
from penstock.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

HELLO = """
flow: hello
inputs: {name: {type: string, default: world}}
outputs: {said: log.out}
nodes:
  - {kind: debug.log, name: log, message: Hello}
"""
PARSE = """
flow: parse
inputs: {json: {type: string}}
required: [json]
nodes:
  - {kind: transform.json_parse, name: parse, links: {parsed: log.message}}
  - {kind: debug.log, name: log}
"""


@pytest.fixture
def hello(tmp_path: Path) -> str:
    path = tmp_path / "hello.yaml"
    path.write_text(HELLO)
    return str(path)


@pytest.fixture
def parse(tmp_path: Path) -> str:
    path = tmp_path / "parse.yaml"
    path.write_text(PARSE)
    return str(path)


def test_the_result_goes_to_stdout_and_everything_else_to_stderr(penstock: Penstock, parse: str) -> None:
    done = penstock("run", parse, "--set", 'json="text"')
    assert (done.code, done.out) == (0, "text\n")
    assert "log: DEBUG: text" in done.err


def test_a_result_that_is_no_text_is_printed_as_json(penstock: Penstock, parse: str) -> None:
    done = penstock("run", parse, "--set", 'json={"größe": [1, 2.5, null]}')
    assert json.loads(done.out) == {"größe": [1, 2.5, None]}
    assert "größe" in done.out


def test_quiet_prints_nothing_but_the_result(penstock: Penstock, parse: str) -> None:
    assert penstock("run", parse, "--quiet", "--set", "json=1") == (0, "1\n", "")


def test_json_is_one_line_with_id_state_result_and_duration(penstock: Penstock, hello: str) -> None:
    done = penstock("run", hello, "--json")
    found = json.loads(done.out)
    assert found["state"] == "completed"
    assert found["result"] == {"said": "Hello"}
    assert found["duration_ms"] > 0
    assert len(found["fid"]) == 20
    assert done.out.count("\n") == 1


def test_a_failed_run_exits_with_1_and_says_where_and_why(penstock: Penstock, parse: str) -> None:
    done = penstock("run", parse, "--set", "json={", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert re.search(r"error: parse: this is not JSON.*\[json\.invalid\]", done.err)
    assert "Traceback" not in done.err
    assert re.search(r"`penstock runs retry \w+` goes on", done.err)


def test_json_of_a_failed_run_carries_its_error(penstock: Penstock, parse: str) -> None:
    done = penstock("run", parse, "--set", "json={", "--json")
    found = json.loads(done.out)
    assert (done.code, found["state"], found["error"]["code"]) == (1, "failed", "json.invalid")
    assert found["error"]["node"] == "parse"


def test_events_are_lines_of_json_on_stderr(penstock: Penstock, hello: str) -> None:
    done = penstock("run", hello, "--events")
    events = [json.loads(line) for line in done.err.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("run.started", "run.completed")


def test_a_run_that_records_nothing_still_has_an_outcome(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text(HELLO + "settings: {record: none}\n")
    done = penstock("run", "none.yaml", "--json")
    found = json.loads(done.out)
    assert (done.code, found["state"], found["result"]) == (0, "completed", {"said": "Hello"})
    (tmp_path / "fails.yaml").write_text(PARSE + "settings: {record: none}\n")
    done = penstock("run", "fails.yaml", "--set", "json={")
    assert done.code == 1
    assert "[json.invalid]" in done.err
    assert "runs retry" not in done.err


def test_an_ephemeral_run_leaves_nothing_behind(penstock: Penstock, hello: str, tmp_path: Path) -> None:
    assert penstock("run", hello, "--ephemeral").code == 0
    assert not (tmp_path / "runs.db").exists()


def test_a_missing_input_exits_with_2_and_says_how_to_give_it(penstock: Penstock, parse: str) -> None:
    done = penstock("run", parse)
    assert (done.code, done.out) == (2, "")
    assert "`json` is missing" in done.err
    assert "--set json=…" in done.err


def test_a_python_flow_runs_with_typed_inputs(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "adding_flow.py").write_text(
        "from penstock import flow\n\n\n"
        "def add(a: int, b: int) -> int:\n    return a + b\n\n\n"
        "@flow\nasync def adding(ctx, a: int, b: int = 2) -> int:\n"
        "    return await ctx.step(add, a, b)\n"
    )
    done = penstock("run", "adding_flow.py", "--set", "a=40", "--quiet")
    assert done == (0, "42\n", "")
    shown = penstock("runs", "show")
    assert "add#1" in shown.out
    drawn = penstock("runs", "show", "--graph")
    assert drawn.code == 0
    assert "add#1" in drawn.out


def test_a_broken_document_shows_every_problem_with_a_caret(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(HELLO.replace("debug.log", "debug.lgo") + "colour: red\n")
    done = penstock("run", "broken.yaml")
    assert done.code == 2
    assert "broken.yaml:7:1" in done.err
    assert "^" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["run"], 2, "Missing argument"),
        (["run", "missing.yaml"], 2, "there is no such file"),
        (["run", "missing.module:flow"], 2, "cannot import"),
        (["rnu"], 2, "no command `rnu`; did you mean `run`?"),
        (["runs", "shwo"], 2, "no command `shwo`; did you mean `show`?"),
        (["kinds", "debug.lgo"], 2, "did you mean `debug.log`?"),
        (["--colour"], 2, "No such option"),
        (["run", "x.yaml", "--store", "nosql://x"], 2, ""),
        (["runs", "show"], 4, "there is no journal"),
        (["runs", "ls", "--store", "missing.db"], 4, "there is no journal"),
    ],
)
def test_bad_usage_is_told_in_one_message(
    penstock: Penstock, args: list[str], code: int, message: str
) -> None:
    done = penstock(*args)
    assert done.code == code
    assert message in done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_a_broken_setting_is_told_before_anything_runs(
    penstock: Penstock, hello: str, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text("stoer = 'x'")
    done = penstock("run", hello)
    assert done.code == 2
    assert "did you mean `store`?" in done.err


def test_a_traceback_is_shown_for_the_asking(penstock: Penstock) -> None:
    assert "Traceback" in penstock("run", "missing.yaml", "--debug").err


@pytest.mark.parametrize(
    "command", [[], *([name] for name in COMMANDS), *(["runs", name] for name in RUNS)]
)
def test_every_command_has_help(penstock: Penstock, command: list[str]) -> None:
    done = penstock(*command, "--help")
    assert done.code == 0
    assert done.out.startswith("Usage: penstock")


def test_the_version_is_printed_and_told_to_programs(penstock: Penstock) -> None:
    assert penstock("version").out == f"{__version__}\n"
    assert json.loads(penstock("version", "--json").out)["version"] == __version__


# --- runs -----------------------------------------------------------------------------


def fid_of(done: Any) -> str:
    return str(json.loads(done.out)["fid"])


def test_runs_are_listed_newest_first(penstock: Penstock, hello: str, parse: str) -> None:
    first = fid_of(penstock("run", hello, "--json"))
    second = fid_of(penstock("run", parse, "--set", "json={", "--json"))
    listed = penstock("runs", "ls")
    assert [line.split()[0] for line in listed.out.splitlines()] == [second, first]
    assert "✗ failed" in listed.out
    rows = json.loads(penstock("runs", "ls", "--state", "completed", "--json").out)
    assert [row["fid"] for row in rows] == [first]
    assert json.loads(penstock("runs", "ls", "--before", second, "--json").out)[0]["fid"] == first


def test_a_run_is_found_by_its_beginning_its_end_and_as_the_newest(
    penstock: Penstock, hello: str
) -> None:
    first, second = (fid_of(penstock("run", hello, "--json")) for _ in range(2))
    assert fid_of(penstock("runs", "result", first[-6:], "--json")) == first
    assert fid_of(penstock("runs", "result", second[-6:].upper(), "--json")) == second
    assert fid_of(penstock("runs", "result", "@", "--json")) == second
    ambiguous = penstock("runs", "result", first[:3])
    assert ambiguous.code == 4
    assert f"`{first[:3]}` fits 2 runs" in ambiguous.err


def test_show_tells_tree_timeline_and_result(penstock: Penstock, hello: str) -> None:
    penstock("run", hello)
    shown = penstock("runs", "show").out
    assert "✓ hello completed in" in shown
    assert "└─ ✓ log  debug.log" in shown
    assert '"said": "Hello"' in shown


def test_show_as_json_has_every_node(penstock: Penstock, hello: str) -> None:
    penstock("run", hello, "--set", "name=Ada")
    found = json.loads(penstock("runs", "show", "--json").out)
    assert found["inputs"] == {"name": "Ada"}
    assert [(node["path"], node["kind"], node["state"]) for node in found["nodes"]] == [
        ("log", "debug.log", "completed")
    ]


def test_show_draws_the_graph_and_writes_the_picture(
    penstock: Penstock, parse: str, tmp_path: Path
) -> None:
    penstock("run", parse, "--set", "json=1")
    drawn = penstock("runs", "show", "--graph", "--svg", "graph.svg").out
    assert "✓ parse" in drawn
    assert "parsed → message" in drawn
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    assert penstock("runs", "show", "--svg", "-").out.startswith("<svg")
    assert penstock("runs", "show", "--svg", "no/such/folder.svg").code == 2


def test_logs_print_what_nodes_said(penstock: Penstock, hello: str) -> None:
    penstock("run", hello)
    assert penstock("runs", "logs").out == "log │ DEBUG: Hello\n"
    assert penstock("runs", "logs", "--follow").out == "log │ DEBUG: Hello\n"
    assert penstock("runs", "logs", "--node", "other").out == ""
    assert json.loads(penstock("runs", "logs", "--json").out)["message"] == "DEBUG: Hello"


def test_watching_an_ended_run_shows_it_and_exits_as_it_did(penstock: Penstock, parse: str) -> None:
    penstock("run", parse, "--set", "json={")
    done = penstock("runs", "watch")
    assert done.code == 1
    assert "parse: started (transform.json_parse)" in done.err


def test_a_failed_run_is_retried_as_a_new_run(penstock: Penstock, parse: str) -> None:
    failed = fid_of(penstock("run", parse, "--set", "json={", "--json"))
    again = penstock("runs", "retry", "--json")
    assert again.code == 1
    assert fid_of(again) != failed
    assert len(penstock("runs", "ls").out.splitlines()) == 2


def test_a_run_is_retried_from_a_node_with_another_input(penstock: Penstock, parse: str) -> None:
    penstock("run", parse, "--set", "json={")
    again = penstock("runs", "retry", "--from", "parse", "--set", 'json="[1, 2]"', "--json")
    assert again.code == 0
    assert json.loads(again.out)["result"] == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from", "pars"), "did you mean `parse`?"),
        (("--from", "parse", "--set", "jsn=1"), "did you mean `json`?"),
        (("--from", "parse", "--from-start"), "not both"),
        (("--set", "json=1"), "name it with --from"),
        (("--from", "parse", "--set", "json"), "is not NAME=VALUE"),
    ],
)
def test_a_retry_that_is_not_possible_says_what_is(
    penstock: Penstock, parse: str, options: tuple[str, ...], message: str
) -> None:
    penstock("run", parse, "--set", "json={")
    refused = penstock("runs", "retry", *options)
    assert refused.code == 2
    assert message in refused.err
    assert len(penstock("runs", "ls").out.splitlines()) == 1


def test_a_quiet_retry_prints_nothing_but_the_result(penstock: Penstock, hello: str) -> None:
    result = penstock("run", hello, "-q").out
    assert penstock("runs", "retry", "-q") == (0, result, "")


@pytest.mark.parametrize(
    "command",
    [
        ("config",),
        ("doctor",),
        ("kinds",),
        ("kinds", "switch"),
        ("run", "hello.yaml"),
        ("runs", "logs"),
        ("runs", "ls"),
        ("runs", "result"),
        ("runs", "retry"),
        ("runs", "show"),
        ("runs", "watch"),
        ("validate", "hello.yaml"),
        ("validate", "missing.yaml"),
        ("version",),
    ],
    ids=" ".join,
)
def test_json_is_one_line_without_needless_spaces(
    penstock: Penstock, hello: str, command: tuple[str, ...]
) -> None:
    penstock("run", hello, "--set", "name=Ærø")
    text = penstock(*command, "--json").out
    compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert text == f"{compact}\n"


def test_cancelling_an_ended_run_says_that_there_is_nothing_to_cancel(
    penstock: Penstock, hello: str
) -> None:
    penstock("run", hello)
    done = penstock("runs", "cancel", "@")
    assert done.code == 1
    assert "is completed: there is nothing to cancel" in done.err


def test_resuming_says_when_there_is_nothing_to_resume(penstock: Penstock, hello: str) -> None:
    penstock("run", hello)
    assert penstock("runs", "resume") == (0, "", "nothing to resume\n")
    assert penstock("runs", "resume", "--all") == (0, "", "nothing to resume\n")
    assert penstock("runs", "resume", "--quiet") == (0, "", "")
    assert penstock("runs", "resume", "--all", "-q") == (0, "", "")
    assert penstock("runs", "resume", "@").code == 2


# --- documents and kinds --------------------------------------------------------------


def test_validate_tells_the_problems_of_all_files(
    penstock: Penstock, hello: str, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(HELLO.replace("debug.log", "debug.lgo"))
    (tmp_path / "b.yaml").write_text(HELLO.replace("message", "massage"))
    done = penstock("validate", hello, "a.yaml", "b.yaml")
    assert (done.code, done.out) == (2, "")
    assert f"✓ {hello}: flow `hello`, 1 node" in done.err
    assert "did you mean `debug.log`?" in done.err
    assert "did you mean `message`?" in done.err
    assert "2 problems in 2 of 3 files" in done.err


def test_validate_tells_programs_line_and_column(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HELLO.replace("debug.log", "debug.lgo"))
    (found,) = json.loads(penstock("validate", "a.yaml", "--json").out)
    assert (found["file"], found["line"], found["column"]) == ("a.yaml", 6, 12)
    assert found["hint"] == "did you mean `debug.log`?"


def test_the_kinds_are_listed_with_their_aliases(penstock: Penstock) -> None:
    listed = penstock("kinds")
    assert listed.code == 0
    assert re.search(r"^http\.request, http +\S", listed.out, re.MULTILINE)


def test_a_kind_has_a_page_with_config_ports_and_example(penstock: Penstock) -> None:
    page = penstock("kinds", "log").out
    assert page.startswith("debug.log  (also log)\n")
    assert all(title in page for title in ("\nConfig\n", "\nIn-ports\n", "\nOut-ports\n", "\nExample\n"))
    (found,) = json.loads(penstock("kinds", "log", "--json").out)
    assert found["config"][0]["name"] == "message"


def test_the_page_of_a_kind_tells_the_other_names_of_its_ports(penstock: Penstock) -> None:
    assert "\nOther names of ports\n  out[0] → true\n  out[1] → false\n" in penstock("kinds", "if").out
    assert "Other names" not in penstock("kinds", "log").out
    (found,) = json.loads(penstock("kinds", "merge", "--json").out)
    assert found["port_aliases"] == {"in": "in[0]"}


def test_kinds_of_ones_own_are_known_by_setting_and_by_flag(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "shouting.py").write_text(
        "from penstock import node\n\n\n"
        '@node("text.shout", pure=True)\ndef shout(text: str) -> str:\n'
        '    """Say it louder."""\n    return text.upper()\n'
    )
    (tmp_path / "shout.yaml").write_text("flow: shout\nnodes: [{kind: text.shout, name: shout}]\n")
    assert penstock("run", "shout.yaml", "--set", "text=hi").code == 2
    done = penstock("run", "shout.yaml", "--set", "text=hi", "--kinds", "shouting.py", "--quiet")
    assert done.out == "HI\n"
    (tmp_path / "penstock.toml").write_text('kinds = ["shouting.py"]\n')
    assert "Say it louder." in penstock("kinds").out


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Literal["a", "b"], "a | b"),
        (list[str] | None, "list[str] | null"),
        (Annotated[int, "at least 1"], "int"),
        (tuple[str, ...], "tuple[str]"),
        (Backoff, "constant | linear | exponential"),
        (Duration, "duration"),
        (Any, "any"),
    ],
)
def test_types_are_said_as_people_would(hint: Any, expected: str) -> None:
    assert type_text(hint) == expected


def test_the_schema_accepts_what_validate_accepts(penstock: Penstock) -> None:
    import jsonschema_rs
    import yaml

    schema = json.loads(penstock("kinds", "--schema").out)
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(yaml.safe_load(HELLO))
    assert not validator.is_valid(yaml.safe_load(HELLO.replace("message", "massage")))


def test_a_new_project_runs_as_it_is(penstock: Penstock, tmp_path: Path) -> None:
    assert penstock("init", "project").code == 0
    project = tmp_path / "project"
    assert penstock("validate", "project/flow.yaml", "project/flow.py").code == 0
    done = penstock("run", "project/flow.yaml", "--quiet", "--set", 'names=["Ada", "Grace"]')
    assert (done.code, json.loads(done.out)) == (0, ["Hello, Ada!", "Hello, Grace!"])
    done = penstock("run", "project/flow.py", "--quiet", "--set", "city=Oslo")
    assert (done.code, done.out) == (0, "Oslo has 4 letters\n")
    assert (project / "penstock.schema.json").exists()


def test_init_overwrites_nothing(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("mine")
    done = penstock("init")
    assert done.code == 2
    assert "already has flow.yaml" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["flow.yaml"]


# --- the rest -------------------------------------------------------------------------


def test_config_shows_values_and_origins(penstock: Penstock, tmp_path: Path) -> None:
    found = json.loads(penstock("config", "--json", PENSTOCK_PROGRESS="none").out)
    assert found["progress"] == {"name": "progress", "value": "none", "origin": "PENSTOCK_PROGRESS"}
    assert found["store"]["origin"] == "PENSTOCK_STORE"
    assert "PENSTOCK_PROGRESS" in penstock("config", PENSTOCK_PROGRESS="none").out


def test_the_doctor_finds_nothing_wrong_here(penstock: Penstock, hello: str) -> None:
    penstock("run", hello)
    done = penstock("doctor", "--json")
    assert done.code == 0
    assert {finding["subject"] for finding in json.loads(done.out)} >= {
        "python",
        "store",
        "kinds",
        "clock",
    }


def test_the_doctor_names_a_store_that_is_none(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "garbage.db").write_text("this is no database " * 1000)
    done = penstock("doctor", "--store", str(tmp_path / "garbage.db"))
    assert done.code == 1
    assert "✗ store" in done.out


def test_a_folder_that_takes_no_files_is_not_called_full(penstock: Penstock, hello: str) -> None:
    done = penstock("run", hello, "--store", "/proc/runs.db")
    assert done.code != 0
    assert "`/proc/runs.db`" in done.err
    assert "exhausted" not in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_completion_script(penstock: Penstock, shell: str) -> None:
    assert "_PENSTOCK_COMPLETE" in penstock("completion", shell).out
    assert penstock("completion", "tcsh").code == 2


def test_the_help_of_completion_gives_each_shell_its_line(penstock: Penstock) -> None:
    text = penstock("completion", "--help").out
    assert "\\b" not in text
    for shell in ("bash", "zsh", "fish"):
        assert re.search(rf"^  {shell} +.*penstock completion {shell}", text, re.MULTILINE)


def test_colour_is_for_terminals_and_those_who_ask(penstock: Penstock, hello: str) -> None:
    penstock("run", hello)
    assert "\x1b[" not in penstock("runs", "ls").out
    assert "\x1b[" in penstock("runs", "ls", "--color", "always").out
    assert "\x1b[" not in penstock("runs", "ls", FORCE_COLOR="1", NO_COLOR="1").out


def test_the_kinds_and_configs_of_a_resident_graph_are_checked(
    penstock: Penstock, tmp_path: Path
) -> None:
    graph = tmp_path / "graph.yaml"
    graph.write_text(
        "- {kind: snippit, name: a, links: {out: elsewhere}}\n"
        "- {kind: time.delay, name: b, duration: soon}\n"
    )
    done = penstock("validate", "graph.yaml")
    assert done.code == 2
    assert "graph.yaml:1:10: [0].kind: unknown kind `snippit`" in done.err
    assert "did you mean `snippet`?" in done.err
    assert "graph.yaml:2:41: [1].duration:" in done.err
    graph.write_text("- {kind: time.delay, name: b, duration: 1s, links: {out: elsewhere}}\n")
    done = penstock("validate", "graph.yaml")
    assert (done.code, done.err) == (0, "✓ graph.yaml: 1 spec of a resident graph\n")


def test_an_input_that_the_flow_does_not_declare_is_mentioned(penstock: Penstock, hello: str) -> None:
    done = penstock("run", hello, "--set", "nmae=x")
    assert done.code == 0
    assert "warning: `hello` declares no input `nmae`; did you mean `name`?" in done.err
    assert "warning" not in penstock("run", hello, "--set", "name=x").err


def test_the_steps_of_a_python_flow_are_drawn(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "two_steps.py").write_text(
        "from penstock import flow\n\n\ndef one() -> int:\n    return 1\n\n\n"
        "@flow\nasync def two(ctx) -> int:\n    await ctx.step(one)\n    return await ctx.step(one)\n"
    )
    assert penstock("run", "two_steps.py").code == 0
    drawing = penstock("runs", "show", "--graph").out
    assert drawing.index("✓ one#1") < drawing.index("▼") < drawing.index("✓ one#2")
    assert "one#1 (step) completed, to one#2" in penstock("runs", "show", "--svg", "-").out


@pytest.mark.parametrize("command", [(), ("runs",)])
def test_a_group_without_a_command_shows_its_help(penstock: Penstock, command: tuple[str, ...]) -> None:
    done = penstock(*command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: penstock")
    assert "error" not in done.err

"""The commands on a host: `--host URL`, against a `penstock serve` of its own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Outcome
from tests.host.process import HostProcess

from penstock.client import Client

FLOWS = """
- flow: greet
  description: Greet somebody
  tags: [demo]
  inputs:
    who: {type: string, description: whom}
    times: {type: integer, default: 1}
  required: [who]
  nodes:
    - {kind: snippet, name: hello, language: jinja, code: "Hello, {{ who }}!", links: {out: say}}
    - {kind: debug.log, name: say}
- flow: fail
  nodes:
    - {kind: throw, name: boom, message: no way}
- flow: wait
  nodes:
    - {kind: lock, name: ask, schema: {type: boolean}}
- flow: copy
  inputs: {path: {type: string, format: file}}
  nodes:
    - {kind: file.read, name: read}
"""

Penstock = Callable[..., Outcome]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "flows.yaml").write_text(FLOWS)
    with HostProcess(folder, "--flows", "flows.yaml") as process:
        yield process


@pytest.fixture
def there(penstock: Penstock, host: HostProcess) -> Penstock:
    """Run one command line that asks the host, as its administrator."""

    def run(*args: str, **environ: str) -> Outcome:
        known = {"PENSTOCK_HOST": host.url, "PENSTOCK_TOKEN": host.token}
        return penstock(*args, **{**known, **environ})

    return run


def test_a_flow_is_run_by_its_name_and_its_result_printed(there: Penstock) -> None:
    done = there("run", "greet", "--set", "who=Ada")
    assert (done.code, done.out) == (0, "Hello, Ada!\n")
    assert "of `greet` started" in done.err
    assert "hello: completed" in done.err


def test_the_flag_names_a_host_as_well(penstock: Penstock, host: HostProcess) -> None:
    done = penstock(
        "run", "greet", "--set", "who=Ada", "-q", "--host", host.url, PENSTOCK_TOKEN=host.token
    )
    assert (done.code, done.out, done.err) == (0, "Hello, Ada!\n", "")


def test_the_outcome_of_a_run_is_json_for_programs(there: Penstock) -> None:
    done = there("run", "fail", "--json", "-q")
    outcome = json.loads(done.out)
    assert done.code == 1
    assert (outcome["state"], outcome["error"]["code"], outcome["flow"]) == ("failed", "thrown", "fail")


def test_inputs_that_do_not_fit_are_refused_before_a_run_begins(there: Penstock) -> None:
    before = there("runs", "ls", "--json").out
    done = there("run", "greet", "--set", "whom=Ada")
    assert done.code == 2
    assert "`who` is missing (string, whom)" in done.err
    assert "declares no input `whom`; did you mean `who`?" in done.err
    assert there("runs", "ls", "--json").out == before


def test_a_file_is_uploaded_where_an_input_is_one(there: Penstock, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("one\ntwo\n")
    done = there("run", "copy", "--set", "path=data.txt", "-q")
    assert (done.code, done.out) == (0, "one\ntwo\n\n")
    missing = there("run", "copy", "--set", "path=no.txt")
    assert missing.code == 2
    assert "no file `no.txt`" in missing.err


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["run", "gret"], 4, "did you mean `greet`?"),
        (["run", "flows.yaml"], 4, "a host runs the flows that it serves, by name"),
        (["run", "greet", "--ephemeral"], 2, "--ephemeral works without --host"),
        (["runs", "show", "nobody"], 4, "no run has the id `nobody`"),
        (["flows", "show", "gret"], 4, "did you mean `greet`?"),
        (["flows", "ls", "-n", "other"], 2, "leave -n out"),
        (["get", "values"], 2, "this works on a store"),
        (["diff", "specs", "-f", "x.yaml"], 2, "this works on a store"),
        (["runs", "ls", "--host", "http://a", "--store", "b.db"], 2, "--host and --store"),
        (["runs", "ls", "--host", "nowhere"], 2, "`nowhere` is not the address of a host"),
    ],
)
def test_a_mistake_is_one_clear_error(there: Penstock, args: list[str], code: int, words: str) -> None:
    done = there(*args)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_host_that_is_not_there_is_named(penstock: Penstock) -> None:
    done = penstock("runs", "ls", "--host", "http://127.0.0.1:9")
    assert done.code == 4
    assert "http://127.0.0.1:9 cannot be reached" in done.err
    assert "penstock serve" in done.err


def test_who_is_not_known_is_told_how_to_become_so(penstock: Penstock, host: HostProcess) -> None:
    for token in ("", "pst_wrong"):
        done = penstock("runs", "ls", "--host", host.url, PENSTOCK_TOKEN=token)
        assert done.code == 4
        assert "PENSTOCK_TOKEN" in done.err
        assert "pst_wrong" not in done.err


def test_what_is_not_allowed_is_said(there: Penstock, host: HostProcess) -> None:
    there("users", "add", "guest", "--no-password", "--role", "viewer")
    token = there("tokens", "add", "t", "--user", "guest").out.strip()
    done = there("run", "greet", "--set", "who=x", PENSTOCK_TOKEN=token)
    assert done.code == 4
    assert "needs the permission `launch`" in done.err


def test_the_settings_name_the_host_and_hide_the_token(there: Penstock, host: HostProcess) -> None:
    shown = there("config").out
    assert host.url in shown
    assert host.token not in shown


def test_the_host_may_stand_in_the_settings_of_a_project(
    penstock: Penstock, host: HostProcess, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text(f'host = "{host.url}"\nhost_ca_file = "ca.pem"\n')
    assert penstock("flows", "ls", PENSTOCK_TOKEN=host.token).code == 0
    assert str(tmp_path / "ca.pem") in penstock("config").out


def test_a_store_flag_wins_over_the_host_of_the_settings(there: Penstock) -> None:
    done = there("runs", "ls", "--store", "memory:")
    assert (done.code, done.err) == (0, "no runs\n")


def test_runs_are_listed_and_shown_as_those_of_a_store(there: Penstock) -> None:
    fid = json.loads(there("run", "greet", "--set", "who=Ada", "--json", "-q").out)["fid"]
    listed = there("runs", "ls", "--flow", "greet", "--limit", "1").out
    assert fid in listed
    assert "✓ completed" in listed
    row = json.loads(there("runs", "ls", "--limit", "1", "--json").out)[0]
    assert (row["fid"], row["state"], row["namespace"]) == (fid, "completed", "default")
    shown = there("runs", "show", fid[-6:]).out
    assert '{"who":"Ada","times":1}' in shown
    assert "hello" in shown
    assert "Hello, Ada!" in shown
    assert "hello" in there("runs", "show", fid, "--graph").out
    nodes = json.loads(there("runs", "show", fid, "--json").out)["nodes"]
    assert [node["path"] for node in nodes] == ["hello", "say"]
    events = [json.loads(line) for line in there("runs", "show", fid, "--events").out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert "Hello, Ada!" in there("runs", "logs", fid).out
    assert there("runs", "result", fid).out == "Hello, Ada!\n"
    watched = there("runs", "watch", fid)
    assert (watched.code, watched.out) == (0, "Hello, Ada!\n")


def test_a_run_is_retried_from_a_node_with_another_input(there: Penstock) -> None:
    first = json.loads(there("run", "greet", "--set", "who=Ada", "--json", "-q").out)
    again = there("runs", "retry", first["fid"], "--from", "hello", "--set", "in=x", "--json", "-q")
    assert json.loads(again.out)["fid"] != first["fid"]
    wrong = there("runs", "retry", first["fid"], "--from", "helo")
    assert wrong.code == 2
    assert "did you mean `hello`?" in wrong.err


def test_a_run_is_cancelled(there: Penstock, host: HostProcess) -> None:
    with Client(host.url, token=host.token) as client:
        fid = client.launch("wait").fid
    assert there("runs", "result", fid).code == 1
    done = there("runs", "cancel", fid, "--reason", "enough")
    assert (done.code, done.err) == (0, f"{fid} cancelled\n")
    assert there("runs", "result", fid).code == 3
    ended = json.loads(there("run", "greet", "--set", "who=x", "--json", "-q").out)["fid"]
    assert "is completed: there is nothing to cancel" in there("runs", "cancel", ended).err


def test_a_lock_is_listed_and_released(there: Penstock, host: HostProcess) -> None:
    with Client(host.url, token=host.token) as client:
        run = client.launch("wait")
        next(event for event in run.events() if event.type == "lock.opened")
        assert run.fid in there("locks", "ls").out
        wrong = there("locks", "release", run.fid, "--input", "3")
        assert wrong.code != 0
        done = there("locks", "release", run.fid, "--input", "true")
        assert done.code == 0
        assert run.result(timeout=20) is True


def test_resuming_is_the_work_of_the_host(there: Penstock) -> None:
    done = there("runs", "resume", "--all")
    assert (done.code, done.err) == (0, "nothing to resume: a host goes on with its runs by itself\n")


def test_flows_are_listed_and_shown(there: Penstock) -> None:
    assert [line.split()[0] for line in there("flows", "ls").out.splitlines()[1:]] == [
        "copy",
        "fail",
        "greet",
        "wait",
    ]
    assert [
        flow["name"] for flow in json.loads(there("flows", "ls", "--tag", "demo", "--json").out)
    ] == ["greet"]
    shown = there("flows", "show", "greet").out
    assert "Greet somebody" in shown
    assert "who    string   required  whom" in shown
    assert json.loads(there("flows", "show", "greet", "--json").out)["input_schema"]["required"] == [
        "who"
    ]


def test_flows_of_a_store_are_listed_without_a_host(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "flows.yaml").write_text(FLOWS)
    assert penstock("flows", "ls").code == 4
    assert penstock("apply", "specs", "-f", "flows.yaml").code == 0
    assert [flow["name"] for flow in json.loads(penstock("flows", "ls", "--json").out)] == [
        "copy",
        "fail",
        "greet",
        "wait",
    ]
    assert "who    string   required  whom" in penstock("flows", "show", "greet").out
    missing = penstock("flows", "show", "gret")
    assert missing.code == 4
    assert "did you mean `greet`?" in missing.err


def test_specs_are_applied_shown_and_deleted(there: Penstock, tmp_path: Path) -> None:
    document = tmp_path / "new.yaml"
    document.write_text("flow: new\nnodes: [{kind: snippet, name: a, language: text, code: one}]\n")
    dry = there("apply", "specs", "-f", "new.yaml", "--dry-run")
    assert (dry.code, dry.err) == (0, "1 created; nothing was written\n")
    done = there("apply", "specs", "-f", "new.yaml")
    assert (done.code, done.out) == (0, "created    default/new  revision 1\n")
    assert there("run", "new", "-q").out == "one\n"
    listed = there("get", "specs", "new").out.splitlines()
    assert listed[1].split()[:3] == ["new", "flow", "1"]
    assert "active" in listed[1]
    assert there("get", "specs", "new", "-o", "name").out == "new\n"
    assert "there are no specs `nwe`" in there("get", "specs", "nwe").err
    document.write_text("flow: new\nnodes: [{kind: snipet, name: a}]\n")
    wrong = there("apply", "specs", "-f", "new.yaml")
    assert wrong.code == 2
    assert "no kind `snipet`" in wrong.err or "did you mean `snippet`" in wrong.err
    assert there("delete", "specs", "nobody").code == 4
    assert there("delete", "specs", "-f", "new.yaml").out.startswith("deleted    default/new")


def test_a_document_that_cannot_be_read_is_told_with_its_lines(there: Penstock, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("flow: broken\nnodes:\n  - {kind: snippet, nam: a}\n")
    done = there("apply", "specs", "-f", "broken.yaml")
    assert done.code == 2
    assert "broken.yaml:3:" in done.err


def test_a_token_is_kept_until_one_logs_out(
    penstock: Penstock, there: Penstock, host: HostProcess
) -> None:
    there("users", "add", "ada", "--no-password", "--role", "admin")
    with Client(host.url, token=host.token) as client:
        from penstock.api import UserChange

        client.change_user("ada", UserChange(password="a long password"))
    here = Path(__file__).parents[2]
    environ = {**os.environ, "PENSTOCK_HOST": host.url, "PYTHONPATH": str(here)}
    environ.pop("PENSTOCK_TOKEN", None)

    def command(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "penstock", *args],
            input=text, env=environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    wrong = command("login", "--user", "ada", "--password-stdin", text="something else\n")
    assert wrong.returncode == 4
    logged_in = command("login", "--user", "ada", "--password-stdin", text="a long password\n")
    assert (logged_in.returncode, logged_in.stderr) == (0, f"✓ ada at {host.url}\n")
    (kept,) = Path(os.environ["XDG_CONFIG_HOME"]).rglob("hosts.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert penstock("flows", "ls", "--host", host.url).code == 0
    assert command("logout").stderr == f"the token for {host.url} is forgotten\n"
    assert json.loads(kept.read_text()) == {}
    assert [
        token["kind"] for token in json.loads(there("tokens", "ls", "--user", "ada", "--json").out)
    ] == []
    assert penstock("flows", "ls", "--host", host.url).code == 4


def test_ctrl_c_leaves_the_run_and_says_how_to_go_on(host: HostProcess, tmp_path: Path) -> None:
    environ = {**os.environ, "PENSTOCK_HOST": host.url, "PENSTOCK_TOKEN": host.token}
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "wait", "--events"],
        cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    fid = ""
    for line in process.stderr:
        if '"lock.opened"' in line:
            break
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "left; the run goes on" in told
    fid = told.partition("runs watch ")[2].partition(" ")[0]
    assert f"`penstock runs cancel {fid} --host {host.url}` ends it" in told
    with Client(host.url, token=host.token) as client:
        assert not client.run(fid).state().terminal
        client.run(fid).cancel()

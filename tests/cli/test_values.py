"""Values for `env` on the command line, and what must never be shown of them."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from penstock.engine.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

TOKEN = "hunter2-and-more"
REPORT = """
flow: report
nodes:
  - kind: shell.exec
    name: say
    env: {TOKEN: {name: NAME, data: "{{ .TOKEN }}"}}
    environment: {SECRET: "{{ .TOKEN }}"}
    command: 'echo "it is $SECRET"; echo "warning: $SECRET" >&2; test "${#SECRET}" = 16'
"""
ASK = """
flow: ask
inputs: {url: {type: string}}
required: [url]
nodes:
  - kind: http.request
    name: ask
    env: {TOKEN: {name: environ, data: "{{ .TOKEN }}"}}
    headers: {Authorization: "Bearer {{ .TOKEN }}"}
"""


class Guarded(BaseHTTPRequestHandler):
    """Lets those in who know the token, and repeats what it was told to all others."""

    def do_GET(self) -> None:
        told = self.headers["Authorization"] or "nothing"
        status = 200 if told == f"Bearer {TOKEN}" and self.path == "/in" else 403
        body = json.dumps({"told": told}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Told", told)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def guarded() -> Iterator[str]:
    """The address of a server that asks for the token."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), name="web", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ask(tmp_path: Path) -> str:
    path = tmp_path / "ask.yaml"
    path.write_text(ASK)
    return str(path)


def report(folder: Path, name: str) -> str:
    """A flow that needs the value `name`."""
    path = folder / "report.yaml"
    path.write_text(REPORT.replace("NAME", name))
    return str(path)


def recorded(folder: Path) -> bytes:
    """All that is in the files of the store: the database, its journal, the blobs."""
    return b"".join(path.read_bytes() for path in folder.rglob("runs.db*") if path.is_file())


def test_the_environment_is_a_value(penstock: Penstock, tmp_path: Path) -> None:
    done = penstock("run", report(tmp_path, "environ"), TOKEN=TOKEN)
    assert done.code == 0, done.err
    assert f"it is {MASK}" in done.out
    assert f"warning: {MASK}" in done.err
    assert TOKEN not in done.out + done.err
    assert MASK.encode() in recorded(tmp_path)
    assert TOKEN.encode() not in recorded(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("penstock.toml", f'[values.api]\nTOKEN = "{TOKEN}"\n'),
        ("pyproject.toml", f'[tool.penstock.values.api]\nTOKEN = "{TOKEN}"\n'),
    ],
)
def test_settings_files_hold_values(penstock: Penstock, tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert penstock("run", report(tmp_path, "api")).code == 0


@pytest.mark.parametrize(
    ("file", "text"),
    [("v.yaml", f"api: {{TOKEN: {TOKEN}}}"), ("v.json", f'{{"api": {{"TOKEN": "{TOKEN}"}}}}')],
)
def test_a_file_of_values_wins_over_the_settings(
    penstock: Penstock, tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / "penstock.toml").write_text('[values.api]\nTOKEN = "another one"\n')
    (tmp_path / file).write_text(text)
    flow = report(tmp_path, "api")
    assert penstock("run", flow, "--values", file).code == 0
    assert penstock("validate", flow, "--values", file).code == 0
    assert penstock("run", flow).code == 1
    done = penstock("runs", "retry", "@", "--values", file)
    assert done.code == 0, done.err


def test_a_missing_value_is_told_with_its_place(penstock: Penstock, tmp_path: Path) -> None:
    flow = report(tmp_path, "api")
    for command in ("run", "validate"):
        done = penstock(command, flow)
        assert done.code == 2
        assert re.search(r"report\.yaml:\d+:\d+: nodes\[0\]\.environment", done.err)
        assert "env `TOKEN` wants the value `api`, which is not there" in done.err


def test_a_missing_variable_is_told_and_no_other_is_listed(penstock: Penstock, tmp_path: Path) -> None:
    done = penstock("run", report(tmp_path, "environ"), TOKENS="abcdef", OTHER="x")
    assert done.code == 2
    assert "env `TOKEN`, from the value `environ`: has no `TOKEN`; did you mean `TOKENS`?" in done.err
    assert "OTHER" not in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "v.yaml does not hold values"),
        ("environ: {}", "no value can be called `environ`"),
        ("a b: {}", "`a b` is no name for a value"),
        (f"api: {TOKEN}: [", r"v.yaml:1:"),
    ],
)
def test_a_file_of_values_that_cannot_be_used_is_told_without_what_it_holds(
    penstock: Penstock, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "v.yaml").write_text(text)
    done = penstock("run", report(tmp_path, "environ"), "--values", "v.yaml", TOKEN="abcd")
    assert done.code == 2
    assert message in done.err
    assert TOKEN not in done.err


def test_a_file_of_values_that_cannot_be_read_is_told(penstock: Penstock, tmp_path: Path) -> None:
    done = penstock("run", report(tmp_path, "environ"), "--values", "nothing.yaml")
    assert (done.code, done.out) == (2, "")
    assert "--values nothing.yaml cannot be read: No such file or directory" in done.err


def test_config_shows_which_values_there_are_and_not_what_they_hold(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text(
        f'[values]\nplain = "{TOKEN}"\n[values.api]\nTOKEN = "{TOKEN}"\n'
    )
    done = penstock("config")
    assert re.search(r"values\.api +TOKEN +.*penstock\.toml", done.out)
    assert re.search(rf"values\.plain +{MASK} +.*penstock\.toml", done.out)
    assert TOKEN not in done.out + penstock("config", "--json").out


def test_values_that_are_no_table_are_told(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text("values = 3\n")
    done = penstock("run", report(tmp_path, "environ"))
    assert done.code == 2
    assert "is no table" in done.err


@pytest.mark.parametrize("path", ["in", "out"])
@pytest.mark.parametrize("how", ["--json", "--events", "--progress=plain"])
def test_a_token_in_a_header_is_sent_and_shown_nowhere(
    penstock: Penstock, ask: str, guarded: str, tmp_path: Path, path: str, how: str
) -> None:
    done = penstock("run", ask, f"--set=url={guarded}/{path}", how, TOKEN=TOKEN)
    assert done.code == (0 if path == "in" else 1), done.err
    shown = done.out + done.err
    for command in ("show", "logs", "result"):
        for form in ((), ("--json",)):
            again = penstock("runs", command, *form, TOKEN=TOKEN)
            shown += again.out + again.err
    shown += penstock("runs", "show", "--events").out + penstock("runs", "ls", "--json").out
    assert f"Bearer {MASK}" in shown
    assert TOKEN not in shown
    assert TOKEN.encode() not in recorded(tmp_path)

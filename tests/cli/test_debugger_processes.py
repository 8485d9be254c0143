"""`penstock start --debug` as a process: talked to through pipes, and at a terminal."""

from __future__ import annotations

import http.client
import os
import pty
import re
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.started import Client, Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRAPH = """\
- {kind: listener, name: web, protocol: http, port: 0, links: {out: router}}
- kind: router
  name: router
  routes: [{method: GET, path: "/:name", port: "out[0]"}]
  links: {"out[0]": names}
- {kind: snippet, name: names, language: cel, code: '[self.params.name, "you"]', links: {out: each}}
- {kind: loop, name: each, links: {out: greet, done: all}}
- {kind: snippet, name: greet, language: cel, code: '"hello " + self'}
- {kind: snippet, name: all, language: jinja, code: '{{ input | join(" and ") }}'}
- {kind: snippet, name: lost, language: cel, code: "self", links: {out: nowhere}}
"""


class Debugged(Started):
    """A runtime with a debugger: what it answers is read line by line."""

    def __init__(self, folder: Path) -> None:
        (folder / "graph.yaml").write_text(GRAPH)
        super().__init__(folder, "start", "--debug", "--from", "graph.yaml")
        self.address = super().address()
        self.clients: list[Client] = []

    def get(self, path: str) -> Client:
        """A request whose answer is asked for later."""
        client = Client(self.address)
        self.clients.append(client)
        client.ask(path)
        return client

    def tell(self, *lines: str) -> None:
        """Send commands; when they are carried out is not known."""
        assert self.process.stdin is not None
        self.process.stdin.writelines(f"{line}\n" for line in lines)
        self.process.stdin.flush()

    def until(self, words: str) -> list[str]:
        """What it says up to the line that has these words. The test's own limit bounds the wait."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if words in line:
                return lines
        raise AssertionError(f"it ended without `{words}`: {lines}")

    def ask(self, command: str) -> list[str]:
        """The whole answer to a command; what is behind it cannot be mistaken."""
        self.tell(command, "thats-all")
        return self.until("`thats-all`")[:-1]

    def stopped(self) -> list[str]:
        """The lines of the next stop: where, and with what."""
        return [self.until("stopped at ")[-1], self.until("")[-1]]

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for client in self.clients:
            client.__exit__()


@pytest.fixture
def debugged(tmp_path: Path) -> Iterator[Debugged]:
    with Debugged(tmp_path) as found:
        yield found


def test_a_process_stops_at_a_breakpoint_and_its_packet_shows_the_way_it_came(
    debugged: Debugged,
) -> None:
    assert debugged.ask("break names") == ["breakpoint 1: names"]
    request = debugged.get("/ann")
    where, what = debugged.stopped()
    assert re.fullmatch(r"stopped at names\.in  \(breakpoint 1; process \w{20} of web\.out\)", where)
    assert '"path":"/ann"' in what
    place, first, second, *packet = debugged.ask("packet")
    assert place == "names.in"
    assert first.startswith("  web.out → router.in  {")
    assert second.startswith("  router.out[0] → names.in  {")
    assert '    "name": "ann"' in packet
    (end,) = debugged.ask("continue")
    assert end.endswith(" of web completed")
    assert request.answer() == (200, "hello ann and hello you")


@pytest.mark.parametrize("last", ["quit", None])
def test_the_end_of_the_session_lets_what_is_stopped_come_to_its_end(
    debugged: Debugged, last: str | None
) -> None:
    debugged.ask("break names")
    request = debugged.get("/ann")
    debugged.stopped()
    if last is None:
        assert debugged.process.stdin is not None
        debugged.process.stdin.close()
        debugged.process.stdin = None
    else:
        debugged.tell(last)
    assert request.answer() == (200, "hello ann and hello you")
    assert debugged.end()[0] == 0


def test_where_nobody_reads_the_answers_the_runtime_ends(debugged: Debugged) -> None:
    assert debugged.process.stdout is not None
    debugged.process.stdout.close()
    debugged.process.stdout = None
    debugged.tell("help")
    code, told = debugged.end()
    assert code == 0
    assert "Traceback" not in told


def test_a_signal_ends_a_debugged_runtime_with_stopped_processes(debugged: Debugged) -> None:
    debugged.ask("break names")
    request = debugged.get("/ann")
    debugged.stopped()
    assert debugged.stop()[0] == 0
    assert request.answer() == (200, "hello ann and hello you")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    graph = """\
- {kind: snippet, name: first, language: cel, code: self, links: {out: second}}
- kind: snippet
  name: second
  language: cel
  env: {TOKEN: {name: token, data: "{{ .value }}"}}
  code: '"{{ TOKEN }}" + self'
"""
    (tmp_path / "values.yaml").write_text("token: {value: hunter22secret}\n")
    with Started(tmp_path, "apply", "values", "-f", "values.yaml") as applying:
        assert applying.end()[0] == 0
    with Debugged(tmp_path) as debugged:
        (tmp_path / "graph.yaml").write_text(graph)
        with Started(tmp_path, "apply", "specs", "-f", "graph.yaml") as applying:
            assert applying.end()[0] == 0
        debugged.wait_for("reloaded")
        debugged.tell("break second.out", 'send first "x"')
        assert debugged.stopped()[1] == '  "•••x"'
        assert "hunter22" not in "".join(debugged.ask("packet") + debugged.ask("symbol second"))


def test_at_a_terminal_tab_completes_and_what_is_told_stands_above_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        environment = os.environ | {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/store.db", "TERM": "xterm"}
        environment["PROMPT_TOOLKIT_NO_CPR"] = "1"  # nobody here tells where the cursor is
        command = [sys.executable, "-m", "penstock", "start", "--debug", "--from", "graph.yaml"]
        os.execve(sys.executable, command, environment)
    seen = ""

    def until(words: str) -> str:
        nonlocal seen
        while words not in seen:
            seen += os.read(terminal, 65536).decode("utf-8", "replace")
        before, _, seen = seen.partition(words)
        return before

    until("http://127.0.0.1:")
    port = re.match(r"\d+", until("(debug)"))
    assert port is not None
    os.write(terminal, b"symbol nam\t")
    until("es")
    os.write(terminal, b"\r")
    until("names (snippet) active")
    os.write(terminal, b"break names\r")
    until("breakpoint 1: names")
    connection = http.client.HTTPConnection("127.0.0.1", int(port[0]), timeout=30)
    connection.request("GET", "/ann")
    until("stopped at names.in")
    os.write(terminal, b"c\r")
    response = connection.getresponse()
    assert response.read() == b"hello ann and hello you"
    connection.close()
    until("completed")
    until("(debug)")
    os.write(terminal, b"\x04")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)

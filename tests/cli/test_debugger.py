"""`penstock start --debug`: as a process that is talked to through pipes, and at a terminal."""

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
    assert debugged.ask("continue") == []
    assert request.answer() == (200, "hello ann and hello you")


def test_steps_lead_from_port_to_port_to_the_end_and_an_empty_line_repeats_them(
    debugged: Debugged,
) -> None:
    debugged.ask("break all.in")
    request = debugged.get("/ann")
    assert debugged.stopped()[0].startswith("stopped at all.in ")
    debugged.tell("step")
    where, what = debugged.stopped()
    assert re.match(r"stopped at all\.out  \(step; process \w{20} of web\.out\)", where)
    assert what == '  "hello ann and hello you"'
    debugged.tell("")
    assert debugged.until("completed")[-1].endswith(" of web completed")
    assert request.answer() == (200, "hello ann and hello you")


def test_next_passes_over_what_a_node_calls(debugged: Debugged) -> None:
    debugged.ask("break each.in")
    debugged.get("/ann")
    debugged.stopped()
    debugged.tell("next")
    assert debugged.stopped()[0].startswith("stopped at each.done ")
    debugged.tell("break greet", "continue")
    debugged.get("/bob")
    assert debugged.stopped()[0].startswith("stopped at each.in ")
    debugged.tell("step")
    assert debugged.stopped()[0].startswith("stopped at each.out ")
    debugged.tell("s")
    where, what = debugged.stopped()
    assert where.startswith("stopped at each/greet.in  (breakpoint 2; ")
    assert what == '  "bob"'


def test_a_condition_lets_the_others_pass(debugged: Debugged) -> None:
    debugged.ask("break names if self.params.name == 'bob'")
    assert debugged.get("/ann").answer()[0] == 200
    request = debugged.get("/bob")
    debugged.stopped()
    assert debugged.ask("breaks") == ["1  names if self.params.name == 'bob'  1 stops"]
    debugged.tell("continue")
    assert request.answer()[0] == 200


def test_a_condition_that_cannot_be_told_stops_and_says_why(debugged: Debugged) -> None:
    debugged.ask("break names if self.nothing > 3")
    debugged.get("/ann")
    _, trouble = debugged.stopped()
    assert trouble.startswith("  its condition failed: ")
    assert "nothing" in trouble


def test_another_packet_takes_the_place_of_the_one_that_stopped(debugged: Debugged) -> None:
    debugged.ask("break each/greet")
    debugged.ask("break all.out")
    request = debugged.get("/ann")
    debugged.stopped()
    debugged.tell('set "eve"', "unbreak each/greet", "continue")
    assert debugged.stopped()[1] == '  "hello eve and hello you"'
    debugged.tell('set {"status": 418}', "continue")
    assert request.answer()[0] == 418


def test_a_process_can_be_chosen_and_killed_while_others_wait(debugged: Debugged) -> None:
    debugged.ask("break names")
    first = debugged.get("/ann")
    debugged.stopped()
    debugged.get("/bob")
    debugged.stopped()
    one, two = (line.split()[0] for line in debugged.ask("ps"))
    assert "name" in "".join(debugged.ask("packet"))
    about = debugged.ask(f"process {two[-6:]}")
    assert about[0] == f"{two} of web.out, stopped at names.in"
    assert about[1].startswith("  web.out → router.in ")
    assert '    "name": "bob"' in debugged.ask("packet")
    debugged.tell(f"kill {two}")
    debugged.until(f"process {two} was ended at names.in")
    (row,) = debugged.ask("ps")
    assert row.startswith(one)
    debugged.tell("continue all")
    assert first.answer() == (200, "hello ann and hello you")


def test_nodes_are_listed_and_each_shows_its_spec_links_status_and_kind(debugged: Debugged) -> None:
    rows = debugged.ask("symbols")
    assert [row.split()[0] for row in rows] == ["all", "each", "greet", "lost", "names", "router", "web"]
    assert rows[3].split(maxsplit=3)[2:] == ["waiting", "`nowhere` is missing"]
    page = debugged.ask("symbol names")
    assert page[0] == "names (snippet) active, revision 1"
    assert "  out → each.in" in page
    assert "  in ← router.out[0]" in page
    assert """  code: '[self.params.name, "you"]'""" in page
    assert any(line.startswith("kind snippet: Answer a payload") for line in page)
    assert debugged.ask("symbol lost")[0] == "lost (snippet) waiting, revision 1"
    assert debugged.ask("symbol nams") == [
        "the namespace `default` has no spec `nams`; did you mean `names`?"
    ]


def test_a_packet_may_be_sent_to_a_node_without_its_trigger(debugged: Debugged) -> None:
    debugged.tell('send greet "there"')
    assert debugged.until("answered") == ['greet answered "hello there"']
    assert debugged.ask("send nams") == [
        "no active node takes a packet at `nams.in`; did you mean `names`?"
    ]


def test_events_tell_of_everything_until_they_are_switched_off(debugged: Debugged) -> None:
    debugged.tell("events on", 'send greet "x"')
    told = debugged.until("answered")
    assert [line.split("  ", 1)[1] for line in told[:-1] if "process" not in line] == [
        "began at greet",
        "out  greet.in",
        "in  greet.in",
        "out  greet.out",
    ]
    debugged.tell("events off", 'send greet "x"')
    assert debugged.until("answered") == ['greet answered "hello x"']


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("brek", "there is no command `brek`; did you mean `break`?"),
        ("s", "no process is stopped; `break NODE` has them stop at a node"),
        ("break", "break where?; break NODE[.PORT] [if EXPR]"),
        ("break names.outt", "`names` has no port `outt`; did you mean `out`?"),
        ("break names when", "`when` is no condition; write `if` and a CEL expression"),
        ("unbreak 7", "there is no breakpoint `7`; `breaks` lists them"),
        ("kill", "which process?; `processes` lists them"),
        ("kill 0", "no process has the id `0`; `processes` lists them"),
        ("events maybe", "on or off?; events on|off"),
        ("symbol", "which node?; `symbols` lists them"),
        ("p", "no process is stopped; `break NODE` has them stop at a node"),
        ("pro", "`pro` may be processes, process; write more of it"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    shared: Debugged, line: str, answer: str
) -> None:
    assert shared.ask(line) == [answer]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugged]:
    with Debugged(tmp_path_factory.mktemp("debugged")) as found:
        yield found


def test_a_broken_expression_is_refused(shared: Debugged) -> None:
    (line,) = shared.ask("break names if self..x")
    assert line.startswith("the expression cannot be used: ")
    assert shared.ask("breaks") == ["no breakpoints"]


def test_a_node_that_is_not_there_may_come(shared: Debugged) -> None:
    assert shared.ask("break nams") == [
        "breakpoint 1: nams",
        "  no node of the namespace is called `nams` at the moment; did you mean `names`?",
    ]
    assert shared.ask("unbreak *") == ["removed: 1"]


def test_help_lists_the_commands_and_explains_each(shared: Debugged) -> None:
    lines = shared.ask("help")
    assert [line.split()[0] for line in lines][:3] == ["break", "unbreak", "breaks"]
    assert shared.ask("help b")[0] == "break NODE[.PORT] [if EXPR]  (also b)"


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


def test_a_signal_ends_a_debugged_runtime_with_stopped_processes(debugged: Debugged) -> None:
    debugged.ask("break names")
    request = debugged.get("/ann")
    debugged.stopped()
    assert debugged.stop()[0] == 0
    assert request.answer() == (200, "hello ann and hello you")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    graph = """\
- {kind: nop, name: first, links: {out: second}}
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


# --- at a terminal -------------------------------------------------------------------


def test_at_a_terminal_tab_completes_and_what_is_told_stands_above_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        environment = os.environ | {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/store.db", "TERM": "xterm"}
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
    port = re.match(r"\d+", seen + os.read(terminal, 65536).decode() if len(seen) < 6 else seen)
    assert port is not None
    until("(debug) ")
    os.write(terminal, b"bre\t names\r")
    until("breakpoint 1: names")
    connection = http.client.HTTPConnection("127.0.0.1", int(port[0]), timeout=30)
    connection.request("GET", "/ann")
    until("stopped at names.in")
    os.write(terminal, b"c\r")
    response = connection.getresponse()
    assert response.read() == b"hello ann and hello you"
    connection.close()
    os.write(terminal, b"\x04")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)

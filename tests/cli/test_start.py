"""`penstock start` as a process: what it serves, how it follows changes, and how it ends."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from tests.cli.started import Client, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome

HELLO = """\
- kind: listener
  name: web
  protocol: http
  port: 0
  links: {out: hello}
- {kind: snippet, name: hello, language: cel, code: '"hello"'}
"""
SLOW = """\
- {kind: listener, name: web, protocol: http, port: 0, links: {out: log}}
- {kind: debug.log, name: log, prefix: it began, links: {out: wait}}
- {kind: time.delay, name: wait, duration: %s, links: {out: hello}}
- {kind: snippet, name: hello, language: cel, code: '"at last"'}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start a command; whatever is left of it at the end of the test is killed."""
    running: list[Started] = []

    def begin(*args: str) -> Started:
        running.append(Started(tmp_path, *args))
        return running[-1]

    yield begin
    for each in running:
        each.__exit__()


def test_a_graph_from_a_file_is_served_until_a_signal_comes(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO)
    served = start("start", "--from", "hello.yaml")
    with Client(served.address()) as client:
        assert client.get("/") == (200, "hello")
    code, told = served.stop(signal.SIGTERM)
    assert code == 0
    assert "created=2" in told
    assert "Traceback" not in told


def test_what_was_applied_is_served_again_without_the_file(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO)
    first = start("start", "-n", "greetings", "--from", "hello.yaml")
    first.wait_for("serving")
    assert first.stop()[0] == 0
    second = start("start", "-n", "greetings")
    with Client(second.address()) as client:
        assert client.get("/") == (200, "hello")


def test_a_broken_document_is_refused_with_all_its_problems_and_nothing_is_applied(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "good.yaml").write_text(HELLO)
    (tmp_path / "bad.yaml").write_text("- {kind: snipet, name: a}\n- {kind: router, name: b}\n")
    code, told = start("start", "--from", "good.yaml", "--from", "bad.yaml").end()
    assert code == 2
    assert "bad.yaml:1:10: [0].kind" in told
    assert "did you mean `snippet`?" in told
    assert "bad.yaml:2" in told
    with sqlite3.connect(tmp_path / "store.db") as database:
        (found,) = database.execute("SELECT count(*) FROM catalogue").fetchone()
    database.close()
    assert found == 0


def test_an_empty_namespace_waits_for_what_somebody_else_applies(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO)
    served = start("start")
    served.wait_for("empty; waiting for specs")
    assert start("apply", "specs", "-f", "hello.yaml").end()[0] == 0
    with Client(served.address()) as client:
        assert client.get("/") == (200, "hello")


def test_variables_of_the_command_line_reach_every_spec(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO.replace('"hello"', '"{{ GREETING }}"'))
    served = start("start", "--from", "hello.yaml", "-e", "GREETING=servus")
    with Client(served.address()) as client:
        assert client.get("/") == (200, "servus")


def test_values_of_a_file_win_over_those_of_the_store(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    env = """env: {A: {name: a, data: "{{ .x }}"}, B: {name: b, data: "{{ .x }}"}}"""
    graph = HELLO.replace("""code: '"hello"'""", f"""code: '"{{{{ A }}}} {{{{ B }}}}"', {env}""")
    (tmp_path / "hello.yaml").write_text(graph)
    (tmp_path / "stored.yaml").write_text("a: {x: stored}\nb: {x: stored}\n")
    (tmp_path / "given.yaml").write_text("b: {x: given}\n")
    assert start("apply", "values", "-f", "stored.yaml").end()[0] == 0
    served = start("start", "--from", "hello.yaml", "--values", "given.yaml")
    with Client(served.address()) as client:
        assert client.get("/") == (200, "stored given")


def test_a_process_that_is_under_way_comes_to_its_end_first(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW % "300ms")
    served = start("start", "--from", "slow.yaml")
    with Client(served.address()) as client:
        client.ask("/")
        served.wait_for("it began")
        served.process.send_signal(signal.SIGTERM)
        assert client.answer() == (200, "at last")
    assert served.end()[0] == 0


def test_what_takes_longer_than_its_time_to_end_is_cut_short(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW % "10m")
    served = start("start", "--from", "slow.yaml", "--drain", "50ms")
    with Client(served.address()) as client:
        client.ask("/")
        served.wait_for("it began")
        code, told = served.stop()
    assert code == 3
    assert "Traceback" not in told


def test_a_second_signal_leaves_at_once(start: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW % "10m")
    served = start("start", "--from", "slow.yaml", "--drain", "10m")
    with Client(served.address()) as client:
        client.ask("/")
        served.wait_for("it began")
        served.process.send_signal(signal.SIGINT)
        served.wait_for("stopping")
        assert served.stop()[0] == 3


def test_health_says_no_before_anything_is_closed(start: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW % "10m")
    served = start("start", "--from", "slow.yaml", "--observe", "127.0.0.1:0", "--drain", "10m")
    health = served.address()
    with Client(served.address()) as client, Client(health) as probe:
        while probe.get("/readyz")[0] != 200:  # a moment behind what is served
            pass
        assert "penstock_symbols" in probe.get("/metrics")[1]
        client.ask("/")
        served.wait_for("it began")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("stopping")
        assert probe.get("/readyz")[0] == 503


def test_a_trigger_that_cannot_open_is_told_and_the_others_serve(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO)
    first = start("start", "-n", "one", "--from", "hello.yaml")
    taken = first.address()
    port = taken.rpartition(":")[2]
    (tmp_path / "more.yaml").write_text(
        f"- {{kind: listener, name: other, protocol: http, port: {port}, links: {{out: hello}}}}\n"
    )
    second = start("start", "-n", "two", "--from", "hello.yaml", "--from", "more.yaml", "--log", "json")
    found = json.loads(second.wait_for("node is broken"))
    assert found["node"] == "other"
    assert port in found["reason"]
    with Client(second.address()) as client:
        assert client.get("/") == (200, "hello")


# --- watching -----------------------------------------------------------------------


def eventually(client: Client, body: str) -> float:
    """Ask until this is the answer; how many seconds it took. The test's limit bounds it."""
    began = time.perf_counter()
    while client.get("/")[1] != body:
        pass
    return time.perf_counter() - began


def saying(text: str) -> str:
    return HELLO.replace('"hello"', f'"{text}"')


def test_a_change_is_visible_soon_after_saving(start: Callable[..., Started], tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(saying("first"))
    served = start("start", "--from", "hello.yaml", "--watch")
    with Client(served.address()) as client:
        assert client.get("/")[1] == "first"
        took = []
        for number in range(5):
            file.write_text(saying(f"written {number}"))
            took.append(eventually(client, f"written {number}"))
            beside = tmp_path / "hello.tmp"
            beside.write_text(saying(f"renamed {number}"))
            beside.rename(file)
            took.append(eventually(client, f"renamed {number}"))
    assert sorted(took)[len(took) // 2] < 0.2


def test_a_mistake_is_told_while_the_last_good_version_serves_on(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(saying("good"))
    served = start("start", "--from", "hello.yaml", "--watch")
    with Client(served.address()) as client:
        file.write_text(saying("bad").replace("snippet", "snipet"))
        served.wait_for("not applied")
        assert client.get("/")[1] == "good"
        file.write_text(saying("better"))
        eventually(client, "better")
    _, told = served.stop()
    assert "did you mean `snippet`?" in told


def test_a_file_that_vanishes_serves_on_and_may_come_back(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(saying("here"))
    served = start("start", "--from", "hello.yaml", "--watch")
    with Client(served.address()) as client:
        file.unlink()
        served.wait_for("there is no such file")
        assert client.get("/")[1] == "here"
        file.write_text(saying("back"))
        eventually(client, "back")


def test_a_file_that_leaves_its_folder_takes_its_nodes_along(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    folder = tmp_path / "graph"
    folder.mkdir()
    listener, hello = HELLO.split("- {kind: snippet")
    (folder / "web.yaml").write_text(listener)
    (folder / "hello.yaml").write_text(f"- {{kind: snippet{hello}")
    served = start("start", "--from", "graph", "--watch")
    with Client(served.address()) as client:
        assert client.get("/")[1] == "hello"
        (folder / "hello.yaml").rename(folder / "other.yaml")  # what moves within it stays
        (folder / "extra.yaml").write_text("- {kind: nop, name: extra}\n")
        served.wait_for("created=1")
        assert client.get("/")[1] == "hello"
        (folder / "other.yaml").unlink()
        assert "`hello` is missing" in served.wait_for("node is waiting")


# --- the command line ----------------------------------------------------------------


def test_watching_nothing_is_a_mistake(penstock: Callable[..., Outcome]) -> None:
    code, _, err = penstock("start", "--watch")
    assert code == 2
    assert "--watch needs --from" in err


def test_a_variable_without_a_name_is_refused_and_its_text_not_repeated(
    penstock: Callable[..., Outcome],
) -> None:
    code, _, err = penstock("start", "-e", "my-token=s3cr3t")
    assert code == 2
    assert "`my-token` is not NAME=TEXT" in err
    assert "s3cr3t" not in err


def test_a_length_of_time_that_is_none_is_refused(penstock: Callable[..., Outcome]) -> None:
    code, _, err = penstock("start", "--drain", "soon")
    assert code == 2
    assert "`soon` is not a duration" in err


def test_an_address_to_observe_at_that_is_none_is_refused(penstock: Callable[..., Outcome]) -> None:
    code, _, err = penstock("start", "--observe", "everywhere")
    assert code == 2
    assert "write HOST:PORT" in err


def test_a_folder_without_documents_is_refused(penstock: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = penstock("start", "--from", "empty")
    assert code == 2
    assert "there is no document in `empty`" in err

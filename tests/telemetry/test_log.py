"""What the log says, in JSON and for people."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import NodeContext, Runtime, node
from penstock.core.errors import RunFailed
from penstock.core.payload import Error
from penstock.engine.observer import Outcome, Subject
from penstock.engine.redaction import Redactor
from penstock.telemetry.log import DetailedLog, Log
from penstock.telemetry.log_output import LogOutput

API = Subject("default", "api")
ERROR = Error(code="http.status", message="no", node="fetch", remedy="look", details={"body": "x"})
PROCESS = API._replace(fid="01hz")


class Page(io.StringIO):
    """A stream whose lines can be read as JSON."""

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def json_log(page: Page) -> Iterator[Log]:
    with LogOutput(page, format="json"):
        yield Log()


@node("fail")
async def fail(value: Any = None, *, text: str = "no", ctx: NodeContext) -> str:
    raise OSError(text)


async def test_a_run_that_failed_is_told_with_where_and_why(page: Page, json_log: Log) -> None:
    async with Runtime("memory:", observer=json_log) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: fail, name: a}]}", fail))
        with pytest.raises(RunFailed):
            await result_of(run)
    started, attempt, ended = page.lines()
    assert list(started)[:4] == ["timestamp", "level", "event", "logger"]
    assert started["timestamp"].endswith("Z")
    assert started | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "run started",
        "logger": "penstock.run",
        "namespace": "default",
        "flow": "f",
        "process": run.fid,
        "fid": run.fid,
    }
    assert (attempt["node"], attempt["kind"], attempt["code"]) == ("a", "fail", "OSError")
    assert (ended["level"], ended["event"], ended["at"]) == ("error", "run failed", "a")


async def test_a_lock_is_told_when_it_opens_and_when_nobody_came(page: Page, json_log: Log) -> None:
    async with Runtime("memory:", observer=json_log) as runtime:
        text = "{flow: f, nodes: [{kind: lock, name: ask, candidate_timeout: 0s}]}"
        with pytest.raises(RunFailed):
            await result_of(await runtime.start(graph(text)))
    opened, expired = (line for line in page.lines() if line["event"].startswith("lock"))
    assert (opened["level"], opened["event"], opened["lock"]) == ("info", "lock opened", "ask")
    assert (expired["level"], expired["event"], expired["node"]) == ("warning", "lock expired", "ask")


def test_a_failed_process_is_an_error_and_one_that_completed_is_not_told(
    page: Page, json_log: Log
) -> None:
    json_log.process_ended(PROCESS, Outcome.COMPLETED, 0.5, None)
    json_log.process_ended(PROCESS, Outcome.CANCELLED, 0.5, None)
    json_log.process_ended(PROCESS, Outcome.FAILED, 0.5, ERROR)
    json_log.process_failed(API, 0.5, ERROR, "")
    json_log.process_answered(API, 0.5, "")
    first, second = page.lines()
    assert first["process"] == "01hz"
    assert "process" not in second
    assert (first["level"], first["trigger"], first["code"]) == ("error", "api", "http.status")
    assert (first["error"], first["at"], first["remedy"], first["seconds"]) == (
        "no",
        "fetch",
        "look",
        0.5,
    )
    assert "x" not in first.values()  # details may hold anything


def test_the_detailed_log_tells_of_every_process_and_request(page: Page) -> None:
    with LogOutput(page, format="json", level="debug"):
        log = DetailedLog()
        log.process_began(PROCESS, "")
        log.process_ended(PROCESS, Outcome.COMPLETED, 0.5, None)
        log.process_answered(API, 0.5, "")
        log.request_done(API, "GET", 200, 0.5, 0, 7)
        log.attempt_began(PROCESS, "a", "effect", 1)
        log.attempt_ended(PROCESS, "a", "effect", Outcome.COMPLETED, 0.1, None)
    said = [line["event"] for line in page.lines()]
    assert said == [
        "process began",
        "process completed",
        "process completed",
        "request answered",
        "node began",
        "node completed",
    ]


async def test_messages_of_processes_that_nobody_records_go_to_the_log(
    page: Page, json_log: Log
) -> None:
    text = """
    flow: f
    settings: {record: none}
    nodes:
      - {kind: log, name: a, message: "careful", level: warning, prefix: "", links: {out: b}}
      - {kind: log, name: b, message: "quiet", level: debug}
    """
    async with Runtime("memory:", observer=json_log) as runtime:
        run = await runtime.start(graph(text))
        await result_of(run)
    (line,) = [line for line in page.lines() if line["logger"] == "penstock.node"]
    assert (line["level"], line["event"], line["node"], line["of"]) == ("warning", "careful", "a", "f")
    assert line["process"] == run.fid


def test_what_a_node_adds_to_a_message_cannot_pass_for_something_else(page: Page, json_log: Log) -> None:
    data = {"level": "info", "message": "hi", "timestamp": "x", "event": "y", "node": "z", "rows": 7}
    json_log.said(PROCESS, "a", "node.message", data, None)
    (line,) = page.lines()
    assert (line["event"], line["node"], line["rows"]) == ("hi", "a", 7)
    assert line["timestamp"] != "x"


def test_nothing_is_put_together_for_a_level_that_is_off(json_log: Log) -> None:
    class Expensive(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError("somebody looked")

    class Blind(Redactor):
        def event(self, data: dict[str, Any]) -> dict[str, Any]:
            raise AssertionError("somebody masked")

    data = Expensive(level="debug", message="hi")
    json_log.said(PROCESS, "a", "node.message", data, Blind([]))
    json_log.said(PROCESS, "a", "node.progress", {"fraction": 0.5}, Blind([]))


def test_secrets_are_masked_in_messages_in_errors_and_in_what_libraries_say(page: Page) -> None:
    redactor = Redactor(["hunter2-hunter2"])
    with LogOutput(page, format="json", secrets=lambda: redactor):
        log = Log()
        log.said(PROCESS, "a", "node.message", {"message": "it is hunter2-hunter2"}, redactor)
        log.warned(API, "hunter2-hunter2?", {"deep": {"er": ["hunter2-hunter2"]}})
        logging.getLogger("some.library").warning("password %s", "hunter2-hunter2")
        try:
            raise OSError("hunter2-hunter2")
        except OSError:
            logging.getLogger("some.library").exception("failed")
    assert len(page.lines()) == 4
    assert "hunter2" not in page.getvalue()
    assert "•••" in page.lines()[0]["event"]


def test_libraries_log_in_the_same_way_from_warning_on(page: Page, json_log: Log) -> None:
    logging.getLogger("aiohttp.client").info("noise")
    logging.getLogger("aiohttp.client").warning("slow: %d s", 3)
    (line,) = page.lines()
    assert (line["logger"], line["event"], line["level"]) == ("aiohttp.client", "slow: 3 s", "warning")


def test_warnings_of_python_are_lines_too(page: Page, json_log: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = page.lines()
    assert line["logger"] == "py.warnings"
    assert "old" in line["event"]


def test_a_traceback_is_one_field_and_shows_no_local_variables(page: Page, json_log: Log) -> None:
    password = "not for the log"  # noqa: F841
    try:
        raise OSError("no")
    except OSError:
        logging.getLogger("penstock.server").exception("a handler failed")
    (line,) = page.lines()
    assert line["event"] == "a handler failed"
    assert line["exception"].endswith("OSError: no")
    assert page.getvalue().count("\n") == 1


def test_lines_for_people_show_no_local_variables_and_have_no_colour_of_their_own(page: Page) -> None:
    with LogOutput(page):
        local = "not " + "for the log"
        try:
            raise OSError("no")
        except OSError:
            logging.getLogger("penstock.server").exception("a handler failed")
    text = page.getvalue()
    assert "a handler failed" in text
    assert "OSError: no" in text
    assert local not in text
    assert "\x1b" not in text


def test_a_client_can_neither_fake_a_line_nor_move_the_cursor(page: Page) -> None:
    with LogOutput(page):
        data = {"message": "a\nfake line\x1b[2J\u2028", "path": "b\r\nc"}
        Log().said(PROCESS, "a", "node.message", data, None)
    assert page.getvalue().count("\n") == 1
    assert "\x1b" not in page.getvalue()
    assert "fake line\\x1b[2J\\u2028" in page.getvalue()


def test_lines_for_people_can_be_coloured(page: Page) -> None:
    with LogOutput(page, color=True):
        Log().warned(API, "late", {"seconds": 3})
    assert "\x1b[" in page.getvalue()
    assert "late" in page.getvalue()


@pytest.mark.parametrize("value", ["\ud800", {1: 2}, b"\xff", object])
def test_whatever_a_node_adds_can_be_written(page: Page, json_log: Log, value: object) -> None:
    json_log.warned(API, "odd", {"value": value})
    assert [line["event"] for line in page.lines()] == ["odd"]


def test_broken_nodes_are_warnings_with_their_reason(page: Page, json_log: Log) -> None:
    json_log.symbol_changed(API, "listener", "broken", "the port is taken")
    json_log.symbol_changed(API, "listener", "active", "")
    (line,) = page.lines()
    assert (line["level"], line["event"], line["reason"]) == (
        "warning",
        "node is broken",
        "the port is taken",
    )


def test_reloads_trigger_failures_and_refused_commits_are_told(page: Page, json_log: Log) -> None:
    json_log.reloaded("default", 3, 0.01, None)
    json_log.reloaded("default", 0, 0.01, ERROR)
    json_log.trigger_failed(API, ERROR)
    json_log.committed(3, 0.1, None)
    json_log.committed(3, 0.1, ERROR)
    json_log.retried(PROCESS, "a", "effect", 1, 0.25, ERROR)
    assert [(line["level"], line["event"]) for line in page.lines()] == [
        ("info", "reloaded"),
        ("error", "reload failed"),
        ("error", "trigger failed"),
        ("error", "commit refused"),
        ("info", "node is tried again"),
    ]


def test_a_line_names_the_trace_it_belongs_to(page: Page) -> None:
    with LogOutput(page, format="json", trace=lambda: "4bf9"):
        Log().warned(API, "late", {})
    assert page.lines()[0]["trace_id"] == "4bf9"


def test_logging_is_afterwards_what_it_was_before(page: Page) -> None:
    root, own = logging.getLogger(), logging.getLogger("penstock")
    before = (root.level, own.level, root.handlers[:])
    with LogOutput(page, level="error"):
        assert own.level == logging.ERROR
        own.warning("not heard")
    assert (root.level, own.level, root.handlers) == before
    assert page.getvalue() == ""

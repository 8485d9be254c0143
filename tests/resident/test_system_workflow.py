"""The workflow of docs/concepts that looks after other namespaces, as it stands, over HTTP.

It names port 8000, so one test goes through all of it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.cli.started import Started

SYSTEM = Path(__file__).parents[1] / "document" / "data" / "system.yaml"
WITHIN_SECONDS = 0.2

pytestmark = pytest.mark.slow


def ask(method: str, body: Any = None, *, raw: bytes = b"") -> tuple[int, Any]:
    """Status and body of a request to the workflow."""
    connection = HTTPConnection("127.0.0.1", 8000, timeout=30)
    try:
        sent = raw or (b"" if body is None else json.dumps(body).encode())
        connection.request(method, "/v1/nodes", sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content else None
    finally:
        connection.close()


def get(address: str) -> tuple[int, str]:
    connection = HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def seconds_until(address: str, wanted: tuple[int, str]) -> float:
    """How long after now a listener answers so."""
    began = time.monotonic()
    while (seen := get(address)) != wanted:
        assert time.monotonic() - began < 20, f"still {seen}, never {wanted}"
    return time.monotonic() - began


def hello(text: str) -> dict[str, Any]:
    return {"kind": "snippet", "name": "hello", "namespace": "other", "language": "text", "code": text}


def test_specs_are_created_read_changed_and_deleted_and_another_runtime_follows(tmp_path: Path) -> None:
    shutil.copy(SYSTEM, tmp_path / "system.yaml")
    web = {
        "kind": "listener", "name": "web", "namespace": "other", "protocol": "http", "port": 0,
        "links": {"out": [{"name": "hello", "port": "in"}]},
    }  # fmt: skip
    with (
        Started(tmp_path, "start", "-n", "system", "--from", "system.yaml") as system,
        Started(tmp_path, "start", "-n", "other") as other,
    ):
        system.wait_for("serving")

        # Created: a mapping or a list; the other runtime begins to serve them.
        assert ask("GET") == (200, [])
        status, created = ask("POST", [web, hello("one")])
        assert status == 200
        assert [spec["name"] for spec in created] == ["web", "hello"]
        address = other.address()
        assert get(address) == (200, "one")

        # Read: everything outside of the workflow's own namespace.
        status, found = ask("GET")
        assert status == 200
        assert {spec["name"]: spec["revision"] for spec in found} == {"hello": 1, "web": 1}

        # Changed: each change is there at once, as the best of several shows on a busy machine.
        delays = []
        for number in range(10):
            assert ask("PATCH", {"name": "hello", "namespace": "other", "code": f"n{number}"})[0] == 200
            delays.append(seconds_until(address, (200, f"n{number}")))
        assert sorted(delays)[len(delays) // 2] < WITHIN_SECONDS, delays

        # Refused, with the reason: what is no spec, what was changed meanwhile, what is no JSON.
        status, refused = ask("POST", {"kind": "snipet", "name": "x", "namespace": "other"})
        assert status == 400
        assert "unknown kind `snipet`" in refused["error"]
        status, refused = ask("PATCH", {**hello("late"), "revision": 1})
        assert status == 400
        assert "revision" in refused["error"]
        status, refused = ask("POST", hello("twice"))
        assert status == 400
        assert "hello" in refused["error"]
        assert ask("POST")[0] == 400
        assert ask("POST", raw=b'{"kind": ')[0] == 400
        assert ask("PUT")[0] == 405
        assert get(address) == (200, "n9")

        # An internal fault: the store cannot be written. The body is the workflow's own.
        with sqlite3.connect(tmp_path / "store.db", timeout=30) as fault:
            fault.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON catalogue BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        never = {**hello("never"), "name": "never"}
        assert ask("POST", never) == (500, {"error": "Internal Server Error"})
        with sqlite3.connect(tmp_path / "store.db", timeout=30) as fault:
            fault.execute("DROP TRIGGER refuse")

        # Deleted: all that is not the workflow's own; it goes on.
        status, deleted = ask("DELETE")
        assert status == 200
        assert {spec["name"] for spec in deleted} == {"hello", "web"}
        assert ask("GET") == (200, [])
        for process in (system, other):
            code, told = process.stop()
            assert code == 0
            assert "Traceback" not in told

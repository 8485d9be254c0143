"""The command line over a PostgreSQL store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Outcome

Penstock = Callable[..., Outcome]

HELLO = "{flow: hello, nodes: [{kind: snippet, name: say, language: cel, code: '\"hello\"'}]}"


def test_a_run_is_kept_in_the_database_that_the_address_names(
    penstock: Penstock, postgres: str, tmp_path: Path
) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO)
    done = penstock("run", "hello.yaml", "--quiet", PENSTOCK_STORE=postgres)
    assert (done.code, done.out.strip()) == (0, "hello"), done.err
    assert "hello" in penstock("runs", "ls", PENSTOCK_STORE=postgres).out
    assert penstock("runs", "result", "@", PENSTOCK_STORE=postgres).out.strip() == "hello"


def test_the_doctor_finds_a_healthy_database(penstock: Penstock, postgres: str) -> None:
    done = penstock("doctor", "--json", PENSTOCK_STORE=postgres)
    assert done.code == 0, done.out


def test_no_command_shows_the_password_of_an_address(penstock: Penstock, tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@/runs?host={tmp_path}"
    (tmp_path / "hello.yaml").write_text(HELLO)
    for arguments in (["config"], ["doctor"], ["runs", "ls"], ["run", "hello.yaml"]):
        done = penstock(*arguments, PENSTOCK_STORE=url)
        assert "s3cret" not in done.out + done.err
        assert "postgresql://me@/runs" in done.out + done.err
    found = json.loads(penstock("config", "--json", PENSTOCK_STORE=url).out)
    assert found["store"]["value"] == f"postgresql://me@/runs?host={tmp_path}"

"""The OpenAPI document, and a host that holds to it whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from tests.host.process import HostProcess

from penstock.host.api.openapi import document
from penstock.host.api.routes import OPERATIONS
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    import httpx

ASK = """
flow: ask
nodes: [{kind: lock, name: approve, schema: {type: object, properties: {ok: {type: boolean}}}}]
"""

GREET = """
flow: greet
inputs: {name: {type: string, default: Ada}}
nodes: [{kind: snippet, name: greet, language: jinja, code: "hello {{ name }}"}]
"""

OWN_CREDENTIALS = ("delete_token", "delete_user", "change_user", "log_out", "change_password")
"""What would take from the tester what it is known by; these have tests of their own."""

STREAMED = ("continue_upload", "override_upload")
"""What takes a body that schemathesis cannot make; tests/host/test_uploads.py does."""


def test_every_operation_is_described_once_with_what_it_answers() -> None:
    described = document(OPERATIONS, prefix=PREFIX)
    names = [
        operation["operationId"] for path in described["paths"].values() for operation in path.values()
    ]
    assert len(names) == len(set(names)) == len(OPERATIONS)
    tags = {tag["name"] for tag in described["tags"]}
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert set(operation["tags"]) <= tags
            assert any(status.startswith("2") for status in operation["responses"])
            assert all(response["description"] for response in operation["responses"].values())


def test_every_schema_of_the_document_is_json_schema() -> None:
    schemas = document(OPERATIONS, prefix=PREFIX)["components"]["schemas"]
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_whatever_is_sent_no_answer_is_5xx_or_undocumented(tmp_path: Path, known: bool) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "ask.yaml").write_text(ASK)
    (flows / "greet.yaml").write_text(GREET)
    with HostProcess(tmp_path, "--flows", "flows", "--log-level", "error") as host:
        with host.client() as client:
            fid, lid = _ended_run(client)
            client.post(f"{PREFIX}/apply", json={"documents": [{"kind": "nop", "name": "idle"}]})
            assert client.delete(f"{PREFIX}/specs/idle").status_code == 200
        (tmp_path / "schemathesis.toml").write_text(_realistic(fid, lid))
        credentials = ["--header", f"Authorization: Bearer {host.token}"] if known else []
        left_out = (*STREAMED, *OWN_CREDENTIALS) if known else STREAMED
        skipped = [part for name in left_out for part in ("--exclude-operation-id", name)]
        found = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", str(tmp_path / "schemathesis.toml")),
                *("run", f"{host.url}/openapi.json"),
                *credentials,
                *skipped,
                *("--max-examples", "5" if known else "2"),
                *("--seed", "1"),
                *("--exclude-checks", "positive_data_acceptance"),
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        code, told = host.stop()
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert code == 0
    assert "Traceback" not in told


def _ended_run(client: httpx.Client) -> tuple[str, str]:
    """A run that has ended, so that nothing waits for it, and its lock."""
    fid = client.post(f"{PREFIX}/flows/ask/runs", json={}).json()["fid"]
    found: list[dict[str, Any]] = []
    while not found:
        found = client.get(f"/{fid}/locks").json()["items"]
    (lock,) = found
    assert client.post(lock["links"]["candidate"], json={"ok": True}).status_code == 200
    assert client.get(f"/{fid}/result?wait=20").status_code == 200
    return fid, lock["lid"]


def _realistic(fid: str, lid: str) -> str:
    """Values of parameters that lead somewhere."""
    return f'[parameters]\nfid = "{fid}"\nlid = "{lid}"\nflow = "greet"\n'

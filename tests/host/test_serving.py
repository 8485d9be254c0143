"""`penstock serve` as whoever runs it sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.started import Started

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_token_is_kept_for_the_commands_of_who_started_the_host(tmp_path: Path) -> None:
    variables = {"PENSTOCK_KEY_FILE": str(tmp_path / "key"), "XDG_CONFIG_HOME": str(tmp_path)}
    with Started(tmp_path, "serve", "--bind", "127.0.0.1:0", variables=variables) as host:
        line = host.wait_for("pst_")
        token = line.rpartition(" ")[2].strip()
        host.stop()
    (kept,) = tmp_path.glob("penstock/hosts.json")
    assert kept.stat().st_mode & 0o077 == 0
    (credential,) = json.loads(kept.read_text()).values()
    assert (credential["token"], credential["user"]) == (token, "admin")

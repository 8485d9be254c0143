"""Tokens that are kept for hosts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from penstock.client import AsyncClient, Client
from penstock.client.credentials import Credential, Credentials, usual_file
from penstock.core.errors import SettingsError


@pytest.fixture
def kept(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "penstock" / "hosts.json")


def test_nothing_is_known_before_something_is_kept(kept: Credentials) -> None:
    assert kept.token("http://a") == ""
    assert kept.forget("http://a") is None
    assert not kept.path.exists()


def test_each_host_has_a_token_of_its_own(kept: Credentials) -> None:
    kept.put("http://a/", Credential(token="one", id="t-1", user="ada"))
    kept.put("http://b", Credential(token="two"))
    kept.put("http://a", Credential(token="three", user="ada"))
    assert (kept.token("http://a"), kept.token("http://b/")) == ("three", "two")
    assert kept.forget("http://a") == Credential(token="three", user="ada")
    assert Credentials(kept.path).token("http://a") == ""


def test_nobody_else_can_read_them(kept: Credentials) -> None:
    kept.put("http://a", Credential(token="one"))
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in kept.path.parent.iterdir()] == ["hosts.json"]
    kept.path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        kept.token("http://a")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"http://a": {"token": 7, "secret": "s3cret"}}'])
def test_a_file_that_is_something_else_is_named_and_not_shown(kept: Credentials, text: str) -> None:
    kept.put("http://a", Credential(token="one"))
    kept.path.write_text(text)
    with pytest.raises(SettingsError, match=r"hosts\.json is not what") as caught:
        kept.token("http://a")
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        Credentials(tmp_path / "file" / "hosts.json").put("http://a", Credential(token="one"))


def test_a_credential_does_not_show_its_token() -> None:
    assert "secret" not in repr(Credential(token="secret", id="t-1"))


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_a_client_knows_its_host_and_its_token_by_themselves(
    make: type[Client | AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="which host"):
        make()
    Credentials(usual_file()).put("http://a", Credential(token="kept"))
    monkeypatch.setenv("PENSTOCK_HOST", "http://a")
    assert make()._connection.token == "kept"
    assert make("http://b")._connection.token == ""
    monkeypatch.setenv("PENSTOCK_TOKEN", "given")
    assert make()._connection.token == "given"
    assert make(token="")._connection.token == ""

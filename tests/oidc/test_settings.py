from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.auth.oidc.settings import ProviderSettings, provider_settings
from penstock.core.errors import SettingsError

TABLE = {"issuer": "https://id.example", "client_id": "penstock"}


def read(folder: Path, table: dict[str, Any], **environ: str) -> ProviderSettings:
    (found,) = provider_settings([("penstock.toml", {"corp": table})], environ=environ, folder=folder)
    return found


def test_an_issuer_and_a_client_are_enough(tmp_path: Path) -> None:
    found = read(tmp_path, TABLE)
    assert found == ProviderSettings(
        name="corp", issuer="https://id.example", client_id="penstock", title="corp"
    )
    assert not found.create_users


def test_the_secret_is_in_a_variable_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    in_file = read(tmp_path, {**TABLE, "client_secret_file": "secret"})
    in_variable = read(tmp_path, {**TABLE, "client_secret_env": "CORP"}, CORP="from the variable")
    assert in_file.client_secret == "from the file"
    assert in_variable.client_secret == "from the variable"
    assert "from the" not in repr([in_file, in_variable])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"client_secret": "secret"}, "client_secret_env"),
        ({"client_secret_env": "NONE"}, "the variable NONE is not set"),
        ({"client_secret_file": "none"}, "cannot be read from"),
        ({"issuer": "http://id.example"}, "is not reached by TLS"),
        ({"issuer": "id.example"}, "is not reached by TLS"),
        ({"issuer": 3}, "issuer"),
        ({"client": "x"}, "unknown field"),
        ({"scopes": "openid"}, "scopes"),
        ({"create_users": "yes"}, "create_users"),
    ],
)
def test_settings_that_cannot_be_used_are_told_with_their_place(
    tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, {**TABLE, **more})
    assert "[oidc.corp] of penstock.toml" in str(caught.value)
    assert told in str(caught.value)
    assert "secret" not in caught.value.message or "client_secret" in str(caught.value)


def test_a_table_without_a_client_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="client_id"):
        read(tmp_path, {"issuer": "https://id.example"})


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_a_provider_of_this_machine_needs_no_tls(tmp_path: Path, host: str) -> None:
    assert read(tmp_path, {**TABLE, "issuer": f"http://{host}"}).issuer == f"http://{host}"


def test_openid_is_always_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, {**TABLE, "scopes": ["email"]}).scopes == ("openid", "email")


def test_of_two_files_the_first_wins_and_providers_are_listed_by_name(tmp_path: Path) -> None:
    tables = [
        ("penstock.toml", {"b": {**TABLE, "title": "first"}}),
        ("pyproject.toml", {"b": {**TABLE, "title": "second"}, "a": TABLE}),
    ]
    found = provider_settings(tables, environ={}, folder=tmp_path)
    assert [(each.name, each.title) for each in found] == [("a", "a"), ("b", "first")]


def test_a_name_that_no_address_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this is no name"):
        provider_settings([("penstock.toml", {"a b": TABLE})], environ={}, folder=tmp_path)

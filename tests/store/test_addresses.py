"""Which store an address means."""

from pathlib import Path

import pytest

from penstock.core.errors import SettingsError
from penstock.store import open_store
from penstock.store.memory import MemoryStore


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///runs.db", "runs.db"),
        ("sqlite:///a/runs.db", "a/runs.db"),
        ("sqlite:////var/runs.db", "/var/runs.db"),
        ("runs.db", "runs.db"),
        ("./odd:name.db", "odd:name.db"),
        ("/var/runs.db", "/var/runs.db"),
    ],
)
def test_a_file_is_named_by_url_or_path(url, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store(url)
    assert store.path == tmp_path / path
    assert store.url == f"sqlite:///{tmp_path / path}"
    assert open_store(store.url).path == store.path
    assert store.durable
    assert not Path(path).exists()


def test_memory_is_a_store_of_its_own():
    store = open_store("memory:")
    assert isinstance(store, MemoryStore)
    assert (store.url, store.durable) == ("memory:", False)


@pytest.mark.parametrize(
    "url", ["", "  ", "sqlite:", "sqlite://", "sqlite:///", "sqlite://runs.db", "memory:x", "memory://"]
)
def test_an_incomplete_address_is_refused_with_what_can_be_written(url):
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert "sqlite:///FILE" in caught.value.remedy


def test_an_unknown_scheme_is_refused_and_no_password_is_shown():
    with pytest.raises(SettingsError, match="no store has the scheme `mysql`") as caught:
        open_store("mysql://me:secret@db/penstock")
    assert "sqlite, postgresql, memory" in caught.value.message
    assert "secret" not in str(caught.value)

"""Keys: where they come from, and how they are kept."""

from __future__ import annotations

import base64
import os
import threading
from typing import TYPE_CHECKING

import pytest

from penstock.core.errors import SettingsError
from penstock.store.keys import GivenKeys, Key, KeyFile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "keys"


def test_the_file_is_made_when_a_key_is_first_needed(path: Path) -> None:
    file = KeyFile(path)
    assert list(file.known()) == []
    assert not path.exists()
    key = file.newest()

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert KeyFile(path).newest() == key


def test_the_mode_does_not_depend_on_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        KeyFile(path).newest()
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660])
def test_a_file_that_others_can_use_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    KeyFile(path).newest()
    path.chmod(mode)
    with pytest.raises(SettingsError, match=f"its mode is {mode:o}") as caught:
        KeyFile(path).newest()

    assert f"chmod 600 '{path}'" in caught.value.remedy


def test_a_file_that_was_opened_to_others_is_noticed_later_too(path: Path) -> None:
    file = KeyFile(path)
    file.newest()
    path.chmod(0o644)
    with pytest.raises(SettingsError):
        file.known()


def test_a_new_key_comes_first_and_the_old_ones_stay(path: Path) -> None:
    file = KeyFile(path)
    first, second, third = file.newest(), file.add(), file.add()

    assert list(KeyFile(path).known()) == [third, second, first]


def test_keys_that_another_process_added_are_known_at_once(path: Path) -> None:
    file = KeyFile(path)
    file.newest()
    key = KeyFile(path).add()

    assert file.newest() == key


def test_keys_behind_one_can_be_removed(path: Path) -> None:
    file = KeyFile(path)
    first, second, third = file.newest(), file.add(), file.add()

    assert file.remove_behind(second.fingerprint) == [first]
    assert list(KeyFile(path).known()) == [third, second]
    assert file.remove_behind("no such key") == []


def test_many_who_need_the_first_key_get_the_same(path: Path) -> None:
    found: list[Key] = []
    begin = threading.Barrier(8)

    def need() -> None:
        begin.wait()
        found.append(KeyFile(path).newest())

    threads = [threading.Thread(target=need, name=f"need-{number}") for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_many_who_add_keys_lose_none(path: Path) -> None:
    threads = [threading.Thread(target=KeyFile(path).add, name=f"add-{number}") for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(KeyFile(path).known()) == 8
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["keys", "keys.lock"]


def test_a_file_with_something_else_in_it_is_refused_without_showing_it(path: Path) -> None:
    KeyFile(path).newest()
    with path.open("a") as file:
        file.write("almost-a-key\n")
    with pytest.raises(SettingsError, match=f"{path}:4: this is no key") as caught:
        KeyFile(path).known()

    assert "almost" not in str(caught.value)


def test_a_path_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be used: Is a directory"):
        KeyFile(tmp_path).known()


def test_given_keys_have_commas_or_space_between_them() -> None:
    keys = [Key.new() for _ in range(3)]
    found = GivenKeys(f" {keys[0].text},{keys[1].text}\n{keys[2].text} ")

    assert list(found.known()) == keys
    assert found.newest() == keys[0]


def test_a_key_may_have_either_alphabet_of_base64() -> None:
    secret = bytes(range(224, 256))

    assert Key.parse(base64.b64encode(secret).decode()) == Key.parse(Key(secret).text) == Key(secret)


@pytest.mark.parametrize("text", ["hunter2", "aGVsbG8=", "=" * 44, "ü" * 44])
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="key 2 of PENSTOCK_KEY is none") as caught:
        GivenKeys(f"{Key.new().text} {text}")

    assert text not in str(caught.value)


def test_a_key_does_not_show_itself() -> None:
    key = Key.new()

    assert repr(key) == f"Key({key.fingerprint})"
    assert key.text not in f"{key} {key!r} {[key]}"

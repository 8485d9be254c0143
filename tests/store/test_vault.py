"""The vault: sealed contents, and what becomes of them when keys change."""

from __future__ import annotations

import pytest

from penstock.core.catalog import Collection, Write
from penstock.core.errors import SealError
from penstock.store.keys import GivenKeys, Key
from penstock.store.memory import MemoryStore
from penstock.store.vault import Resealing, Vault, fingerprint_of

SECRET = b"hunter2-and-more"


def vault(*keys: Key) -> Vault:
    return Vault(GivenKeys(" ".join(key.text for key in keys)))


@pytest.fixture
def old() -> Key:
    return Key.new()


@pytest.fixture
def new() -> Key:
    return Key.new()


async def hold(store: MemoryStore, name: str, content: bytes) -> None:
    await store.write(
        [Write(collection=Collection.VALUES, namespace="n", id=name, name=name, content=content)], at=1.0
    )


async def held(store: MemoryStore) -> list[bytes]:
    entries = await store.entries(Collection.VALUES)
    return [entry.content for entry in entries if entry.content is not None]


def test_what_was_sealed_can_be_opened(old: Key) -> None:
    sealed = vault(old).seal(SECRET)

    assert SECRET not in sealed
    assert vault(old).open(sealed) == SECRET


def test_the_same_content_is_sealed_in_another_way_each_time(old: Key) -> None:
    assert vault(old).seal(SECRET) != vault(old).seal(SECRET)


def test_the_newest_key_seals_and_every_key_opens(old: Key, new: Key) -> None:
    sealed = vault(old).seal(SECRET)
    both = vault(new, old)

    assert both.open(sealed) == SECRET
    assert fingerprint_of(both.seal(SECRET)) == new.fingerprint


def test_a_wrong_key_names_the_one_that_is_wanted(old: Key, new: Key) -> None:
    sealed = vault(old).seal(SECRET)
    with pytest.raises(SealError, match=f"sealed with the key {old.fingerprint}") as caught:
        vault(new).open(sealed)

    assert caught.value.key == old.fingerprint
    assert "PENSTOCK_KEY" in str(caught.value)


def test_whatever_is_changed_breaks_the_seal(old: Key) -> None:
    sealed = vault(old).seal(SECRET)
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(SealError):
            vault(old).open(bytes(broken))


@pytest.mark.parametrize("length", [0, 3, 12, 20, 30])
def test_a_seal_that_was_cut_off_is_none(old: Key, length: int) -> None:
    with pytest.raises(SealError):
        vault(old).open(vault(old).seal(SECRET)[:length])


async def test_resealing_makes_the_old_key_superfluous(old: Key, new: Key) -> None:
    store = MemoryStore()
    await hold(store, "a", vault(old).seal(SECRET))
    await hold(store, "b", vault(new).seal(SECRET))
    done = Resealing(vault(new, old))
    await done.run(store)

    assert (done.newest, done.renewed, done.lost) == (new.fingerprint, 1, {})
    assert [vault(new).open(content) for content in await held(store)] == [SECRET, SECRET]


async def test_resealing_again_changes_nothing(old: Key, new: Key) -> None:
    store = MemoryStore()
    await hold(store, "a", vault(old).seal(SECRET))
    await Resealing(vault(new, old)).run(store)
    before = await held(store)
    done = Resealing(vault(new, old))
    await done.run(store)

    assert (done.renewed, await held(store)) == (0, before)


async def test_what_nobody_can_open_stays_and_is_told(old: Key, new: Key) -> None:
    store, lost = MemoryStore(), Key.new()
    await hold(store, "a", vault(lost).seal(SECRET))
    await hold(store, "b", vault(old).seal(SECRET))
    done = Resealing(vault(new, old))
    await done.run(store)

    assert (done.renewed, done.lost) == (1, {lost.fingerprint: 1})
    assert vault(lost).open((await held(store))[0]) == SECRET


async def test_a_broken_seal_stops_the_resealing_of_all(old: Key, new: Key) -> None:
    store = MemoryStore()
    await hold(store, "a", vault(old).seal(SECRET))
    await hold(store, "b", vault(old).seal(SECRET)[:-1])
    before = await held(store)
    with pytest.raises(SealError, match="the seal is broken"):
        await Resealing(vault(new, old)).run(store)

    assert await held(store) == before

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.auth.provider import KEYS

from penstock.auth.signing import TOKEN_MARK, Proof, Signing
from penstock.store.keys import GivenKeys, Key, KeyFile

proofs = st.builds(Proof, st.text(max_size=40), st.none() | st.floats(0, 2**40))


@given(proofs, st.sampled_from(["api", "session"]))
def test_a_token_says_what_it_was_made_of(proof: Proof, purpose: str) -> None:
    signing = Signing(KEYS)
    text = signing.token(proof, purpose=purpose)
    assert text.startswith(TOKEN_MARK)
    assert text.isascii()
    assert signing.proof(text, purpose=purpose) == proof
    other = "api" if purpose == "session" else "session"
    assert signing.proof(text, purpose=other) is None


@given(st.text())
def test_no_other_text_proves_anything(text: str) -> None:
    signing = Signing(KEYS)
    assert signing.proof(text, purpose="api") is None
    assert signing.proof(TOKEN_MARK + text, purpose="api") is None


@given(st.text(), st.text())
def test_only_the_mark_of_a_text_is_its_mark(text: str, other: str) -> None:
    signing = Signing(KEYS)
    mark = signing.mark(text)
    assert signing.is_marked(text, mark)
    assert signing.is_marked(other, mark) == (text == other)
    assert not signing.is_marked(text, other)


def test_a_mark_is_of_no_use_as_a_token() -> None:
    signing = Signing(KEYS)
    payload = signing.token(Proof("t-1"), purpose="api").removeprefix(TOKEN_MARK).split(".")[0]
    forged = f"{TOKEN_MARK}{payload}.{signing.mark(payload)}"
    assert signing.proof(forged, purpose="api") is None


def test_what_was_signed_with_a_key_that_is_gone_proves_nothing(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys")
    signing = Signing(keys)
    old = signing.token(Proof("t-1"), purpose="api")
    newest = keys.add()
    new = signing.token(Proof("t-1"), purpose="api")
    assert old != new
    assert signing.proof(old, purpose="api") == signing.proof(new, purpose="api") == Proof("t-1")
    mark = signing.mark("t-1")
    keys.remove_behind(newest.fingerprint)
    assert signing.proof(old, purpose="api") is None
    assert signing.proof(new, purpose="api") == Proof("t-1")
    assert signing.is_marked("t-1", mark)


def test_the_first_key_is_made_when_it_is_needed_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    signing = Signing(KeyFile(path))
    text = signing.token(Proof("t-1"), purpose="api")
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signing(KeyFile(path)).proof(text, purpose="api") == Proof("t-1")


@pytest.mark.parametrize("count", [10, 5000])
def test_remembering_what_was_proved_has_a_limit(count: int) -> None:
    signing = Signing(GivenKeys(Key.new().text))
    texts = [signing.token(Proof(str(number)), purpose="api") for number in range(count)]
    for _ in range(2):
        for number in (0, count - 1):
            assert signing.proof(texts[number], purpose="api") == Proof(str(number))
    for text in texts:
        signing.proof(text, purpose="api")
    assert len(signing._proofs) <= 4096

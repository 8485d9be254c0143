"""The vault: contents sealed at rest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SealError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from penstock.core.catalog import Catalog
    from penstock.store.keys import Key, KeySource

_MAGIC: Final = b"\x00PS1"
_FINGERPRINT_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_MAGIC) + _FINGERPRINT_BYTES


class Vault:
    """Seals contents with the newest key, and opens what any of the keys has sealed.

    A seal is AES-256 in Galois/Counter mode (NIST SP 800-38D) with a random nonce of 96 bits,
    good for 2^32 contents of one key. Before it stands, in the clear but authenticated, the
    fingerprint of its key. That is why it is not Fernet, which cannot tell which key it lacks
    and tries them all; besides, Fernet has half the key and base64 around it.

    What is sealed should say whose content it is: a seal does not know where it is kept.
    """

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, content: bytes) -> bytes:
        """The content sealed with the newest key, which is made when there is none."""
        key = self.source.newest()
        head = _MAGIC + bytes.fromhex(key.fingerprint)
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + self._cipher(key).encrypt(nonce, content, head)

    def open(self, sealed: bytes) -> bytes:
        """The content. Raises SealError that names the key it wants, when that is not here."""
        from cryptography.exceptions import InvalidTag

        wanted = fingerprint_of(sealed)
        key = next((key for key in self.source.known() if key.fingerprint == wanted), None)
        if key is None:
            raise SealError(
                f"it is sealed with the key {wanted}, which is not among those of {self.source.origin}",
                key=wanted,
                remedy="add that key there, behind the newest; `penstock keys ls` shows which are there",
            )
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        try:
            return self._cipher(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head)
        except (InvalidTag, ValueError) as error:
            raise SealError(
                "the seal is broken: what is in the store is not what was sealed",
                key=wanted,
                remedy="restore the store from a copy, or apply the value again",
            ) from error

    def _cipher(self, key: Key) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if key.fingerprint not in self._ciphers:
            self._ciphers[key.fingerprint] = AESGCM(key.secret)
        return self._ciphers[key.fingerprint]


def fingerprint_of(sealed: bytes) -> str:
    """The fingerprint of the key that something is sealed with. Raises SealError."""
    if not sealed.startswith(_MAGIC) or len(sealed) < _HEAD_BYTES + _NONCE_BYTES:
        raise SealError("this was never sealed", remedy="apply the value again")
    return sealed[len(_MAGIC) : _HEAD_BYTES].hex()


class Resealing:
    """One pass over everything that a store keeps sealed.

    newest: the fingerprint of the key that seals. renewed: how many contents got a new seal.
    lost: how many there are of each key that is not here, by fingerprint; they stay as they
    are, so that a lost key does not keep the others from being replaced.
    """

    def __init__(self, vault: Vault) -> None:
        self.renewed = 0
        self.lost: dict[str, int] = {}
        self._vault = vault
        self.newest = vault.source.newest().fingerprint

    async def run(self, store: Catalog) -> None:
        """Reseal every revision of every value with the newest key, in one transaction."""
        await store.reseal(self._reseal)

    def _reseal(self, sealed: bytes) -> bytes:
        wanted = fingerprint_of(sealed)
        if wanted == self.newest:
            return sealed
        try:
            content = self._vault.open(sealed)
        except SealError:
            if any(key.fingerprint == wanted for key in self._vault.source.known()):
                raise  # its key is here, so it is broken
            self.lost[wanted] = self.lost.get(wanted, 0) + 1
            return sealed
        self.renewed += 1
        return self._vault.seal(content)

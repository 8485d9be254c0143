"""Keys that values are sealed with: from a file of the user's, or from the environment."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

VARIABLE: Final = "PENSTOCK_KEY"
KEY_BYTES: Final = 32
_HEAD: Final = (
    "# The keys that Penstock seals values with, the newest first.\n"
    "# Whoever has them can read every value; without them nobody can. Keep a copy elsewhere.\n"
)


def usual_file() -> Path:
    """Where the keys are when nobody says otherwise."""
    from platformdirs import user_config_path

    return user_config_path("penstock", appauthor=False) / "keys"


class Key(NamedTuple):
    """32 random bytes. They are in no text that this object makes of itself."""

    secret: bytes

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell which key this is, and nothing about it."""
        return hashlib.blake2b(self.secret, digest_size=8, person=b"penstock-key").hexdigest()

    @property
    def text(self) -> str:
        """How it is written in a file or a variable."""
        return base64.urlsafe_b64encode(self.secret).decode()

    @classmethod
    def new(cls) -> Key:
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key of a text: 32 bytes in base64, of either alphabet. Raises ValueError."""
        plain = text.replace("+", "-").replace("/", "_")
        try:
            secret = base64.b64decode(plain, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            # The text itself, wrong as it is, may be most of a key.
            raise ValueError(f"a key is {KEY_BYTES} bytes in base64: 44 characters")
        return cls(secret)

    def __repr__(self) -> str:
        return f"Key({self.fingerprint})"


class KeySource(Protocol):
    """Where keys come from. Raises SettingsError when they cannot be used."""

    @property
    def origin(self) -> str:
        """Where they come from, as a person would name it."""
        ...

    def known(self) -> Sequence[Key]:
        """All of them as they are now, the newest first; none where none was made yet."""
        ...

    def newest(self) -> Key:
        """The key to seal with."""
        ...


class GivenKeys:
    """Keys in a text, the newest first, with commas or space between them."""

    def __init__(self, text: str, *, origin: str = VARIABLE) -> None:
        self.origin = origin
        self._keys: list[Key] = []
        for number, word in enumerate(re.split(r"[\s,]+", text.strip()), start=1):
            try:
                self._keys.append(Key.parse(word))
            except ValueError as error:
                remedy = "make one with `openssl rand -base64 32`"
                raise SettingsError(
                    f"key {number} of {origin} is none: {error}", remedy=remedy
                ) from None

    def known(self) -> Sequence[Key]:
        return self._keys

    def newest(self) -> Key:
        return self._keys[0]


class KeyFile:
    """A file with a key per line that its owner alone may read.

    It is read again when it has changed, so that a runtime knows the keys that were added
    since. Changes are atomic: at any instant the file holds all keys of before, or of after.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._keys: list[Key] = []

    @property
    def origin(self) -> str:
        return str(self.path)

    def known(self) -> Sequence[Key]:
        with _told(self.path):
            try:
                found = self.path.stat()
            except FileNotFoundError:
                self._stamp, self._keys = None, []
                return []
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
            if stamp != self._stamp:
                self._keys = self._read()
                self._stamp = stamp
        return self._keys

    def newest(self) -> Key:
        """The first key of the file, which is made when it is not there."""
        found = self.known()
        return found[0] if found else self.add(only_first=True)

    def add(self, *, only_first: bool = False) -> Key:
        """Put a new key first. It is on disk when this returns.

        only_first: unless there is a key by now, which another process was quicker to make.
        """
        with _told(self.path), self._lock():
            found = list(self.known())
            if only_first and found:
                return found[0]
            key = Key.new()
            self._write([key, *found])
        return key

    def remove_behind(self, fingerprint: str) -> list[Key]:
        """Remove all keys that are older than this one; those that are gone."""
        with _told(self.path), self._lock():
            found = list(self.known())
            kept = next(
                (place for place, key in enumerate(found, 1) if key.fingerprint == fingerprint),
                len(found),
            )
            if kept < len(found):
                self._write(found[:kept])
        return found[kept:]

    def _read(self) -> list[Key]:
        with self.path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if os.name == "posix" and mode & 0o077:
                raise SettingsError(
                    f"the key file {self.path} can be read by others (its mode is {mode:o})",
                    remedy=f"chmod 600 '{self.path}'; if somebody has read it: penstock keys rotate",
                )
            lines = file.read().splitlines()
        found: list[Key] = []
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            try:
                found.append(Key.parse(text))
            except ValueError as error:
                raise SettingsError(
                    f"{self.path}:{number}: this is no key: {error}",
                    remedy="restore the file from a copy; values cannot be read without their keys",
                ) from None
        return found

    def _write(self, keys: Sequence[Key]) -> None:
        text = _HEAD + "".join(f"{key.text}\n" for key in keys)
        new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.new")
        try:
            descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)
        _sync_folder(self.path.parent)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other processes from changing the file meanwhile."""
        import fcntl

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self.path.with_name(f"{self.path.name}.lock")
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Within it, a file that cannot be used is a SettingsError."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(
            f"the key file {path} cannot be used: {reason}",
            remedy=f"name another with PENSTOCK_KEY_FILE, or give the keys in {VARIABLE}",
        ) from error


def usual_keys(environ: Mapping[str, str], file: Path | None = None) -> KeySource:
    """The keys of the variable PENSTOCK_KEY, else those of a file. Raises SettingsError."""
    given = environ.get(VARIABLE, "")
    return GivenKeys(given) if given.strip() else KeyFile(file or usual_file())

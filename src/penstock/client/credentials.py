"""The tokens that a person has for hosts, in a file that they alone may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from penstock.core.errors import SettingsError

HOST_VARIABLE: Final = "PENSTOCK_HOST"
TOKEN_VARIABLE: Final = "PENSTOCK_TOKEN"  # noqa: S105 - where one is, and none


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What proves who one is to a host. id: by which it can be revoked there. user: a name."""

    token: str
    id: str = ""
    user: str = ""

    def __repr__(self) -> str:
        """Without the token."""
        return f"Credential(id={self.id!r}, user={self.user!r})"


def known_host() -> str:
    """The host that PENSTOCK_HOST names. Raises SettingsError."""
    url = os.environ.get(HOST_VARIABLE, "").strip()
    if not url:
        raise SettingsError("which host?", remedy=f"give its address, or set {HOST_VARIABLE}")
    return url


def known_token(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The token for a host: that of PENSTOCK_TOKEN, else the one that `penstock login` has kept."""
    return environ.get(TOKEN_VARIABLE, "").strip() or Credentials(usual_file()).token(url)


def usual_file() -> Path:
    """Where they are kept."""
    from platformdirs import user_config_path

    return user_config_path("penstock", appauthor=False) / "hosts.json"


class Credentials:
    """What is kept, by the address of the host. Raises SettingsError where the file is no good."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def token(self, url: str) -> str:
        """The token for a host; empty where none is known."""
        found = self.find(url)
        return "" if found is None else found.token

    def find(self, url: str) -> Credential | None:
        return self._read().get(_key(url))

    def put(self, url: str, credential: Credential) -> None:
        """Keep it, in place of an earlier one."""
        self._write({**self._read(), _key(url): credential})

    def forget(self, url: str) -> Credential | None:
        """Keep it no longer; what it was."""
        known = self._read()
        found = known.pop(_key(url), None)
        if found is not None:
            self._write(known)
        return found

    def _read(self) -> dict[str, Credential]:
        with _told(self.path):
            try:
                data = self.path.read_bytes()
                mode = self.path.stat().st_mode & 0o777
            except FileNotFoundError:
                return {}
            if os.name == "posix" and mode & 0o077:
                raise SettingsError(
                    f"the tokens in {self.path} can be read by others (its mode is {mode:o})",
                    remedy=f"chmod 600 '{self.path}'; if somebody has read it, revoke them",
                )
            return msgspec.json.decode(data, type=dict[str, Credential])

    def _write(self, known: dict[str, Credential]) -> None:
        with _told(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.new")
            try:
                descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.format(msgspec.json.encode(known), indent=2))
                new.replace(self.path)
            finally:
                new.unlink(missing_ok=True)


def _key(url: str) -> str:
    return url.rstrip("/")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Within it, a file that cannot be used is a SettingsError."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} cannot be used: {error.strerror}") from error
    except msgspec.MsgspecError:
        # Without the text, which holds tokens.
        raise SettingsError(
            f"{path} is not what `penstock login` writes", remedy="remove it, and log in again"
        ) from None

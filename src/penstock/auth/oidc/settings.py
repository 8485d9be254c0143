"""`[oidc.NAME]` of a settings file: a provider through which people log in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from penstock.core.errors import SettingsError
from penstock.core.spec import NAME


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, and what becomes of those who come from it.

    issuer: its URL. client_secret: empty for a public client. title: what its button says.
    name_claim: what a user is called by. groups_claim: the list of groups that somebody is in, by
    the names of groups here; empty when the provider does not say. create_users: whether somebody
    who comes for the first time becomes a user. roles: of such a user. redirect_uri: where the
    provider sends people back to, where the host cannot know it.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str = ""
    title: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = ""
    create_users: bool = False
    roles: tuple[str, ...] = ()
    redirect_uri: str = ""

    def __repr__(self) -> str:
        """Without the secret: it must not reach a log by accident."""
        return f"ProviderSettings({self.name!r}, issuer={self.issuer!r})"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table as it is written; the secret is in a variable or a file rather than in there."""

    issuer: str
    client_id: str
    client_secret_env: str = ""
    client_secret_file: str = ""
    title: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = ""
    create_users: bool = False
    roles: tuple[str, ...] = ()
    redirect_uri: str = ""


def provider_settings(
    tables: Sequence[tuple[str, Mapping[str, Any]]], *, environ: Mapping[str, str], folder: Path
) -> list[ProviderSettings]:
    """The providers of the settings, by name; of two with one name, the first.

    tables: `[oidc]` of each file, with its origin. folder: where relative paths of secrets count
    from. Raises SettingsError.
    """
    found: dict[str, ProviderSettings] = {}
    for origin, table in tables:
        for name, written in table.items():
            where = f"[oidc.{name}] of {origin}"
            if not NAME.fullmatch(name):
                raise SettingsError(f"{where}: this is no name", remedy="use letters, digits, `-`, `_`")
            found.setdefault(name, _settings(name, where, written, environ, folder))
    return [found[name] for name in sorted(found)]


def _settings(
    name: str, where: str, written: Any, environ: Mapping[str, str], folder: Path
) -> ProviderSettings:
    try:
        table = msgspec.convert(written, _Table)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"{where} cannot be used: {error}",
            remedy="it needs `issuer` and `client_id`; the secret of the client is named by "
            "`client_secret_env` or `client_secret_file`",
        ) from None
    _check_issuer(where, table.issuer)
    facts = msgspec.structs.asdict(table)
    facts.pop("client_secret_env")
    facts.pop("client_secret_file")
    scopes = table.scopes if "openid" in table.scopes else ("openid", *table.scopes)
    return ProviderSettings(
        **facts
        | {
            "name": name,
            "title": table.title or name,
            "scopes": scopes,
            "client_secret": _secret(where, table, environ, folder),
        }
    )


def _check_issuer(where: str, issuer: str) -> None:
    """Refuse an issuer whose answers anybody on the way could change."""
    parts = urlsplit(issuer)
    if parts.scheme == "https" and parts.netloc:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise SettingsError(
        f"{where}: the issuer `{issuer}` is not reached by TLS", remedy="give a URL with https://"
    )


def _secret(where: str, table: _Table, environ: Mapping[str, str], folder: Path) -> str:
    variable, file = table.client_secret_env, table.client_secret_file
    if variable:
        if not environ.get(variable):
            raise SettingsError(
                f"{where}: the variable {variable} is not set",
                remedy="put the secret of the client there",
            )
        return environ[variable]
    if not file:
        return ""
    try:
        return (folder / file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{where}: the secret cannot be read from {folder / file}", remedy="check client_secret_file"
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Which kinds a namespace may use: some of them reach the machine that runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from penstock.auth.records import EVERYWHERE
from penstock.core.errors import SettingsError


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one table says. allow: patterns of kinds, one of which has to fit; None: any kind does.
    deny: patterns of kinds, none of which may fit.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


class NamespaceKinds(msgspec.Struct, frozen=True):
    """The kinds that a namespace may use. rules: with where each was written; all of them hold."""

    namespace: str
    rules: tuple[tuple[str, Rule], ...] = ()

    def refusal(self, names: Sequence[str]) -> str:
        """Why a kind with these names may not be used; empty where it may be.

        One denied name is enough to refuse it, and one allowed name to allow it.
        """
        for origin, rule in self.rules:
            for pattern in rule.deny:
                if any(fnmatchcase(name, pattern) for name in names):
                    return f"{origin} denies `{pattern}` to the namespace `{self.namespace}`"
            if rule.allow is not None and not any(
                fnmatchcase(name, pattern) for name in names for pattern in rule.allow
            ):
                return f"{origin} does not allow it to the namespace `{self.namespace}`"
        return ""


def namespace_kinds(
    namespace: str, tables: Sequence[tuple[str, Mapping[str, Any]]]
) -> NamespaceKinds | None:
    """What the settings say about the kinds of a namespace; None where they say nothing.

    tables: `[namespaces]` of each file, with its origin. What is written for the namespace `*`
    holds for all. Raises SettingsError.
    """
    rules = []
    for origin, table in tables:
        for name, found in table.items():
            where = f"[namespaces.{name}] of {origin}"
            try:
                rule = msgspec.convert(found, Rule)
            except msgspec.ValidationError as error:
                raise SettingsError(
                    f"{where} cannot be used: {error}",
                    remedy='it has `deny` and `allow`, lists of kinds such as ["shell.exec", "file.*"]',
                ) from None
            if name in (EVERYWHERE, namespace):
                rules.append((where, rule))
    return NamespaceKinds(namespace, tuple(rules)) if rules else None

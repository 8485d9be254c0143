"""Value documents for `env`: from settings files, from `--values`, and the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from penstock.core.errors import DocumentError, PayloadError, SettingsError
from penstock.core.payload import Payload, normalise

ENVIRON: Final = "environ"
"""The document that always is there: the environment of this process."""

Tables = Sequence[tuple[str, Mapping[str, Any]]]
"""The tables `[values.NAME]` of each settings file, the one that wins first, with its origin."""


def gather(tables: Tables, files: Sequence[str], environ: Mapping[str, str]) -> dict[str, Payload]:
    """Every value document by its name. What a file of `--values` says wins, the last most.

    Raises SettingsError, or DocumentError for a file that is no YAML or JSON. No message
    shows what a document holds.
    """
    found: dict[str, Payload] = {}
    for origin, documents in reversed(tables):
        found |= _checked(documents, origin)
    for file in files:
        found |= _checked(_read(Path(file)), file)
    return found | {ENVIRON: dict(environ)}


def _checked(documents: Mapping[str, Any], origin: str) -> dict[str, Payload]:
    from penstock.core.spec import NAME

    found: dict[str, Payload] = {}
    for name, value in documents.items():
        if name == ENVIRON:
            remedy = "give it another name: this one stands for the environment of the process"
            raise SettingsError(f"{origin}: no value can be called `{ENVIRON}`", remedy=remedy)
        if not NAME.fullmatch(name):
            remedy = "a name has letters, digits, `-` and `_`"
            raise SettingsError(f"{origin}: `{name}` is no name for a value", remedy=remedy)
        try:
            found[name] = normalise(value)
        except PayloadError as error:
            raise SettingsError(f"{origin}: value `{name}`: {error.message}") from error
    return found


def _read(path: Path) -> dict[str, Any]:
    from penstock.document.source import read_source, without_text

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"--values {path} cannot be read: {error.strerror}") from error
    try:
        data = read_source(raw, file=str(path)).data
    except DocumentError as error:
        raise DocumentError(without_text(error.problems)) from None
    if not isinstance(data, dict):
        raise SettingsError(
            f"{path} does not hold values",
            remedy="write a mapping: the name of each, and what it holds",
        )
    return data

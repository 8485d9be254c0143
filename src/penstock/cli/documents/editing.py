"""Editing a document until it can be applied."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from penstock.cli.documents.comparison import unified
from penstock.cli.documents.listing import document
from penstock.cli.documents.opening import opened
from penstock.core.errors import DocumentError, StoreConflict
from penstock.core.problems import Problem

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.stored import StoredSpec, StoredValue

_REVISION: Final = re.compile(r"^revision: *\d+ *$", re.MULTILINE)
_WELCOME: Final = (
    "Save this to apply it; leave it as it is to change nothing. Comments are not kept.",
    "It is refused when somebody wrote since this `revision`.",
)


class Editing:
    """One spec or value, from the store to the editor and back."""

    def __init__(self, app: App, collection: str, name: str, namespace: str) -> None:
        self._app = app
        self._collection = collection
        self._name = name
        self._namespace = namespace

    def run(self, edit: Callable[[str], str]) -> Change | None:
        """What became of it; None when nothing was changed.

        edit: shows a text to the person, and returns what was saved. Raises DocumentError or
        StoreConflict when the person gave up with something still wrong. No loop runs meanwhile,
        and no store is open: a person may take hours.
        """
        from penstock.document.yaml_writing import to_yaml

        stored = asyncio.run(self._read())
        text, notes = to_yaml(document(stored)), list(_WELCOME)
        failure: DocumentError | StoreConflict | None = None
        while True:
            saved = _without_notes(edit(_with_notes(notes, text)))
            if saved in (text, ""):
                if failure is not None:
                    raise failure
                return None
            text = saved
            try:
                return asyncio.run(self._apply(stored, text))
            except DocumentError as error:
                failure = error
                notes = self._problems(stored, text, error)
            except StoreConflict as error:
                failure = error
                notes = asyncio.run(self._theirs(stored, error))
                text = _REVISION.sub(f"revision: {error.found}", text, count=1)

    async def _read(self) -> StoredSpec | StoredValue:
        async with opened(self._app) as shelves:
            if self._collection == "specs":
                return await shelves.specs.one(self._name, namespace=self._namespace)
            return await shelves.values.one(self._name, namespace=self._namespace, reveal=True)

    async def _apply(
        self, stored: StoredSpec | StoredValue, text: str, *, dry_run: bool = False
    ) -> Change:
        async with opened(self._app) as shelves:
            if self._collection == "specs":
                from penstock.document.reader import examine

                examination = examine(text, file="spec.yaml")
                _check_identity(stored, examination.document.source.data)
                changes = await shelves.specs.apply([examination], origin=stored.origin, dry_run=dry_run)
            else:
                from penstock.document.source import read_source

                source = read_source(text, file="value.yaml")
                _check_identity(stored, source.data)
                changes = await shelves.values.apply([source], origin=stored.origin, dry_run=dry_run)
        return changes[0]

    def _problems(self, stored: StoredSpec | StoredValue, text: str, error: DocumentError) -> list[str]:
        """What is wrong, with the lines where it will be, below these very notes."""
        notes = str(error).splitlines()
        try:
            asyncio.run(self._apply(stored, "#\n" * (len(notes) + 1) + text, dry_run=True))
        except DocumentError as moved:
            return str(moved).splitlines()
        return notes

    async def _theirs(self, stored: StoredSpec | StoredValue, error: StoreConflict) -> list[str]:
        """What somebody else has changed meanwhile."""
        async with opened(self._app) as shelves:
            shelf = shelves.specs if self._collection == "specs" else shelves.values
            theirs = await shelf.between(stored.id, stored.revision, namespace=stored.namespace)
        now = f"it is at revision {error.found}" if error.found else "it was deleted"
        head = f"Somebody else wrote meanwhile: {now}. What changed there:"
        return [head, *unified(theirs), "Take over what should stay; saving puts yours on top."]


def _check_identity(stored: StoredSpec | StoredValue, data: object) -> None:
    """Raise DocumentError when it is not the same document any more."""
    if not isinstance(data, dict) or data.get("id") != stored.id:
        hint = f"its id is `{stored.id}`; to make another document, use `penstock apply`"
        raise DocumentError([Problem("this must stay the one document with its id", hint=hint)])


def _with_notes(notes: Sequence[str], text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in notes) + "#\n" + text


def _without_notes(text: str) -> str:
    """The text behind the comments that it begins with; empty when nothing but them is left."""
    lines = text.splitlines(keepends=True)
    while lines and (lines[0].startswith("#") or not lines[0].strip()):
        del lines[0]
    return "".join(lines)

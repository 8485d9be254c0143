"""A stream of documents that nobody wrote: the same for the same seed."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.fuzz.corpus import seeds
from tests.fuzz.data import changed
from tests.fuzz.text import encoded, mutated

from penstock.core.errors import DocumentError
from penstock.document.source import read_source


class Mutations:
    """Documents changed at random, as text and as data."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._texts = seeds()
        self._data = list(_parsed(self._texts))

    def text(self) -> bytes:
        """What a file may hold: changed as text, or changed as data and written well."""
        if self.chance.random() < 0.6:
            return encoded(mutated(self.chance, self.chance.choice(self._texts), self._texts))
        while True:
            try:
                return encoded(json.dumps(self.data(), ensure_ascii=self.chance.random() < 0.5))
            except (TypeError, ValueError):
                continue  # JSON cannot say it; as data it is tried elsewhere

    def of(self, raw: bytes, seed: int) -> bytes:
        """A change of this very text; the same for the same seed."""
        text = raw.decode("utf-8", "surrogateescape")
        return encoded(mutated(random.Random(seed), text, self._texts))

    def data(self) -> Any:
        """What a request or a program may hand over."""
        return changed(self.chance, self.chance.choice(self._data), self._data)


def _parsed(texts: list[str]) -> list[Any]:
    found: list[Any] = []
    for text in texts:
        try:
            found.append(read_source(text, file="seed").data)
        except DocumentError:
            continue  # some seeds are wrong on purpose
    return found

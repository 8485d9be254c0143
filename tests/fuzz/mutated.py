"""Campaign `mutated`: documents with a few changes, through `penstock validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.fence import fence
from tests.fuzz.mutations import Mutations
from tests.fuzz.scheme import tied_scheme
from tests.fuzz.validating import check
from tests.fuzz.watchdog import Watchdog

from penstock.engine.loading import Loader

if TYPE_CHECKING:
    from tests.fuzz.report import Report


def main(folder: Path, *, size_bytes: int, seed: int) -> Report:
    """Validate so many bytes, one file at a time."""
    loader, mutations, dog = Loader(tied_scheme()), Mutations(seed), Watchdog(folder)
    right = 0
    fence(folder)
    while dog.size_bytes < size_bytes:
        path = folder / mutations.chance.choice(("document.yaml", "document.json"))
        raw = mutations.text()
        path.write_bytes(raw)
        with dog.over(raw):
            right += check(loader, path)
    return dog.report("mutated", accepted=right)

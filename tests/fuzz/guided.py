"""Campaign `guided`: documents that atheris (libFuzzer) builds by the code that they reach."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

INSTRUMENTED: Final = [
    "penstock.core", "penstock.document", "penstock.engine.binding", "penstock.engine.calls",
    "penstock.engine.catalog", "penstock.engine.compiler", "penstock.engine.decoding",
    "penstock.engine.environment", "penstock.engine.feeding", "penstock.engine.mismatch",
    "penstock.engine.nesting", "penstock.engine.plan", "penstock.engine.sandbox",
    "penstock.engine.templates", "penstock.engine.wiring", "penstock.kinds",
]  # fmt: skip
LONGEST_BYTES: Final = 16_384


def main(folder: Path, *, size_bytes: int, seed: int) -> Any:
    """Validate so many bytes. Does not return: libFuzzer owns the process."""
    import atheris

    path, corpus = folder / "document.yaml", folder / "corpus"
    corpus.mkdir()
    # What is to be watched must not have been imported before; some of it is when it is needed.
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.corpus import seeds
        from tests.fuzz.mutations import Mutations
        from tests.fuzz.scheme import tied_scheme
        from tests.fuzz.validating import check

        from penstock.engine.loading import Loader

        loader, mutations = Loader(tied_scheme()), Mutations(seed)
        for number, text in enumerate(seeds()):
            (corpus / f"{number}").write_text(text, "utf-8")
            path.write_text(text, "utf-8")
            check(loader, path)
    from tests.fuzz.fence import fence
    from tests.fuzz.watchdog import Watchdog

    dog = Watchdog(folder)
    right = 0

    def look(raw: bytes) -> None:
        nonlocal right
        path.write_bytes(raw)
        with dog.over(raw):
            right += check(loader, path)
        if dog.size_bytes >= size_bytes:
            sys.stdout.write(f"{dog.report('guided', accepted=right).line()}\n")
            sys.stdout.flush()
            os._exit(0)  # it has no other way to be told that it is enough

    def mutate(raw: bytes, most: int, number: int) -> bytes:
        """Half of the changes are libFuzzer's own, half know what a document looks like."""
        if number % 2:
            return atheris.Mutate(raw, most)
        return mutations.of(raw, number)[:most]

    options = [
        f"-seed={seed}", f"-max_len={LONGEST_BYTES}", "-len_control=0", "-timeout=60",
        "-rss_limit_mb=4096", f"-artifact_prefix={folder}/", "-print_final_stats=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], look, custom_mutator=mutate)
    fence(folder)
    atheris.Fuzz()

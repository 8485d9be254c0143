"""Campaign `commanded`: files for `penstock validate`, `diff` and `apply`, as the command line runs."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.fence import fence
from tests.fuzz.mutations import Mutations
from tests.fuzz.scheme import tied_scheme
from tests.fuzz.watchdog import Watchdog

from penstock.cli.exits import Exit
from penstock.cli.main import main as penstock

if TYPE_CHECKING:
    from tests.fuzz.report import Report


def main(folder: Path, *, size_bytes: int, seed: int) -> Report:
    """Give so many bytes to commands."""
    mutations, dog = Mutations(seed), Watchdog(folder)
    os.environ |= {"PENSTOCK_STORE": str(folder / "store.db"), "HOME": str(folder)}
    os.environ["PENSTOCK_KEY_FILE"] = str(folder / "keys")
    tied_scheme()  # imports every kind before the fence is there
    assert _command("apply", "specs", "-f", str(_first(folder))) is Exit.COMPLETED
    fence(folder)
    right = 0
    while dog.size_bytes < size_bytes:
        path = folder / mutations.chance.choice(("document.yaml", "document.json"))
        raw = mutations.text()
        path.write_bytes(raw)
        collection = mutations.chance.choice(("specs", "specs", "values"))
        with dog.over(raw):
            right += _command("validate", str(path)) is Exit.COMPLETED
            _command("diff", collection, "-f", str(path))
            _command("apply", collection, "-f", str(path))
    return dog.report("commanded", accepted=right)


def _first(folder: Path) -> Path:
    path = folder / "first.yaml"
    path.write_text("- {kind: nop, name: first}\n")
    return path


def _command(*arguments: str) -> Exit:
    """The exit code of a command. Raises AssertionError for what no document may bring about."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = Exit(penstock([*arguments, "--debug"]))
    told = err.getvalue()
    # 1 tells of differences, and of a revision that is not the current one.
    known = code in (Exit.COMPLETED, Exit.USAGE) or arguments[0] == "diff" or "StoreConflict" in told
    assert known, f"{arguments} ended with {code!r}:\n{told}"
    if code is Exit.USAGE:
        assert told.strip(), f"{arguments} was refused without a reason"
    return code

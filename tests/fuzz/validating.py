"""What `penstock validate` does with a document, and what must be true of its answer."""

from __future__ import annotations

from pathlib import Path

from penstock.core.errors import DocumentError
from penstock.core.spec import digest, from_document, to_document
from penstock.document.reader import Document
from penstock.engine.decoding import FAULT
from penstock.engine.loading import Loader


def check(loader: Loader, path: Path) -> bool:
    """Validate a file: True when it is right. Raises whatever is no refusal."""
    try:
        document = loader.check(path)
    except DocumentError as refusal:
        explained(refusal)
        return False
    usable(document)
    return True


def explained(refusal: DocumentError) -> None:
    """A refusal says what is wrong, in text that can be shown anywhere."""
    assert refusal.problems, "it is refused without a reason"
    for problem in refusal.problems:
        assert problem.message
        assert problem.hint != FAULT, f"a kind failed: {problem}"
    str(refusal).encode()


def usable(document: Document) -> None:
    """What is right goes through everything that the engine does with every spec."""
    assert document.specs
    for spec in document.specs:
        assert len(digest(spec)) == 32
    for flow in document.flows:
        assert to_document(from_document(to_document(flow))) == to_document(flow)

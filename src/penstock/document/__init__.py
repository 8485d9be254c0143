"""Documents: from the text that people write to specs, and from problems back to the text."""

from penstock.document.reader import Document, Examination, examine, examine_file, read, read_file
from penstock.document.source import Source, place

__all__ = [
    "Document",
    "Examination",
    "Source",
    "examine",
    "examine_file",
    "place",
    "read",
    "read_file",
]

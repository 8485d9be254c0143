"""Documents: from the text that people write to specs, and from problems back to the text."""

from penstock.document.reader import Document, read, read_file
from penstock.document.source import Source, place

__all__ = ["Document", "Source", "place", "read", "read_file"]

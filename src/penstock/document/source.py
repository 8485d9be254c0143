"""A document's text: its data, and the place of every value in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.errors import DocumentError
from penstock.core.problems import Place, Problem
from penstock.document.findings import Findings, Unreadable
from penstock.document.marks import Mark, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.core.problems import Path

_REFUSED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
_OTHER_ENCODINGS: Final = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


class Source:
    """What was read: `data` is plain and JSON-shaped, with text for every key.

    text: None where the data came as such, as in a request; its file is just a name then.
    """

    def __init__(self, text: Text | None, data: Any, marks: Mark | None, *, file: str = "") -> None:
        self.text = text
        self.data = data
        self.file = text.file if text else file
        self._marks = marks

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where the value at `path` stands, or its key; else the nearest value around it."""
        if self.text is None:
            return Place(self.file, 0, 0)
        if self._marks is None:
            from penstock.document.json_text import locate_json

            self._marks = locate_json(self.text)
        return self.text.place(*self._marks.find(path, at_key=at_key))


def read_source(text: str | bytes, *, file: str) -> Source:
    """Parse YAML, or JSON where the name or the text says so.

    Raises DocumentError with everything that the text has wrong with it.
    """
    findings = Findings()
    source = parse_source(text, findings, file=file)
    if findings.problems:
        raise DocumentError(place(findings.problems, source))
    return source


def parse_source(text: str | bytes, findings: Findings, *, file: str) -> Source:
    """The same for who wants to go on: what is wrong with the text goes to `findings`.

    Raises DocumentError when there is no data to go on with.
    """
    decoded = Text(file, "")
    try:
        decoded = _decode(text, file, findings)
        return _parse(decoded, findings)
    except Unreadable:
        raise DocumentError(place(findings.problems, Source(decoded, None, Mark(0, 0)))) from None


def take_data(data: Any, findings: Findings, *, file: str) -> Source:
    """Data as a source, when it is what a document can say.

    Raises DocumentError: neither bytes nor half characters, endless numbers or a hundred
    levels of nesting can be written down and read again.
    """
    from penstock.document.plain import check_plain

    source = Source(None, data, None, file=file)
    check_plain(data, findings)
    if findings.problems:
        raise DocumentError([*place(findings.problems, source), *findings.omitted()])
    return source


def without_text(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without the lines that they are in, which may hold a secret."""
    return [
        msgspec.structs.replace(problem, place=msgspec.structs.replace(problem.place, text=""))
        if problem.place is not None
        else problem
        for problem in problems
    ]


def place(problems: Iterable[Problem], source: Source) -> list[Problem]:
    """The problems with their places in `source`, in the order of the text.

    A problem that has a place keeps it; those of other files come last.
    """
    placed = [
        problem
        if problem.place is not None
        else msgspec.structs.replace(problem, place=source.place(problem.path, at_key=problem.at_key))
        for problem in problems
    ]
    return sorted(placed, key=lambda problem: _order(problem.place, source.file))


def _order(place: Place | None, file: str) -> tuple[bool, int, int]:
    return (place.file != file, place.line, place.column) if place else (True, 0, 0)


def _parse(text: Text, findings: Findings) -> Source:
    if text.file.lower().endswith(".json"):
        from penstock.document.json_text import parse_json

        return Source(text, parse_json(text, findings), None)
    if text.text.lstrip()[:1] in ("{", "["):
        # JSON is read as JSON whatever the file's name: not all of it is YAML.
        from penstock.document.json_text import parse_json

        trial = Findings()
        try:
            data = parse_json(text, trial)
        except Unreadable:
            pass  # then it is YAML in flow style, or nothing; YAML's parser will say which
        else:
            findings.absorb(trial)
            return Source(text, data, None)
    from penstock.document.yaml_text import parse_yaml

    return Source(text, *parse_yaml(text, findings))


def _decode(raw: str | bytes, file: str, findings: Findings) -> Text:
    """The text without its byte order mark, with no character that text cannot hold."""
    if isinstance(raw, bytes):
        raw = _from_utf8(raw, file, findings)
    text = Text(file, raw.removeprefix("\ufeff"))
    refused = _REFUSED.search(text.text)
    if refused:
        code = ord(refused.group())
        findings.report(
            f"the character U+{code:04X} cannot stand in a document",
            hint="is this a text file?"
            if code == 0
            else "remove it, or write it as an escape in quotes",
            place=text.place(*text.position(refused.start())),
        )
        raise Unreadable
    return text


def _from_utf8(raw: bytes, file: str, findings: Findings) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        encoding = next((name for mark, name in _OTHER_ENCODINGS if raw.startswith(mark)), "")
        readable = Text(file, raw[: error.start].decode("utf-8") if not encoding else "")
        findings.report(
            f"the file is {encoding} text"
            if encoding
            else f"the byte 0x{raw[error.start]:02X} is not UTF-8",
            hint="save the file as UTF-8",
            place=readable.place(*readable.position(len(readable.text))),
        )
        raise Unreadable from error

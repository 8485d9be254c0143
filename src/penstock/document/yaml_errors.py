"""What YAML's parser complains about, in words that say what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.document.findings import Findings
    from penstock.document.marks import Text

_INDENT: Final = "entries of one mapping or list start in the same column; check the indentation"
_COLON: Final = 'text that holds `: ` needs quotes, as in message: "a: b"'
_TRANSLATIONS: Final = (
    ("mapping values are not allowed", "a `:` cannot stand here", _COLON),
    ("did not find expected key", "the line does not continue the mapping around it", _INDENT),
    ("did not find expected '-' indicator", "the line does not continue the list around it", _INDENT),
    ("did not find expected ',' or '}'", "a `,` or `}` is missing", "close the `{`, or quote the text"),
    ("did not find expected ',' or ']'", "a `,` or `]` is missing", "close the `[`, or quote the text"),
    ("did not find expected node content", "a value is missing", ""),
    ("could not find expected ':'", "a `:` is missing after the key", ""),
    ("found unexpected end of stream", "the quoted text never ends", "close the quotes"),
    (
        "did not find expected alphabetic",
        "a name must follow",
        "text that starts with `*` or `&` needs quotes",
    ),
    ("found undefined tag handle", "the tag is unknown", "text that starts with `!` needs quotes"),
    (
        "found unknown escape character",
        "the escape is unknown",
        r"write `\\` for a backslash in double quotes",
    ),
    (
        "block sequence entries are not allowed",
        "a list cannot start here",
        "put it on a line of its own",
    ),
)


def report_syntax(error: Any, text: Text, findings: Findings) -> None:
    """Report a `yaml.YAMLError` at the place it names."""
    mark, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None or "unexpected end of stream" in problem:
        mark = opened or mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    place = text.place(line, column)
    if "cannot start any token" in problem:
        message, hint = _unstartable(place.text[place.column - 1 : place.column])
    else:
        message, hint = next(
            ((ours, hint) for theirs, ours, hint in _TRANSLATIONS if theirs in problem), (problem, "")
        )
    if opened is not None and opened.line != line:
        hint = f"{hint}; it opened in line {opened.line + 1}".removeprefix("; ")
    findings.report(f"not valid YAML: {message}", hint=hint, place=place)


def _unstartable(char: str) -> tuple[str, str]:
    if char == "\t":
        return "a tab cannot indent a line", "indent with spaces"
    return f"`{char}` cannot start a value", f"text that starts with `{char}` needs quotes"

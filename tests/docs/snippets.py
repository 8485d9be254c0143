"""Snippets of a Markdown page, and the words that say what a test does with them.

A fence's language decides: `yaml` and `json` flows are validated and run, `python` is run,
`console` shows commands (`$ …`) and what they print, `bash` shows commands alone. A fence
with `title="flow.yaml"` is a file of the page; later snippets of the page can use it. `text`
is a picture, and never run.

In what a command prints, `…` stands for anything: within a line, or, alone, for any lines.
Times, run ids and ports differ from run to run and match each other.

A comment above a fence may add:

    <!-- snippet: exit 2 -->              the last command ends with this code
    <!-- snippet: not run, REASON -->     REASON is one of `REASONS`, and is counted
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES: Final = frozenset({"bash", "console", "json", "python", "text", "toml", "yaml"})

REASONS: Final = frozenset(
    {
        "installs software",
        "runs until it is stopped",
        "runs the tests themselves",
    }
)
"""Why a snippet may stay unexecuted."""

_FENCE: Final = re.compile(
    r"(?:<!-- snippet: (?P<order>[^\n]*?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n"
    r"(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_ORDER: Final = re.compile(r"exit (?P<exit>\d+)|not run, (?P<reason>.+)")


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """One fence. line: where it starts in its page. exit: the code its last command ends with."""

    language: str
    body: str
    line: int
    title: str = ""
    exit: int = 0
    not_run: str = ""

    def commands(self) -> list[tuple[str, str]]:
        """Commands and what they print, of a `console` or `bash` fence."""
        if self.language == "bash":
            lines = re.sub(r"\\\n\s*", "", self.body).splitlines()
            return [(line, "…") for line in lines if line.strip() and not line.startswith("#")]
        found: list[tuple[str, str]] = []
        for line in self.body.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif line.startswith("> ") and found and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
            elif found:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
            else:
                raise ValueError(f"line {self.line}: a console snippet starts with `$ `")
        return found


def snippets_of(text: str) -> list[Snippet]:
    """Every fence of a page, in order. Raises ValueError where the words are not understood."""
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        order = _ORDER.fullmatch(match["order"] or "exit 0")
        if order is None:
            raise ValueError(f"line {line}: `{match['order']}` is no order for a snippet")
        if order["reason"] and order["reason"] not in REASONS:
            allowed = sorted(REASONS)
            raise ValueError(f"line {line}: `{order['reason']}` is no reason; allowed: {allowed}")
        if match["language"] not in LANGUAGES:
            raise ValueError(f"line {line}: a fence needs one of {sorted(LANGUAGES)}")
        body = re.sub(f"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        found.append(
            Snippet(
                language=match["language"],
                body=body,
                line=line,
                title=match["title"] or "",
                exit=int(order["exit"] or 0),
                not_run=order["reason"] or "",
            )
        )
    return found


def fences_of(text: str) -> int:
    """How many fences a page has, counted without understanding them."""
    return len(re.findall(r"^ *```", text, re.MULTILINE)) // 2


def pages_of(root: Path) -> list[Path]:
    """Every page whose snippets are executed."""
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]

"""Changes of a document as text: bytes, tokens, lines, and what parsers are afraid of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_TOKEN: Final = re.compile(r"\s+|[A-Za-z0-9_.]+|.", re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

NUMBERS: Final = (
    "0", "-1", "1e308", "1e400", "-0.0", ".nan", ".inf", "9223372036854775808", "18446744073709551616",
    "1" * 101, "0x7fffffffffffffff", "0o777", "1_000", "2e-324", "00", "99999999999999999999999999",
)  # fmt: skip
TEXTS: Final = (
    "", "~", "null", "true", "on", "<<", "•••", "environ", "\u2028", "\ufeff", "\u202e", "é",
    "e\u0301", "\U0001f6b0", "\ud83d", "\x00", "\x07", "\x85", "\\ud800", "\\u0000", '"\\ud800"',
    '"\\0"', "a" * 5000, "ﬀ", "İ", "../../x", "C:\\x", "a b", "-", "_", ".", "..", "a.b.c", "out[0]",
    "out[999999]", "out[-1]", "in", "error", "init", "term", "self", "default", "system",
)  # fmt: skip
CODE: Final = (
    "{{ 9 ** 9 ** 9 }}", "{{ 'a' * 9999999999 }}", "{{ range(999999999)|list }}", "{{ .A.B }}",
    "{{ }}", "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", "{%",
    "{#", "{{ ''.__class__.__mro__ }}", "{{ '%99999999s' % 1 }}", "{{ 'x'.format(1).center(10**9) }}",
    "{{ a[", "self.", "self[", "has(self)", "has(self.a.b", "size(size)", "1 / 0",
    "self.all(i, i.all(j, true))", "'\\u0000'", "b'\\xff'", "timestamp('x')", "duration('-1s')",
    "self.matches('(a+)+$')", "-" * 300, "(" * 300, "[" * 300, "{" * 300, "!" * 300, "a" + ".a" * 500,
    "a" + "[0]" * 500, "1" + "+1" * 2000, "while (true) {}", "for (;;) {}", "export default 1",
    "export default async () => {", "import x from 'x'", "new Array(1e9).fill(0)", "'x'.repeat(1e9)",
    "function main(a) { return main(a) }", "/(a+)+$/.test('aaa')", "lambda: 0", "def main(input):",
    "def main(input): return input", "input[", "(yield)", "f'{x!r:{y}}'", "* * * * *", "* * * * * *",
    "*/0 * * * *", "60 * * * *", "0 0 30 2 *", "0 0 31 2,4,6 *", "@reboot", "0 0 L * *",
    "0 0 * * FRI#9", "0-59/1 * * * *", "1" * 400 + " * * * *", "*/999999999999 * * * *", "1e999s",
    "P1Y", "PT", "-5s", "1h1h", "99999999999d", "0s", "1ns", "P" + "9" * 400 + "D", "1" * 5000 + "s",
    "sqlite:///", "sqlite:///:memory:?a=b", "postgresql://[", "http://[::", "http://a:99999/", "//",
    "x:/y", "SELECT :a, ?", "SELECT '", "/:", "/*a/b", "/:a/:a", "/%ff", "/a?b", "10/s", "0/s", "1/0s",
    "9" * 500 + "/s", "os:abort", "tests.nothing:here", "nowhere.py", "module:", ":x", "Europe/Berlin",
    "../etc/passwd", "Europe",
)  # fmt: skip
"""Code, schedules, durations and addresses: broken, or more than they should be."""

STRUCTURE: Final = (
    "- ", "  ", "\t", "\n", "\r", "\r\n", ": ", "? ", "| \n", "> \n", "&a ", "*a", "<<: *a\n",
    "!!binary ", "!!python/object/apply:os.system ", "!!set ", "!x ", "%YAML 1.1\n---\n", "---\n",
    "...\n", "#", "{", "}", "[", "]", ",", '"', "'", "\\", "@", "`", "&a &b ", "{a: b, a: c}", "[[[[",
    "}}}}", "kind: ", "name: ", "links: ", "nodes: ", "specs: ", "flow: ", "env: ", "id: ",
    "namespace: ", "revision: ", "triggers: ",
)  # fmt: skip

Change = Callable[[Random, str, Sequence[str]], str]


def mutated(chance: Random, text: str, others: Sequence[str]) -> str:
    """The text with a few changes. others: documents to take pieces from."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        text = chance.choice(CHANGES)(chance, text, others)
    return text


def _bytes(chance: Random, text: str, _: Sequence[str]) -> str:
    """Other characters here and there; a lone surrogate stands for a byte that is not UTF-8."""
    characters = list(text)
    for _ in range(chance.randint(1, 8)):
        place = chance.randint(0, len(characters))
        odd = chance.choice((chr(chance.randrange(128)), chr(chance.randrange(0x11000)), "\udcff"))
        characters[place : place + chance.randint(0, 2)] = odd * chance.randint(0, 2)
    return "".join(characters)


def _token(chance: Random, text: str, _: Sequence[str]) -> str:
    """A token removed, doubled, or exchanged with another."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return text
    one, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    match chance.randrange(3):
        case 0:
            del tokens[one]
        case 1:
            tokens.insert(other, tokens[one])
        case _:
            tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def _line(chance: Random, text: str, _: Sequence[str]) -> str:
    """Lines removed, doubled, moved, or in another column."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    start = chance.randrange(len(lines))
    block = lines[start : start + chance.choice((1, 1, 1, 2, 4, 8))]
    match chance.randrange(4):
        case 0:
            del lines[start : start + len(block)]
        case 1:
            lines[start:start] = block * chance.choice((1, 1, 2, 30))
        case 2:
            del lines[start : start + len(block)]
            place = chance.randint(0, len(lines))
            lines[place:place] = block
        case _:
            shift = chance.choice((" ", "  ", "    ", "\t", "- "))
            lines[start : start + len(block)] = [shift + line for line in block]
    return "".join(lines)


def _splice(chance: Random, text: str, others: Sequence[str]) -> str:
    """The beginning of this, the end of another; or a block of another in the middle."""
    other = chance.choice(others).splitlines(keepends=True)
    lines = text.splitlines(keepends=True)
    here, there = chance.randint(0, len(lines)), chance.randint(0, len(other))
    if chance.random() < 0.5:
        return "".join([*lines[:here], *other[there:]])
    return "".join([*lines[:here], *other[there : there + chance.randint(1, 6)], *lines[here:]])


def _replace(form: re.Pattern[str], choices: Sequence[str]) -> Change:
    def change(chance: Random, text: str, _: Sequence[str]) -> str:
        found = list(form.finditer(text))
        if not found:
            return text + chance.choice(choices)
        one = chance.choice(found)
        return text[: one.start()] + chance.choice(choices) + text[one.end() :]

    return change


def _insert(choices: Sequence[str]) -> Change:
    def change(chance: Random, text: str, _: Sequence[str]) -> str:
        place = chance.randint(0, len(text))
        return text[:place] + chance.choice(choices) * chance.choice((1, 1, 1, 3)) + text[place:]

    return change


def _scalar(chance: Random, text: str, _: Sequence[str]) -> str:
    """What stands behind a colon, replaced by code that is quoted well."""
    found = list(re.finditer(r":[ ]+(\S[^\n]*)", text))
    if not found:
        return text
    one = chance.choice(found)
    quoted = "'" + chance.choice(CODE).replace("'", "''") + "'"
    return text[: one.start(1)] + quoted + text[one.end(1) :]


def _deep(chance: Random, text: str, _: Sequence[str]) -> str:
    """Something nested, as deep as is allowed or much deeper."""
    depth = chance.choice((10, 99, 101, 1000, 5000))
    opening, closing = chance.choice((("[", "]"), ("{a: ", "}"), ('{"a":', "}"), ("- ", ""), ("? ", "")))
    place = chance.choice([0, len(text), *(match.end() for match in re.finditer(": ", text))])
    return (
        text[:place] + opening * depth + chance.choice(("", "x", "1")) + closing * depth + text[place:]
    )


def _wide(chance: Random, text: str, _: Sequence[str]) -> str:
    """A huge key, or a great many of them."""
    if chance.random() < 0.5:
        return f"{text}\n{'k' * chance.choice((1100, 20_000))}: 1\n"
    return text + "".join(f"\nkey{number}: {number}" for number in range(chance.choice((50, 400))))


def _laughs(chance: Random, text: str, _: Sequence[str]) -> str:
    """Aliases of aliases."""
    levels, width = chance.randint(2, 12), chance.randint(2, 10)
    lines = ["x0: &x0 [lol]"] + [
        f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * width)}]" for level in range(1, levels)
    ]
    laughs = "\n".join(lines)
    return f"{laughs}\n{text}" if chance.random() < 0.5 else f"{text}\n{laughs}\n"


CHANGES: Final[tuple[Change, ...]] = (
    _bytes, _token, _token, _line, _line, _line, _splice, _splice, _scalar, _scalar, _deep, _wide,
    _laughs, _replace(_NUMBER, NUMBERS), _replace(_WORD, TEXTS), _replace(_WORD, CODE), _insert(TEXTS),
    _insert(NUMBERS), _insert(CODE), _insert(STRUCTURE), _insert(STRUCTURE),
)  # fmt: skip


def encoded(text: str) -> bytes:
    """The text as a file may hold it: what is no character becomes bytes that are not UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")

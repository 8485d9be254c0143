"""Names and values of queries and forms."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_plus

from penstock.core.errors import RequestRefused
from penstock.core.payload import Payload


def parse_pairs(text: str, where: str) -> dict[str, Payload]:
    """The mapping that `a=1&b=2` says; a name that is repeated has a list.

    where: what the text is, for the message of RequestRefused, which is raised when it is not UTF-8.
    """
    if not text:
        return {}
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    if "%" not in text and "+" not in text:
        return gather((name, value) for name, _, value in pairs)
    try:
        return gather(
            (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            for name, _, value in pairs
        )
    except UnicodeDecodeError as error:
        raise RequestRefused(400, f"{where} is not UTF-8") from error


def gather(pairs: Iterable[tuple[str, Payload]]) -> dict[str, Payload]:
    """Pairs as a mapping: a name that came once has its value, one that came again a list."""
    found: dict[str, Payload] = {}
    lists: set[str] = set()
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in lists:
            found[name].append(value)
        else:
            found[name] = [found[name], value]
            lists.add(name)
    return found

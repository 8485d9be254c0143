"""`env`: variables from value documents, put into a node's config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.payload import Payload
from penstock.core.problems import nearest

if TYPE_CHECKING:
    from penstock.core.spec import EnvRef

_WAYS: Final = (
    "give it with `penstock apply values`, with `--values FILE`, as [values.{}] in penstock.toml, "
    "or as `values=` in Python"
)

_VARIABLE: Final = re.compile(r"\s*\{\{-?\s*\.?([A-Za-z_]\w*)\s*-?\}\}\s*")


class MissingValue(ValueError):
    """A variable wants a value document that is not there (yet)."""

    def __init__(self, value: str, message: str) -> None:
        super().__init__(message)
        self.value = value


class Environment:
    """The variables of one node, and the templates they fill.

    A text in the config that mentions a variable is a Jinja2 template, rendered in a
    sandbox; `{{ .NAME }}` reads as `{{ NAME }}`. Texts that mention none stay as they are,
    so that a node's own templates are left alone.

    secrets: gathers every text that was taken from a value document, and what became of it.
    """

    def __init__(
        self, env: Mapping[str, EnvRef], values: Mapping[str, Payload], secrets: set[str] | None = None
    ) -> None:
        self._env = env
        self._values = values
        self._secrets = set() if secrets is None else secrets
        self._resolved: dict[str, Payload] | None = None

    def render(self, value: Payload) -> Payload:
        """The config value with its variables filled in. Raises ValueError."""
        if not self._env:
            return value
        if isinstance(value, str):
            return self._fill(value)
        if isinstance(value, list):
            return [self.render(item) for item in value]
        if isinstance(value, dict):
            return {key: self.render(item) for key, item in value.items()}
        return value

    def _fill(self, text: str) -> str:
        mentioned = [ref for name, ref in self._env.items() if name in text]
        if "{{" not in text or not mentioned:
            return text
        from penstock.engine.templates import fill

        secret = any(_document(ref) for ref in mentioned)
        return fill(text, self._variables(), seen=self._keep_secret if secret else None)

    def _variables(self) -> dict[str, Payload]:
        if self._resolved is None:
            self._resolved = {name: self._resolve(name, ref) for name, ref in self._env.items()}
        return self._resolved

    def _resolve(self, name: str, ref: EnvRef) -> Payload:
        wanted = _document(ref)
        value: Payload = None
        if wanted:
            if wanted not in self._values:
                near = nearest(wanted, self._values)
                ways = f"did you mean `{near}`?" if near else _WAYS.format(wanted)
                raise MissingValue(
                    wanted, f"env `{name}` wants the value `{wanted}`, which is not there; {ways}"
                )
            value = self._values[wanted]
        if ref.data is None:
            return value
        if not isinstance(ref.data, str):
            return ref.data
        from penstock.engine.templates import fill

        variables = value if isinstance(value, dict) else {"value": value}
        try:
            text = fill(
                ref.data, variables, strict=bool(wanted), seen=self._keep_secret if wanted else None
            )
        except ValueError as error:
            about = f", from the value `{wanted}`:" if wanted else ":"
            raise ValueError(f"env `{name}`{about} {error}") from error
        if wanted:
            self._keep_secret(text)
        return text

    def _keep_secret(self, value: Any) -> None:
        literal = [ref.data for ref in self._env.values() if not _document(ref)]
        self._secrets.update(text for text in _texts(value) if text not in literal)


def variable_of(value: Payload) -> str:
    """The variable that a text consists of, as in `{{ PORT }}`; of anything else, nothing."""
    found = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else ""


def mentioned(document: Any) -> Iterator[str]:
    """The value documents that the `env` of a spec, or of any spec inside of it, refers to."""
    if isinstance(document, list):
        for item in document:
            yield from mentioned(item)
    elif isinstance(document, dict):
        env = document.get("env")
        for ref in env.values() if isinstance(env, dict) else ():
            if isinstance(ref, dict):
                yield from (str(ref[word]) for word in ("name", "id") if ref.get(word))
        for item in document.values():
            yield from mentioned(item)


def _document(ref: EnvRef) -> str:
    """The name or id of the value document, or empty for a literal."""
    return ref.name or ref.id


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)

"""`env`: variables from value documents, put into a node's config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.payload import Payload
from penstock.core.problems import suggest

if TYPE_CHECKING:
    from penstock.core.spec import EnvRef


class Environment:
    """The variables of one node, and the templates they fill.

    A text in the config that mentions a variable is a Jinja2 template, rendered in a
    sandbox; `{{ .NAME }}` reads as `{{ NAME }}`. Texts that mention none stay as they are,
    so that a node's own templates are left alone.
    """

    def __init__(self, env: Mapping[str, EnvRef], values: Mapping[str, Payload]) -> None:
        self._env = env
        self._values = values
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
        if "{{" not in text or not any(name in text for name in self._env):
            return text
        return _template(text, self._variables())

    def _variables(self) -> dict[str, Payload]:
        if self._resolved is None:
            self._resolved = {name: self._resolve(name, ref) for name, ref in self._env.items()}
        return self._resolved

    def _resolve(self, name: str, ref: EnvRef) -> Payload:
        wanted = ref.name or ref.id
        value: Payload = None
        if wanted:
            if wanted not in self._values:
                raise ValueError(
                    f"env `{name}` wants the value `{wanted}`, which is not there; "
                    + (suggest(wanted, self._values) or "no values are known")
                )
            value = self._values[wanted]
        if ref.data is None:
            return value
        if not isinstance(ref.data, str):
            return ref.data
        return _template(ref.data, value if isinstance(value, dict) else {"value": value})


def _template(text: str, variables: Mapping[str, Any]) -> str:
    import re

    from jinja2.runtime import DebugUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    plain = re.sub(r"\{\{(-?\s*)\.(?=[A-Za-z_])", r"{{\1", text)
    environment = ImmutableSandboxedEnvironment(undefined=DebugUndefined, keep_trailing_newline=True)
    try:
        return environment.from_string(plain).render(variables)
    except Exception as error:
        # A template is code of the document's author: whatever it raises is its problem.
        raise ValueError(f"template: {type(error).__name__}: {error}") from error

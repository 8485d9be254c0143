"""Templates in a document, filled in a sandbox. Jinja2 is imported with this module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import meta
from jinja2.exceptions import UndefinedError
from jinja2.runtime import DebugUndefined, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from penstock.core.payload import Payload
from penstock.core.problems import nearest

_DOTTED: Final = re.compile(r"\{\{(-?\s*)\.(?=[A-Za-z_])")
"""`{{ .NAME }}`, which reads as `{{ NAME }}`."""

Seen = Callable[[Any], None]
"""Called with every value that a template looked up in another one, or put out."""


def fill(
    text: str, variables: Mapping[str, Payload], *, strict: bool = False, seen: Seen | None = None
) -> str:
    """The text with its expressions evaluated. Raises ValueError.

    strict: a name that is not there is an error; otherwise it stays as it is written.
    """
    environment = _Sandbox(seen or _nothing, strict=strict)
    plain = _DOTTED.sub(r"{{\1", text)
    names: set[str] = set()
    try:
        names = meta.find_undeclared_variables(environment.parse(plain))
        for name in names:
            environment.used(variables.get(name))
        return environment.from_string(plain).render(variables)
    except UndefinedError as error:
        missing = next((name for name in sorted(names) if name not in variables), None)
        if missing is None:
            raise ValueError(f"template: {error.message}") from error
        near = nearest(missing, variables)
        raise ValueError(
            f"has no `{missing}`" + (f"; did you mean `{near}`?" if near else "")
        ) from error
    except Exception as error:
        # A template is code of the document's author: whatever it raises is its problem.
        raise ValueError(f"template: {type(error).__name__}: {error}") from error


class _Sandbox(ImmutableSandboxedEnvironment):
    """Tells which values a template uses."""

    def __init__(self, seen: Seen, *, strict: bool) -> None:
        self._seen = seen
        undefined = StrictUndefined if strict else DebugUndefined
        super().__init__(undefined=undefined, keep_trailing_newline=True, finalize=self._put_out)

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.used(super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self.used(super().getitem(obj, argument))

    def used(self, value: Any) -> Any:
        """Take note of a text; of a mapping, only what is looked up in it counts."""
        if isinstance(value, str):
            self._seen(value)
        return value

    def _put_out(self, value: Any) -> Any:
        if not isinstance(value, Undefined):
            self._seen(value)
        return value


def _nothing(_: Any) -> None:
    """Stands where nobody wants to know what a template uses."""

"""Templates in a document, filled in a sandbox. Jinja2 is imported with this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jinja2.exceptions import UndefinedError

from penstock.core.payload import Payload
from penstock.core.problems import nearest
from penstock.engine.sandbox import Sandbox, Seen

_DOTTED: Final = re.compile(r"\{\{(-?\s*)\.(?=[A-Za-z_])")
"""`{{ .NAME }}`, which reads as `{{ NAME }}`."""


def fill(
    text: str, variables: Mapping[str, Payload], *, strict: bool = False, seen: Seen | None = None
) -> str:
    """The text with its expressions evaluated. Raises ValueError.

    strict: a name that is not there is an error; otherwise it stays as it is written.
    """
    environment = Sandbox(seen or _nothing, strict=strict)
    plain = _DOTTED.sub(r"{{\1", text)
    names: set[str] = set()
    try:
        template = environment.parse(plain)
        names = environment.names(template)
        for name in names:
            environment.used(variables.get(name))
        return environment.from_string(template).render(variables)
    except UndefinedError as error:
        missing = next((name for name in sorted(names) if name not in variables), None)
        if missing is None:
            raise ValueError(f"template: {error.message}") from error
        near = nearest(missing, variables)
        raise ValueError(
            f"has no `{missing}`" + (f"; did you mean `{near}`?" if near else "")
        ) from error
    except ValueError as error:
        raise ValueError(f"template: {error}") from error
    except Exception as error:
        # A template is code of the document's author: whatever it raises is its problem.
        raise ValueError(f"template: {type(error).__name__}: {error}") from error


def _nothing(_: Any) -> None:
    """Stands where nobody wants to know what a template uses."""

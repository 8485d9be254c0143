"""The framework itself: whether it is there, and how it is imported."""

from __future__ import annotations

import logging
import os
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from penstock.core.errors import SettingsError

_QUIET: Final = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
}
"""What keeps the framework from calling its maker and from asking at the terminal."""

_REPETITIVE: Final = "crewai.llms.base_llm"
"""A log that says with every call of a model that tokens are counted roughly."""


def require() -> None:
    """See that the framework is installed, and keep it quiet. Raises SettingsError."""
    if find_spec("crewai") is None:
        raise SettingsError(
            "a crew needs CrewAI, which is not installed",
            remedy="install the extra: pip install 'penstock[crewai]'",
        )
    keep_quiet()


def keep_quiet() -> None:
    """Set the framework's switches before anything imports it; what the user has set stays."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    log = logging.getLogger(_REPETITIVE)
    if log.level == logging.NOTSET:
        log.setLevel(logging.ERROR)


def load(module: str = "crewai") -> Any:
    """A module of the framework; the first time takes seconds. Raises SettingsError."""
    require()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of its own imports are not about anybody's crew
        try:
            import_module("crewai")  # the whole is put together by the package, whatever part is wanted
            return import_module(module)
        except ImportError as error:
            raise SettingsError(
                f"CrewAI cannot be imported: {error}",
                remedy="install it again: pip install --force-reinstall 'penstock[crewai]'",
            ) from error

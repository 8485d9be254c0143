"""What a worker sees of the host's environment: what a program needs to run, and no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_PASSED: Final = frozenset(
    {
        "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LOGNAME", "PATH", "SHELL",
        "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TMP", "TMPDIR", "TZ", "TZDIR", "USER", "VIRTUAL_ENV",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    }
)  # fmt: skip
_PASSED_WITH: Final = ("LC_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_", "CUDA_")
"""Beginnings of further names: of Python, and of libraries that count."""


def clean_environment(environ: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a worker gets: those of the list above, and those named in `more`."""
    passed = _PASSED | set(more)
    return {
        name: text for name, text in environ.items() if name in passed or name.startswith(_PASSED_WITH)
    }

"""Fixtures of the single cases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock import Scheme, load_flow


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    def load(text: str, scheme: Scheme) -> Any:
        path = tmp_path / "flow.yaml"
        path.write_text(text)
        return load_flow(path, scheme=scheme)

    return load

"""What holds for the package as a whole. The layers are import contracts, in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).parents[1]


def modules_after(code: str, folder: Path) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running some code."""
    tell = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("name", penstock.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(penstock, name) is not None


def test_version_pays_for_nothing_heavy(tmp_path: Path) -> None:
    loaded = modules_after("from penstock.cli.main import main; main(['version'])", tmp_path)
    assert "click" in loaded
    assert not loaded & {"aiohttp", "asyncio", "jinja2", "msgspec", "quickjs", "rich", "sqlite3", "yaml"}


def test_a_run_pays_only_for_what_its_flow_needs(tmp_path: Path) -> None:
    arguments = ["run", str(ROOT / "examples" / "hello.yaml"), "--quiet", "--store", "runs.db"]
    loaded = modules_after(f"from penstock.cli.main import main; main({arguments!r})", tmp_path)
    assert {"asyncio", "msgspec", "sqlite3", "yaml"} <= loaded
    assert not loaded & {"aiohttp", "cel", "jinja2", "jsonschema_rs", "quickjs", "rich"}


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "penstock" / "py.typed").is_file()


def test_no_module_is_larger_than_a_reader_can_hold() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in (ROOT / "src").rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > 500} == {}

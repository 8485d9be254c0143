"""Files that cannot be read say so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.core.errors import DocumentError
from penstock.document import read_file, reader


def refusal(path: str | Path) -> str:
    with pytest.raises(DocumentError) as caught:
        read_file(path)
    return str(caught.value)


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("flow: a\nnodes: [{kind: nop}]\n")

    document = read_file(file)

    assert document.flows[0].name == "a"
    assert document.source.file == str(file)


def test_a_missing_file_is_told_with_its_likely_name(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").touch()

    assert refusal(tmp_path / "flw.yaml") == (
        f"{tmp_path}/flw.yaml: there is no such file\n  did you mean `{tmp_path}/flow.yaml`?"
    )


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a" / "b.yaml").endswith(f"there is no folder `{tmp_path}/a` either")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: this is a folder, not a file\n  name a file in it"


def test_a_forbidden_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)

    assert "no permission to read the file" in refusal(tmp_path / "a.yaml")


def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)

    assert (
        refusal(tmp_path / "a.yaml") == f"{tmp_path}/a.yaml: the file cannot be read: Input/output error"
    )


def test_a_name_that_no_file_can_have_is_told() -> None:
    assert "this cannot be the name of a file" in refusal("a\0b")


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LARGEST_BYTES", 1024)
    file = tmp_path / "big.yaml"
    file.write_bytes(b"#" * 1025)

    assert "the file is too large" in refusal(file)


def test_importing_documents_imports_no_parser() -> None:
    code = "import sys, penstock.document; print(*{'yaml', 'json', 'difflib'} & set(sys.modules))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == ""

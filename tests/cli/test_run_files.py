"""Files of runs on the command line: given by their paths, listed, and saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Penstock = Callable[..., Any]

LETTER = """
flow: letter
inputs:
  document: {type: string, format: file}
  more: {type: array, items: {type: string, format: file}, default: []}
nodes:
  - {kind: snippet, name: path, language: cel, code: self.document, links: {out: read.path}}
  - {kind: file.read, name: read, links: {content: write.content}}
  - {kind: file.write, name: write, path: 'run:out/copy.txt'}
"""


@pytest.fixture(autouse=True)
def files(penstock: Penstock, tmp_path: Path) -> None:
    """A flow that takes files, and one to give it; all paths are relative to their folder."""
    (tmp_path / "letter.yaml").write_text(LETTER)
    (tmp_path / "dear ada.txt").write_text("all is well")


def launched(penstock: Penstock, *options: str) -> str:
    done = penstock("run", "letter.yaml", "--json", *options)
    assert done.code == 0, done.err
    return str(json.loads(done.out)["fid"])


def test_a_path_becomes_a_file_of_the_run(penstock: Penstock, tmp_path: Path) -> None:
    fid = launched(penstock, "--set", "document=dear ada.txt")
    (tmp_path / "dear ada.txt").unlink()
    listed = json.loads(penstock("runs", "files", fid, "--json").out)
    assert [(file["name"], file["size_bytes"]) for file in listed] == [
        ("in/dear ada.txt", 11),
        ("out/copy.txt", 11),
    ]
    assert penstock("runs", "files", fid).out.split() == [
        "in/dear", "ada.txt", "11", "bytes", "out/copy.txt", "11", "bytes",
    ]  # fmt: skip


def test_files_are_saved_under_their_names_or_another(penstock: Penstock, tmp_path: Path) -> None:
    launched(penstock, "--set", "document=dear ada.txt")
    assert penstock("runs", "files", "--save", "out/copy.txt", "--to", "mine.txt").code == 0
    assert (tmp_path / "mine.txt").read_text() == "all is well"
    (tmp_path / "folder").mkdir()
    both = ("--save", "out/copy.txt", "--save", "in/dear ada.txt")
    assert penstock("runs", "files", *both, "--to", "folder").code == 0
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"copy.txt", "dear ada.txt"}


def test_lists_of_files_and_inputs_in_json_are_paths_as_well(penstock: Penstock) -> None:
    given = json.dumps({"document": "dear ada.txt", "more": ["dear ada.txt", "letter.yaml"]})
    fid = launched(penstock, "--input", given)
    names = [file["name"] for file in json.loads(penstock("runs", "files", fid, "--json").out)]
    assert names == ["in/dear ada-2.txt", "in/dear ada.txt", "in/letter.yaml", "out/copy.txt"]


def test_a_run_that_is_not_kept_takes_files_and_leaves_none(penstock: Penstock, tmp_path: Path) -> None:
    done = penstock("run", "letter.yaml", "--set", "document=dear ada.txt", "--ephemeral", "-q")
    assert done.code == 0
    assert json.loads(done.out)["path"] == "run:out/copy.txt"
    assert not list(tmp_path.glob("**/copy.txt"))


def test_files_are_kept_where_the_settings_say(penstock: Penstock, tmp_path: Path) -> None:
    fid = json.loads(
        penstock(
            "run", "letter.yaml", "--json", "--set", "document=dear ada.txt",
            PENSTOCK_FILES=str(tmp_path / "kept"),
        ).out
    )["fid"]  # fmt: skip
    assert (tmp_path / "kept" / fid / "out" / "copy.txt").exists()
    assert penstock("runs", "files", fid).err == "no files\n", "they are elsewhere"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("run", "letter.yaml", "--set", "document=nope.txt"), 2, "there is no file `nope.txt`"),
        (("run", "letter.yaml", "--set", "document=."), 2, "there is no file `.`"),
        (("runs", "files", "--save", "out/nope"), 4, "has no file `out/nope`"),
        (("runs", "files", "--save", "../runs.db"), 4, "has no file"),
        (("runs", "files", "--save", "out/copy.txt", "--to", "no/where"), 2, "cannot be written"),
        (("runs", "files", "--save", "a", "--save", "b", "--to", "x"), 2, "go into a folder"),
    ],
)
def test_what_is_not_there_is_told(
    penstock: Penstock, command: tuple[str, ...], code: int, message: str
) -> None:
    launched(penstock, "--set", "document=dear ada.txt")
    done = penstock(*command)
    assert done.code == code
    assert message in done.err


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--since", "1h"), 1),
        (("--since", "2000-01-01", "--until", "2999-01-01T12:00"), 1),
        (("--until", "1h"), 0),
        (("--since", "2999-01-01"), 0),
        (("--launcher", "u-1"), 0),
    ],
)
def test_runs_are_listed_by_when_they_began_and_who_began_them(
    penstock: Penstock, options: tuple[str, ...], count: int
) -> None:
    launched(penstock, "--set", "document=dear ada.txt")
    assert len(penstock("runs", "ls", *options).out.splitlines()) == count
    wrong = penstock("runs", "ls", "--since", "yesterday")
    assert (wrong.code, "neither a date" in wrong.err) == (2, True)

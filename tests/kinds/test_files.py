from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds import files
from penstock.kinds.files import FileRead, FileWrite

from .conftest import Fire, make


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


async def test_text_bytes_and_data_come_back_as_they_were_written(fire: Fire, tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    for content, decode in [("é\r\n", "text"), (b"\x00\xff", "bytes"), ({"a": [1]}, "json")]:
        written = await fire(make(FileWrite), path=path, content=content)
        assert written == {"path": path, "size_bytes": os.path.getsize(path)}  # noqa: PTH202, ASYNC240
        assert await fire(make(FileRead, decode=decode), path=path) == {"content": content}


async def test_another_encoding_is_used_both_ways(fire: Fire, tmp_path: Path) -> None:
    path = tmp_path / "latin"
    await fire(make(FileWrite, encoding="latin-1"), path=str(path), content="é")
    assert path.read_bytes() == b"\xe9"
    assert (await fire(make(FileRead, encoding="latin-1"), path=str(path)))["content"] == "é"


async def test_a_crash_while_writing_leaves_the_old_content_and_no_draft(
    fire: Fire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(NodeError, match="the disk is full") as caught:
        await fire(make(FileWrite), path=str(path), content="new")
    assert caught.value.code == "file.full"
    assert path.read_text() == "old"
    assert names(tmp_path) == {"report"}


async def test_a_file_keeps_its_permissions_unless_told_otherwise(fire: Fire, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o600)
    await fire(make(FileWrite), path=str(path), content="new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await fire(make(FileWrite, mode="0640"), path=str(path), content="newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_new_file_gets_the_permissions_of_the_umask(fire: Fire, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        await fire(make(FileWrite), path=str(tmp_path / "new"), content="x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


async def test_a_symbolic_link_stays_one_and_its_target_changes(fire: Fire, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    await fire(make(FileWrite), path=str(link), content="new")
    assert link.is_symlink()
    assert target.read_text() == "new"


async def test_append_adds_to_the_end_and_parents_are_made(fire: Fire, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "today" / "log"
    node = make(FileWrite, append=True, parents=True)
    await fire(node, path=str(path), content="one\n")
    assert (await fire(node, path=str(path), content="two\n"))["size_bytes"] == 4
    assert path.read_text() == "one\ntwo\n"


async def test_a_home_folder_is_understood(
    fire: Fire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").write_text("at home")
    assert (await fire(make(FileRead), path="~/a"))["content"] == "at home"


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("missing", "file.missing", "it does not exist"),
        ("folder", "file.directory", "it is a folder"),
        ("file/inside", "file.missing", "there is a file where a folder should be"),
        ("pipe", "file.special", "a device, a socket or a pipe"),
        ("long", "file.size", "longer than 10 bytes"),
        ("binary", "file.decode", "it is not utf-8: byte 1 is 0xff"),
        ("x" * 300, "file.path", "the name is too long"),
        ("circle", "file.path", "leads in circles"),
    ],
)
async def test_what_cannot_be_read_is_told_clearly(
    fire: Fire, tmp_path: Path, path: str, code: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "long").write_text("x" * 11)
    (tmp_path / "binary").write_bytes(b"a\xff")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NodeError, match=reason) as caught:
        await fire(make(FileRead, max_size_bytes=10), path=str(tmp_path / path))
    assert caught.value.code == code
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("path", "code"),
    [("folder", "file.directory"), ("missing/file", "file.missing"), ("pipe", "file.special")],
)
async def test_what_cannot_be_written_is_told_and_left_alone(
    fire: Fire, tmp_path: Path, path: str, code: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NodeError) as caught:
        await fire(make(FileWrite), path=str(tmp_path / path), content="x")
    assert caught.value.code == code
    assert names(tmp_path) == {"folder", "pipe"}


async def test_a_refused_permission_is_told(
    fire: Fire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").write_text("x")
    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, who may read everything
    with pytest.raises(NodeError, match="it is not allowed") as caught:
        await fire(make(FileRead), path=str(tmp_path / "a"))
    assert caught.value.code == "file.permission"


async def test_broken_json_in_a_file_is_told_with_its_line(fire: Fire, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n  "a": tru\n}')
    with pytest.raises(NodeError, match="it is not JSON: line 2, column 8") as caught:
        await fire(make(FileRead, decode="json"), path=str(tmp_path / "a.json"))
    assert caught.value.code == "file.decode"


@pytest.mark.parametrize(
    ("config", "reason"), [({"mode": "rw"}, "octal"), ({"encoding": "utf-9"}, "utf-9")]
)
def test_a_config_that_means_nothing_is_refused(config: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(FileWrite, **config)

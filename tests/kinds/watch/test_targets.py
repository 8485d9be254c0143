"""Which files a path in a document means."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.kinds.watch.snapshot import Change, Happening, Snapshot
from penstock.kinds.watch.target import Target


def read(path: Path | str, *, recursive: bool = True, ignore: tuple[str, ...] = ()) -> Target:
    return Target.read(str(path), recursive=recursive, ignore=ignore)


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(target: Target, folder: Path) -> list[str]:
    found = (Path(path) for path in target.files(str(folder)))
    return sorted(str(path.relative_to(folder)) for path in found if path.exists())


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["a.csv", "b.txt", "deep/er/d.csv", "deep/c.csv"]),
        ("*.csv", ["a.csv"]),
        ("**/*.csv", ["a.csv", "deep/c.csv", "deep/er/d.csv"]),
        ("**", ["a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"]),
        ("*/*.csv", ["deep/c.csv"]),
        ("deep/**/d.*", ["deep/er/d.csv"]),
        ("[ab].*", ["a.csv", "b.txt"]),
        ("?.txt", ["b.txt"]),
        ("b.txt", ["b.txt"]),
        ("not-there-yet", []),
    ],
)
def test_a_path_means_a_folder_a_glob_or_a_file(tmp_path: Path, pattern: str, found: list[str]) -> None:
    for name in ("a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"):
        write(tmp_path / name)
    target = read(f"{tmp_path}/{pattern}")
    assert names(target, tmp_path) == sorted(found)


def test_a_folder_alone_is_looked_at_without_those_in_it(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    write(tmp_path / "deep" / "b.csv")
    target = read(tmp_path, recursive=False)
    assert names(target, tmp_path) == ["a.csv"]
    assert not target.deep


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ((), [".git/config", "a.tmp", "build/out.txt", "src/build/x.txt", "src/main.txt"]),
        ((".*",), ["a.tmp", "build/out.txt", "src/build/x.txt", "src/main.txt"]),
        (("*.tmp", ".git"), ["build/out.txt", "src/build/x.txt", "src/main.txt"]),
        (("build",), [".git/config", "a.tmp", "src/main.txt"]),
        (("build/",), [".git/config", "a.tmp", "src/main.txt"]),
        (("/build",), [".git/config", "a.tmp", "src/build/x.txt", "src/main.txt"]),
        (("src/*/x.txt",), [".git/config", "a.tmp", "build/out.txt", "src/main.txt"]),
    ],
)
def test_what_is_ignored_is_left_out(tmp_path: Path, ignore: tuple[str, ...], left: list[str]) -> None:
    for name in (".git/config", "a.tmp", "build/out.txt", "src/build/x.txt", "src/main.txt"):
        write(tmp_path / name)
    assert names(read(tmp_path, ignore=ignore), tmp_path) == left


def test_a_file_that_is_named_is_never_ignored(tmp_path: Path) -> None:
    write(tmp_path / ".env")
    assert names(read(tmp_path / ".env", ignore=(".*",)), tmp_path) == [".env"]


def test_a_slash_at_the_end_makes_it_a_folder_that_need_not_be_there(tmp_path: Path) -> None:
    assert read(f"{tmp_path}/later/").folder == f"{tmp_path}/later"
    assert read(f"{tmp_path}/later").folder == str(tmp_path)


def test_the_home_folder_and_the_working_directory_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read("~/*.csv").folder == read("*.csv").folder == str(tmp_path)


# --- what changed -----------------------------------------------------------------


def test_a_snapshot_tells_what_is_different_from_before(tmp_path: Path) -> None:
    kept, old = write(tmp_path / "kept"), write(tmp_path / "old")
    snapshot = Snapshot([read(tmp_path)])
    assert {change.happening for change in snapshot.everything()} == {Happening.CREATED}
    assert snapshot.everything() == []
    new = write(tmp_path / "new", "four")
    old.unlink()
    write(kept, "changed")
    found = snapshot.changes([str(new), str(old), str(kept)])
    assert found[0] == Change(Happening.DELETED, str(old))
    assert set(found[1:]) == {
        Change(Happening.CREATED, str(new), 4),
        Change(Happening.MODIFIED, str(kept), 7),
    }


def test_a_file_that_replaces_another_one_modifies_it(tmp_path: Path) -> None:
    path = write(tmp_path / "page.txt")
    snapshot = Snapshot([read(tmp_path / "*.txt")])
    snapshot.everything()
    write(tmp_path / "draft", "new").replace(path)
    (change,) = snapshot.changes([str(tmp_path / "draft"), str(path)])
    assert change == Change(Happening.MODIFIED, str(path), 3)


def test_permissions_and_what_came_and_went_are_no_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    snapshot = Snapshot([read(tmp_path)])
    snapshot.everything()
    path.chmod(0o600)
    assert snapshot.changes([str(path), str(tmp_path / "gone-already")]) == []


def test_a_folder_that_moves_takes_its_files_along(tmp_path: Path) -> None:
    write(tmp_path / "from" / "deep" / "a")
    snapshot = Snapshot([read(tmp_path)])
    snapshot.everything()
    (tmp_path / "from").rename(tmp_path / "to")
    found = snapshot.changes([str(tmp_path / "from"), str(tmp_path / "to")])
    assert [(change.happening, change.path.removeprefix(f"{tmp_path}/")) for change in found] == [
        (Happening.DELETED, "from/deep/a"),
        (Happening.CREATED, "to/deep/a"),
    ]


def test_a_symbolic_link_changes_with_what_it_leads_to(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", "1"), write(tmp_path / "second", "22")
    link = tmp_path / "link"
    link.symlink_to(first)
    snapshot = Snapshot([read(link)])
    snapshot.everything()
    link.unlink()
    link.symlink_to(second)
    # A system may tell of any name in the folder.
    assert snapshot.changes([str(second)]) == [Change(Happening.MODIFIED, str(link), 2)]


def test_what_is_no_file_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    assert Snapshot([read(tmp_path)]).everything() == []

"""Attachments: files that a run is given with its inputs.

An input that is a file has `format: file` in its schema. Whoever launches gives an `Attachment`;
the file is put into the run's folder, and the flow gets the reference to it.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

import msgspec

from penstock.engine.file_places import FORMAT, at_place, places_of, replaced
from penstock.engine.folder import GIVEN, REFERENCE, RunFolder

File = Annotated[str, msgspec.Meta(extra_json_schema={"format": FORMAT})]
"""The hint of a parameter that is a file: its reference, which `ctx.path` makes a path of."""

Fill = Callable[[RunFolder], None]
"""Puts what a run is given into its folder, on a thread. Raises OSError."""

_NAME_BYTES: Final = 200
_COPY_BYTES: Final = 1 << 20
_FORBIDDEN: Final = re.compile(
    r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]'
)
"""What no file system can have in a name, some cannot, or what makes a name look like another."""
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


class Attachment(msgspec.Struct, frozen=True):
    """A file that a run is given. It stays where it is; the run gets a copy or a link.

    name: what it is called there; by default as it is now. source: what whoever launches knows it
    as, and sha256 the digest of what it holds, in hexadecimal; the run's first event keeps both.
    owned: nobody changes it any more, so that a link is as good as a copy.
    """

    path: Path
    name: str = ""
    source: str = ""
    sha256: str = ""
    owned: bool = False


class Attached(msgspec.Struct, frozen=True):
    """Inputs in which references stand for attachments; these by their names in the folder `in`."""

    inputs: Any
    files: dict[str, Attachment]

    @property
    def sources(self) -> dict[str, dict[str, str]]:
        """By the references that the flow gets: where the files came from, as far as that is said."""
        return {
            _refer(name): {"source": each.source, "sha256": each.sha256}
            for name, each in self.files.items()
            if each.source
        }

    def fill(self, folder: RunFolder) -> None:
        """Put the files into a run's folder. They are on disk when this returns."""
        given = folder.path / GIVEN
        for name, attachment in self.files.items():
            _put(attachment, given / name)
        _sync(given)
        _sync(folder.place)
        _sync(folder.place.parent)


def attach(inputs: Any, *, taken: Iterable[str] = ()) -> Attached:
    """Put references in the place of the attachments among inputs.

    taken: the names that the run's folder has already.
    """
    files: dict[str, Attachment] = {}
    names = {name.casefold() for name in taken}
    found: Any = inputs
    for place in places_of(inputs, Attachment):
        attachment = at_place(inputs, place)
        wanted = _numbered(attachment.name or attachment.path.name)
        name = next(name for name in wanted if name.casefold() not in names)
        names.add(name.casefold())  # some file systems make no difference
        files[name] = attachment
        found = replaced(found, place, _refer(name))
    return Attached(found, files)


def taken_over(source: RunFolder, *, given_only: bool) -> Fill | None:
    """Fills a folder with what another run has in its own; None when that has nothing.

    given_only: but not with what the other run has made.
    """
    side = GIVEN if given_only else ""
    if not (source.place / side).is_dir():
        return None

    def fill(folder: RunFolder) -> None:
        target = folder.path / side
        shutil.copytree(source.place / side, target, symlinks=True, ignore=_special, dirs_exist_ok=True)
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                _sync(path)

    return fill


def _special(folder: str, names: list[str]) -> list[str]:
    """What is no file, folder or link: a pipe, say, which would be read for ever."""
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if not (path.is_symlink() or path.is_dir() or path.is_file())]


def safe_name(text: str) -> str:
    """A name that any file system can have, and that shows what it is, made of what a client says."""
    name = unicodedata.normalize("NFC", text.replace("\\", "/").rpartition("/")[2])
    name = _FORBIDDEN.sub("_", name.encode("utf-8", "replace").decode()).strip(" .")
    if not name or _DEVICES.fullmatch(name):
        name = f"file_{name}".rstrip("_")
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    suffix = _cut(suffix, 20)
    return _cut(stem, _NAME_BYTES - len(suffix.encode())) + suffix


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def _numbered(text: str) -> Iterator[str]:
    """Names for a file: its own, and then with numbers."""
    name = safe_name(text)
    yield name
    path = PurePosixPath(name)
    number = 2
    while True:
        yield f"{path.stem}-{number}{path.suffix}"
        number += 1


def _refer(name: str) -> str:
    return f"{REFERENCE}{GIVEN}/{name}"


def _put(attachment: Attachment, target: Path) -> None:
    """Raises FileExistsError where there is such a file already."""
    if attachment.owned:
        try:
            os.link(attachment.path, target)
        except FileExistsError:
            raise
        except OSError:  # another file system, or one without links
            pass
        else:
            return
    with attachment.path.open("rb") as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy, _COPY_BYTES)
        copy.flush()
        os.fsync(copy.fileno())


def _sync(path: Path) -> None:
    """Put a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Kinds that read and write files."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from penstock.core.errors import NodeError
from penstock.core.json_text import JsonError, parse_json
from penstock.core.payload import Payload, to_json
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.folder import is_reference
from penstock.engine.kind import Action, FieldError, Inputs, Outputs

_MODE: Final = re.compile(r"0?[0-7]{3,4}")
_LONGEST_PATH: Final = 4096
"""Characters; no system that Penstock runs on takes more bytes."""
_PATH: Final = Port(
    str,
    "relative to the working directory of Penstock; `~` is the home folder, and `run:` the run's own",
)
_WHEN: Final = Port(doc="when to start; the payload is not used", default=None)


class FileRead(Action, kind="file.read"):
    """Read a file whole.

    A path that begins with `run:` is in the run's own folder: `run:in/report.pdf` is a file that
    the run was given.

    Config: path; decode is `text` (the default), `bytes`, or `json` (the data that the file
    says); encoding (of text, default utf-8); max_size_bytes (default 64 MiB).

    Ports: path → content. `in` only says when: its payload is not used.

    Errors: `file.missing`, `file.directory`, `file.permission`, `file.size`, `file.decode`, ….

    Example:
        flow: notes
        nodes:
          - {kind: file.read, name: read, path: notes.txt, links: {content: log.message}}
          - {kind: debug.log, name: log}
    """

    path: str | None = None
    decode: Literal["text", "bytes", "json"] = "text"
    encoding: str = "utf-8"
    max_size_bytes: Annotated[int, Meta(ge=0)] = 64 * 1024 * 1024

    in_ports: ClassVar[Ports] = {"in": _WHEN, "path": _PATH}
    out_ports: ClassVar[Ports] = {"content": Port(doc="what the file holds")}

    def check(self) -> None:
        _check_encoding(self.encoding)

    def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        path, shown = _path(inputs["path"], ctx)
        with _told("read", shown):
            _refuse_special(path, shown)
            with path.open("rb") as file:
                data = file.read(self.max_size_bytes + 1)
        if len(data) > self.max_size_bytes:
            raise NodeError(
                f"`{shown}` is longer than {self.max_size_bytes:,} bytes",
                code="file.size",
                details={"path": shown, "max_size_bytes": self.max_size_bytes},
                remedy="raise `max_size_bytes`, or pass the path on instead of the content",
            )
        return {"content": self._payload(data, shown)}

    def _payload(self, data: bytes, path: str) -> Payload:
        if self.decode == "bytes":
            return data
        try:
            return parse_json(data) if self.decode == "json" else data.decode(self.encoding)
        except UnicodeDecodeError as error:
            reason = f"it is not {self.encoding}: byte {error.start} is {data[error.start]:#04x}"
            remedy = "name its `encoding`, or set `decode: bytes`"
            cause: ValueError = error
        except JsonError as error:
            reason = f"it is not JSON: {error}"
            remedy = "correct the file, or set `decode: text`"
            cause = error
        message, details = f"cannot read `{path}`: {reason}", {"path": path}
        raise NodeError(message, code="file.decode", details=details, remedy=remedy) from cause


class FileWrite(Action, kind="file.write"):
    """Write a file, whole or not at all.

    The content goes to a new file in the same folder, is forced to disk, and then takes the
    place of the old file: readers see the old content or the new, never a part, whatever
    crashes. A symbolic link stays one; its target is replaced. A path that begins with `run:` is
    in the run's own folder; what is in its folder `out`, such as `run:out/report.json`, is offered
    for download.

    Config: path; content (text, bytes, or data, which is written as JSON); encoding (of text,
    default utf-8); append (true adds to the end instead, which is not atomic and which a
    repetition after a crash does twice); parents (true makes missing folders); mode (the
    permissions as octal text, such as "0640"; default those of the old file).

    Ports: path, content → path (absolute, or with `run:` as it came), size_bytes (what was
    written). `in` only says when: its payload is not used.

    Errors: `file.missing` (the folder), `file.permission`, `file.full`, `file.special`, ….

    Example:
        flow: report
        nodes:
          - {kind: file.write, path: out/report.json, content: {total: 3}, parents: true}
    """

    path: str | None = None
    content: Payload = None
    encoding: str = "utf-8"
    append: bool = False
    parents: bool = False
    mode: str | None = None

    in_ports: ClassVar[Ports] = {
        "in": _WHEN,
        "path": _PATH,
        "content": Port(doc="text, bytes, or data as JSON"),
    }
    out_ports: ClassVar[Ports] = {
        "path": Port(str, "where the file is, absolute or `run:…`"),
        "size_bytes": Port(int, "how much was written"),
    }

    def check(self) -> None:
        _check_encoding(self.encoding)
        if self.mode is not None and not _MODE.fullmatch(self.mode):
            message = f'`{self.mode}` is no mode; write it as octal digits, such as "0640"'
            raise FieldError("mode", message)

    def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        path, shown = _path(inputs["path"], ctx)
        data = self._bytes(inputs["content"], shown)
        mode = int(self.mode, 8) if self.mode else None
        with _told("write", shown):
            # The target of a link, so that the link itself is not replaced.
            path = path.resolve()
            if self.parents:
                path.parent.mkdir(parents=True, exist_ok=True)
            _refuse_special(path, shown, missing_ok=True)
            (_append if self.append else _replace)(path, data, mode)
        return {"path": shown if is_reference(shown) else str(path), "size_bytes": len(data)}

    def _bytes(self, content: Payload, path: str) -> bytes:
        if isinstance(content, bytes):
            return content
        if not isinstance(content, str):
            return to_json(content) + b"\n"
        try:
            return content.encode(self.encoding)
        except UnicodeEncodeError as error:
            message = f"cannot write `{path}`: {self.encoding} has no {content[error.start]!r}"
            raise NodeError(message, code="file.encode", remedy="set `encoding: utf-8`") from error


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    draft = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}.tmp")
    if mode is None:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
    try:
        _write(draft, data, os.O_CREAT | os.O_EXCL, mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _append(path: Path, data: bytes, mode: int | None) -> None:
    _write(path, data, os.O_CREAT | os.O_APPEND, mode)
    _sync_folder(path.parent)


def _write(path: Path, data: bytes, flags: int, mode: int | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name as durable as the content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_special(path: Path, shown: str, *, missing_ok: bool = False) -> None:
    """Folders, devices and pipes: reading may never end, and replacing would destroy them."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        if missing_ok:
            return
        raise
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found):
        raise NodeError(
            f"`{shown}` is a device, a socket or a pipe, not a file",
            code="file.special",
            details={"path": shown},
            remedy="name a file; a `shell.exec` node can speak with devices and pipes",
        )


def _path(payload: Payload, ctx: NodeContext) -> tuple[Path, str]:
    """The path that a payload names, and what to call it: a reference tells nothing of this machine."""
    if not isinstance(payload, str) or not payload or "\0" in payload:
        raise NodeError(
            f"{payload!r:.80} is no path", code="file.path", remedy="send text to the port `path`"
        )
    if len(payload) > _LONGEST_PATH:
        raise NodeError(
            f"a path of {len(payload):,} characters, beginning with `{payload[:40]}`, is too long",
            code="file.path",
            remedy="look whether the content of a file came instead of its path",
        )
    try:
        if is_reference(payload):
            return ctx.path(payload), payload
        path = Path(payload).expanduser()
    except RuntimeError as error:
        raise NodeError(
            f"`{payload}`: {error}", code="file.path", remedy="write the whole path"
        ) from error
    return path, str(path)


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except LookupError:
        raise FieldError("encoding", f"Python knows no encoding `{name}`; try utf-8") from None


_NOT_ALLOWED: Final = ("file.permission", "it is not allowed", "check who owns it, and its permissions")
_QUOTA: Final = "free some space, then retry the run"

_REASONS: Final = {
    errno.ENOENT: ("file.missing", "it does not exist", "check the path, which starts at {cwd}"),
    errno.ENOTDIR: ("file.missing", "there is a file where a folder should be", "check the path"),
    errno.EISDIR: ("file.directory", "it is a folder", "name a file in it"),
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: ("file.permission", "the disk is read-only", "write elsewhere"),
    errno.ENOSPC: ("file.full", "the disk is full", _QUOTA),
    errno.EDQUOT: ("file.full", "the quota is used up", _QUOTA),
    errno.ENAMETOOLONG: ("file.path", "the name is too long", "shorten it"),
    errno.ELOOP: ("file.path", "the symbolic link leads in circles", "correct the link"),
}
_NO_FOLDER: Final = ("file.missing", "its folder does not exist", "make it, or set `parents: true`")


@contextmanager
def _told(action: str, path: str) -> Iterator[None]:
    """Inside, every OSError becomes a NodeError that names the path and the reason."""
    try:
        yield
    except OSError as error:
        other = ("file.io", error.strerror or str(error), "look at the disk")
        code, reason, remedy = _REASONS.get(error.errno or 0, other)
        if action == "write" and error.errno == errno.ENOENT:
            code, reason, remedy = _NO_FOLDER
        raise NodeError(
            f"cannot {action} `{path}`: {reason}",
            code=code,
            details={"path": path},
            remedy=remedy.format(cwd=Path.cwd()),
        ) from error

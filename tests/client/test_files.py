"""Uploads and downloads, through cuts of the line."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.client.conftest import had
from tests.client.fake_host import RUN, Cut, FakeHost, answer, problem

from penstock.client import uploading
from penstock.core.errors import HostAway, HostError

PDF = "/runs/f1/files/out/report.pdf"
BODY = bytes(range(256)) * 40


class Tus:
    """The host's side of an upload; the line is cut where a test says."""

    def __init__(self, host: FakeHost, *, cut_after: tuple[int, ...] = ()) -> None:
        self.taken = b""
        self.facts: dict[str, str] = {}
        self._cuts = list(cut_after)
        host.answers("POST", "/uploads", self.create)
        host.answers("PATCH", "/uploads/u1", self.take)
        host.answers("HEAD", "/uploads/u1", self.tell)

    def create(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["tus-resumable"] == "1.0.0"
        self.taken = b""
        pairs = (pair.split(" ") for pair in request.headers["upload-metadata"].split(","))
        self.facts = {key: b64decode(text).decode() for key, text in pairs}
        self.facts["length"] = request.headers["upload-length"]
        return httpx2.Response(201, headers={"location": "/api/v1/uploads/u1"})

    def take(self, request: httpx2.Request) -> httpx2.Response:
        assert int(request.headers["upload-offset"]) == len(self.taken)
        assert request.headers["content-type"] == "application/offset+octet-stream"
        if self._cuts:
            self.taken += request.content[: self._cuts.pop(0)]
            raise httpx2.WriteError("cut")
        self.taken += request.content
        return httpx2.Response(204, headers={"upload-offset": str(len(self.taken))})

    def tell(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"upload-offset": str(len(self.taken))})


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "CHUNK_BYTES", 1000)


async def test_a_file_is_uploaded_in_pieces(
    host: FakeHost, client: Any, tmp_path: Path, small_pieces: None
) -> None:
    tus = Tus(host)
    path = tmp_path / "Bericht für März.pdf"
    path.write_bytes(BODY)
    view = await had(client.upload(path))
    assert tus.taken == BODY
    assert tus.facts == {"filename": path.name, "filetype": "application/pdf", "length": str(len(BODY))}
    assert (view.reference, view.size_bytes, view.name) == ("upload:u1", len(BODY), path.name)
    assert len(host.asked) == 12


async def test_after_a_cut_only_the_rest_is_sent(
    host: FakeHost, client: Any, small_pieces: None
) -> None:
    tus = Tus(host, cut_after=(300, 0, 999))
    await had(client.upload(BODY, name="data.bin"))
    assert tus.taken == BODY
    assert tus.facts["filename"] == "data.bin"


async def test_an_upload_that_never_gets_on_is_given_up(host: FakeHost, client: Any) -> None:
    Tus(host, cut_after=(0,) * 9)
    with pytest.raises(HostAway):
        await had(client.upload(b"abc"))


async def test_an_empty_file_is_a_file(host: FakeHost, client: Any) -> None:
    tus = Tus(host)
    view = await had(client.upload(b"", name="empty.txt"))
    assert (tus.facts["length"], view.size_bytes) == ("0", 0)
    assert len(host.asked) == 1


async def test_a_file_that_is_too_large_is_refused_at_once(host: FakeHost, client: Any) -> None:
    host.answers("POST", "/uploads", problem(413, "1 GiB is the most", kind="too-large"))
    with pytest.raises(HostError, match="1 GiB"):
        await had(client.upload(b"abc"))


async def test_a_file_that_is_not_there_is_no_upload(
    host: FakeHost, client: Any, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await had(client.upload(tmp_path / "no.pdf"))
    assert host.asked == []


async def test_a_launch_uploads_the_files_it_is_given(
    host: FakeHost, client: Any, tmp_path: Path
) -> None:
    tus = Tus(host)
    (tmp_path / "a.csv").write_bytes(b"1,2\n")
    host.answers("POST", "/flows/sum/runs", answer(RUN, 201))
    await had(client.launch("sum", {"column": 1}, files={"table": tmp_path / "a.csv"}))
    assert tus.taken == b"1,2\n"
    assert json.loads(host.last.content) == {"inputs": {"column": 1, "table": "upload:u1"}}


async def test_a_candidate_has_the_files_it_is_given(host: FakeHost, client: Any) -> None:
    tus = Tus(host)
    decided = answer({"outcome": "released", "lid": "l1", "fid": "f1"})
    host.answers("POST", "/runs/f1/lock/l1/candidate", decided)
    await had(client.run("f1").submit("l1", {"ok": True}, files={"scans": [b"one", b"two"]}))
    assert tus.taken == b"two"
    assert json.loads(host.last.content) == {"ok": True, "scans": ["upload:u1", "upload:u1"]}


async def test_the_files_of_a_run_are_listed(host: FakeHost, client: Any) -> None:
    host.answers(
        "GET", "/runs/f1/files", answer({"items": [{"name": "out/report.pdf", "size_bytes": 7}]})
    )
    assert [file.name for file in await had(client.run("f1").files())] == ["out/report.pdf"]


async def test_a_file_is_read_whole(host: FakeHost, client: Any) -> None:
    host.answers("GET", PDF, httpx2.Response(200, content=BODY))
    assert await had(client.run("f1").read("out/report.pdf")) == BODY
    assert host.last.headers["accept-encoding"] == "identity"


def _cut(etag: str = '"v1"') -> httpx2.Response:
    return httpx2.Response(200, headers={"etag": etag}, stream=Cut(BODY[:4000], BODY[4000:5000]))


def _rest(request: httpx2.Request) -> httpx2.Response:
    assert request.headers["range"] == "bytes=5000-"
    assert request.headers["if-range"] == '"v1"'
    return httpx2.Response(206, headers={"etag": '"v1"'}, content=BODY[5000:])


async def test_after_a_cut_only_the_rest_is_asked_for(
    host: FakeHost, client: Any, tmp_path: Path
) -> None:
    host.answers("GET", PDF, _cut(), httpx2.ConnectError("away"), _rest)
    path = await had(client.run("f1").download("out/report.pdf", tmp_path))
    assert path == tmp_path / "report.pdf"
    assert path.read_bytes() == BODY
    assert _names(tmp_path) == [path.name]


async def test_a_file_that_became_another_is_read_anew(host: FakeHost, client: Any) -> None:
    host.answers("GET", PDF, _cut(), httpx2.Response(200, headers={"etag": '"v2"'}, content=b"new"))
    assert await had(client.run("f1").read("out/report.pdf")) == b"new"


async def test_without_a_strong_tag_a_file_is_read_anew(host: FakeHost, client: Any) -> None:
    host.answers("GET", PDF, _cut('W/"v1"'), httpx2.Response(200, content=BODY))
    assert await had(client.run("f1").read("out/report.pdf")) == BODY
    assert "range" not in host.last.headers


async def test_a_download_that_fails_leaves_what_was_there(
    host: FakeHost, client: Any, tmp_path: Path
) -> None:
    target = tmp_path / "report.pdf"
    target.write_bytes(b"old")
    host.answers("GET", PDF, lambda _: _cut())
    with pytest.raises(HostAway):
        await had(client.run("f1").download("out/report.pdf", target))
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == [target.name]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]

"""Uploads: by forms, and by tus, where they can be resumed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.hosted import Hosted, hosted
from tests.host.test_files import COPY
from tusclient.client import TusClient

from penstock.host.files.upload import Upload, UploadLimits
from penstock.host.files.uploads import FOLDER, Uploads
from penstock.host.problem import Refused
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    import httpx

TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = {**TUS, "Content-Type": "application/offset+octet-stream"}
LIMITS = UploadLimits(file_bytes=5_000_000, owner_bytes=8_000_000, owner_count=5)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted(COPY, files=tmp_path / "files", upload_limits=LIMITS) as found:
        yield found


async def created(client: httpx.AsyncClient, size: int, **headers: str) -> str:
    """The address of a new upload."""
    answer = await client.post("/api/v1/uploads", headers={**TUS, "Upload-Length": str(size), **headers})
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["location"]
    return location


async def sent(
    client: httpx.AsyncClient, path: str, offset: int, data: Any, **headers: str
) -> httpx.Response:
    return await client.patch(
        path, headers={**OFFSET, "Upload-Offset": str(offset), **headers}, content=data
    )


async def test_the_client_library_uploads_a_file_in_pieces(served: Hosted) -> None:
    content = os.urandom(300_001)

    def upload() -> str:
        client = TusClient(
            f"{served.url}/api/v1/uploads", headers={"Authorization": f"Bearer {served.token}"}
        )
        uploader = client.uploader(
            file_stream=BytesIO(content),
            chunk_size=100_000,
            metadata={"filename": "blob.bin", "filetype": "application/x-blob"},
            upload_checksum=True,
        )
        uploader.upload(stop_at=200_000)
        again = client.uploader(file_stream=BytesIO(content), url=uploader.url, chunk_size=100_000)
        assert again.offset == 200_000
        again.upload()
        return str(again.url)

    url = await asyncio.to_thread(upload)
    view = (await served.admin.get(url)).json()
    assert (view["name"], view["media_type"]) == ("blob.bin", "application/x-blob")
    assert view["size_bytes"] == view["offset_bytes"] == 300_001
    assert view["sha256"] == hashlib.sha256(content).hexdigest()
    stored = served.runtime.folders.root / FOLDER / view["id"] / "data"
    assert stored.read_bytes() == content


async def test_an_upload_that_is_cut_off_goes_on_where_it_was(served: Hosted) -> None:
    path = await created(served.admin, 10)
    came = asyncio.Event()

    async def cut() -> AsyncIterator[bytes]:
        yield b"abcd"
        await came.wait()
        raise ConnectionError("cut off")

    sending = asyncio.create_task(sent(served.admin, path, 0, cut()))
    data = served.runtime.folders.root / FOLDER / path.rpartition("/")[2] / "data"
    came.set()
    with pytest.raises(ConnectionError):
        await sending
    async with asyncio.timeout(10):
        while data.stat().st_size < 4:  # noqa: ASYNC110 - nobody tells when a file has grown
            await asyncio.sleep(0.01)
    head = await served.admin.head(path, headers=TUS)
    assert (head.status_code, head.headers["upload-offset"]) == (200, "4")
    assert (head.headers["upload-length"], head.headers["cache-control"]) == ("10", "no-store")
    rest = await sent(served.admin, path, 4, b"efghij")
    assert (rest.status_code, rest.headers["upload-offset"]) == (204, "10")
    assert (await served.admin.get(path)).json()["sha256"] == hashlib.sha256(b"abcdefghij").hexdigest()


async def test_what_is_sent_must_follow_what_has_come(served: Hosted) -> None:
    path = await created(served.admin, 10)
    assert (await sent(served.admin, path, 0, b"abc")).status_code == 204
    for offset in (0, 2, 4):
        answer = await sent(served.admin, path, offset, b"x")
        assert (answer.status_code, answer.headers["tus-resumable"]) == (409, "1.0.0")
    assert (await sent(served.admin, path, 3, b"x" * 8)).status_code == 413
    assert (await served.admin.head(path, headers=TUS)).headers["upload-offset"] == "3"


async def test_a_piece_that_is_not_what_its_checksum_says_is_thrown_away(served: Hosted) -> None:
    path = await created(served.admin, 6)
    right = base64.b64encode(hashlib.sha1(b"abc").digest()).decode()
    wrong = await sent(served.admin, path, 0, b"abd", **{"Upload-Checksum": f"sha1 {right}"})
    assert wrong.status_code == 460
    assert (await served.admin.head(path, headers=TUS)).headers["upload-offset"] == "0"
    good = await sent(served.admin, path, 0, b"abc", **{"Upload-Checksum": f"sha1 {right}"})
    assert good.status_code == 204
    for checksum in ("md5 abc=", "sha1 ???", "sha1"):
        answer = await sent(served.admin, path, 3, b"x", **{"Upload-Checksum": checksum})
        assert answer.status_code in (400, 460)
    assert (await served.admin.head(path, headers=TUS)).headers["upload-offset"] == "3"


async def test_a_file_may_come_with_its_creation(served: Hosted) -> None:
    headers = {**OFFSET, "Upload-Length": "3"}
    whole = await served.admin.post("/api/v1/uploads", headers=headers, content=b"abc")
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, "3")
    assert whole.json()["sha256"]
    empty = await created(served.admin, 0)
    assert (await served.admin.get(empty)).json()["sha256"] == hashlib.sha256(b"").hexdigest()


async def test_the_host_says_what_it_can_do(served: Hosted) -> None:
    stranger = await served.client()
    answer = await stranger.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "5000000"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation", "creation-with-upload", "expiration", "checksum", "termination",
    }  # fmt: skip


async def test_a_deleted_upload_is_gone(served: Hosted) -> None:
    path = await created(served.admin, 10)
    assert (await served.admin.delete(path, headers=TUS)).status_code == 204
    assert (await served.admin.head(path, headers=TUS)).status_code == 404
    assert (await sent(served.admin, path, 0, b"x")).status_code == 404
    assert list((served.runtime.folders.root / FOLDER).iterdir()) == []


async def test_methods_may_be_overridden(served: Hosted) -> None:
    path = await created(served.admin, 3)
    patch = {**OFFSET, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await served.admin.post(path, headers=patch, content=b"abc")).status_code == 204
    delete = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert (await served.admin.post(path, headers=delete)).status_code == 204
    other = await served.admin.post(path, headers={**TUS, "X-HTTP-Method-Override": "PUT"})
    assert other.status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "1"}, 412),
        ({**TUS}, 400),
        ({**TUS, "Upload-Length": "-1"}, 400),
        ({**TUS, "Upload-Length": "²"}, 400),
        ({**TUS, "Upload-Length": "9" * 40}, 400),
        ({**TUS, "Upload-Length": "5000001"}, 413),
        ({**TUS, "Upload-Length": "1", "Upload-Metadata": "filename ???"}, 400),
        ({**TUS, "Upload-Length": "1", "Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "multipart/form-data"}, 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 400),
    ],
)
async def test_a_creation_that_makes_no_sense_is_refused(
    served: Hosted, headers: dict[str, str], status: int
) -> None:
    raw = {name: value.encode() for name, value in headers.items()}
    answer = await served.admin.post("/api/v1/uploads", headers=raw, content=b"")
    assert answer.status_code == status, answer.text
    if "tus-resumable" in {name.lower() for name in headers}:
        assert answer.headers["tus-resumable"] == "1.0.0"


async def test_a_form_takes_one_file(served: Hosted) -> None:
    two = [("a", ("a.txt", b"1")), ("b", ("b.txt", b"2"))]
    assert (await served.admin.post("/api/v1/uploads", files=two)).status_code == 422
    none = await served.admin.post("/api/v1/uploads", files={"a": (None, b"text")})
    assert none.status_code == 422
    assert not list((served.runtime.folders.root / FOLDER).iterdir())


async def test_nobody_can_fill_the_disk(served: Hosted) -> None:
    big = await served.admin.post("/api/v1/uploads", files={"a": ("a", b"x" * 5_000_001)})
    assert big.status_code == 413
    await created(served.admin, 4_000_000)
    await created(served.admin, 4_000_000)
    refused = await served.admin.post("/api/v1/uploads", headers={**TUS, "Upload-Length": "1"})
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:penstock:upload-quota")
    other = await served.user("bob", "launch flow:copy")
    for _ in range(LIMITS.owner_count):
        await created(other, 1)
    answer = await other.post("/api/v1/uploads", headers={**TUS, "Upload-Length": "1"})
    assert answer.status_code == 413


async def test_a_full_disk_is_told_and_nothing_is_left(
    served: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstock.host.files.writing import Writing

    def full(self: Writing, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writing, "_write", full)
    answer = await served.admin.post("/api/v1/uploads", files={"a": ("a", b"x")})
    assert (answer.status_code, answer.json()["type"]) == (507, "urn:penstock:storage-full")
    assert not list((served.runtime.folders.root / FOLDER).iterdir())


async def test_an_unfinished_upload_is_no_file_yet(served: Hosted) -> None:
    path = await created(served.admin, 10)
    source = f"upload:{path.rpartition('/')[2]}"
    answer = await served.admin.post("/api/v1/flows/copy/runs", json={"inputs": {"document": source}})
    assert answer.status_code == 422
    assert "only 0 bytes" in answer.json()["errors"][0]["detail"]


# --- below HTTP -------------------------------------------------------------------


@pytest.fixture
def uploads(tmp_path: Path, clock: FakeClock) -> Uploads:
    return Uploads(lambda: tmp_path, clock=clock, limits=UploadLimits(seconds=60))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def content(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def kept(uploads: Uploads, upload: Upload) -> bool:
    try:
        await uploads.find(upload.owner, upload.id)
    except Refused:
        return False
    return True


async def test_what_nobody_took_is_swept_away(
    uploads: Uploads, clock: FakeClock, tmp_path: Path
) -> None:
    old = await uploads.receive("ada", content(b"old"), name="old")
    clock.advance(30)
    new = await uploads.receive("ada", content(b"new"), name="new")
    clock.advance(31)
    with pytest.raises(Refused) as caught:
        await uploads.find("ada", old.id)
    assert caught.value.status == 410
    await uploads.sweep()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [new.id]


async def test_sweeping_goes_on_by_itself(uploads: Uploads, clock: FakeClock, tmp_path: Path) -> None:
    async with uploads:
        await uploads.receive("ada", content(b"x"), name="x")
        async with asyncio.timeout(10):
            while list((tmp_path / FOLDER).iterdir()):
                clock.advance(600)
                await asyncio.sleep(0.005)


async def test_what_was_left_half_made_is_swept_away_after_a_while(
    uploads: Uploads, clock: FakeClock, tmp_path: Path
) -> None:
    half = tmp_path / FOLDER / ("h" * 32)
    half.mkdir(parents=True)
    os.utime(half, (clock.now(), clock.now()))
    await uploads.sweep()
    assert half.exists()
    clock.advance(4000)
    await uploads.sweep()
    assert not half.exists()


async def test_one_at_a_time_writes_an_upload(uploads: Uploads) -> None:
    upload = await uploads.create("ada", name="x", size_bytes=4)
    async with uploads.writing(upload, 0) as writing:
        await writing.add(b"ab")
        with pytest.raises(Refused) as caught:
            async with uploads.writing(upload, 0):
                raise AssertionError("two at once")
        assert caught.value.status == 423
    assert (await uploads.find("ada", upload.id)).offset_bytes == 2


async def test_a_file_that_does_not_come_whole_leaves_nothing(uploads: Uploads, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError):
        await uploads.receive("ada", broken(), name="x")
    assert not list((tmp_path / FOLDER).iterdir())


@pytest.mark.parametrize("id_", ["", "..", "../../etc", "a" * 32, "a/b", "\0" * 32, "ü" * 32])
async def test_an_id_that_is_none_finds_nothing(uploads: Uploads, id_: str) -> None:
    with pytest.raises(Refused) as caught:
        await uploads.find("ada", id_)
    assert caught.value.status == 404


async def test_ids_cannot_be_guessed(uploads: Uploads) -> None:
    made = [await uploads.create("ada", name="x", size_bytes=1) for _ in range(50)]
    assert len({upload.id for upload in made}) == 50
    assert all(len(upload.id) == 32 for upload in made)
    assert await kept(uploads, made[0])

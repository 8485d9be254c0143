"""Files of runs over HTTP: given by uploads and forms, offered for download, never anything else."""

from __future__ import annotations

import asyncio
import email
import os
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.host.hosted import Hosted, hosted

from penstock.host.files.media_types import disposition, media_type
from penstock.host.files.ranges import Range, Unsatisfiable, read_ranges
from penstock.host.files.run_files import list_files, open_file

if TYPE_CHECKING:
    import httpx

COPY = {
    "flow": "copy",
    "inputs": {"document": {"type": "string", "format": "file"}},
    "nodes": [
        {
            "kind": "snippet",
            "name": "path",
            "language": "cel",
            "code": "self.document",
            "links": {"out": "read.path"},
        },
        {"kind": "file.read", "name": "read", "links": {"content": "write.content"}},
        {"kind": "file.write", "name": "write", "path": "run:out/copy.txt"},
    ],
}
NAMES = {
    "flow": "names",
    "inputs": {
        "documents": {"type": "array", "items": {"type": "string", "format": "file"}},
        "note": {"type": "string", "default": ""},
    },
    "nodes": [
        {"kind": "snippet", "name": "all", "language": "cel", "code": "[self.documents, self.note]"}
    ],
}
ASK = {
    "flow": "ask",
    "nodes": [
        {
            "kind": "lock",
            "name": "receipt",
            "schema": {
                "type": "object",
                "properties": {"scan": {"type": "string", "format": "file"}},
                "required": ["scan"],
            },
        }
    ],
}
OPTIONAL = {"anyOf": [{"type": "string", "format": "file"}, {"type": "null"}]}
TEXT = b"0123456789" * 10


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted(COPY, NAMES, ASK, files=tmp_path / "files") as found:
        yield found


async def uploaded(client: httpx.AsyncClient, name: str = "report.txt", content: bytes = TEXT) -> str:
    """What names a file that was uploaded."""
    answer = await client.post("/api/v1/uploads", files={"file": (name, content, "text/plain")})
    assert answer.status_code == 201, answer.text
    return f"upload:{answer.json()['id']}"


async def copied(served: Hosted, content: bytes = TEXT) -> str:
    """The id of a run that has left a file."""
    source = await uploaded(served.admin, content=content)
    body = {"inputs": {"document": source}}
    answer = await served.admin.post("/api/v1/flows/copy/runs?wait=10", json=body)
    assert answer.json()["state"] == "completed", answer.text
    fid: str = answer.json()["fid"]
    return fid


async def test_an_upload_becomes_a_file_of_the_run_that_names_it(served: Hosted) -> None:
    fid = await copied(served)
    listed = (await served.admin.get(f"/api/v1/runs/{fid}/files")).json()["items"]
    assert [(each["name"], each["size_bytes"], each["media_type"]) for each in listed] == [
        ("in/report.txt", 100, "text/plain"),
        ("out/copy.txt", 100, "text/plain"),
    ]
    for each in listed:
        assert (await served.admin.get(each["links"]["self"])).content == TEXT
    assert (await served.admin.get(f"/{fid}/files/out/copy.txt")).content == TEXT
    inputs = (await served.admin.get(f"/api/v1/runs/{fid}/inputs")).json()
    assert inputs == {"document": "run:in/report.txt"}


async def test_an_upload_that_a_run_took_is_gone(served: Hosted) -> None:
    source = await uploaded(served.admin)
    body = {"inputs": {"document": source}}
    assert (await served.admin.post("/api/v1/flows/copy/runs", json=body)).status_code == 201
    again = await served.admin.post("/api/v1/flows/copy/runs", json=body)
    assert again.status_code == 422
    assert again.json()["errors"] == [
        {"detail": "there is no such upload", "pointer": "/inputs/document"}
    ]


async def test_a_repeated_launch_with_a_file_gets_the_same_run(served: Hosted) -> None:
    body = {"inputs": {"document": await uploaded(served.admin)}}
    key = {"Idempotency-Key": "once"}
    first = await served.admin.post("/api/v1/flows/copy/runs", json=body, headers=key)
    again = await served.admin.post("/api/v1/flows/copy/runs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["fid"] == again.json()["fid"]
    for content, status in ((TEXT, 200), (b"another", 409)):
        files = {"document": ("report.txt", content)}
        sent = await served.admin.post("/api/v1/flows/copy/runs", files=files, headers=key)
        assert sent.status_code == status, "files are the same when they hold the same"
    assert len((await served.admin.get("/api/v1/runs")).json()["items"]) == 1


async def test_a_form_with_files_launches_a_run(served: Hosted) -> None:
    files = [
        ("documents", ("a.txt", b"one")),
        ("documents", ("a.txt", b"two")),
    ]
    answer = await served.admin.post(
        "/api/v1/flows/names/runs?wait=10", files=files, data={"note": "both"}
    )
    assert answer.status_code == 201, answer.text
    fid = answer.json()["fid"]
    result = (await served.admin.get(f"/{fid}/result")).json()["result"]
    assert result == [["run:in/a.txt", "run:in/a-2.txt"], "both"]
    assert (await served.admin.get(f"/{fid}/files/in/a-2.txt")).content == b"two"


async def test_a_file_field_that_was_left_empty_is_no_file(served: Hosted) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/names/runs?wait=10", files=[("documents", ("", b""))], data={"note": "none"}
    )
    assert answer.status_code == 201, answer.text
    assert (await served.admin.get(f"/{answer.json()['fid']}/files")).json()["items"] == []


@pytest.mark.parametrize(
    "given", ["/etc/passwd", "run:in/x", "upload:", "upload:../../x", "upload:" + "a" * 32, 7, [], {}]
)
async def test_a_file_is_given_by_an_upload_or_not_at_all(served: Hosted, given: Any) -> None:
    answer = await served.admin.post("/api/v1/flows/copy/runs", json={"inputs": {"document": given}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/inputs/document"
    assert (await served.admin.get("/api/v1/runs")).json()["items"] == []


async def test_a_file_deep_inside_of_an_input_is_no_path_either(served: Hosted) -> None:
    deep = {
        "flow": "deep",
        "inputs": {
            "case": {
                "type": "object",
                "properties": {"scans": {"type": "array", "items": OPTIONAL}},
            }
        },
        "nodes": [{"kind": "snippet", "name": "all", "language": "cel", "code": "self.case"}],
    }
    await served.apply(deep)
    path = "/api/v1/flows/deep/runs?wait=10"
    stolen = {"inputs": {"case": {"scans": [None, "/etc/passwd"]}}}
    refused = await served.admin.post(path, json=stolen)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (
        422,
        "/inputs/case/scans/1",
    )
    given = {"inputs": {"case": {"scans": [None, await uploaded(served.admin)]}}}
    key = {"Idempotency-Key": "deep"}
    for status in (201, 200):
        answer = await served.admin.post(path, json=given, headers=key)
        assert answer.status_code == status, answer.text
    result = (await served.admin.get(f"/{answer.json()['fid']}/result")).json()["result"]
    assert result == {"scans": [None, "run:in/report.txt"]}


async def test_nobody_else_finds_an_upload(served: Hosted) -> None:
    source = await uploaded(served.admin)
    other = await served.user("eve", "launch flow:copy")
    assert (await other.get(f"/api/v1/uploads/{source[7:]}")).status_code == 404
    assert (await other.delete(f"/api/v1/uploads/{source[7:]}")).status_code == 404
    answer = await other.post("/api/v1/flows/copy/runs", json={"inputs": {"document": source}})
    assert answer.status_code == 422
    assert (await served.admin.get(f"/api/v1/uploads/{source[7:]}")).status_code == 200


async def test_who_may_not_see_a_run_finds_none_of_its_files(served: Hosted) -> None:
    fid = await copied(served)
    other = await served.user("eve")
    stranger = await served.client()
    for path in (f"/api/v1/runs/{fid}/files", f"/{fid}/files/out/copy.txt"):
        assert (await other.get(path)).status_code == 404
        assert (await stranger.get(path)).status_code == 401
    denied = await other.post("/api/v1/uploads", files={"file": ("a", b"b")})
    assert denied.status_code == 403
    assert (await stranger.post("/api/v1/uploads", files={"file": ("a", b"b")})).status_code == 401


async def test_an_answer_to_a_lock_may_be_a_file(served: Hosted) -> None:
    fid = (await served.admin.post("/api/v1/flows/ask/runs", json={})).json()["fid"]
    async with asyncio.timeout(10):
        while not (locks := (await served.admin.get(f"/{fid}/locks")).json()["items"]):
            await served.runtime.store.changed(fid, after=0)
    path = f"/{fid}/lock/{locks[0]['lid']}/candidate"
    refused = await served.admin.post(path, json={"scan": "/etc/passwd"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/scan")
    key = {"Idempotency-Key": "once"}
    body = {"scan": await uploaded(served.admin, "scan.png", b"\x89PNG")}
    for _ in range(2):
        released = await served.admin.post(path, json=body, headers=key)
        assert released.status_code == 200, released.text
        assert released.json()["value"] == {"scan": "run:in/scan.png"}
    assert (await served.admin.get(f"/{fid}/files/in/scan.png")).content == b"\x89PNG"


# --- downloads --------------------------------------------------------------------


async def test_a_part_of_a_file_can_be_downloaded(served: Hosted) -> None:
    path = f"/{await copied(served)}/files/out/copy.txt"
    for header, content, place in [
        ("bytes=0-9", TEXT[:10], "bytes 0-9/100"),
        ("bytes=95-", TEXT[95:], "bytes 95-99/100"),
        ("bytes=-5", TEXT[-5:], "bytes 95-99/100"),
        ("bytes=50-1000", TEXT[50:], "bytes 50-99/100"),
        ("bytes=3-5, 4-8", TEXT[3:9], "bytes 3-8/100"),
    ]:
        part = await served.admin.get(path, headers={"Range": header})
        assert (part.status_code, part.content) == (206, content)
        assert part.headers["content-range"] == place
    for header in ("bytes=5-1", "items=0-9", "bytes", "bytes=a-b", "bytes=" + "0-1," * 40 + "5-6"):
        whole = await served.admin.get(path, headers={"Range": header})
        assert (whole.status_code, whole.content) == (200, TEXT)
    missing = await served.admin.get(path, headers={"Range": "bytes=100-"})
    assert (missing.status_code, missing.headers["content-range"]) == (416, "bytes */100")
    assert missing.json()["status"] == 416


async def test_several_parts_come_as_one_answer(served: Hosted) -> None:
    path = f"/{await copied(served)}/files/out/copy.txt"
    answer = await served.admin.get(path, headers={"Range": "bytes=0-2, 10-11, -1"})
    assert answer.status_code == 206
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content).get_payload()
    found = [(part["content-range"], part.get_payload(decode=True)) for part in parts]  # type: ignore[union-attr,index]
    assert found == [
        ("bytes 0-2/100", b"012"),
        ("bytes 10-11/100", b"01"),
        ("bytes 99-99/100", b"9"),
    ]
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_what_a_client_has_is_not_sent_again(served: Hosted) -> None:
    path = f"/{await copied(served)}/files/out/copy.txt"
    first = await served.admin.get(path)
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    for headers in ({"If-None-Match": f'"x", {tag}'}, {"If-Modified-Since": modified}):
        answer = await served.admin.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (304, b"")
    both = {"If-None-Match": '"other"', "If-Modified-Since": modified}
    assert (await served.admin.get(path, headers=both)).status_code == 200
    ranged = {"Range": "bytes=0-0"}
    assert (await served.admin.get(path, headers={**ranged, "If-Range": tag})).status_code == 206
    assert (await served.admin.get(path, headers={**ranged, "If-Range": '"old"'})).status_code == 200


async def test_a_head_says_what_a_get_would(served: Hosted) -> None:
    path = f"/{await copied(served)}/files/out/copy.txt"
    head = await served.admin.head(path, headers={"Range": "bytes=0-9"})  # which is for a GET
    get = await served.admin.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges", "content-disposition"):
        assert head.headers[name] == get.headers[name]


async def test_an_empty_file_and_a_large_one_come_whole(served: Hosted) -> None:
    folder = served.runtime.folders.of(await copied(served))
    large = os.urandom(3_000_001)
    (folder.path / "out" / "empty").touch()
    (folder.path / "out" / "large.bin").write_bytes(large)
    empty = await served.admin.get(f"/{folder.fid}/files/out/empty")
    assert (empty.status_code, empty.content, empty.headers["content-length"]) == (200, b"", "0")
    assert (await served.admin.get(f"/{folder.fid}/files/out/large.bin")).content == large
    none = await served.admin.get(f"/{folder.fid}/files/out/empty", headers={"Range": "bytes=0-"})
    assert none.status_code == 416


async def test_nothing_that_can_hold_a_script_is_shown_by_a_browser(served: Hosted) -> None:
    folder = served.runtime.folders.of(await copied(served))
    for name in ("page.html", "image.svg", "data.xml", "page.xhtml", "noend", "a.html.gz"):
        (folder.path / "out" / name).write_text("<script>alert(1)</script>")
        answer = await served.admin.get(f"/{folder.fid}/files/out/{name}")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


async def test_the_list_of_files_comes_in_pages(served: Hosted) -> None:
    folder = served.runtime.folders.of(await copied(served))
    for number in range(7):
        (folder.path / "out" / f"{number}.txt").touch()
    found: list[str] = []
    cursor = ""
    while True:
        page = (await served.admin.get(f"/{folder.fid}/files?limit=4&cursor={cursor}")).json()
        found += [each["name"] for each in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert found == sorted(found)
    assert len(found) == 9


# --- nothing else -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../../secret",
        "out/../../../secret",
        "out/../../../../../../../etc/passwd",
        "out/..%2f..%2fsecret",
        "out%2f..%2f..%2fsecret",
        "%2e%2e/%2e%2e/secret",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "out//copy.txt",
        "out/./copy.txt",
        "out/copy.txt/",
        "out/copy.txt%00.html",
        "out/copy.txt/../copy.txt",
        "OUT/copy.txt",
        "out\\copy.txt",
        "out%5c..%5csecret",
        "out",
        "out/",
        "",
        "out/leak",
        "out/door/secret",
        "out/pipe",
        "out/.hidden",
        ".hidden",
        "out/" + "a/" * 3000,
        "out/" + "b" * 300,
        "out/%ff%fe",
        "out/%ed%a0%80",
        "secret",
    ],
)
async def test_no_name_leads_out_of_the_runs_folder(served: Hosted, tmp_path: Path, name: str) -> None:
    folder = served.runtime.folders.of(await copied(served))
    out = folder.path / "out"
    for path in (tmp_path / "secret", folder.path / "secret", out / ".hidden"):
        path.write_text("hunter2")
    (out / "leak").symlink_to(tmp_path / "secret")
    (out / "door").symlink_to(tmp_path)
    os.mkfifo(out / "pipe")
    status, body = await raw(served, f"/api/v1/runs/{folder.fid}/files/{name}")
    assert status == 404
    assert b"hunter2" not in body
    assert b"root:" not in body
    listed = (await served.admin.get(f"/{folder.fid}/files")).json()["items"]
    assert [each["name"] for each in listed] == ["in/report.txt", "out/copy.txt"]


async def raw(served: Hosted, target: str) -> tuple[int, bytes]:
    """The answer to a GET of exactly this: libraries put addresses right before they send them."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = (f"GET {target} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {served.token}")
    writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


PARTS = [
    "in",
    "out",
    "..",
    ".",
    "",
    "a",
    "b.txt",
    "link",
    "door",
    ".dot",
    "\0",
    "\udcff",
    "con",
    "IN",
    "a" * 300,
]


@given(st.lists(st.sampled_from(PARTS), max_size=6))
@example(["out", "door", "b.txt"])
@example(["in", "a", "b.txt"])
def test_what_can_be_opened_is_what_is_listed(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "listed"
    if not folder.exists():
        _furnish(folder)
    listed = {each.name for each in list_files(folder)}
    assert listed == {"in/a/b.txt", "in/b.txt", "out/con"}
    name = "/".join(parts)
    opened = open_file(folder, name)
    assert (opened is not None) == (name in listed)
    if opened is not None:
        assert opened.content.read() == name.encode()
        opened.content.close()


def _furnish(folder: Path) -> None:
    for name in ("in/a/b.txt", "in/b.txt", "out/con", "b.txt", "out/.dot", "in/.dot/b.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "out" / "link").symlink_to(folder / "b.txt")
    (folder / "out" / "door").symlink_to(folder)
    (folder / "in" / "link").symlink_to("b.txt")


async def test_a_folder_that_was_replaced_by_a_link_is_not_followed(
    served: Hosted, tmp_path: Path
) -> None:
    folder = served.runtime.folders.of(await copied(served))
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "out").mkdir(parents=True)
    (elsewhere / "out" / "copy.txt").write_text("secret")
    folder.remove()
    folder.place.symlink_to(elsewhere)
    assert (await served.admin.get(f"/{folder.fid}/files/out/copy.txt")).status_code == 404
    assert (await served.admin.get(f"/{folder.fid}/files")).json()["items"] == []


async def test_what_stands_in_place_of_a_side_is_not_listed(served: Hosted, tmp_path: Path) -> None:
    folder = served.runtime.folders.of(await copied(served))
    (tmp_path / "secret").write_text("secret")
    (folder.place / "out" / "copy.txt").unlink()
    (folder.place / "out").rmdir()
    (folder.place / "out").symlink_to(tmp_path)
    listed = (await served.admin.get(f"/{folder.fid}/files")).json()["items"]
    assert [each["name"] for each in listed] == ["in/report.txt"]


async def test_a_folder_too_deep_for_a_name_does_not_hide_the_other_files(served: Hosted) -> None:
    folder = served.runtime.folders.of(await copied(served))
    within = os.open(folder.place / "out", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=within)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=within)
        os.close(within)
        within = below
    os.close(os.open("file", os.O_CREAT, dir_fd=within))
    os.close(within)
    listed = (await served.admin.get(f"/{folder.fid}/files")).json()["items"]
    assert [each["name"] for each in listed] == ["in/report.txt", "out/copy.txt"]


# --- parts ------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 30) | st.none(), st.integers(0, 30) | st.none()), min_size=1, max_size=5
    ),
    st.integers(0, 25),
)
def test_ranges_have_exactly_the_bytes_that_they_name(
    pairs: list[tuple[int | None, int | None]], size: int
) -> None:
    header = "bytes=" + ",".join(
        f"{'' if first is None else first}-{'' if last is None else last}" for first, last in pairs
    )
    valid = all(
        (first is not None or last is not None)
        and not (first is not None and last is not None and last < first)
        for first, last in pairs
    )
    wanted: set[int] = set()
    for first, last in pairs:
        if first is None:
            wanted |= set(range(max(size - (last or 0), 0), size))
        else:
            wanted |= set(range(first, size if last is None else min(last + 1, size)))
    try:
        found = read_ranges(header, size)
    except Unsatisfiable:
        assert valid
        assert not wanted
        return
    if not valid:
        assert found == []
        return
    assert {byte for each in found for byte in range(*each)} == wanted
    assert all(one.end < two.start for one, two in pairwise(found))
    assert all(each.start < each.end for each in found)


@given(st.text())
@example("bytes=0-99999999999999999999999999")
@example("bytes=²-³")
def test_any_range_header_is_understood_or_left_alone(header: str) -> None:
    try:
        found = read_ranges(header, 10)
    except Unsatisfiable:
        return
    assert all(isinstance(each, Range) and 0 <= each.start < each.end <= 10 for each in found)


@given(st.text(st.characters(codec="utf-8")))
@example('a"; filename="evil.html')
@example("a\r\nSet-Cookie: x=y")
def test_a_name_cannot_break_out_of_its_header(name: str) -> None:
    header = disposition(f"out/{name}")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    header.encode("latin-1")


def test_what_a_file_is_depends_on_its_name_alone() -> None:
    assert media_type("out/a.PDF") == "application/pdf"
    assert media_type("out/a.txt") == "text/plain; charset=utf-8"
    assert media_type("out/a.tar.gz") == "application/octet-stream"
    assert media_type("out/a") == "application/octet-stream"


async def test_a_form_that_wants_no_files_takes_none(served: Hosted) -> None:
    stranger = await served.client()
    answer = await stranger.post("/login", files={"name": ("a", b"x" * 1000)})
    assert answer.status_code in (403, 415)
    assert not (served.runtime.folders.root / ".uploads").exists()


async def test_a_lock_that_wants_nothing_but_a_file_gets_one(served: Hosted) -> None:
    schema = {"type": "string", "format": "file"}
    await served.apply({"flow": "scan", "nodes": [{"kind": "lock", "name": "scan", "schema": schema}]})
    fid = (await served.admin.post("/api/v1/flows/scan/runs", json={})).json()["fid"]
    async with asyncio.timeout(10):
        while not (locks := (await served.admin.get(f"/{fid}/locks")).json()["items"]):
            await served.runtime.store.changed(fid, after=0)
    path = f"/{fid}/lock/{locks[0]['lid']}/candidate"
    assert (await served.admin.post(path, json="/etc/passwd")).status_code == 422
    released = await served.admin.post(path, json=await uploaded(served.admin, "a.png"))
    assert released.json()["value"] == "run:in/a.png"

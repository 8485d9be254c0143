"""The folder of a run: what it is given as files, and what it leaves."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.engine.flows import graph
from tests.engine.watching import result_of, story

from penstock import Attachment, Context, File, Runtime, StepContext, flow, step
from penstock.core.errors import InputError, NodeError, RunFailed, StoreAway
from penstock.engine.attachment import attach, safe_name
from penstock.engine.folder import RunFolder, RunFolders
from penstock.store.memory import MemoryStore
from penstock.testing.faults import FaultyStore

READ = """
flow: reading
inputs: {document: {type: string, format: file}}
nodes:
  - {kind: snippet, name: path, language: cel, code: self.document, links: {out: read.path}}
  - {kind: file.read, name: read}
"""
WRITE = """
flow: writing
nodes:
  - {kind: file.write, name: write, path: 'run:out/report.txt', content: made}
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text("what was given")
    return path


async def test_an_attachment_is_in_the_runs_folder_and_the_flow_gets_a_reference(
    url: str, tmp_path: Path, report: Path
) -> None:
    async with Runtime(url, files=tmp_path / "files") as runtime:
        run = await runtime.start(graph(READ), document=Attachment(report))
        report.unlink()  # noqa: ASYNC240
        assert await result_of(run) == "what was given"
        assert (await story(run))[0].data["inputs"] == {"document": "run:in/report.txt"}
        assert (tmp_path / "files" / run.fid / "in" / "report.txt").read_text() == "what was given"


async def test_the_files_of_a_run_are_beside_the_store_unless_one_says_otherwise(
    url: str, tmp_path: Path
) -> None:
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(WRITE))
        written = await result_of(run)
    assert written == {"path": "run:out/report.txt", "size_bytes": 4}
    assert (tmp_path / "runs.db.files" / run.fid / "out" / "report.txt").read_text() == "made"


async def test_what_is_not_kept_leaves_no_files(report: Path) -> None:
    async with Runtime("memory:") as runtime:
        run = await runtime.start(graph(WRITE))
        await result_of(run)
        place = runtime.folders.of(run.fid).place
        assert (place / "out" / "report.txt").exists()
        unrecorded = await runtime.start(
            graph(WRITE.replace("nodes:", "settings: {record: none}\nnodes:"))
        )
        await result_of(unrecorded)
        await runtime.ended(unrecorded.fid)
        assert not runtime.folders.of(unrecorded.fid).place.exists()
    assert not place.exists()


async def test_a_run_without_files_has_no_folder(url: str, tmp_path: Path) -> None:
    async with Runtime(url) as runtime:
        await result_of(await runtime.start(graph("{flow: f, nodes: [{kind: nop}]}")))
    assert not (tmp_path / "runs.db.files").exists()


async def test_attachments_of_the_same_name_get_numbers(url: str, tmp_path: Path, report: Path) -> None:
    other = tmp_path / "other" / "Report.TXT"
    other.parent.mkdir()
    other.write_text("another")
    text = """
    flow: f
    inputs: {documents: {type: array, items: {type: string, format: file}}}
    nodes: [{kind: snippet, language: cel, code: self.documents}]
    """
    async with Runtime(url) as runtime:
        files = [Attachment(report), Attachment(other), Attachment(report, name="../../etc/passwd")]
        run = await runtime.start(graph(text), documents=files)
        assert await result_of(run) == ["run:in/report.txt", "run:in/Report-2.TXT", "run:in/passwd"]


async def test_a_launch_that_comes_to_nothing_leaves_no_folder(
    url: str, tmp_path: Path, report: Path
) -> None:
    files = tmp_path / "files"
    async with Runtime(url, files=files) as runtime:
        with pytest.raises(InputError):
            await runtime.launch(graph(READ), {"document": [Attachment(report)]})
        with pytest.raises(FileNotFoundError):
            await runtime.launch(graph(READ), {"document": Attachment(tmp_path / "missing")})
        first = await runtime.launch(graph(READ), {"document": Attachment(report)}, key="k")
        again = await runtime.launch(graph(READ), {"document": Attachment(report)}, key="k")
        assert again.fid == first.fid
        assert await result_of(first) == "what was given"
        assert [path.name for path in files.iterdir()] == [first.fid]


async def test_files_of_a_launch_that_may_have_been_stay(tmp_path: Path, report: Path) -> None:
    store = FaultyStore(MemoryStore(), lose={1: StoreAway("lost")})
    async with Runtime(store, files=tmp_path / "files") as runtime:
        with pytest.raises(StoreAway):
            await runtime.launch(graph(READ), {"document": Attachment(report)}, key="k")
        again = await runtime.launch(graph(READ), {"document": Attachment(report)}, key="k")
        assert await result_of(again) == "what was given"


async def test_a_python_flow_reads_and_writes_files(url: str, tmp_path: Path, report: Path) -> None:
    @step
    async def shout(ctx: StepContext, document: str) -> str:
        text = ctx.path(document).read_text().upper()
        (ctx.folder / "out" / "loud.txt").write_text(text)
        return text

    @flow
    async def shouting(ctx: Context, document: File, more: File | None = None) -> str:
        return str(await ctx.step(shout, document))

    properties = shouting.input_schema["properties"]
    assert properties["document"]["format"] == "file"
    async with Runtime(url) as runtime:
        run = await runtime.start(shouting, document=Attachment(report))
        assert await result_of(run) == "WHAT WAS GIVEN"
        assert (runtime.folders.of(run.fid).place / "out" / "loud.txt").exists()


async def test_a_program_runs_in_the_folder_of_its_run(url: str, report: Path) -> None:
    text = """
    flow: f
    inputs: {document: {type: string, format: file}}
    nodes:
      - {kind: snippet, name: path, language: cel, code: '[self.document]', links: {out: count.args}}
      - kind: shell.exec
        name: count
        cwd: 'run:'
        command: 'wc -c < "${1#run:}" > out/size && cat "$PENSTOCK_FOLDER/out/size"'
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text), document=Attachment(report))
        found = await result_of(run)
        assert found["stdout"].strip() == "14"


async def test_a_retry_takes_the_files_over(url: str, report: Path) -> None:
    text = """
    flow: f
    inputs: {document: {type: string, format: file}}
    nodes:
      - {kind: snippet, name: path, language: cel, code: self.document, links: {out: read.path}}
      - {kind: file.read, name: read, links: {content: write.content}}
      - {kind: file.write, name: write, path: 'run:out/copy.txt', links: {path: again.path}}
      - {kind: file.read, name: again}
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text), document=Attachment(report))
        assert await result_of(run) == "what was given"
        os.mkfifo(runtime.folders.of(run.fid).path / "out" / "pipe")
        tail = await runtime.retry(run.fid, node="again")
        assert await result_of(tail) == "what was given"
        anew = await runtime.retry(run.fid, from_start=True)
        assert await result_of(anew) == "what was given"
        left = {path.name for path in (runtime.folders.of(tail.fid).place / "out").iterdir()}
        assert left == {"copy.txt"}
        runtime.folders.of(run.fid).remove()
        assert await result_of(await runtime.retry(tail.fid, node="read")) == "what was given"


async def test_a_recovered_run_finds_its_files(url: str, tmp_path: Path, report: Path) -> None:
    text = """
    flow: f
    inputs: {document: {type: string, format: file}}
    nodes:
      - {kind: snippet, name: path, language: cel, code: self.document, links: {out: nap}}
      - {kind: sleep, name: nap, duration: 0.3s, links: {out: read.path}}
      - {kind: file.read, name: read}
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text), document=Attachment(report))
    (tmp_path / "runs.db.files").rename(tmp_path / "moved")
    async with Runtime(url, files=tmp_path / "moved") as runtime:
        assert await result_of(runtime.get(run.fid)) == "what was given"


@pytest.mark.parametrize("path", ["run:../secret", "run:/etc/passwd", "run:in/../../secret", "run:a\0b"])
async def test_a_reference_never_leads_out_of_the_folder(url: str, path: str) -> None:
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(READ), document=path)
        with pytest.raises(RunFailed, match=r"leads out of the run's folder|is no path"):
            await result_of(run)


async def test_a_link_never_leads_out_of_the_folder(url: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    text = """
    flow: f
    nodes:
      - kind: shell.exec
        name: link
        cwd: 'run:'
        command: ln -s ../../../secret out/leak
        links: {code: read}
      - {kind: file.read, name: read, path: 'run:out/leak'}
    """
    async with Runtime(url) as runtime:
        with pytest.raises(RunFailed, match="leads out"):
            await result_of(await runtime.start(graph(text)))


# --- names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("C:\\Users\\Ada\\report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("", "file"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("CON", "file_CON"),
        ("nul.txt", "file_nul.txt"),
        ("a\0b\nc.txt", "a_b_c.txt"),
        ("invoice\u202egnp.exe", "invoice_gnp.exe"),
        ("Zürich Übersicht.pdf", "Zürich Übersicht.pdf"),
        ("trailing. ", "trailing"),
    ],
)
def test_a_name_is_made_fit_for_any_file_system(said: str, name: str) -> None:
    assert safe_name(said) == name


@given(st.text())
@example("\ud800")
@example("ü" * 500 + ".pdf")
@example("x." + "y" * 500)
def test_a_safe_name_is_one_component_of_a_path_whatever_was_said(said: str) -> None:
    name = safe_name(said)
    assert name
    assert name not in (".", "..")
    assert not name.startswith(".")
    assert Path(name).name == name
    assert len(os.fsencode(name)) <= 224
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    assert safe_name(name) == name


@given(st.lists(st.sampled_from(["a.txt", "A.TXT", "b", "..", "", "a-2.txt"]), max_size=8))
def test_no_two_attachments_share_a_name(names: list[str]) -> None:
    files = attach({"files": [Attachment(Path("x"), name=name) for name in names]}).files
    assert len({name.casefold() for name in files}) == len(names)


@given(st.text())
@example("..")
@example(".hidden")
@example("a/../../b")
def test_the_folder_of_any_run_is_directly_below_the_root(fid: str) -> None:
    root = Path("/files")
    try:
        place = RunFolders(root).of(fid).place
    except UnicodeEncodeError:
        return
    assert place.parent == root
    assert ".." not in place.parts


@given(st.lists(st.sampled_from(["..", ".", "in", "a", "", "\0", "~", "C:", "\\..", "%2e%2e"])))
def test_any_reference_is_inside_or_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    folder: RunFolder = RunFolders(tmp_path_factory.getbasetemp() / "files").of("run")
    try:
        path = folder.find("run:" + "/".join(parts))
    except NodeError:
        return
    assert path.resolve().is_relative_to(folder.path.resolve())

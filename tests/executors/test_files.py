"""A worker finds the files of its run, and what a retry gives its steps."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.engine.flows import graph

from penstock import Attachment, Context, File, Runtime, StepContext, flow, step

COPY = """
flow: copy
settings: {executor: subprocess}
inputs: {document: {type: string, format: file}}
nodes:
  - {kind: snippet, name: path, language: cel, code: self.document, links: {out: read.path}}
  - {kind: file.read, name: read, links: {content: write.content}}
  - {kind: file.write, name: write, path: 'run:out/copy.txt'}
"""


@step
def loud(ctx: StepContext, text: str) -> str:
    (ctx.folder / "out" / "loud.txt").write_text(text.upper())
    return text.upper()


@step
def read(ctx: StepContext, document: str) -> str:
    return ctx.path(document).read_text()


@flow(executor="subprocess")
async def shouting(ctx: Context, document: File) -> str:
    return str(await ctx.step(loud, await ctx.step(read, document)))


async def test_a_graph_in_a_worker_reads_and_writes_files(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear ada")
    async with asyncio.timeout(30):
        run = await runtime.start(graph(COPY), document=Attachment(tmp_path / "letter.txt"))
        assert await run.result() == {"path": "run:out/copy.txt", "size_bytes": 8}
        folder = runtime.folders.of(run.fid).place
        assert (folder / "out" / "copy.txt").read_text() == "dear ada"
        assert (await run.row()).executor == "subprocess"


async def test_a_retry_in_a_worker_takes_files_over_and_edits_inputs(
    runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear ada")
    async with asyncio.timeout(30):
        run = await runtime.start(shouting, document=Attachment(tmp_path / "letter.txt"))
        assert await run.result() == "DEAR ADA"
        anew = await runtime.retry(run.fid, node="read#1")
        assert await anew.result() == "DEAR ADA"
        edited = await runtime.retry(run.fid, node="loud#2", inputs={"text": "dear bob"})
        assert await edited.result() == "DEAR BOB"
        left = runtime.folders.of(edited.fid).place / "out" / "loud.txt"
        assert left.read_text() == "DEAR BOB"

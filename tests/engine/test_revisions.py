"""What a run executes is kept with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import result_of, seen

from penstock import Runtime, load_flow, node
from penstock.core.errors import (
    SettingsError,
)

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_run_keeps_the_revision_it_started_with(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(*, text: str) -> str:
        await gate.wait()
        return text

    url = f"sqlite:///{tmp_path}/runs.db"
    old, new = (
        graph(f"{{flow: f, nodes: [{{kind: hold, name: a, text: {t}}}]}}", hold) for t in ("old", "new")
    )
    async with Runtime(url) as first:
        run = await first.start(old)
        await seen(run, "node.started", "a")
    gate.set()
    async with Runtime(url, scheme=scheme_with(hold)) as second:
        fresh = await second.start(new)
        assert await result_of(second.get(run.fid)) == "old"
        assert await result_of(fresh) == "new"
        assert (await fresh.row()).revision != (await run_row(second, run.fid)).revision


async def run_row(runtime: Runtime, fid: str) -> Any:
    return await runtime.get(fid).row()


async def test_a_python_flow_is_found_again_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_flow_module.py").write_text(
        "from penstock import flow\n"
        "@flow\n"
        "async def nap(ctx, value: int):\n"
        "    await ctx.sleep(5)\n"
        "    return value\n"
    )
    from penstock.testing.clock import FakeClock

    clock = FakeClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    nap = load_flow(f"{tmp_path}/my_flow_module.py")
    async with Runtime(url, clock=clock) as first:
        run = await first.start(nap, value=3)
        await seen(run, "run.waiting")
    clock.advance(10)
    async with Runtime(url, clock=clock) as second:
        assert await result_of(second.get(run.fid)) == 3


async def test_a_flow_that_is_gone_is_told_and_not_lost(tmp_path: Path) -> None:
    from penstock.testing.clock import FakeClock

    file = tmp_path / "gone_flow_module.py"
    file.write_text("from penstock import flow\n@flow\nasync def nap(ctx):\n    await ctx.sleep(5)\n")
    clock = FakeClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url, clock=clock) as first:
        run = await first.start(load_flow(str(file)))
        await seen(run, "run.waiting")
    import sys

    del sys.modules["gone_flow_module"]
    file.unlink()
    async with Runtime(url, clock=clock, recover=False) as second:
        with pytest.raises(SettingsError, match="gone_flow_module"):
            await second.resume(run.fid)
        assert not (await run_row(second, run.fid)).state.terminal


async def test_a_called_flow_belongs_to_the_revision(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(*, text: str) -> str:
        await gate.wait()
        return text

    inner = tmp_path / "inner.yaml"
    inner.write_text("flow: inner\nnodes: [{kind: hold, name: h, text: old}]\n")
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml}]\n"
    )
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(hold)))
        await seen(run, "node.started", "c[0]/h")
    inner.unlink()
    gate.set()
    async with Runtime(url, scheme=scheme_with(hold)) as second:
        assert await result_of(second.get(run.fid)) == "old"

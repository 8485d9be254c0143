"""Workers between runs: kept warm, replaced, let go."""

from __future__ import annotations

import os
import signal

import pytest
from tests.executors import flows
from tests.executors.conftest import lives, until

from penstock import Runtime
from penstock.core.errors import RunFailed
from penstock.core.events import EventType
from penstock.core.payload import Payload
from penstock.engine.observer import Observer
from penstock.executors.subprocess import Pool


def pool_of(runtime) -> Pool:
    return runtime.executors.named("subprocess")


async def test_the_first_run_starts_one_worker_and_the_second_a_spare(opened) -> None:
    async with opened("memory:", workers=3) as runtime:
        await (await runtime.start(flows.doubled, number=1)).result()
        assert len(pool_of(runtime).workers) == 1
        await (await runtime.start(flows.doubled, number=1)).result()
        await until(lambda: len(pool_of(runtime).workers) == 2)


async def test_a_worker_with_nothing_to_do_is_let_go(opened) -> None:
    async with opened("memory:", idle_seconds=0.05) as runtime:
        pid = (await (await runtime.start(flows.doubled, number=1)).result())["pid"]
        await until(lambda: not lives(pid))
        assert (await (await runtime.start(flows.doubled, number=1)).result())["pid"] != pid


async def test_a_worker_that_died_between_runs_is_not_given_out(opened) -> None:
    async with opened("memory:") as runtime:
        pid = (await (await runtime.start(flows.doubled, number=1)).result())["pid"]
        [worker] = pool_of(runtime).workers
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not worker.alive)
        assert (await (await runtime.start(flows.doubled, number=2)).result())["number"] == 4


async def test_there_are_never_more_workers_than_there_may_be(opened) -> None:
    async with opened("memory:", workers=2) as runtime:
        for _ in range(2):
            for flow, inputs in (
                (flows.doubled, {"number": 1}),
                (flows.environment, {}),
                (flows.printing, {}),
            ):
                await (await runtime.launch(flow, inputs)).result()
                await until(lambda: len(pool_of(runtime).workers) <= 2)


async def test_a_worker_that_cannot_be_started_fails_the_run(opened, monkeypatch) -> None:
    async with opened("memory:") as runtime:
        monkeypatch.setattr("sys.executable", "/nowhere/python")
        with pytest.raises(RunFailed) as failed:
            await (await runtime.start(flows.doubled, number=1)).result()
    assert failed.value.error.code == "worker.unavailable"


class Listener(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[str, Payload]] = []

    def said(self, subject, node, type, data, redactor) -> None:  # noqa: A002
        self.heard.append((type, data["message"]))


async def test_what_an_unrecorded_run_says_reaches_the_observer() -> None:
    listener = Listener()
    async with Runtime(
        "memory:", executors={"subprocess": Pool(workers=1)}, observer=listener
    ) as runtime:
        flow = runtime.loader.read(
            """
            flow: quick
            settings: {executor: subprocess, record: none}
            nodes: [{kind: debug.log, name: log, message: "a word", prefix: ""}]
            """,
            file="quick.yaml",
        )
        await (await runtime.launch(flow)).result()
    assert listener.heard == [(EventType.NODE_MESSAGE, "a word")]

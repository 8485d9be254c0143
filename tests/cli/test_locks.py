"""`penstock locks`, and how other commands show what a run waits for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Outcome

from penstock.cli.app import App
from penstock.cli.lines import line
from penstock.cli.locks.completing import complete_lock, complete_locked
from penstock.cli.main import penstock as command
from penstock.core.locks import LockState, fold_locks
from penstock.core.record import RunRecord
from penstock.runtime import Runtime, load_flow

if TYPE_CHECKING:
    from tests.cli.streams import Stream

Penstock = Callable[..., Outcome]

EXPENSE = """
flow: expense
inputs: {amount: {type: integer}}
required: [amount]
nodes:
  - kind: lock
    name: approve
    title: Approve the expense?
    description: More than 100 needs a reason.
    schema:
      type: object
      properties: {approved: {type: boolean}, reason: {type: string}}
      required: [approved]
    links: {candidate: fair}
  - kind: if
    name: fair
    when: self.data.amount < 100 || has(self.value.reason)
    links: {"true": take, "false": ask}
  - {kind: snippet, name: take, language: cel, code: self.value}
  - {kind: throw, name: ask, code: denied, message: say why}
"""


def launch(folder: Path, text: str = EXPENSE, **inputs: Any) -> str:
    """A run that waits at its lock, executed by no process any more; its id."""
    document = folder / "flow.yaml"
    document.write_text(text)

    async def main() -> str:
        async with Runtime(f"sqlite:///{folder}/runs.db") as runtime:
            run = await runtime.launch(load_flow(document), inputs, open_inputs=True)
            async with asyncio.timeout(5):
                async for event in run.events():
                    if event.type == "run.waiting":
                        return run.fid
        raise AssertionError("it did not wait")

    return asyncio.run(main())


def lock_of(folder: Path, fid: str) -> Any:
    async def main() -> Any:
        async with Runtime(f"sqlite:///{folder}/runs.db", recover=False) as runtime:
            return (await runtime.locks(fid))[0]

    return asyncio.run(main())


def test_the_inbox_shows_what_runs_wait_for(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    found = penstock("locks", "ls")
    assert fid in found.out
    assert "Approve the expense?" in found.out
    assert penstock("locks", "ls", fid[:8]).out.count("Approve the expense?") == 1


def test_an_empty_inbox_says_so(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    penstock("locks", "release", "--set", "approved=true")
    assert "no open locks" in penstock("locks", "ls").err
    assert "released" in penstock("locks", "ls", fid).out


def test_a_lock_is_shown_with_what_it_asks_and_how_to_answer(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    lid = lock_of(tmp_path, fid).lid
    for wanted in ((), ("@",), (fid, lid), (fid, lid[:4]), (fid, "approve")):
        found = penstock("locks", "show", *wanted)
        assert found.code == 0
        assert "Approve the expense?\nMore than 100 needs a reason." in found.out
        assert '"amount": 30' in found.out
        assert f"`penstock locks release {fid} {lid} --set approved=… --set reason=…`" in found.err


def test_a_released_lock_lets_the_run_go_on(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    found = penstock("locks", "release", "@", "--set", "approved=true")
    assert found.code == 0
    assert "approve released" in found.err
    assert json.loads(penstock("runs", "result", fid).out) == {"approved": True}


TWICE = """
flow: twice
nodes:
  - {kind: lock, name: first, links: {out: second}}
  - {kind: lock, name: second}
"""


def test_a_run_that_nobody_executes_is_left_behind_its_lock(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, TWICE)
    assert f"`penstock runs resume {fid}` goes on" in penstock("locks", "release", fid, "first").err
    assert penstock("locks", "release", fid, "second", "--input", "2").code == 0
    assert penstock("runs", "result", fid).out == "2\n"


def test_a_denied_candidate_is_told_with_its_reasons(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=300)
    found = penstock("locks", "release", fid, "--set", "approved=true")
    assert found.code == 1
    assert "say why" in found.err
    assert lock_of(tmp_path, fid).state is LockState.OPEN
    answer = '{"approved": true, "reason": "it was cold"}'
    assert penstock("locks", "release", fid, "approve", "--input", answer).code == 0


def test_json_is_for_programs(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=300)
    (listed,) = json.loads(penstock("locks", "ls", "--json").out)
    assert (listed["fid"], listed["name"], listed["state"]) == (fid, "approve", "open")
    assert json.loads(penstock("locks", "show", "--json").out) == listed
    found = penstock("locks", "release", "--set", "approved=true", "--json")
    assert json.loads(found.out) == {
        "fid": fid,
        "lid": listed["lid"],
        "outcome": "denied",
        "reasons": [{"detail": "say why", "pointer": ""}],
        "value": None,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--set", "approved=perhaps"), 2, "`perhaps` is not boolean"),
        (("--input", '{"approved": 1}'), 2, "/approved: 1 is not of type"),
        (("--input", "{}"), 2, "required"),
        ((), 2, "say what to submit"),
        (("nosuchlock", "--set", "approved=true"), 4, "has no lock `nosuchlock`"),
        (("aprove", "--set", "approved=true"), 4, "did you mean `approve`?"),
    ],
)
def test_what_cannot_be_submitted_is_told_in_one_message(
    penstock: Penstock, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    fid = launch(tmp_path, amount=30)
    found = penstock("locks", "release", fid, *arguments)
    assert found.code == code
    assert message in found.err
    assert lock_of(tmp_path, fid).candidates == []


def test_a_lock_that_was_released_takes_nothing_more(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    penstock("locks", "release", fid, "--set", "approved=true", "--id", "mine")
    again = penstock("locks", "release", fid, "approve", "--set", "approved=true", "--id", "mine")
    assert again.code == 0, "the same candidate again gets the same answer"
    other = penstock("locks", "release", fid, "approve", "--set", "approved=false")
    assert other.code == 1
    assert "released already" in other.err


@pytest.mark.parametrize(
    ("schema", "given", "answer"),
    [
        ("{type: string}", ["--input", "some text"], "some text"),
        ("{type: string}", ["--input", "12"], "12"),
        ("{type: integer}", ["--input", "12"], 12),
        ("{type: array}", ["--input", "[1, 2]"], [1, 2]),
        ("null", [], None),
        ("null", ["--set", "a=1"], {"a": 1}),
    ],
)
def test_a_candidate_may_be_any_value(
    penstock: Penstock, tmp_path: Path, schema: str, given: list[str], answer: Any
) -> None:
    fid = launch(tmp_path, f"{{flow: f, nodes: [{{kind: lock, name: ask, schema: {schema}}}]}}")
    assert penstock("locks", "release", fid, "ask", *given).code == 0
    assert lock_of(tmp_path, fid).answer == answer


def test_a_candidate_may_come_from_a_file(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    (tmp_path / "answer.yaml").write_text("approved: true\n")
    assert penstock("locks", "release", fid, "--input", "@answer.yaml").code == 0
    assert lock_of(tmp_path, fid).answer == {"approved": True}


def test_a_run_begins_without_its_inputs_when_it_may_ask(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path)
    assert "waits at `expense`" in penstock("runs", "show", fid).err
    assert penstock("locks", "release", fid, "inputs", "--set", "amount=3").code == 0
    assert '"amount":3' in penstock("runs", "show", fid).out


def test_run_refuses_missing_inputs_unless_it_may_ask(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(EXPENSE)
    found = penstock("run", "flow.yaml")
    assert found.code == 2
    assert "`amount` is missing" in found.err


def test_a_run_shows_what_it_waits_for(penstock: Penstock, tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    shown = penstock("runs", "show", fid)
    assert "asks: Approve the expense?" in shown.out
    assert "waits at `Approve the expense?`: `penstock locks release" in shown.err
    (lock,) = json.loads(penstock("runs", "show", fid, "--json").out)["locks"]
    assert (lock["name"], lock["node"]) == ("approve", "approve")


def test_the_lines_of_a_run_tell_of_its_locks(stream: Stream) -> None:
    opened = {"lock": "l1", "name": "ok", "title": "All right?", "schema": None}
    reasons = [{"detail": "too small", "pointer": "/size"}]
    stream.add(1, "lock.opened", "ok", **opened)
    stream.add(2, "lock.candidate", "ok", lock="l1", id="c1", value=1, by="ada")
    stream.add(3, "lock.denied", "ok", lock="l1", id="c1", reasons=reasons)
    stream.add(4, "lock.candidate", "ok", lock="l1", id="c2", value=2, by="")
    stream.add(5, "lock.released", "ok", lock="l1", id="c2", value=2, by="bob")
    stream.add(6, "lock.opened", "", **{**opened, "lock": "l2", "title": ""})
    stream.add(7, "lock.expired", "", lock="l2", reason="timeout")
    record = RunRecord.fold(stream.events, fid="f1")
    words = [line(event, record) for event in stream.events[1:]]
    assert [found and found[0] for found in words] == [
        "asks: All right?; `penstock locks show f1 l1`",
        "a candidate by ada",
        "denied: too small",
        "a candidate",
        "released by bob",
        "asks: ok; `penstock locks show f1 l2`",
        "expired: nobody answered in time",
    ]
    assert fold_locks(stream.events)["l2"].state is LockState.EXPIRED


def test_the_shell_offers_runs_that_ask_and_their_locks(tmp_path: Path) -> None:
    fid = launch(tmp_path, amount=30)
    lock = lock_of(tmp_path, fid)
    app = App(environ={"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db"}, directory=tmp_path)
    context = command.make_context("penstock", ["version"], obj=app)
    parameter = context.command.params[0]
    assert [item.value for item in complete_locked(context, parameter, fid[:5])] == [fid]
    context.params["fid"] = fid
    found = complete_lock(context, parameter, "")
    assert [(item.value, item.help) for item in found] == [(lock.lid, "Approve the expense?")]
    assert complete_lock(context, parameter, "0") == []


def test_help_says_who_decides() -> None:
    found = CliRunner().invoke(command, ["locks", "release", "--help"])
    assert "Nobody else can deny a candidate" in " ".join(found.output.split())

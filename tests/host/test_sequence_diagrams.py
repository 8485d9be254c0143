"""What passes between a client, a host and a flow, arrow by arrow, with a host that is killed.

The arrows are those of the two sequence diagrams that the design began with: one of a run, and one of
a lock inside it. What goes by a registry there comes with the network.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.process import HostProcess

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

FLOW = """
import os
from typing import Annotated

import msgspec

from penstock import Candidate, Context, Denied, flow, step

class Verdict(msgspec.Struct):
    approved: bool
    reason: Annotated[str, msgspec.Meta(min_length=1)]

@step
def extract(document: str) -> list[str]:
    with open("extracted", "a") as file:
        file.write("once\\n")
    return document.split()

def check(candidate: Candidate) -> Verdict:
    if not candidate.value.approved:
        raise Denied("it has to be approved", pointer="/approved")
    return candidate.value

@flow
async def review(ctx: Context, document: str) -> dict:
    '''Look at a document, and let somebody decide.'''
    words = await ctx.step(extract, document)
    verdict = await ctx.lock(
        "approve", title="Approve it?", schema=Verdict, data={"words": words}, check=check
    )
    return {"words": words, "reason": verdict.reason}
"""


def frames(
    client: httpx.Client, fid: str, after: int = 0, *, until: str = "eof"
) -> list[dict[str, Any]]:
    """The events of a stream behind `after`, to the first of this type."""
    found: list[dict[str, Any]] = []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    with client.stream("GET", f"/{fid}/events", headers=headers) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if found[-1]["type"] == until:
                    return found
    raise AssertionError(f"the stream ended without `{until}`: {found}")


@pytest.mark.slow
def test_the_two_sequence_diagrams_arrow_by_arrow(tmp_path: Path) -> None:
    (tmp_path / "review.py").write_text(FLOW)
    with HostProcess(tmp_path, "--flows", "review.py") as first, first.client() as client:
        # The client chooses among the flows of the host …
        (listed,) = client.get("/api/v1/flows").json()["items"]
        assert (listed["name"], listed["status"]) == ("review", "ready")

        # … run flow; the host launches it, and its event stream begins …
        answer = client.post("/api/v1/flows/review/runs", json={"inputs": {"document": "to be or not"}})
        # … state response [fid]
        assert answer.status_code == 201
        launched = answer.json()
        fid = launched["fid"]
        assert launched["state"] in ("running", "waiting")

        # state request [fid], state response [fid]
        assert client.get(f"/{fid}").json()["flow"] == "review"

        # The flow sends a lock event: the host demands [lock].
        opened = frames(client, fid, until="lock.opened")
        assert [event["seq"] for event in opened] == list(range(1, len(opened) + 1))
        lid = opened[-1]["lock"]

        # flow state [fid], flow [lock]
        state = client.get(f"/{fid}").json()
        (lock,) = state["locks"]
        assert (lock["lid"], lock["name"], lock["state"]) == (lid, "approve", "open")
        assert client.get(f"/{fid}/result").status_code == 202

        # request release [lock], render demand [lock]: a schema to programs …
        demand = client.get(f"/{fid}/lock/{lid}", headers={"Accept": "application/json"}).json()
        assert demand["data"] == {"words": ["to", "be", "or", "not"]}
        assert set(demand["schema"]["properties"]) == {"approved", "reason"}
        # … and a form to people.
        form = client.get(f"/{fid}/lock/{lid}", headers={"Accept": "text/html"})
        assert form.headers["content-type"].startswith("text/html")
        assert "Approve it?" in form.text

        # submit candidate [lock], supply, deny, and the denial to the client; the lock stays.
        submit = f"/{fid}/lock/{lid}/candidate"
        denied = client.post(submit, json={"approved": False, "reason": "no"})
        assert (denied.status_code, denied.headers["content-type"]) == (422, "application/problem+json")
        assert denied.json()["errors"] == [{"pointer": "/approved", "detail": "it has to be approved"}]
        invalid = client.post(submit, json={"approved": True, "reason": ""})
        assert invalid.status_code == 422
        assert [error["pointer"] for error in invalid.json()["errors"]] == ["/reason"]
        assert client.get(f"/{fid}/lock/{lid}").json()["state"] == "open"

        # The host is killed while the flow waits, and what it knew is known again.
        before = client.get(f"/{fid}/events").json()["items"]
        first.kill()
    with first.again() as second, second.client() as client:
        assert client.get(f"/{fid}/events?limit=1000").json()["items"][: len(before)] == before
        assert [each["lid"] for each in client.get(f"/{fid}").json()["locks"]] == [lid]
        seen = before[-1]["seq"]

        # submit candidate [lock], supply, and release [lock]
        released = client.post(submit, json={"approved": True, "reason": "it is good"})
        assert released.status_code == 200
        assert released.json()["outcome"] == "released"
        assert client.post(submit, json={"approved": True, "reason": "again"}).status_code == 410

        # The flow closes the stream: who comes again sees the rest of it, once.
        rest = frames(client, fid, seen)
        types = [event["type"] for event in rest]
        assert types[-2:] == ["run.completed", "eof"]
        assert [event["seq"] for event in rest[:-1]] == list(range(seen + 1, seen + len(rest)))
        for expected in ("lock.candidate", "lock.released"):
            assert types.count(expected) == 1

        # state request [fid], state response [fid], after completion
        result = client.get(f"/{fid}/result")
        assert result.status_code == 200
        want = {"words": ["to", "be", "or", "not"], "reason": "it is good"}
        assert result.json()["result"] == want
        state = client.get(f"/{fid}").json()
        events = client.get(f"/{fid}/events?limit=1000").json()
        assert (state["state"], state["locks"], events["eof"]) == ("completed", [], True)
        second.kill()
    with second.again() as third, third.client() as client:
        # The host is killed once more: the same state and the same events are served.
        assert client.get(f"/{fid}").json() == state
        assert client.get(f"/{fid}/events?limit=1000").json() == events
        assert client.get(f"/{fid}/result").json()["result"] == want
        code, _ = third.stop()
        assert code == 0
    assert (tmp_path / "extracted").read_text() == "once\n"

"""A run's events over HTTP: as a stream, in pages, and over a websocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.watching import result_of, until
from tests.host.hosted import Hosted, hosted
from tests.host.talking import PATIENCE_SECONDS, Talk, listening, said, words
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from penstock.core.errors import NonDeterminism, StoreAway
from penstock.engine.loading import Loader
from penstock.engine.runtime import Runtime
from penstock.engine.stream import TAIL
from penstock.kinds import standard_scheme
from penstock.store.sqlite import SqliteStore
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
async def served(talk: Talk) -> AsyncIterator[Hosted]:
    async with hosted(flows=[talk.flow]) as made:
        yield made


async def page_of(client: httpx.AsyncClient, fid: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/runs/{fid}/events", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def dial(served: Hosted, fid: str, query: str = "", *, token: str | None = None) -> connect:
    url = f"{served.url.replace('http', 'ws', 1)}/api/v1/runs/{fid}/events{query}"
    token = served.token if token is None else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(url, proxy=None, additional_headers=headers)


async def messages(client: ClientConnection) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [json.loads(message) async for message in client]


# Streams.


async def test_a_stream_tells_all_of_an_ended_run_and_that_it_has_ended(
    served: Hosted, talk: Talk
) -> None:
    talk.say(*words(3), None)
    run = await talk.begin(served)
    await result_of(run)
    async with listening(served.admin, run.fid) as listener:
        assert listener.response.headers["content-type"].startswith("text/event-stream")
        assert listener.response.headers["cache-control"] == "no-store, no-transform"
        assert listener.response.headers["x-accel-buffering"] == "no"
        frames = await listener.rest()
    events = await served.events(run.fid)
    assert [json.loads(frame.data) for frame in frames[:-1]] == [event.to_mapping() for event in events]
    assert [frame.id for frame in frames[:-1]] == [str(event.seq) for event in events]
    assert [frame.event for frame in frames[:-1]] == [event.type for event in events]
    assert frames[0].retry == 1000
    assert (frames[-1].event, json.loads(frames[-1].data)) == ("eof", {"type": "eof"})
    assert frames[-1].id == frames[-2].id


async def test_a_stream_tells_each_event_when_it_happens(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    async with listening(served.admin, run.fid) as listener:
        while (await listener.next()).event != "node.started":
            pass
        for word in words(3):
            talk.say(word)
            assert json.loads((await listener.next()).data)["message"] == word
        talk.say(None)
        assert (await listener.rest())[-1].event == "eof"


@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_client_that_comes_again_goes_on_where_it_was(
    served: Hosted, talk: Talk, by: str
) -> None:
    talk.say(*words(10), None)
    run = await talk.begin(served)
    await result_of(run)
    last = (await run.row()).seq
    for seq in (1, 5, last - 1, last):
        # A browser that comes again repeats the address that it had, too.
        options: dict[str, Any] = (
            {"headers": {"Last-Event-ID": str(seq)}, "after": 1} if by == "header" else {"after": seq}
        )
        async with listening(served.admin, run.fid, **options) as listener:
            ids = [int(frame.id) for frame in (await listener.rest())[:-1]]
        assert ids == list(range(seq + 1, last + 1))


async def test_a_stream_may_be_of_some_types_and_nodes(served: Hosted, talk: Talk) -> None:
    talk.say(*words(2), None)
    run = await talk.begin(served)
    await result_of(run)

    async def types(**query: Any) -> list[str]:
        async with listening(served.admin, run.fid, **query) as listener:
            return [frame.event for frame in await listener.rest()]

    assert await types(type=["run.started", "run.completed"]) == ["run.started", "run.completed", "eof"]
    assert await types(type="run.") == ["run.started", "run.completed", "eof"]
    of_node = ["node.started", "node.message", "node.message", "node.completed", "eof"]
    assert await types(type="node.") == of_node
    assert await types(node="talk") == of_node
    assert await types(node=["talk", "other"], type="node.message") == ["node.message"] * 2 + ["eof"]
    assert await types(type="node") == ["eof"]


async def test_a_stream_without_following_ends_at_the_present(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    talk.say(*words(3))
    async with listening(served.admin, run.fid) as listener:
        while "word 2" not in (await listener.next()).data:
            pass
    async with listening(served.admin, run.fid, follow="false") as listener:
        frames = await listener.rest()
    assert said(frames) == words(3)
    assert frames[-1].event == "node.message"


async def test_a_slow_client_misses_nothing_and_holds_up_nobody(served: Hosted, talk: Talk) -> None:
    """What it has not read leaves memory meanwhile, and comes from the store."""
    run = await talk.begin(served)
    fat = "x" * 1000
    async with listening(served.admin, run.fid) as listener:
        assert (await listener.next()).id == "1"
        for _ in range(5 * TAIL // 512):
            talk.say(*[fat] * 512)
            await asyncio.sleep(0)
        talk.say(None)
        assert await result_of(run) == 5 * TAIL // 512 * 512
        frames = await listener.rest()
    ids = [int(frame.id) for frame in frames[:-1]]
    assert ids == list(range(2, (await run.row()).seq + 1))


async def test_events_are_made_once_for_all_who_follow(
    served: Hosted, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    from penstock.host.streams import transcript

    monkeypatch.setattr(
        transcript, "to_json", lambda flat: made.append(flat["seq"]) or json.dumps(flat).encode()
    )
    run = await talk.begin(served)
    heard: list[list[str]] = []

    async def listen(client: httpx.AsyncClient, **query: Any) -> None:
        async with listening(client, run.fid, **query) as listener:
            heard.append(said(await listener.rest()))

    listeners = [
        asyncio.create_task(listen(served.admin, **({"type": "node."} if number % 2 else {})))
        for number in range(10)
    ]
    await until(lambda: len(served.host.followings) == 10)
    talk.say(*words(50), None)
    await asyncio.wait_for(asyncio.gather(*listeners), PATIENCE_SECONDS)
    assert heard == [words(50)] * 10
    assert len(made) == len(set(made)) == (await run.row()).seq


async def test_a_silent_stream_is_heard_of(talk: Talk) -> None:
    clock = FakeClock()
    async with hosted(flows=[talk.flow], clock=clock, evict_after=10_000) as served:
        run = await talk.begin(served)
        async with served.admin.stream(
            "GET", f"/api/v1/runs/{run.fid}/events", headers={"Accept": "text/event-stream"}
        ) as answer:
            lines = answer.aiter_lines()
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await anext(lines) == "retry: 1000"
                while not (await anext(lines)).startswith("event: node.started"):
                    pass
                while await anext(lines):
                    pass
                for _ in range(3):
                    heartbeat = asyncio.ensure_future(anext(lines))
                    while not heartbeat.done():
                        clock.advance(1)
                        await asyncio.sleep(0.001)
                    assert await heartbeat == ":"
                before = clock.monotonic()
                talk.say("hello")
                while (line := await anext(lines)) == ":":
                    pass
                assert line.startswith("id: ")
                assert clock.monotonic() == before
        talk.say(None)


async def test_a_host_that_ends_cuts_streams_without_an_end_of_the_run(
    served: Hosted, talk: Talk
) -> None:
    run = await talk.begin(served)
    async with listening(served.admin, run.fid) as listener, dial(served, run.fid) as socket:
        await listener.next()
        await until(lambda: len(served.host.followings) == 2)
        served.host.retire()
        assert "eof" not in [frame.event for frame in await listener.rest()]
        assert {"type": "eof"} not in await messages(socket)
        assert socket.close_code == 1001
    assert len(served.host.followings) == 0
    talk.say(None)


async def test_a_client_that_leaves_is_forgotten(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    async with listening(served.admin, run.fid) as listener, dial(served, run.fid):
        await listener.next()
        await until(lambda: len(served.host.followings) == 2)
    await until(lambda: len(served.host.followings) == 0)
    assert not served.runtime.streams.followed
    talk.say(None)


async def test_a_stream_ends_when_who_reads_it_is_not_let_in_any_more(
    served: Hosted, talk: Talk
) -> None:
    guest = await served.user("guest", "view flow:talk", "view events:talk")
    run = await talk.begin(served)
    async with listening(guest, run.fid) as listener:
        while (await listener.next()).event != "node.started":
            pass
        await served.auth.users.change("guest", active=False)
        assert await listener.rest() == []
    talk.say(None)


async def test_a_run_that_another_process_executes_is_followed_as_well(
    talk: Talk, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    async with (
        hosted(flows=[talk.flow], store=SqliteStore(path, poll=0.01)) as served,
        Runtime(SqliteStore(path), loader=Loader(standard_scheme()), recover=False) as other,
    ):
        run = await other.launch(talk.flow)
        async with listening(served.admin, run.fid) as listener:
            assert (await listener.next()).event == "run.started"
            talk.say("hello")
            while (await listener.next()).event != "node.message":
                pass
            talk.say(None)
            assert (await listener.rest())[-1].event == "eof"
        async with dial(served, run.fid) as socket:
            assert len(await messages(socket)) == (await run.row()).seq + 1


async def test_a_run_that_cannot_go_on_is_followed_until_somebody_helps_it_to(
    served: Hosted, talk: Talk
) -> None:
    run = await talk.begin(served)
    async with listening(served.admin, run.fid) as listener, dial(served, run.fid) as socket:
        while (await listener.next()).event != "node.started":
            pass
        served.runtime.gave_up(run.fid, NonDeterminism("the flow has changed"))
        async with listening(served.admin, run.fid, after=1) as late:
            assert (await late.next()).event == "node.started"
        await served.runtime.resume(run.fid)
        talk.say(None)
        assert (await listener.rest())[-1].event == "eof"
        assert (await messages(socket))[-1] == {"type": "eof"}


async def test_a_store_that_cannot_be_read_cuts_streams(
    served: Hosted, talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    talk.say(*words(2), None)
    run = await talk.begin(served)
    await result_of(run)

    async def fail(*_: Any, **__: Any) -> list[Any]:
        raise StoreAway("the database does not answer")

    monkeypatch.setattr(served.runtime.store, "events", fail)
    async with listening(served.admin, run.fid) as listener:
        assert await listener.rest() == []
    async with dial(served, run.fid) as socket:
        with pytest.raises(ConnectionClosed, match="1013"):
            await messages(socket)
    answer = await served.admin.get(f"/api/v1/runs/{run.fid}/events")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:penstock:store-away")
    assert "the database does not answer" in caplog.text


# Pages.


async def test_pages_put_together_are_the_stream(served: Hosted, talk: Talk) -> None:
    talk.say(*words(30), None)
    run = await talk.begin(served)
    await result_of(run)
    found: list[dict[str, Any]] = []
    after, eof = 0, False
    while not eof:
        page = await page_of(served.admin, run.fid, after=after, limit=7)
        assert len(page["items"]) <= 7
        assert page["next"] == page["items"][-1]["seq"]
        found += page["items"]
        after, eof = page["next"], page["eof"]
    assert found == [event.to_mapping() for event in await served.events(run.fid)]
    assert await page_of(served.admin, run.fid, after=after) == {"items": [], "next": after, "eof": True}


async def test_a_page_of_some_types_goes_on_behind_what_it_left_out(served: Hosted, talk: Talk) -> None:
    talk.say(*words(5), None)
    run = await talk.begin(served)
    await result_of(run)
    page = await page_of(served.admin, run.fid, type="node.message", limit=2)
    assert [event["message"] for event in page["items"]] == words(2)
    assert not page["eof"]
    page = await page_of(served.admin, run.fid, type="node.message", after=page["next"])
    assert [event["message"] for event in page["items"]] == words(3, 2)
    assert page["eof"]
    assert page["next"] == (await run.row()).seq


async def test_a_page_of_a_run_that_goes_on_has_no_end(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    async with listening(served.admin, run.fid) as listener:
        while (await listener.next()).event != "node.started":
            pass
    page = await page_of(served.admin, run.fid)
    assert [event["type"] for event in page["items"]][:1] == ["run.started"]
    assert not page["eof"]
    again = await page_of(served.admin, run.fid, after=page["next"])
    assert again == {"items": [], "next": page["next"], "eof": False}
    talk.say(None)


async def test_a_page_may_wait_for_its_first_event(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    page = await page_of(served.admin, run.fid)
    waiting = asyncio.create_task(
        page_of(served.admin, run.fid, after=page["next"], wait=20, type="node.message")
    )
    await until(lambda: len(served.host.followings) == 1)
    talk.say("at last")
    page = await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    assert [event["message"] for event in page["items"]] == ["at last"]
    late = await page_of(served.admin, run.fid, after=page["next"], wait=0.01)
    assert late == {"items": [], "next": page["next"], "eof": False}
    talk.say(None)
    page = await page_of(served.admin, run.fid, after=page["next"], wait=20, type="run.completed")
    assert page["eof"]


# Websockets.


async def test_a_websocket_gives_a_message_for_each_event(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    async with dial(served, run.fid) as socket:
        talk.say(*words(3))
        for word in words(3):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while json.loads(await socket.recv()).get("message") != word:
                    pass
        talk.say(None)
        rest = await messages(socket)
        assert [message["type"] for message in rest][-2:] == ["run.completed", "eof"]
        assert socket.close_code == 1000
    async with dial(served, run.fid, "?after=1&type=node.&type=run.completed") as socket:
        found = await messages(socket)
    events = await served.events(run.fid)
    assert found[:-1] == [event.to_mapping() for event in events[1:]]


async def test_a_websocket_of_the_present_closes_when_all_is_told(served: Hosted, talk: Talk) -> None:
    run = await talk.begin(served)
    async with dial(served, run.fid, "?follow=false") as socket:
        found = await messages(socket)
        assert found[0]["type"] == "run.started"
        assert found[-1]["type"] != "eof"
        assert socket.close_code == 1000
    talk.say(None)


# Who may, and what is asked wrongly.


@pytest.mark.parametrize(
    ("query", "headers", "about"),
    [
        ("after=-1", {}, "?after"),
        ("after=x", {}, "?after"),
        ("limit=0", {}, "?limit"),
        ("limit=5&limit=6", {}, "?limit"),
        ("wait=1000", {}, "?wait"),
        ("sort=up", {}, ""),
        ("", {"Last-Event-ID": "soon"}, ""),
        ("", {"Last-Event-ID": "-5"}, ""),
    ],
)
async def test_what_is_asked_wrongly_is_said_clearly(
    served: Hosted, talk: Talk, query: str, headers: dict[str, str], about: str
) -> None:
    run = await talk.begin(served)
    answer = await served.admin.get(f"/api/v1/runs/{run.fid}/events?{query}", headers=headers)
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["detail"]
    assert not about or problem["errors"][0]["pointer"] == about
    talk.say(None)


async def test_who_may_not_see_a_run_gets_no_event_of_it(served: Hosted, talk: Talk) -> None:
    talk.say(None)
    run = await talk.begin(served)
    guest, nobody = await served.user("guest"), await served.client()
    url = f"/api/v1/runs/{run.fid}/events"
    for accept in ("application/json", "text/event-stream"):
        assert (await guest.get(url, headers={"Accept": accept})).status_code == 404
        assert (await nobody.get(url, headers={"Accept": accept})).status_code == 401
    for token, status in (
        (guest.headers["authorization"].removeprefix("Bearer "), 404),
        ("", 401),
        ("wrong", 401),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with dial(served, run.fid, token=token):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"{}")["status"] == status


async def test_a_page_of_another_origin_opens_no_websocket_with_a_session(
    served: Hosted, talk: Talk
) -> None:
    talk.say(None)
    run = await talk.begin(served)
    await served.user("ada", "view flow:talk", password="correct horse battery")
    browser = await served.client()
    entered = await browser.post(
        "/api/v1/session", json={"name": "ada", "password": "correct horse battery"}
    )
    assert entered.status_code in (200, 201), entered.text
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    url = f"{served.url.replace('http', 'ws', 1)}/api/v1/runs/{run.fid}/events"
    with pytest.raises(InvalidStatus, match="401"):
        async with connect(
            url, proxy=None, origin="http://elsewhere.test", additional_headers={"Cookie": cookie}
        ):
            pass


async def test_short_paths_lead_to_the_same_events(served: Hosted, talk: Talk) -> None:
    talk.say(None)
    run = await talk.begin(served)
    await result_of(run)
    long = await page_of(served.admin, run.fid)
    assert (await served.admin.get(f"/{run.fid}/events")).json() == long
    url = f"{served.url.replace('http', 'ws', 1)}/{run.fid}/events"
    headers = {"Authorization": f"Bearer {served.token}"}
    async with connect(url, proxy=None, additional_headers=headers) as socket:
        assert (await messages(socket))[:-1] == long["items"]

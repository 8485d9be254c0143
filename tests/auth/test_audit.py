from __future__ import annotations

import asyncio

import pytest

from penstock.auth.audit import KEPT_BACK, RETRY_SECONDS, SELDOM_SECONDS, Act, Outcome, Trail, who_of
from penstock.auth.principal import ANONYMOUS, Principal
from penstock.core.audit import AuditEntry
from penstock.core.errors import StoreAway
from penstock.core.store import Store
from penstock.testing.clock import FakeClock


@pytest.fixture
def trail(store: Store, clock: FakeClock) -> Trail:
    return Trail(store, clock=clock)


async def until_recorded(store: Store, count: int) -> None:
    async with asyncio.timeout(5):
        while len(await store.audits()) < count:  # noqa: ASYNC110 - a store tells nobody of its trail
            await asyncio.sleep(0)


async def recorded(store: Store) -> list[str]:
    return [f"{entry.who} {entry.action} {entry.subject}" for entry in reversed(await store.audits())]


async def test_what_is_recorded_is_there_at_once(trail: Trail, store: Store, clock: FakeClock) -> None:
    await trail.record(
        Act.LOGIN, who="ada", outcome=Outcome.REFUSED, address="192.0.2.1", detail="wrong"
    )
    (entry,) = await store.audits()
    assert entry == AuditEntry(
        at=clock.now(),
        who="ada",
        action="login",
        outcome="refused",
        address="192.0.2.1",
        detail="wrong",
        number=1,
    )


async def test_what_is_noted_is_written_together_and_in_order(trail: Trail, store: Store) -> None:
    for number in range(100):
        trail.note(Act.RUN_LAUNCH, who="ada", subject=str(number))
    assert await store.audits() == []
    keeping = asyncio.create_task(trail.keep())
    await until_recorded(store, 100)
    assert await recorded(store) == [f"ada run.launch {number}" for number in range(100)]
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_what_is_noted_last_is_written_at_the_end(trail: Trail, store: Store) -> None:
    keeping = asyncio.create_task(trail.keep())
    await asyncio.sleep(0)
    keeping.cancel()
    trail.note(Act.RUN_CANCEL, who="ada", subject="f1")
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert await recorded(store) == ["ada run.cancel f1"]


async def test_what_the_store_did_not_take_is_written_later(
    trail: Trail,
    store: Store,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = store.record_audit
    answers = iter([StoreAway("the server is away")])

    async def failing(entries: list[AuditEntry]) -> None:
        error = next(answers, None)
        if error is not None:
            raise error
        await record(entries)

    monkeypatch.setattr(store, "record_audit", failing)
    keeping = asyncio.create_task(trail.keep())
    trail.note(Act.RUN_LAUNCH, who="ada", subject="f1")
    await clock.scheduled()
    trail.note(Act.RUN_LAUNCH, who="ada", subject="f2")
    assert await store.audits() == []
    clock.advance(RETRY_SECONDS)
    await until_recorded(store, 2)
    assert await recorded(store) == ["ada run.launch f1", "ada run.launch f2"]
    assert "the server is away" in caplog.text
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_a_store_that_is_away_for_long_costs_no_more_memory(
    trail: Trail, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(KEPT_BACK + 3):
        trail.note(Act.DENIED, who="eve", subject=str(number))
    await trail.flush()
    assert len(await store.audits()) == KEPT_BACK
    assert "3 entries" in caplog.text


async def test_who_is_turned_away_again_and_again_fills_no_store(
    trail: Trail, store: Store, clock: FakeClock
) -> None:
    def denied(address: str, why: str = "no token") -> None:
        trail.note(Act.DENIED, who="anonymous", address=address, seldom=why)

    for _ in range(100):
        denied("192.0.2.1")
    denied("192.0.2.2")
    denied("192.0.2.1", "wrong page")
    await trail.flush()
    assert len(await store.audits()) == 3
    clock.advance(SELDOM_SECONDS)
    denied("192.0.2.1")
    await trail.flush()
    assert len(await store.audits()) == 4


async def test_what_somebody_else_sent_is_one_short_line(trail: Trail, store: Store) -> None:
    await trail.record(Act.LOGIN, who="eve\nada logged in" + "x" * 9000)
    (entry,) = await store.audits()
    assert "\n" not in entry.who
    assert len(entry.who) == 500


def test_the_trail_calls_people_by_their_names() -> None:
    assert who_of(Principal(id="u-1", name="ada")) == "ada"
    assert who_of(ANONYMOUS) == "anonymous"

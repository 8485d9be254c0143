"""What a host refuses is the error that the same thing raises without a host."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from tests.client.conftest import had
from tests.client.fake_host import FakeHost, problem

from penstock.client.effects import Answer
from penstock.client.failures import failure_of, problem_of
from penstock.core import errors
from penstock.core.reason import Reason

WRONG = [{"detail": "`price`: 9 is greater than 5", "pointer": "/inputs/price"}]

TABLE = [
    (401, "", errors.Unauthorized),
    (403, "forbidden", errors.Forbidden),
    (404, "", errors.HostError),
    (404, "run-not-found", errors.RunNotFound),
    (404, "entry-not-found", errors.EntryNotFound),
    (404, "lock-not-found", errors.LockNotFound),
    (409, "run-busy", errors.RunBusy),
    (409, "store-conflict", errors.StoreConflict),
    (409, "key-taken", errors.HostError),
    (410, "lock-closed", errors.LockClosed),
    (422, "candidate-invalid", errors.CandidateInvalid),
    (422, "document-error", errors.DocumentError),
    (422, "input-error", errors.InputError),
    (422, "payload-error", errors.PayloadError),
    (422, "something-of-a-later-version", errors.HostError),
    (500, "", errors.HostError),
    (503, "store-away", errors.HostError),
    (504, "lock-undecided", errors.LockUndecided),
]


@pytest.mark.parametrize(("status", "kind", "expected"), TABLE)
def test_each_problem_has_its_error(status: int, kind: str, expected: type[Exception]) -> None:
    body = {"title": "T", "status": status, "detail": "what happened", "remedy": "do this"}
    if kind:
        body["type"] = f"urn:penstock:{kind}"
    found = failure_of(problem_of(_answer(status, body)))
    assert type(found) is expected
    assert "what happened" in str(found)
    assert found.remedy in ("do this", "") or isinstance(found, errors.Unauthorized)


def test_what_a_host_refuses_keeps_its_name_and_places() -> None:
    body = {
        "title": "",
        "status": 409,
        "detail": "no",
        "type": "urn:penstock:key-taken",
        "errors": WRONG,
    }
    found = failure_of(problem_of(_answer(409, body)))
    assert isinstance(found, errors.HostError)
    assert (found.status, found.kind) == (409, "key-taken")
    assert found.faults == (("/inputs/price", WRONG[0]["detail"]),)


def test_who_is_not_known_is_told_how_to_say_who_they_are() -> None:
    found = failure_of(problem_of(_answer(401, {"title": "Unauthorized", "status": 401})))
    assert "PENSTOCK_TOKEN" in found.remedy
    assert "penstock login" in found.remedy


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status": "many"}', b"[]"])
def test_an_error_of_something_before_the_host_is_told_by_its_status(body: bytes) -> None:
    for kind in ("text/html", "application/problem+json"):
        found = failure_of(problem_of(Answer(502, httpx2.Headers({"content-type": kind}), body)))
        assert isinstance(found, errors.HostError)
        assert found.message == "the host answered 502"


def test_an_address_that_has_moved_is_told_and_not_followed() -> None:
    moved = Answer(301, httpx2.Headers({"location": "https://host.test/api/v1/flows"}))
    found = failure_of(problem_of(moved))
    assert "the host answered 301" in str(found)
    assert "https://host.test/api/v1/flows" in found.remedy


async def test_inputs_that_do_not_fit_are_named_with_their_places(host: FakeHost, client: Any) -> None:
    text = "the inputs do not fit flow `shop`:\n  - `price`: 9 is greater than 5"
    host.answers("POST", "/flows/shop/runs", problem(422, text, kind="input-error", errors=WRONG))
    with pytest.raises(errors.InputError) as caught:
        await had(client.launch("shop", {"price": 9}))
    assert caught.value.flow == "shop"
    assert caught.value.problems == ("`price`: 9 is greater than 5",)
    assert caught.value.paths == (("price",),)
    assert str(caught.value) == text


async def test_all_problems_of_a_document_come_back(host: FakeHost, client: Any) -> None:
    faults = [
        {"detail": "no kind `snipet`", "pointer": "/documents/0/nodes/1/kind", "remedy": "`snippet`?"},
        {"detail": "is missing", "pointer": "/documents/0/a~1b~0c"},
    ]
    host.answers("POST", "/apply", problem(422, "two", kind="document-error", errors=faults))
    with pytest.raises(errors.DocumentError, match=re.escape("nodes[1].kind: no kind")) as caught:
        await had(client.apply({"flow": "zen"}))
    assert [found.path for found in caught.value.problems] == [
        ("documents", 0, "nodes", 1, "kind"),
        ("documents", 0, "a/b~c"),
    ]
    assert caught.value.problems[0].hint == "`snippet`?"


async def test_a_candidate_that_does_not_fit_says_where(host: FakeHost, client: Any) -> None:
    faults = [{"detail": "9 is greater than 5", "pointer": "/price"}]
    host.answers(
        "POST", "/runs/f1/lock/l1/candidate", problem(422, "no", kind="candidate-invalid", errors=faults)
    )
    with pytest.raises(errors.CandidateInvalid) as caught:
        await had(client.run("f1").submit("l1", {"price": 9}))
    assert caught.value.reasons == (Reason("9 is greater than 5", "/price"),)


def _answer(status: int, body: dict[str, Any]) -> Answer:
    headers = httpx2.Headers({"content-type": "application/problem+json; charset=utf-8"})
    return Answer(status, headers, json.dumps(body).encode())

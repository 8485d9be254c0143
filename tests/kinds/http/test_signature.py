"""Signatures of webhooks, against those that the services themselves document."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from tests.kinds.http.fakes import request

from penstock.core.duration import Duration
from penstock.core.errors import RequestRefused
from penstock.engine.kind import FieldError
from penstock.kinds.http.signature import Signature

NOW = 1_800_000_000.0
BODY = b"Hello, World!"
SECRET = "It's a Secret to Everybody"
GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""From GitHub's documentation, for this secret and this body."""


def verdict(signature: Signature, header: str, value: str | None, body: bytes = BODY) -> str:
    """What is said against a request; empty when it is let through."""
    asked = request("POST", headers={} if value is None else {header: value}, body=body)
    try:
        signature.verify(asked, body, now=NOW)
    except RequestRefused as refusal:
        return f"{refusal.status}: {refusal.message}"
    return ""


def github(value: str | None, secret: str | list[str] = SECRET) -> str:
    return verdict(Signature(secret=secret), "X-Hub-Signature-256", value)


def stripe(at: str, secret: str = SECRET, body: bytes = BODY, **more: Any) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    value = f"t={at},v0=old,v1={'0' * 64},v1={digest}"
    return verdict(Signature(secret=SECRET, scheme="stripe", **more), "Stripe-Signature", value)


def test_what_github_signs_is_let_through() -> None:
    assert github(GITHUB) == ""


def test_any_of_several_secrets_is_right() -> None:
    assert github(GITHUB, ["new", SECRET]) == ""
    assert github(GITHUB, ["new", "newer"]).startswith("401")


@pytest.mark.parametrize(
    "value",
    [
        GITHUB[:-1] + "8",
        GITHUB.removeprefix("sha256="),
        GITHUB.replace("sha256", "sha1"),
        GITHUB[:-1],
        "sha256=",
        "sha256=zz",
        "sha256=é",
        "nonsense",
    ],
)
def test_another_signature_is_refused(value: str) -> None:
    assert github(value) == "401: the signature is not that of this body and our secret"


def test_another_body_is_refused() -> None:
    signature = Signature(secret=SECRET)

    assert verdict(signature, "X-Hub-Signature-256", GITHUB, b"Hello, World?").startswith("401")


@pytest.mark.parametrize("value", [None, "", " "])
def test_no_signature_is_refused(value: str | None) -> None:
    assert "`x-hub-signature-256` is missing" in github(value)


@pytest.mark.parametrize("at", ["1800000000", "1799999700", "1800000300"])
def test_what_stripe_signs_is_let_through_for_five_minutes(at: str) -> None:
    assert stripe(at) == ""


@pytest.mark.parametrize("at", ["1799999699", "1800000301", "0"])
def test_what_was_signed_long_ago_is_refused(at: str) -> None:
    assert stripe(at) == "401: the signature is too old, or one of our clocks is wrong"


def test_the_tolerance_can_be_chosen() -> None:
    assert stripe("1799999000", tolerance=Duration(hours=1)) == ""


@pytest.mark.parametrize("at", ["", "x", "-1", "1e9", "²", "9" * 400])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    assert "no time" in stripe(at) or "latin-1" in stripe(at)


def test_another_secret_or_time_is_refused() -> None:
    assert stripe("1800000000", secret="another").startswith("401")
    digest = hmac.new(SECRET.encode(), b"1800000000." + BODY, "sha256").hexdigest()
    signature = Signature(secret=SECRET, scheme="stripe")
    assert verdict(signature, "Stripe-Signature", f"t=1800000001,v1={digest}").startswith("401")
    assert verdict(signature, "Stripe-Signature", f"t=1800000000,t=1,v1={digest}").startswith("401")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha384", "sha512"])
def test_plain_digests_are_let_through(algorithm: Any) -> None:
    digest = hmac.new(SECRET.encode(), BODY, getattr(hashlib, algorithm)).digest()
    plain = Signature(secret=SECRET, scheme="hex", header="X-Sign", algorithm=algorithm)
    coded = Signature(secret=SECRET, scheme="base64", header="X-Sign", algorithm=algorithm)

    assert verdict(plain, "x-sign", digest.hex()) == ""
    assert verdict(coded, "x-sign", base64.b64encode(digest).decode()) == ""
    assert verdict(coded, "x-sign", digest.hex()).startswith("401")
    assert verdict(coded, "x-sign", "!!!!").startswith("401")


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"secret": ""}, "secret"),
        ({"secret": []}, "secret"),
        ({"secret": ["a", ""]}, "secret"),
        ({"secret": "a", "scheme": "hex"}, "header"),
        ({"secret": "a", "algorithm": "sha512"}, "algorithm"),
    ],
)
def test_what_cannot_protect_is_a_mistake(config: dict[str, Any], place: str) -> None:
    with pytest.raises(FieldError) as caught:
        Signature(**config).check()
    assert caught.value.path == ("signature", place)

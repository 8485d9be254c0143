"""Retry policies and settings, as the flow engine writes them."""

from __future__ import annotations

from typing import Final

from penstock.core.duration import Duration
from penstock.core.policies import Backoff, Record, Retry
from penstock.core.spec import Settings
from penstock.document.fields import Fields
from penstock.document.policies import read_on_error

_UNITS: Final = {"": 1.0, "_ms": 0.001, "_millis": 0.001, "_seconds": 1.0, "_secs": 1.0}
_NO_CAP: Final = Duration(days=365)


def read_retry_policy(fields: Fields, name: str) -> Retry | None:
    """A retry policy. Its defaults are the flow engine's, which differ from ours."""
    value = fields.data.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        attempts = fields.whole(name, least=1, most=1_000_000)
        return None if attempts is None else Retry(attempts=attempts)
    policy = Fields(value, fields.at(name), fields.findings)
    retries = policy.whole("max_retries", "retries", least=0, most=999_999)
    attempts = policy.whole("max_attempts", "attempts", least=1, most=1_000_000)
    uncapped = "max_delay_ms" in policy.data and policy.data["max_delay_ms"] is None
    delay = read_span(policy, "delay", "initial_delay", "base_delay", "backoff")
    cap = read_span(policy, "max_delay", "max_backoff")
    retry = Retry(
        attempts=attempts or (3 if retries is None else retries + 1),
        delay=Duration(seconds=1) if delay is None else delay,
        backoff=policy.choice("backoff", Backoff) or Backoff.EXPONENTIAL,
        factor=policy.number("backoff_multiplier", "multiplier", "factor", least=1) or 2.0,
        max_delay=(_NO_CAP if uncapped else Duration(minutes=1)) if cap is None else cap,
        jitter=policy.number("jitter", least=0, most=1) or 0.0,
        unless=() if policy.flag("retry_on_timeout", default=True) else ("timeout",),
    )
    policy.close()
    return retry


def read_json_settings(fields: Fields) -> Settings:
    on_error = read_on_error(fields.take("on_error"), fields.at("on_error"), fields.findings)
    timeout = read_span(fields, "max_execution_time", "timeout", "execution_timeout")
    settings = {
        "timeout": timeout,
        "max_parallel": fields.whole("max_parallel_nodes", "max_parallel", "max_concurrency", least=1),
        "on_error": on_error,
        "record": fields.choice("record", Record),
    }
    fields.close()
    return Settings(**{name: value for name, value in settings.items() if value is not None})  # type: ignore[arg-type]


def read_span(fields: Fields, *stems: str) -> Duration | None:
    """A length of time whose field's name may end in its unit; a bare number means seconds."""
    spellings = {f"{stem}{unit}": seconds for stem in stems for unit, seconds in _UNITS.items()}
    spellings.pop("backoff", None)
    name, value = fields.first(*spellings)
    return fields.convert(name, value, spellings[name])

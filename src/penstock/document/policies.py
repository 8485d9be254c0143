"""Retry, error and run policies, as documents write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import DocumentError
from penstock.core.policies import Backoff, OnError, Record, Retry, Strategy, WorkerLimits
from penstock.core.problems import nearest, suggest
from penstock.core.size import FORMS, parse_size
from penstock.core.spec import Settings
from penstock.core.store import INLINE
from penstock.document.fields import Fields
from penstock.document.findings import Findings, describe

if TYPE_CHECKING:
    from penstock.core.problems import Path

_MOST_ATTEMPTS: Final = 1_000_000

SPELLINGS: Final = {
    "stop": Strategy.STOP,
    "continue": Strategy.CONTINUE,
    "retry": Strategy.RETRY,
    "StopWorkflow": Strategy.STOP,
    "ContinueOnError": Strategy.CONTINUE,
    "RetryWorkflow": Strategy.RETRY,
}
"""Names of the strategies: ours and the flow engine's. Case and underscores do not matter."""


def read_retry(value: Any, path: Path, findings: Findings) -> Retry | None:
    """`3`, or a mapping with the fields of `Retry`."""
    if value is None:
        return None
    if not isinstance(value, dict):
        attempts = Fields({"retry": value}, path[:-1], findings).whole(
            "retry", least=1, most=_MOST_ATTEMPTS
        )
        return None if attempts is None else Retry(attempts=attempts)
    fields = Fields(value, path, findings)
    given = {
        "attempts": fields.whole("attempts", least=1, most=_MOST_ATTEMPTS),
        "delay": fields.duration("delay"),
        "backoff": fields.choice("backoff", Backoff),
        "factor": fields.number("factor", least=1),
        "max_delay": fields.duration("max_delay"),
        "jitter": fields.number("jitter", least=0, most=1),
        "on": fields.texts("on") or None,
        "unless": fields.texts("unless") or None,
    }
    fields.close(hints={"max_attempts": "did you mean `attempts`?"})
    return Retry(**{name: item for name, item in given.items() if item is not None})  # type: ignore[arg-type]


def read_settings(fields: Fields) -> Settings:
    """The settings of a flow."""
    executor, worker = read_executor(fields)
    given = {
        "timeout": fields.duration("timeout"),
        "max_parallel": fields.whole("max_parallel", least=1),
        "on_error": read_on_error(fields.take("on_error"), fields.at("on_error"), fields.findings),
        "record": fields.choice("record", Record),
        "executor": executor or None,
        "worker": worker,
    }
    fields.close()
    return Settings(**{name: item for name, item in given.items() if item is not None})  # type: ignore[arg-type]


def read_executor(fields: Fields) -> tuple[str, WorkerLimits | None]:
    """An executor's name, or a mapping that adds what a worker process may use.

    The mapping is `{kind: subprocess, memory: 512MiB, timeout: 60s, retries: 1}`.
    """
    value = fields.data.get("executor")
    if value is None or isinstance(value, str):
        return fields.name("executor"), None
    inner = Fields.of(
        fields.take("executor"),
        fields.at("executor"),
        fields.findings,
        "the name of an executor (inline or subprocess) or a mapping",
    )
    if inner.data and inner.lacks("kind"):
        inner.missing("kind", hint="name the executor, as in `kind: subprocess`")
    name = inner.name("kind")
    given = {
        "memory_bytes": _size(inner, "memory"),
        "timeout": inner.duration("timeout"),
        "retries": inner.whole("retries", least=0),
    }
    inner.close(hints={"name": "did you mean `kind`?"})
    limits = {field: item for field, item in given.items() if item is not None}
    if name == INLINE and limits:
        field = min(limits).removesuffix("_bytes")
        hint = "say `kind: subprocess`, or leave it out"
        inner.report(field, "an inline run has no worker to limit", hint=hint)
    return name, WorkerLimits(**limits)  # type: ignore[arg-type]


def executor_of(value: str | Mapping[str, Any]) -> tuple[str, WorkerLimits]:
    """The same for a flow in Python. Raises DocumentError."""
    findings = Findings()
    given = value if isinstance(value, str) else dict(value)
    name, worker = read_executor(Fields({"executor": given}, (), findings))
    if findings.problems:
        raise DocumentError(findings.problems)
    return name or INLINE, worker or WorkerLimits()


def _size(fields: Fields, name: str) -> int | None:
    value = fields.take(name)
    if value is None:
        return None
    try:
        return parse_size(value)
    except ValueError:
        fields.findings.expected("a size", value, fields.at(name), hint=f"write {FORMS}")
        return None


def read_on_error(value: Any, path: Path, findings: Findings) -> OnError | None:
    """A strategy's name, or a mapping that adds how often and how soon.

    The mapping is `{strategy: retry, max_retries: 3, delay: 1s}`, or in the flow engine's
    shapes `{type: RetryWorkflow, max_retries: 3}` and `{RetryWorkflow: {max_retries: 3}}`.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _strategy(value, path, findings)
    fields = Fields.of(value, path, findings, "a strategy (stop, continue or retry) or a mapping")
    outer = [key for key in fields.data if _meaning(key)]
    if len(outer) == len(fields.data) == 1:
        name, at = outer[0], (*path, outer[0])
        fields = Fields.of(fields.data[name], at, findings)
    elif fields.data:
        field, found = fields.first("strategy", "type")
        at = fields.at(field)
        name = fields.text(field)
        if found is None:
            fields.missing("strategy", hint="allowed: " + ", ".join(Strategy))
    else:
        return None
    on_error = _strategy(name, at, findings) if name else None
    retries = fields.whole("max_retries", least=0)
    attempts = fields.whole("max_attempts", least=1) if "max_attempts" in fields.data else None
    delay = fields.duration("delay")
    if delay is None and "delay_ms" in fields.data:
        delay = fields.convert("delay_ms", fields.take("delay_ms"), 0.001)
    fields.close()
    if on_error is None:
        return None
    if retries is None and attempts is not None:
        retries = attempts - 1
    given = {"max_retries": retries, "delay": delay}
    return OnError(
        strategy=on_error.strategy,
        **{name: item for name, item in given.items() if item is not None},  # type: ignore[arg-type]
    )


def _strategy(name: str, path: Path, findings: Findings) -> OnError | None:
    found = _meaning(name)
    if found is None:
        message = f"found {describe(name)}, which is no error strategy"
        near = nearest(name, SPELLINGS)
        hint = f"did you mean `{near}`?" if near else suggest(name, list(Strategy))
        findings.report(message, path, hint=hint)
        return None
    return OnError(strategy=found)


def _meaning(name: str) -> Strategy | None:
    plain = _plain(name)
    return next(
        (strategy for spelling, strategy in SPELLINGS.items() if _plain(spelling) == plain), None
    )


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()

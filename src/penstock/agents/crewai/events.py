"""What the framework tells on its event bus, as `agent.*` events of a run.

`agent.action` says what somebody sets out to do, `agent.result` what came of it, and
`agent.final` is the answer of the whole. `of` tells what it is about: a `crew`, a `task`, an
`agent`, a `tool`, an `llm`, a `flow` or a `method`, among others. Prompts are left out: they
repeat the whole conversation each time, and the answers tell what it was about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.agents.crewai.framework import load
from penstock.core.errors import PayloadError
from penstock.core.events import EventType
from penstock.core.payload import Payload, normalise

if TYPE_CHECKING:
    from penstock.agents.crewai.session import Session

ACTION, RESULT, FINAL = EventType.AGENT_ACTION, EventType.AGENT_RESULT, EventType.AGENT_FINAL


class _Form(NamedTuple):
    """How one of the framework's events is told. fields: ours → the attribute that has it."""

    type: EventType
    of: str
    fields: Mapping[str, str] = {}


_FORMS: Final[Mapping[str, _Form]] = {
    "crew_kickoff_started": _Form(ACTION, "crew", {"crew": "crew_name"}),
    "crew_kickoff_completed": _Form(
        FINAL, "crew", {"crew": "crew_name", "output": "output", "tokens": "total_tokens"}
    ),
    "crew_kickoff_failed": _Form(RESULT, "crew", {"crew": "crew_name", "error": "error"}),
    "task_started": _Form(ACTION, "task"),
    "task_completed": _Form(RESULT, "task", {"output": "output"}),
    "task_failed": _Form(RESULT, "task", {"error": "error"}),
    "agent_execution_started": _Form(ACTION, "agent"),
    "agent_execution_completed": _Form(RESULT, "agent", {"output": "output"}),
    "agent_execution_error": _Form(RESULT, "agent", {"error": "error"}),
    "lite_agent_execution_started": _Form(ACTION, "agent"),
    "lite_agent_execution_completed": _Form(RESULT, "agent", {"output": "output"}),
    "lite_agent_execution_error": _Form(RESULT, "agent", {"error": "error"}),
    "tool_usage_started": _Form(ACTION, "tool", {"tool": "tool_name", "arguments": "tool_args"}),
    "tool_usage_finished": _Form(
        RESULT, "tool", {"tool": "tool_name", "output": "output", "cached": "from_cache"}
    ),
    "tool_usage_error": _Form(RESULT, "tool", {"tool": "tool_name", "error": "error"}),
    "tool_failure_detected": _Form(RESULT, "tool", {"tool": "tool_name", "error": "failure"}),
    "llm_call_started": _Form(ACTION, "llm", {"model": "model"}),
    "llm_call_completed": _Form(
        RESULT, "llm", {"model": "model", "output": "response", "tokens": "usage"}
    ),
    "llm_call_failed": _Form(RESULT, "llm", {"model": "model", "error": "error"}),
    "flow_started": _Form(ACTION, "flow", {"flow": "flow_name"}),
    "flow_finished": _Form(FINAL, "flow", {"flow": "flow_name", "output": "result"}),
    "flow_failed": _Form(RESULT, "flow", {"flow": "flow_name", "error": "error"}),
    "method_execution_started": _Form(ACTION, "method", {"method": "method_name"}),
    "method_execution_finished": _Form(RESULT, "method", {"method": "method_name", "output": "result"}),
    "method_execution_failed": _Form(RESULT, "method", {"method": "method_name", "error": "error"}),
}

_FAMILIES: Final = (
    "agent_reasoning", "knowledge_query", "knowledge_retrieval", "llm_guardrail", "mcp_connection",
    "mcp_tool_execution", "memory_query", "memory_retrieval", "memory_save",
)  # fmt: skip
"""What else begins and ends, and is told by its name alone."""

_ENDINGS: Final = ("_completed", "_failed", "_error", "_finished")


@contextmanager
def told(session: Session, *, names: Mapping[str, str]) -> Iterator[None]:
    """A section whose framework events go to the run's stream, in order, as they happen.

    names: what the run calls a task, by the framework's id of it. The bus hands each event to
    the sinks of the context that it happens in, so that runs beside each other do not mix.
    Raises Stopped out of whatever the framework does next when the run is being stopped.
    """
    streams = load("crewai.events.stream_context")

    def sink(source: Any, event: Any) -> None:
        session.check()
        if session.over:  # a thread that the framework has left behind
            return
        found = _told(source, event, names)
        if found is not None:
            type_, fields = found
            session.reporter.emit(type_, **fields)

    shown = load("crewai.events.utils.console_formatter")
    token = streams.add_stream_sink(sink)
    # What the framework would draw at the terminal is what these events say.
    shown.set_suppress_console_output(True)
    try:
        yield
    finally:
        shown.set_suppress_console_output(False)
        streams.reset_stream_sinks(token)


def _told(source: Any, event: Any, names: Mapping[str, str]) -> tuple[EventType, dict[str, Any]] | None:
    form = _FORMS.get(event.type) or _family(event.type)
    if form is None or _is_internal(source, form):
        return None
    fields: dict[str, Any] = {"of": form.of}
    about = getattr(event, "task", None)
    task = names.get(event.task_id or str(getattr(about, "id", ""))) or event.task_name
    if task:
        fields["task"] = task
    agent = event.agent_role or getattr(getattr(event, "agent", None), "role", None)
    agent = agent or getattr(event, "agent_info", {}).get("role")
    if agent:
        fields["agent"] = agent
    for name, attribute in form.fields.items():
        value = _VALUES.get(name, _shown)(getattr(event, attribute, None))
        if value is not None:
            fields[name] = value
    return form.type, fields


def _family(name: str) -> _Form | None:
    for family in _FAMILIES:
        if name == f"{family}_started":
            return _Form(ACTION, family)
        if name.startswith(family) and name.endswith(_ENDINGS):
            return _Form(RESULT, family, {"error": "error"})
    return None


def _is_internal(source: Any, form: _Form) -> bool:
    """Whether it is about a flow that the framework is made of: an agent executes as one."""
    return form.of in ("flow", "method") and type(source).__module__.partition(".")[0] == "crewai"


def _shown(value: Any) -> Payload:
    """A value as a payload; an answer as its text, and what has no such form as its `repr`."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    raw = getattr(value, "raw", None)
    if isinstance(raw, str):
        return raw
    try:
        return normalise(value)
    except PayloadError:
        return repr(value)


def _tokens(value: Any) -> Payload:
    """How many tokens were used: prompt, completion and total where the model tells."""
    if not isinstance(value, Mapping):
        return {"total": value} if value else None
    kinds = ("prompt", "completion", "total")
    return {kind: value[f"{kind}_tokens"] for kind in kinds if value.get(f"{kind}_tokens") is not None}


def _if_so(value: Any) -> Payload:
    return True if value else None


def _text_or_data(value: Any) -> Payload:
    import json

    if isinstance(value, str) and value[:1] == "{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return _shown(value)


_VALUES: Final[Mapping[str, Callable[[Any], Payload]]] = {
    "tokens": _tokens,
    "cached": _if_so,
    "arguments": _text_or_data,
}

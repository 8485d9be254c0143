"""The methods of the framework's flows as steps of a run, and what such a flow asks of people.

What a method returns and the state that it leaves are journaled together, so that a run which
goes on finds both. That takes values that JSON can say, and pydantic models; a method with
another result runs again when the run does.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import PayloadError
from penstock.core.payload import Payload, normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.agents.crewai.session import Session

_PLAIN: Final = (type(None), bool, int, float, str)
_TEXT: Final = {"type": "string"}
_ANSWER: Final = {
    "type": "object",
    "properties": {"answer": {**_TEXT, "title": "Answer"}},
    "required": ["answer"],
}


def journal_methods(flow: Any, session: Session) -> None:
    """Let each method of a flow be a step, and each question a lock."""
    journal = _Methods(flow, session)
    for name, method in list(flow._methods.items()):
        flow._methods[name] = journal.wrapped(str(name), method)
    people = _People(session, journal)
    # A flow is a pydantic model, which takes nothing but its fields by plain assignment.
    object.__setattr__(flow, "_request_human_feedback", people.feedback)
    object.__setattr__(flow, "_collapse_to_outcome", people.outcome)
    if flow.input_provider is None:
        flow.input_provider = people


def state_id(fid: str) -> str:
    """The id of a flow's state: the same whenever the run goes on."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, fid))


class _Methods:
    """Executes the methods of one flow. ended: how many have, which orders the states they left."""

    def __init__(self, flow: Any, session: Session) -> None:
        self._flow = flow
        self._session = session
        self._times: Counter[str] = Counter()
        self._ended = 0
        self._restored = 0

    def wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def journaled(*args: Any, **kwargs: Any) -> Any:
            self._times[name] += 1
            step = self.step_of(name)
            done: list[Any] = []

            async def work() -> Payload:
                done.append(await _call(method, *args, **kwargs))
                self._ended += 1
                return self._recorded(done[0])

            payload = await self._session.step_async(step, work)
            if done:
                return done[0]
            if payload["again"]:
                return await _call(method, *args, **kwargs)
            self._restore(payload)
            return _revived(payload["result"], payload["model"])

        return journaled

    def step_of(self, name: str) -> str:
        """The step that a method is, or was when it ran last."""
        times = self._times[name]
        return name if times == 1 else f"{name}.{times}"

    def _recorded(self, result: Any) -> Payload:
        """What the journal keeps; `again` where that would not be what the method gave."""
        try:
            value, model = _kept(result)
            state = _kept(self._flow._copy_and_serialize_state())[0]
        except PayloadError:
            return {"result": _brief(result), "again": True}
        return {"result": value, "model": model, "state": state, "ended": self._ended, "again": False}

    def _restore(self, payload: Mapping[str, Any]) -> None:
        # Methods that ran beside each other: what the last of them left is what counts.
        self._ended = max(self._ended, payload["ended"])
        if payload["ended"] > self._restored:
            self._restored = payload["ended"]
            self._flow._restore_state(payload["state"])


class _People:
    """Asks people by locks: what `Flow.ask` and `@human_feedback` would ask at the terminal."""

    def __init__(self, session: Session, journal: _Methods) -> None:
        self._session = session
        self._journal = journal
        self._asked: Counter[str] = Counter()
        self._outcomes: dict[str, str] = {}

    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> str:
        """The answer to a question of a method. The framework's word for it."""
        del flow
        inside = self._session.step_here
        self._asked[inside] += 1
        answer = self._session.lock(
            "ask",
            inside=inside,
            number=self._asked[inside],
            schema=_ANSWER,
            title=message,
            data=metadata or None,
        )
        return str(answer["answer"])

    def feedback(
        self,
        message: str,
        output: Any,
        metadata: dict[str, Any] | None = None,
        emit: Sequence[str] | None = None,
        method_name: str = "",
    ) -> str:
        """What a person says of the output of a method, and where it goes on if they choose."""
        del metadata
        properties: dict[str, Any] = {"feedback": {**_TEXT, "title": "Feedback", "default": ""}}
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if emit:
            properties["outcome"] = {**_TEXT, "title": "Outcome", "enum": list(emit)}
            schema["required"] = ["outcome"]
        answer = self._session.lock(
            "feedback",
            inside=self._journal.step_of(method_name),
            number=1,
            schema=schema,
            title=message,
            data=_brief(output),
        )
        text = str(answer.get("feedback", "")).strip()
        if not emit:
            return text
        told = text or str(answer["outcome"])
        self._outcomes[told] = str(answer["outcome"])
        return told

    def outcome(self, feedback: str, outcomes: Sequence[str], llm: Any) -> str:
        """The outcome that the person chose: no model needs to guess it from the words."""
        del llm
        return self._outcomes.get(feedback, outcomes[0])


async def _call(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method as the framework does: a plain one on a thread."""
    if asyncio.iscoroutinefunction(method):
        return await method(*args, **kwargs)
    variables = contextvars.copy_context()
    result = await asyncio.to_thread(variables.run, method, *args, **kwargs)
    return await result if asyncio.iscoroutine(result) else result


def _kept(value: Any) -> tuple[Payload, str]:
    """A value as the journal keeps it, and the model that it is made again with, if it was one.

    Raises PayloadError for what could not be made again.
    """
    if hasattr(value, "model_validate"):
        kind = type(value)
        model = f"{kind.__module__}:{kind.__qualname__}"
        if _model(model) is not kind:
            raise PayloadError(f"`{model}` could not be found again")
        return value.model_dump(mode="json"), model
    if not _is_plain(value):
        raise PayloadError(f"a value of type `{type(value).__name__}` could not be made again")
    return normalise(value), ""


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) in _PLAIN


def _revived(value: Payload, model: str) -> Any:
    """The value that was kept. Raises PayloadError when its model is no longer there."""
    if not model:
        return value
    kind = _model(model)
    if kind is None:
        raise PayloadError(
            f"a result of this run was a `{model}`, which is no longer there",
            remedy="put it back, or start a new run",
        )
    return kind.model_validate(value)


def _model(reference: str) -> Any:
    module, _, path = reference.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _brief(value: Any) -> Payload:
    """A value for people to look at."""
    raw = getattr(value, "raw", None)
    if isinstance(raw, str):
        return raw
    try:
        return normalise(value)
    except PayloadError:
        return repr(value)

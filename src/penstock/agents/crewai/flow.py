"""A crew, or a flow of the framework, as one of our flows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from penstock.agents.crewai.events import told
from penstock.agents.crewai.framework import load
from penstock.agents.crewai.methods import journal_methods, state_id
from penstock.agents.crewai.session import Session
from penstock.agents.crewai.tasks import journal_tasks, step_names
from penstock.core.payload import Payload
from penstock.core.spec import DEFAULT_NAMESPACE, Settings
from penstock.engine.file_places import at_place, file_places, replaced
from penstock.engine.flow import check_inputs
from penstock.engine.program import Program
from penstock.engine.strand import Context

_SECRET_ENDINGS: Final = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_ACCESS_KEY")
"""What the names of environment variables end with whose values nobody may see."""

_SHORTEST_KEY: Final = 8
"""Characters of the shortest key that is masked: `none` and `test` are words of every text."""

Make = Callable[[], Any]
"""Gives a crew or flow of the framework that no other run uses. Raises SettingsError."""


def _let_go(_: Any) -> None:
    """Leave what was made to its makers, who may share parts of it."""


class CrewFlow(Program):
    """Executes what `make` gives. document: by which a later process finds it again.

    release: called with what was made when the run no longer needs it.
    """

    source = "crew"
    redactor = None

    def __init__(
        self,
        make: Make,
        *,
        name: str,
        revision: str,
        document: dict[str, Any],
        input_schema: dict[str, Any],
        output_schema: dict[str, Any] | None = None,
        description: str = "",
        author: str = "",
        tags: tuple[str, ...] = (),
        settings: Settings | None = None,
        release: Callable[[Any], None] = _let_go,
    ) -> None:
        self._make = make
        self._release = release
        self._document = document
        self.name = name
        self.namespace = DEFAULT_NAMESPACE
        self.revision = revision
        self.description = description
        self.author = author
        self.tags = tags
        self.settings = settings or Settings()
        self.input_schema = input_schema
        self.output_schema = output_schema

    def document(self) -> dict[str, Any]:
        return self._document

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        return check_inputs(self.name, self.input_schema, inputs)

    async def call(self, context: Context, inputs: Mapping[str, Payload]) -> Payload:
        context.conceal(*_secrets_of_environment())
        session = Session(context)
        given = self._with_paths(context, inputs)
        return await session.run(lambda: self._work(session, given))

    def _with_paths(self, context: Context, inputs: Mapping[str, Payload]) -> dict[str, Payload]:
        """Files as their paths: the framework knows nothing of references."""
        given: dict[str, Payload] = dict(inputs)
        for place in file_places(self.input_schema, given):
            value = at_place(given, place)
            if isinstance(value, str):
                given = replaced(given, place, str(context.path(value)))
        return given

    def _work(self, session: Session, inputs: dict[str, Payload]) -> Payload:
        """What the session's thread does."""
        made = self._make()
        try:
            if isinstance(made, load().Flow):
                return _run_flow(made, session, inputs)
            return _run_crew(made, session, inputs)
        finally:
            self._release(made)


def _run_crew(crew: Any, session: Session, inputs: dict[str, Payload]) -> Payload:
    session.context.conceal(*_keys(crew))
    names = step_names(crew.tasks)
    journal_tasks(crew, session, names)
    crew._task_output_handler = _NoOutputs()
    crew.stream = False  # its answer is what counts here; the models may stream all the same
    with told(session, names=names):
        return answer_of(crew.kickoff(inputs=inputs or None))


def _run_flow(flow: Any, session: Session, inputs: dict[str, Payload]) -> Payload:
    journal_methods(flow, session)
    flow.stream = False
    if flow.persistence is None:
        inputs.setdefault("id", state_id(session.context.fid))
    with told(session, names={}):
        return answer_of(flow.kickoff(inputs=inputs))


def answer_of(output: Any) -> Payload:
    """The result of a run for what the framework gave: data if there is some, else text."""
    model: Any = getattr(output, "pydantic", None)
    if hasattr(model, "model_dump"):
        return model.model_dump(mode="json")
    data = getattr(output, "json_dict", None)
    if isinstance(data, dict):
        return data
    raw = getattr(output, "raw", None)
    return raw if isinstance(raw, str) else output


class _NoOutputs:
    """Stands for the file in which the framework keeps the answers of the crew that ran last.

    All crews of a machine share that file; here the journal has the answers.
    """

    def reset(self) -> None:
        """Nothing is kept."""

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        """Nothing is kept."""


def models_of(crew: Any) -> Iterator[Any]:
    """The models of a crew, of its agents and of its manager."""
    for holder in (*crew.agents, crew.manager_agent, crew):
        for name in ("llm", "function_calling_llm", "manager_llm", "planning_llm"):
            model = getattr(holder, name, None)
            if model is not None:
                yield model


def _keys(crew: Any) -> Iterator[str]:
    """The keys that the models of a crew were made with."""
    for model in models_of(crew):
        key = getattr(model, "api_key", None)
        if isinstance(key, str) and len(key) >= _SHORTEST_KEY:
            yield key


def _secrets_of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if name.upper().endswith(_SECRET_ENDINGS) and len(value) >= _SHORTEST_KEY:
            yield value

"""The tasks of a crew as steps of a run, and the people who look over what they give."""

from __future__ import annotations

import contextvars
import re
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock.agents.crewai.framework import load

if TYPE_CHECKING:
    from penstock.agents.crewai.session import Session
    from penstock.core.payload import Payload

_REVIEW: Final = {
    "type": "object",
    "properties": {
        "feedback": {
            "type": "string",
            "title": "Feedback",
            "description": "What should be different. Empty: it is good as it is.",
            "default": "",
        }
    },
}

_AGAIN: Final = """{context}

Your previous answer was:
{answer}

A person has looked over it, and wants this to be different:
{feedback}"""


def step_names(tasks: Iterable[Any]) -> dict[str, str]:
    """What each task is called as a step, by the framework's id of it: its name, told apart."""
    found: dict[str, str] = {}
    for number, task in enumerate(tasks, start=1):
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", task.name or "").strip("-")[:80] or f"task-{number}"
        taken = set(found.values())
        found[str(task.id)] = name if name not in taken else f"{name}-{number}"
    return found


def journal_tasks(crew: Any, session: Session, names: dict[str, str]) -> None:
    """Let each task of a crew be a step: done once, and then taken from the journal."""
    for task in crew.tasks:
        _Journaled(task, names[str(task.id)], session).take_over()


class _Journaled:
    """One task, executed as steps: one for each time that its agent sets out to do it."""

    def __init__(self, task: Any, name: str, session: Session) -> None:
        self._task = task
        self._name = name
        self._session = session
        self._original = task.execute_sync
        self._reviewed = bool(task.human_input)

    def take_over(self) -> None:
        """Stand in for the methods by which a crew executes the task."""
        # The framework would ask at the terminal; here a person answers a lock.
        self._task.human_input = False
        # A task is a pydantic model, which takes nothing but its fields by plain assignment.
        object.__setattr__(self._task, "execute_sync", self.execute)
        object.__setattr__(self._task, "execute_async", self.execute_beside)

    def execute(self, agent: Any = None, context: str | None = None, tools: Any = None) -> Any:
        output = self._once(self._name, agent, context, tools)
        rounds = 1
        while self._reviewed and (feedback := self._feedback(output, rounds)):
            rounds += 1
            more = _AGAIN.format(context=context or "", answer=output.raw, feedback=feedback).strip()
            output = self._once(f"{self._name}.{rounds}", agent, more, tools)
        self._task.output = output
        return output

    def execute_beside(
        self, agent: Any = None, context: str | None = None, tools: Any = None
    ) -> Future[Any]:
        """The same on a thread of its own, while the crew goes on."""
        outcome: Future[Any] = Future()
        variables = contextvars.copy_context()

        def execute() -> None:
            try:
                outcome.set_result(variables.run(self.execute, agent, context, tools))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=execute, name=f"penstock:task:{self._name}", daemon=True).start()
        return outcome

    def _once(self, name: str, agent: Any, context: str | None, tools: Any) -> Any:
        done: list[Any] = []

        def work() -> Payload:
            self._place_file()
            output = self._original(agent, context, tools)
            done.append(output)
            return _recorded(output)

        payload = self._session.step(name, work)
        return done[0] if done else self._restored(payload)

    def _place_file(self) -> None:
        """Let the file that the task writes its answer to be among those that the run offers."""
        name = self._task.output_file
        if name and not Path(name).is_absolute():
            path = self._session.context.path(f"run:out/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._task.output_file = str(path)

    def _restored(self, payload: Payload) -> Any:
        """The answer that the journal has of the task."""
        model = self._task.output_pydantic
        data = payload.get("data")
        output = load("crewai.tasks.task_output").TaskOutput(
            description=self._task.description,
            name=self._task.name,
            expected_output=self._task.expected_output,
            raw=payload["text"],
            agent=payload["agent"],
            output_format=self._task._get_output_format(),
            pydantic=model.model_validate(data) if model and data is not None else None,
            json_dict=data if not model else None,
        )
        self._task.output = output
        return output

    def _feedback(self, output: Any, rounds: int) -> str:
        answer = self._session.lock(
            "review",
            inside=self._name,
            number=rounds,
            schema=_REVIEW,
            title=f"Review of {self._task.name or self._name}",
            description=self._task.description,
            data={"answer": output.raw, "agent": output.agent},
        )
        return str(answer.get("feedback", "")).strip()


def _recorded(output: Any) -> Payload:
    """What the journal keeps of an answer: its text, who gave it, and its data if it has any."""
    found = {"text": output.raw, "agent": output.agent}
    data = output.json_dict if output.pydantic is None else output.pydantic.model_dump(mode="json")
    return found if data is None else found | {"data": data}

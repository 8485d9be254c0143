"""A form made from a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from wtforms.form import BaseForm

from penstock.api.problem import Fault
from penstock.core.problems import to_pointer
from penstock.host.forms.asking import Control, Question, Schema, Section, ask
from penstock.host.forms.controls import NOTHING, Unreadable, answer_of, field_of, shown


class Submission(Protocol):
    """What a browser sent: texts, and uploads, by the names of the controls."""

    def __contains__(self, name: object) -> bool: ...

    def getlist(self, key: str) -> Sequence[Any]: ...


class Reading(msgspec.Struct, frozen=True):
    """What a person has answered. faults: what could not be read, by JSON Pointers into it."""

    value: Any
    faults: tuple[Fault, ...] = ()


class SchemaForm:
    """Asks for what a schema describes.

    layout: the questions, in sections. value: what is shown at first, over the schema's defaults.
    """

    def __init__(self, schema: Schema, *, value: Any = None) -> None:
        self.layout: Section = ask(schema)
        self._questions = {question.name: question for question in self.layout.questions()}
        self._form = BaseForm({name: field_of(each) for name, each in self._questions.items()})
        self._errors: dict[str, list[str]] = {}
        self._form.process(
            data={name: self._shown(each, value) for name, each in self._questions.items()}
        )

    @property
    def has_files(self) -> bool:
        """Whether it must be sent as `multipart/form-data`."""
        files = (Control.FILE, Control.FILES)
        return any(each.control in files for each in self._questions.values())

    def control(self, question: Question, **attributes: Any) -> Any:
        """The HTML of a question's control, safe to put into a page as it is."""
        return self._form[question.name](**attributes)

    def options(self, question: Question) -> Sequence[Any]:
        """The single boxes of a question with several answers; each has a label of its own."""
        return tuple(self._form[question.name])

    def errors(self, question: Question) -> Sequence[str]:
        """What is wrong with what was answered."""
        return self._errors.get(question.name, ())

    @property
    def stray(self) -> Sequence[str]:
        """What is wrong, and belongs to no single question."""
        return self._errors.get("", ())

    def read(self, submission: Submission) -> Reading:
        """The answers as JSON. The form shows them from now on."""
        self._form.process(formdata=submission)
        single = len(self._questions) == 1 and "value" in self._questions
        value: Any = {}
        faults: list[Fault] = []
        for name, question in self._questions.items():
            try:
                answer = answer_of(question, submission.getlist(name))
            except Unreadable as error:
                faults.append(Fault(detail=str(error), pointer=to_pointer(question.path)))
                continue
            if single and not question.path:
                value = None if answer is NOTHING else answer
            elif answer is not NOTHING:
                _put(value, question.path, answer)
        self.blame(faults)
        return Reading(value, tuple(faults))

    def blame(self, faults: Sequence[Fault], *, below: str = "") -> None:
        """Show errors beside the questions that they are about.

        below: the pointer of what the form asks for, in what the pointers point into.
        """
        pointers = {to_pointer(question.path): name for name, question in self._questions.items()}
        for fault in faults:
            where = fault.pointer.removeprefix(below)
            while where not in pointers and where:
                where = where.rpartition("/")[0]
            self._errors.setdefault(pointers.get(where, ""), []).append(fault.detail)

    def _shown(self, question: Question, value: Any) -> Any:
        found = value
        for part in question.path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return shown(question, question.default if found is None else found)


def _put(value: dict[str, Any], path: Sequence[str | int], answer: Any) -> None:
    for part in path[:-1]:
        value = value.setdefault(str(part), {})
    value[str(path[-1])] = answer

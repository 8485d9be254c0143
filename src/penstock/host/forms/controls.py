"""Controls: the WTForms field of each question, and how what it holds becomes an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from wtforms import fields, widgets

from penstock.host.forms.asking import Control, Question

NOTHING: Final = object()
"""Stands for what was left empty."""


class Unreadable(ValueError):
    """What a person has written cannot be read as what was asked for."""


def field_of(question: Question) -> Any:
    """The field that asks a question, not bound to a form yet."""
    make, _ = _CONTROLS[question.control]
    return make(question)


def answer_of(question: Question, texts: Sequence[Any]) -> Any:
    """What a browser sent for a question as JSON has it, or NOTHING. Raises Unreadable.

    Of boxes that are not ticked a browser sends nothing; that is an answer.
    """
    if not texts and question.control not in _BOXES:
        return NOTHING
    _, read = _CONTROLS[question.control]
    return read(question, texts)


def shown(question: Question, value: Any) -> Any:
    """A JSON value as the field of the question holds it."""
    if value is None:
        return [] if question.control is Control.CHOICES else None
    match question.control:
        case Control.JSON:
            return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        case Control.LINES:
            return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        case Control.CHOICE:
            return _key(value)
        case Control.CHOICES:
            return [_key(one) for one in value] if isinstance(value, list) else []
        case Control.BOOLEAN:
            return bool(value)
        case Control.MOMENT:
            return str(value).removesuffix("Z")[:19]
    return str(value)


def _key(value: Any) -> str:
    """An option as its form calls it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# --- reading ------------------------------------------------------------------------


def _text(question: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts).replace("\r\n", "\n")
    return NOTHING if not text and question.optional else text


def _moment(question: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts)
    if not text:
        return NOTHING if question.optional else text
    seconds = text if text.count(":") > 1 else f"{text}:00"
    return seconds if seconds[-1] in "Zz" or "+" in seconds else f"{seconds}Z"


def _number(question: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts).strip()
    if not text:
        return NOTHING
    try:
        return int(text) if question.control is Control.INTEGER else _finite(text)
    except ValueError:
        what = "a whole number" if question.control is Control.INTEGER else "a number"
        raise Unreadable(f"`{text[:40]}` is not {what}") from None


def _finite(text: str) -> float | int:
    found: float | int = msgspec.json.decode(text.encode(), type=float | int)
    return found


def _boolean(_: Question, texts: Sequence[Any]) -> Any:
    return _first(texts).lower() not in ("", "0", "false", "off", "no")


def _choice(question: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts)
    if not text:
        return NOTHING
    return _option(question, text)


def _choices(question: Question, texts: Sequence[Any]) -> Any:
    return [_option(question, str(text)) for text in texts]


def _option(question: Question, text: str) -> Any:
    for option in question.options:
        if _key(option) == text:
            return option
    raise Unreadable(f"`{text[:40]}` is not among the choices")


def _lines(question: Question, texts: Sequence[Any]) -> Any:
    lines = [line.strip() for line in _first(texts).splitlines() if line.strip()]
    return NOTHING if not lines and question.optional else lines


def _json(_: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts)
    if not text.strip():
        return NOTHING
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"this is no JSON: {error}") from None


def _file(_: Question, texts: Sequence[Any]) -> Any:
    text = _first(texts)
    return text or NOTHING


def _files(question: Question, texts: Sequence[Any]) -> Any:
    found = [str(text) for text in texts if text]
    return NOTHING if not found and question.optional else found


def _first(texts: Sequence[Any]) -> str:
    return str(texts[0]) if texts else ""


# --- making -------------------------------------------------------------------------


def _attributes(question: Question) -> dict[str, Any]:
    """The attributes of the HTML element, so that the browser checks what it can."""
    limits = question.limits
    found: dict[str, Any] = {
        "min": limits.get("minimum"),
        "max": limits.get("maximum"),
        "minlength": limits.get("minLength"),
        "maxlength": limits.get("maxLength"),
        "pattern": limits.get("pattern"),
        "placeholder": question.example or None,
        "required": True if not question.optional and question.control not in _BOXES else None,
    }
    if question.control is Control.NUMBER:
        found["step"] = limits.get("multipleOf", "any")
    if question.control is Control.SECRET:
        found["autocomplete"] = "off"
    return {name: value for name, value in found.items() if value is not None}


_BOXES: Final = (Control.BOOLEAN, Control.CHOICES)


def _plain(widget: Callable[[], Any]) -> Callable[[Question], Any]:
    def make(question: Question) -> Any:
        return fields.StringField(
            question.label,
            description=question.help,
            widget=widget(),
            render_kw=_attributes(question),
        )

    return make


def _area(rows: int) -> Callable[[Question], Any]:
    def make(question: Question) -> Any:
        attributes = _attributes(question) | {"rows": rows}
        attributes.pop("pattern", None)
        return fields.TextAreaField(question.label, description=question.help, render_kw=attributes)

    return make


def _checkbox(question: Question) -> Any:
    return fields.BooleanField(
        question.label, description=question.help, render_kw=_attributes(question)
    )


def _select(question: Question) -> Any:
    blank = [fields.SelectChoice("", "")] if question.optional or question.default is None else []
    return fields.SelectField(
        question.label,
        description=question.help,
        choices=blank + _offered(question),
        validate_choice=False,
        render_kw=_attributes(question),
    )


def _checkboxes(question: Question) -> Any:
    return fields.SelectMultipleField(
        question.label,
        description=question.help,
        choices=_offered(question),
        validate_choice=False,
        widget=widgets.ListWidget(prefix_label=False),
        option_widget=widgets.CheckboxInput(),
    )


def _offered(question: Question) -> list[Any]:
    return [fields.SelectChoice(_key(option), _key(option)) for option in question.options]


def _upload(question: Question) -> Any:
    return fields.FileField(question.label, description=question.help, render_kw=_attributes(question))


def _uploads(question: Question) -> Any:
    return fields.MultipleFileField(
        question.label, description=question.help, render_kw=_attributes(question)
    )


Make = Callable[[Question], Any]
Read = Callable[[Question, Sequence[Any]], Any]

_CONTROLS: Final[Mapping[Control, tuple[Make, Read]]] = {
    Control.TEXT: (_plain(widgets.TextInput), _text),
    Control.LONG: (_area(6), _text),
    Control.SECRET: (_plain(lambda: widgets.PasswordInput(hide_value=True)), _text),
    Control.EMAIL: (_plain(widgets.EmailInput), _text),
    Control.URL: (_plain(widgets.URLInput), _text),
    Control.DATE: (_plain(widgets.DateInput), _text),
    Control.TIME: (_plain(widgets.TimeInput), _text),
    Control.MOMENT: (_plain(widgets.DateTimeLocalInput), _moment),
    Control.INTEGER: (_plain(widgets.NumberInput), _number),
    Control.NUMBER: (_plain(widgets.NumberInput), _number),
    Control.BOOLEAN: (_checkbox, _boolean),
    Control.CHOICE: (_select, _choice),
    Control.CHOICES: (_checkboxes, _choices),
    Control.LINES: (_area(4), _lines),
    Control.FILE: (_upload, _file),
    Control.FILES: (_uploads, _files),
    Control.JSON: (_area(6), _json),
}

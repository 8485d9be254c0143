"""Forms made from JSON Schema."""

from __future__ import annotations

import pytest
from starlette.datastructures import FormData

from penstock.api.problem import Fault
from penstock.host.forms import SchemaForm

ORDER = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Customer", "minLength": 1, "description": "Who pays"},
        "count": {"type": "integer", "minimum": 1, "default": 2},
        "price": {"type": "number"},
        "express": {"type": "boolean"},
        "size": {"enum": ["S", "M", 3]},
        "tags": {"type": "array", "items": {"enum": ["new", "old"]}},
        "notes": {"type": "array", "items": {"type": "string"}},
        "when": {"type": "string", "format": "date-time"},
        "address": {
            "type": "object",
            "title": "Where to",
            "properties": {"city": {"type": "string"}, "zip": {"$ref": "#/$defs/zip"}},
            "required": ["city"],
        },
        "nickname": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "extra": {"type": "object"},
    },
    "required": ["name", "count", "size", "address"],
    "$defs": {"zip": {"type": "string", "pattern": "[0-9]{5}", "title": "Zip code"}},
}


def sent(**pairs: str | list[str]) -> FormData:
    return FormData(
        (name.replace("__", "."), text)
        for name, value in pairs.items()
        for text in ([value] if isinstance(value, str) else value)
    )


def html(form: SchemaForm) -> dict[str, str]:
    return {each.name: str(form.control(each)) for each in form.layout.questions()}


def test_each_property_gets_the_control_of_its_type() -> None:
    shown = html(SchemaForm(ORDER))
    assert 'type="text"' in shown["name"]
    assert "required" in shown["name"]
    assert 'type="number"' in shown["count"]
    assert 'value="2"' in shown["count"]
    assert 'min="1"' in shown["count"]
    assert 'step="any"' in shown["price"]
    assert 'type="checkbox"' in shown["express"]
    assert "<select" in shown["size"]
    assert shown["tags"].count('type="checkbox"') == 2
    assert "<textarea" in shown["notes"]
    assert 'type="datetime-local"' in shown["when"]
    assert 'pattern="[0-9]{5}"' in shown["address.zip"]
    assert "required" not in shown["nickname"]
    assert "<textarea" in shown["extra"]


def test_what_is_sent_is_read_as_the_schema_has_it() -> None:
    reading = SchemaForm(ORDER).read(
        sent(
            name="Ada",
            count="3",
            price="1.50",
            express="y",
            size="3",
            tags=["new", "old"],
            notes="one\r\n\r\n two ",
            when="2026-05-01T10:30",
            address__city="Bern",
            address__zip="",
            nickname="",
            extra='{"a": [1]}',
        )
    )
    assert reading.faults == ()
    assert reading.value == {
        "name": "Ada",
        "count": 3,
        "price": 1.5,
        "express": True,
        "size": 3,
        "tags": ["new", "old"],
        "notes": ["one", "two"],
        "when": "2026-05-01T10:30:00Z",
        "address": {"city": "Bern"},
        "extra": {"a": [1]},
    }


def test_a_box_that_is_not_ticked_is_false() -> None:
    assert SchemaForm(ORDER).read(sent(name="Ada")).value["express"] is False


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("count", "three", "`three` is not a whole number"),
        ("price", "1,5", "`1,5` is not a number"),
        ("size", "XL", "`XL` is not among the choices"),
        ("extra", "{", "this is no JSON"),
    ],
)
def test_what_cannot_be_read_is_told_beside_its_question_and_shown_again(
    name: str, text: str, told: str
) -> None:
    form = SchemaForm(ORDER)
    reading = form.read(sent(**{name: text}))
    (fault,) = reading.faults
    assert fault.pointer == f"/{name}"
    assert fault.detail.startswith(told)
    question = next(each for each in form.layout.questions() if each.name == name)
    assert form.errors(question) == [fault.detail]


def test_a_schema_that_is_no_mapping_asks_for_one_value() -> None:
    form = SchemaForm({"type": "boolean", "title": "Publish it?"})
    (question,) = form.layout.questions()
    assert (question.name, question.label) == ("value", "Publish it?")
    assert form.read(sent(value="on")).value is True


def test_a_mapping_of_nothing_asks_for_nothing() -> None:
    form = SchemaForm({"type": "object", "properties": {}})
    assert list(form.layout.questions()) == []
    assert form.read(sent()).value == {}


def test_what_has_no_schema_is_asked_for_as_json() -> None:
    form = SchemaForm({})
    (question,) = form.layout.questions()
    assert question.control == "json"
    assert form.read(sent(value='[1, {"a": null}]')).value == [1, {"a": None}]


def test_values_are_shown_in_place_of_defaults() -> None:
    shown = html(SchemaForm(ORDER, value={"count": 7, "address": {"city": "Bern"}, "tags": ["old"]}))
    assert 'value="7"' in shown["count"]
    assert 'value="Bern"' in shown["address.city"]
    assert "checked" in shown["tags"]


def test_what_is_typed_by_a_stranger_is_escaped() -> None:
    form = SchemaForm(ORDER)
    form.read(sent(name='"><script>alert(1)</script>'))
    assert "<script>" not in html(form)["name"]


def test_errors_from_elsewhere_stand_at_the_nearest_question() -> None:
    form = SchemaForm(ORDER)
    form.blame(
        [
            Fault(detail="too far", pointer="/inputs/address/city"),
            Fault(detail="no", pointer="/inputs/notes/1"),
            Fault(detail="all", pointer="/inputs"),
        ],
        below="/inputs",
    )
    found = {each.name: form.errors(each) for each in form.layout.questions()}
    assert found["address.city"] == ["too far"]
    assert found["notes"] == ["no"]
    assert form.stray == ["all"]


def test_secrets_are_never_shown_again() -> None:
    secret = {"type": "string", "format": "password"}
    form = SchemaForm({"type": "object", "properties": {"key": secret}})
    form.read(sent(key="hunter2"))
    assert "hunter2" not in html(form)["key"]

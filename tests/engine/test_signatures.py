"""What a Python flow shows of itself, and how its inputs arrive."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid  # noqa: TC003 - hints are looked at
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import msgspec
import pydantic
import pytest

from penstock import Context, Runtime, StepContext, flow
from penstock.core.errors import InputError, SettingsError
from penstock.engine.hints import Unfit, fit, schema_of
from penstock.engine.pyflow import PythonFlow, flow_of_function

if TYPE_CHECKING:
    from fractions import Fraction

__author__ = "The tests"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Size:
    width: int
    height: int = 1


class Order(msgspec.Struct):
    name: str
    sizes: list[Size] = []


class Options(TypedDict, total=False):
    loud: bool


class Person(pydantic.BaseModel):
    name: str
    born: dt.date
    friends: list[Person] = []


@flow(author="Grace", tags=["demo", "test"])
async def everything(
    ctx: Context,
    order: Order,
    person: Person,
    colour: Colour,
    mode: Literal["fast", "slow"] = "fast",
    count: Annotated[int, msgspec.Meta(ge=1, description="How many")] = 1,
    size: Annotated[float, pydantic.Field(gt=0)] = 1.0,
    when: dt.datetime | None = None,
    price: Decimal = Decimal("1.50"),
    key: uuid.UUID | None = None,
    folder: Path = Path("here"),
    options: Options | None = None,
    note: Annotated[str, "Said with it"] = "",
    anything: Any = None,
) -> Person:
    """Take everything there is.

    And say so.

    Args:
        order: What is ordered,
            in one piece.
        mode: How it goes.

    Returns:
        Who ordered it.
    """
    del ctx, mode, count, size, when, price, key, options, note, anything
    assert (type(order), type(person), type(colour)) == (Order, Person, Colour)
    assert isinstance(order.sizes[0], Size)
    assert folder == Path("there")
    return person


GIVEN = {
    "order": {"name": "x", "sizes": [{"width": 2}]},
    "person": {"name": "Ada", "born": "1815-12-10"},
    "colour": "red",
    "folder": "there",
}


def test_a_flow_shows_what_it_is() -> None:
    assert everything.description == "Take everything there is."
    assert (everything.author, everything.tags) == ("Grace", ("demo", "test"))
    assert PythonFlow(_numpy).author == "The tests", "of the module, when the flow names none"


def test_hints_of_all_sorts_become_one_schema() -> None:
    schema = everything.input_schema
    properties = schema["properties"]
    assert schema["required"] == ["order", "person", "colour"]
    assert properties["order"] == {
        "$ref": "#/$defs/Order",
        "description": "What is ordered, in one piece.",
    }
    assert schema["$defs"]["Person"]["properties"]["born"]["format"] == "date"
    assert properties["mode"] == {
        "enum": ["fast", "slow"],
        "default": "fast",
        "description": "How it goes.",
    }
    assert properties["count"] == {
        "type": "integer",
        "minimum": 1,
        "description": "How many",
        "default": 1,
    }
    assert properties["size"] == {"type": "number", "exclusiveMinimum": 0, "default": 1.0}
    assert properties["price"] == {"type": "string", "format": "decimal", "default": "1.50"}
    assert properties["folder"] == {"type": "string", "format": "path", "default": "here"}
    assert properties["note"] == {"type": "string", "default": "", "description": "Said with it"}
    assert properties["anything"] == {"default": None}


def test_the_result_has_a_schema_where_its_hint_tells() -> None:
    assert everything.output_schema is not None
    assert everything.output_schema["description"] == "Who ordered it."
    assert "Person" in everything.output_schema["$defs"]
    assert _numpy_flow.output_schema is None


async def test_inputs_arrive_as_what_their_hints_say(runtime: Runtime) -> None:
    run = await runtime.launch(everything, GIVEN)
    assert await run.result() == {"name": "Ada", "born": "1815-12-10", "friends": []}


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"order": {"name": "x", "sizes": [{"width": "wide"}]}}, ("order", "sizes", 0, "width"), "int"),
        ({"order": {"sizes": []}}, ("order",), "missing required field `name`"),
        ({"person": {"name": "Ada", "born": "never"}}, ("person", "born"), "valid date"),
        ({"colour": "green"}, ("colour",), "Invalid enum value 'green'"),
        ({"count": 0}, ("count",), "Expected `int` >= 1"),
        ({"size": -1}, ("size",), "greater than 0"),
        ({"folder": 7}, ("folder",), "Expected `str`, got `int`"),
        ({"coolour": "red"}, ("coolour",), "did you mean `colour`?"),
    ],
)
def test_wrong_inputs_name_their_place(
    change: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        everything.accept(GIVEN | change)
    assert raised.value.paths == (path,)
    assert message in raised.value.problems[0]


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        everything.accept({"count": "x", "colour": "red"})
    assert raised.value.paths == (("order",), ("person",), ("count",))


def _numpy(ctx, first, second=2):  # type: ignore[no-untyped-def]
    """Do it.

    Parameters
    ----------
    first : int
        The first one.
    second
        The second one.
    """
    del ctx
    return first, second


def _sphinx(first: int) -> int:
    """Do it.

    :param first: The first one.
    :returns: The same.
    """
    return first


_numpy_flow: Any = PythonFlow(_numpy)


def test_docstrings_of_other_styles_are_read() -> None:
    properties = _numpy_flow.input_schema["properties"]
    assert properties["first"] == {"description": "The first one."}
    assert properties["second"] == {"description": "The second one.", "default": 2}
    plain = flow_of_function(_sphinx)
    assert plain.input_schema["properties"]["first"]["description"] == "The first one."
    assert plain.output_schema == {"type": "integer", "description": "The same."}


def _strange(frame: complex) -> None:
    del frame


def _absent(value: Fraction) -> None:
    del value


def _wrong(value: Annotated[int, msgspec.Meta(extra_json_schema={"multipleOf": "two"})]) -> None:
    del value


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_strange, "parameter `frame` of `_strange` cannot be an input: .*`complex`"),
        (_absent, "hint of parameter `value` .* not there: `Fraction`"),
        (_wrong, "hints of `_wrong` make no JSON Schema"),
        (type, "cannot be told"),
    ],
)
def test_a_signature_that_cannot_be_used_is_told(function: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        _ = flow_of_function(function).input_schema


def test_a_context_that_only_type_checkers_import_does_no_harm() -> None:
    namespace: dict[str, Any] = {"__name__": "elsewhere"}
    exec(  # its hints name what is not there
        "from __future__ import annotations\nasync def work(ctx: Context, number: int) -> None: ...",
        namespace,
    )
    assert list(flow_of_function(namespace["work"]).input_schema["properties"]) == ["number"]
    assert not hasattr(flow_of_function(namespace["work"]), "plain")


def double(number: int, *, step: StepContext) -> int:
    """Double a number."""
    step.message("doubling")
    return number * 2


async def test_a_plain_function_is_a_flow_of_one_step(runtime: Runtime) -> None:
    plain = flow_of_function(double)
    assert list(plain.input_schema["properties"]) == ["number"]
    run = await runtime.start(plain, number=4)
    assert await run.result() == 8
    steps = [event.node async for event in run.events() if event.type == "node.completed"]
    assert steps == ["double#1"]


def test_a_type_that_refers_to_itself_keeps_its_definition() -> None:
    schema = schema_of(Person)
    assert schema["type"] == "object"
    assert "Person" in schema["$defs"]
    assert "$defs" not in schema_of(Size)


def test_unions_of_models_are_left_to_pydantic() -> None:
    assert fit({"name": "Ada", "born": "1815-12-10"}, Person | Size) == Person(
        name="Ada", born=dt.date(1815, 12, 10)
    )
    with pytest.raises(Unfit):
        fit({"neither": 1}, Person | Size)

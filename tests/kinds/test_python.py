from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds.python import Python

from .conftest import Fire, RecordingContext, make

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import dataclasses, threading
from penstock.engine.context import NodeContext

@dataclasses.dataclass
class Order:
    id: int
    total: float = 0.0

def double(number: int) -> int:
    return number * 2

def total(order: Order, rate: float = 1.0) -> float:
    return order.total * rate

def join(left, right, *, glue="-"):
    return f"{left}{glue}{right}"

def power(base, exponent, /):
    return base ** exponent

def where():
    return threading.current_thread().name

async def speak(ctx: NodeContext, text: str) -> str:
    ctx.message(text)
    return text.upper()

def options(**named):
    return named

def fail(key):
    return {}[key]

answer = 42
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop_functions.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("shop_functions", None)


def node(folder: Path, name: str, **args: Any) -> Any:
    return make(Python, folder=folder, function=f"shop_functions:{name}", args=args)


async def test_parameters_are_in_ports_and_the_result_goes_out(fire: Fire, folder: Path) -> None:
    joined = node(folder, "join")
    assert list(joined.ports()[0]) == ["in", "left", "right", "glue"]
    assert await fire(joined, left="a", right="b") == {"out": "a-b"}
    assert await fire(node(folder, "join", glue="+", right="z"), left="a") == {"out": "a+z"}


async def test_the_one_argument_a_function_needs_may_arrive_at_in(fire: Fire, folder: Path) -> None:
    assert await fire(node(folder, "double"), **{"in": 21}) == {"out": 42}
    assert await fire(node(folder, "double"), **{"in": 21, "number": 1}) == {"out": 2}


async def test_payloads_become_what_the_hints_say(fire: Fire, folder: Path) -> None:
    assert await fire(node(folder, "total"), order={"id": 1, "total": 3.0}, rate=2) == {"out": 6.0}
    with pytest.raises(NodeError, match="in-port `number`") as caught:
        await fire(node(folder, "double"), number="many")
    assert caught.value.code == "input.type"


async def test_positional_only_parameters_and_open_keywords_work(fire: Fire, folder: Path) -> None:
    assert await fire(node(folder, "power"), base=2, exponent=5) == {"out": 32}
    assert await fire(node(folder, "options", a=1, b=2)) == {"out": {"a": 1, "b": 2}}


async def test_a_plain_function_gets_a_thread_and_a_coroutine_the_context(
    fire: Fire, ctx: RecordingContext, folder: Path
) -> None:
    assert (await fire(node(folder, "where")))["out"] != threading.current_thread().name
    assert await fire(node(folder, "speak"), text="hi") == {"out": "HI"}
    assert ctx.messages == ["hi"]


async def test_the_standard_library_and_a_file_by_path_are_found(fire: Fire, folder: Path) -> None:
    assert await fire(make(Python, function="statistics:fmean"), data=[1, 2, 6]) == {"out": 3.0}
    by_path = make(Python, folder=folder, function="shop_functions.py:double")
    assert await fire(by_path, number=4) == {"out": 8}


async def test_an_exception_of_the_function_passes_through(fire: Fire, folder: Path) -> None:
    with pytest.raises(KeyError, match="missing"):
        await fire(node(folder, "fail"), key="missing")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("shop_functions", "write `module:function`"),
        ("shop_functions:doubel", "has no `doubel`: did you mean `double`"),
        ("shop_functions:answer", "a value of type `int`, not a function"),
        ("no_such_module_here:f", "put it beside the document"),
        ("broken_functions:f", "importing `broken_functions` failed: SyntaxError"),
        ("no_file.py:f", "no file"),
    ],
)
def test_a_function_that_cannot_be_found_is_told_when_the_flow_is_compiled(
    folder: Path, function: str, reason: str
) -> None:
    (folder / "broken_functions.py").write_text("def f(:")
    with pytest.raises(ValueError, match=reason):
        make(Python, folder=folder, function=function)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"nmber": 1}, "`nmber` is no parameter: did you mean `number`"),
        ({"number": "x"}, "does not fit"),
    ],
)
def test_args_that_do_not_fit_are_refused_when_the_flow_is_compiled(
    folder: Path, args: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        node(folder, "double", **args)

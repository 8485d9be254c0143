"""The sandbox of templates: what they may do, and how much of it. Jinja2 is imported with this.

Reading a document fills its templates, so none may take long, whatever it says: what can be
written in a template takes time and memory in proportion to its text and its variables.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sized
from typing import Any, Final

from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.runtime import DebugUndefined, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

Seen = Callable[[Any], None]
"""Called with every value that a template looked up in another one, or put out."""

MOST: Final = 16 << 20
"""Characters or items of what a filter may answer."""

_NODES: Final = frozenset(
    {
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Name, nodes.Const),
        *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Getattr),
        *(nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand),
        *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Add, nodes.Sub),
        *(nodes.Div, nodes.Neg, nodes.Pos),
    }
)
"""Nothing that repeats, defines or calls, and no operator whose result can be huge."""

_FILTERS: Final = frozenset(
    """abs attr capitalize count d default dictsort e escape filesizeformat first float forceescape
    int items join last length list lower max min replace reverse round safe sort string title
    tojson trim truncate unique upper urlencode wordcount
    """.split()  # noqa: SIM905 - thirty words read better than thirty literals
)


_OPTIONS: Final = {"round": 1, "tojson": 2}
"""Filters with a whole number that makes them do more (digits, indentation): from where it may stand."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Fills templates, and tells which values they use.

    strict: a name that is not there is an error; otherwise it stays as it is written.
    """

    def __init__(self, seen: Seen, *, strict: bool) -> None:
        self._seen = seen
        undefined = StrictUndefined if strict else DebugUndefined
        super().__init__(
            undefined=undefined,
            keep_trailing_newline=True,
            finalize=self._put_out,
            optimized=False,  # a template is filled once
        )
        self.filters = _BOUNDED

    def names(self, template: nodes.Template) -> set[str]:
        """The variables that a template names. Raises ValueError for what has no place in one."""
        names: set[str] = set()
        for node in template.find_all(nodes.Node):
            if type(node) not in _NODES:
                raise ValueError(
                    f"`{type(node).__name__.lower()}` has no place in it: it may have expressions, "
                    "filters and `if`; a `snippet` can do more"
                )
            if isinstance(node, nodes.Name):
                names.add(node.name)
        return names

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.used(super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self.used(super().getitem(obj, argument))

    def used(self, value: Any) -> Any:
        """Take note of a text; of a mapping, only what is looked up in it counts."""
        if isinstance(value, str):
            self._seen(value)
        return value

    def _put_out(self, value: Any) -> Any:
        if not isinstance(value, Undefined):
            self._seen(value)
        return value


def _bounded(name: str) -> Callable[..., Any]:
    """A filter that refuses to answer too much. Its attributes tell Jinja what to pass to it."""
    function = FILTERS[name]

    @functools.wraps(function)
    def bounded(*arguments: Any, **named: Any) -> Any:
        if _foreseen(name, [*arguments, *named.values()]) > MOST:
            raise ValueError(f"the filter `{name}` would make too much of it")
        found = function(*arguments, **named)
        if _size(found) > MOST:
            raise ValueError(f"the filter `{name}` makes too much of it")
        return found

    return bounded


def _foreseen(name: str, arguments: list[Any]) -> int:
    """How much at most these filters answer, where it would be too late to look at the answer."""
    if name in ("join", "replace"):
        return math.prod(max(_size(each), 1) for each in arguments)
    options = arguments[_OPTIONS.get(name, len(arguments)) :]
    return max((each * each for each in options if isinstance(each, int)), default=0)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, Sized) and not isinstance(value, Undefined) else 0


_BOUNDED: Final = {name: _bounded(name) for name in _FILTERS}

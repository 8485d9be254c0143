"""The docstrings under the members of an enumeration, which Python itself throws away."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import Enum


def member_docs(enumeration: type[Enum]) -> dict[str, str]:
    """Member name → the docstring under it, on one line; empty where there is none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(enumeration)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    docs = dict.fromkeys(enumeration.__members__, "")
    for statement, following in pairwise(body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(following, ast.Expr):
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name) and target.id in docs:
            docs[target.id] = " ".join(str(ast.literal_eval(following.value)).split())
    return docs

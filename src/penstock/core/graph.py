"""Directed graphs of names: cycles, and the order in which links are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def find_cycle(edges: Mapping[str, Sequence[str]]) -> list[str] | None:
    """A cycle as the names on it, the first one repeated at the end, or None.

    Depth-first search with three colours (Cormen et al., *Introduction to Algorithms*,
    22.3), on an explicit stack so that a chain of any length fits.
    """
    finished: set[str] = set()
    for root in edges:
        if root in finished:
            continue
        trail: list[str] = []
        on_trail: set[str] = set()
        stack: list[tuple[str, int]] = [(root, 0)]
        while stack:
            name, position = stack.pop()
            if position == 0:
                trail.append(name)
                on_trail.add(name)
            targets = edges.get(name, ())
            while position < len(targets) and targets[position] in finished:
                position += 1
            if position == len(targets):
                trail.pop()
                on_trail.discard(name)
                finished.add(name)
                continue
            target = targets[position]
            if target in on_trail:
                return [*trail[trail.index(target) :], target]
            stack.append((name, position + 1))
            stack.append((target, 0))
    return None


def preorder(edges: Mapping[str, Sequence[str]], roots: Iterable[str]) -> list[str]:
    """Everything reachable from the roots, in the order in which links are written."""
    seen: set[str] = set()
    order: list[str] = []
    stack = list(reversed(list(roots)))
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        order.append(name)
        stack.extend(reversed(edges.get(name, ())))
    return order


def dependencies_first(edges: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    """The names so that each stands behind everything its edges lead to.

    Where they lead in a circle, one of its names stands first.
    """
    entered: set[str] = set()
    order: list[str] = []
    for root in names:
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            name, expanded = stack.pop()
            if expanded:
                order.append(name)
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                stack.extend((target, False) for target in reversed(edges.get(name, ())))
    return order

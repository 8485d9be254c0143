"""From drafts and what is there to what has to be written. Nothing here touches the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from penstock.core.catalog import Entry
from penstock.core.errors import DocumentError, StoreConflict
from penstock.core.graph import dependencies_first, find_cycle
from penstock.core.problems import Problem
from penstock.engine.catalog.draft import Action, Document, Draft, Prune, Want
from penstock.engine.catalog.identity import content_id, fingerprint


class Step(NamedTuple):
    """One thing to do. entry: what is there now. draft: what is wanted, None to delete."""

    action: Action
    id: str
    entry: Entry | None
    draft: Draft | None


class Shelved:
    """What is there, by id, and by name within each namespace."""

    def __init__(self, entries: Iterable[Entry], written: Callable[[Entry], Document]) -> None:
        self.by_id = {entry.id: entry for entry in entries}
        self.by_name = {
            (entry.namespace, entry.name): entry for entry in self.by_id.values() if entry.name
        }
        self.written = written

    def says(self, entry: Entry, draft: Draft) -> bool:
        """Whether an entry says what the draft says."""
        return entry.name == draft.name and fingerprint(self.written(entry)) == fingerprint(
            draft.written
        )


def plan(
    drafts: Sequence[Draft],
    shelved: Shelved,
    *,
    new_id: Callable[[], str],
    want: Want = Want.EITHER,
    prune: Prune = Prune.NOTHING,
) -> list[Step]:
    """What becomes of each draft, in their order, and then what is pruned.

    Raises DocumentError with every draft that cannot be written, or StoreConflict when
    some were made from a revision that is not the current one.
    """
    steps: list[Step] = []
    for draft, known in zip(drafts, located(drafts, shelved), strict=True):
        entry = shelved.by_id.get(known)
        same = entry is not None and shelved.says(entry, draft)
        if same and prune is Prune.ORIGIN:  # another origin takes over what says the same
            same = entry is not None and entry.origin == draft.origin
        action = Action.UNCHANGED if same else Action.UPDATED if entry else Action.CREATED
        steps.append(Step(action, known or new_id(), entry, draft))
    steps += _pruned(steps, shelved, prune)
    _refuse(steps, shelved, want)
    return steps


def located(drafts: Sequence[Draft], shelved: Shelved) -> list[str]:
    """The id of each draft; empty for one with a name that is not there yet.

    Those without id and name have the id of their content, and several that say the same
    are told apart by their order.
    """
    ids: list[str] = []
    ordinals: Counter[tuple[str, str]] = Counter()
    for draft in drafts:
        found = draft.id
        if not found and draft.name:
            entry = shelved.by_name.get((draft.namespace, draft.name))
            found = entry.id if entry else ""
        elif not found:
            content = fingerprint(draft.written)
            found = content_id(draft.namespace, content, ordinals[draft.namespace, content])
            ordinals[draft.namespace, content] += 1
        ids.append(found)
    return ids


def _refuse(steps: Sequence[Step], shelved: Shelved, want: Want) -> None:
    problems: list[Problem] = []
    ids: set[str] = set()
    names: set[tuple[str, str]] = set()
    keys = _other_keys(steps, shelved)
    for step, draft in ((step, step.draft) for step in steps if step.draft):
        name = (draft.namespace, draft.name)
        if step.id in ids:
            wrong, hint = f"{draft.label} is there twice", "leave one of them out"
        elif draft.name and name in names:
            wrong, hint = f"another is named {draft.label}", "give one of them another name"
        else:
            wrong, hint = _wrong_with(step, draft, steps, shelved, want)
        key = (draft.namespace, draft.name or step.id)
        if not wrong and key in keys:
            wrong = f"`{key[1]}` is the name of one document and the id of another"
            hint = "links could mean either; give one of them another name"
        if wrong:
            problems.append(Problem(wrong, place=draft.place, hint=hint))
        ids.add(step.id)
        names.add(name)
        keys.add(key)
    if problems:
        raise DocumentError(problems)
    _refuse_stale(steps)


def _other_keys(steps: Sequence[Step], shelved: Shelved) -> set[tuple[str, str]]:
    """What links call the documents that stay as they are, with their namespaces."""
    touched = {step.id for step in steps}
    return {
        (entry.namespace, entry.name or entry.id)
        for entry in shelved.by_id.values()
        if entry.id not in touched
    }


def _wrong_with(
    step: Step, draft: Draft, steps: Sequence[Step], shelved: Shelved, want: Want
) -> tuple[str, str]:
    """What keeps a draft from being written beside what is there, and a hint; empty for nothing."""
    owner = shelved.by_name.get((draft.namespace, draft.name)) if draft.name else None
    if step.entry is not None and step.entry.namespace != draft.namespace:
        hint = "leave the id out: a document has one namespace for good"
        return f"the id `{step.id}` belongs to the namespace `{step.entry.namespace}`", hint
    if step.entry is not None and want is Want.NEW:
        return f"{draft.label} exists already", "update it instead"
    if owner is not None and owner.id != step.id and not _leaves(owner, steps):
        hint = "leave the id out to update that one, or choose another name"
        return f"the name {draft.label} is taken by the id `{owner.id}`", hint
    return "", ""


def _leaves(owner: Entry, steps: Sequence[Step]) -> bool:
    """Whether a document gives its name up in this very plan."""
    return any(
        step.id == owner.id and (step.draft is None or step.draft.name != owner.name) for step in steps
    )


def _refuse_stale(steps: Sequence[Step]) -> None:
    stale = [
        (number, step.draft, step.entry.revision if step.entry else 0)
        for number, step in enumerate(steps)
        if step.draft is not None
        and step.action is not Action.UNCHANGED
        and step.draft.revision is not None
        and step.draft.revision != (step.entry.revision if step.entry else 0)
    ]
    if not stale:
        return
    raise StoreConflict(
        "\n".join(_stale(draft, found) for _, draft, found in stale),
        field="revision",
        write=stale[0][0],
        found=stale[0][2],
        remedy="look at it again and take over what changed; without `revision` the last one wins",
    )


def _stale(draft: Draft, found: int) -> str:
    now = f"is at revision {found} by now" if found else "is not there any more"
    told = f"{draft.label} was made from revision {draft.revision}, but {now}"
    return ": ".join(filter(None, (str(draft.place), told)))  # what never was a text has no place


def _pruned(steps: Sequence[Step], shelved: Shelved, prune: Prune) -> list[Step]:
    if prune is Prune.NOTHING:
        return []
    kept = {step.id for step in steps}
    namespaces = {step.draft.namespace for step in steps if step.draft}
    origins = {step.draft.origin for step in steps if step.draft}
    return [
        Step(Action.DELETED, entry.id, entry, None)
        for entry in shelved.by_id.values()
        if entry.id not in kept
        and entry.namespace in namespaces
        and (prune is Prune.NAMESPACE or entry.origin in origins)
    ]


def in_order(steps: Sequence[Step]) -> list[Step]:
    """What has to be written, so that each name is free before another document takes it.

    Where documents exchange their names in a circle, one of them is deleted first.
    """
    written = {step.id: step for step in steps if step.action in (Action.CREATED, Action.UPDATED)}
    holders = {
        (step.entry.namespace, step.entry.name): step.id
        for step in written.values()
        if step.entry is not None and step.entry.name
    }
    edges = {
        id_: [holder]
        for id_, step in written.items()
        if step.draft is not None
        and (holder := holders.get((step.draft.namespace, step.draft.name), id_)) != id_
    }
    first = [step for step in steps if step.action is Action.DELETED]
    while circle := find_cycle(edges):
        step = written[circle[0]]
        first.append(Step(Action.DELETED, step.id, step.entry, None))
        edges = {id_: ends for id_, ends in edges.items() if step.id not in ends}
    return [*first, *(written[id_] for id_ in dependencies_first(edges, list(written)))]

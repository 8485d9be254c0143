"""Node specs, as documents write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.policies import Join
from penstock.core.spec import DEFAULT_NAMESPACE, EnvRef, NodeSpec
from penstock.document.fields import Fields
from penstock.document.links import read_links
from penstock.document.policies import read_retry

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings


def read_node(value: Any, path: Path, findings: Findings, *, namespace: str = "") -> NodeSpec | None:
    """One spec; the fields that are not common to all nodes are its kind's config.

    `namespace` is that of the scope around it; a spec outside of any says its own.
    """
    if not isinstance(value, dict):
        findings.expected("a node spec (a mapping with `kind`)", value, path)
        return None
    fields = Fields(value, path, findings)
    kind = fields.text("kind")
    if fields.lacks("kind"):
        fields.missing("kind", hint="`penstock kinds` lists the kinds of nodes")
    own = fields.name("namespace")
    if namespace and own and own != namespace:
        fields.report("namespace", f"the flow around it is in the namespace `{namespace}`")
    return NodeSpec(
        kind=kind,
        id=fields.ident("id"),
        name=fields.name("name"),
        namespace=namespace or own or DEFAULT_NAMESPACE,
        annotations=read_annotations(fields),
        env=read_env(fields),
        links=read_links(fields),
        retry=read_retry(fields.take("retry"), fields.at("retry"), findings),
        timeout=fields.duration("timeout"),
        join=fields.choice("join", Join),
        config=fields.rest(),
        at=path,
        kind_at=fields.at("kind"),
        config_at=path,
    )


def read_annotations(fields: Fields, name: str = "annotations") -> dict[str, str]:
    """The annotations, each as text: people write numbers and flags there too."""
    return fields.mapping_of(name, lambda notes, key: as_text(notes.take(key)))


def as_text(value: Any) -> str:
    """A value as an annotation holds it."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def read_env(fields: Fields) -> dict[str, EnvRef]:
    """The environment: variable → where its text comes from."""
    return fields.mapping_of("env", _read_env_ref)


def _read_env_ref(env: Fields, name: str) -> EnvRef:
    at = env.at(name)
    value = env.take(name)
    if not isinstance(value, dict):
        env.findings.expected("a mapping with `name` or `id`, and `data`", value, at)
        return EnvRef(at=at)
    fields = Fields(value, at, env.findings)
    ref = EnvRef(name=fields.text("name"), id=fields.text("id"), data=fields.take("data"), at=at)
    fields.close()
    if ref.name and ref.id:
        fields.report("id", "`name` and `id` are both given", hint="one of them is enough", at_key=True)
    elif not (ref.name or ref.id or ref.data is not None):
        fields.missing("name", hint="a variable names the value document that its text comes from")
    return ref

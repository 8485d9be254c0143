"""From the spec of a node to the node: its kind, its config, its instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from penstock.core.errors import DocumentError
from penstock.core.payload import Payload
from penstock.core.problems import Path, nearest, suggest
from penstock.core.spec import EnvRef, NodeSpec, decode_hook
from penstock.document.findings import Findings
from penstock.engine.binding import Binder
from penstock.engine.environment import Environment, MissingValue, variable_of
from penstock.engine.interface import Interface
from penstock.engine.kind import FieldError, Node, Trigger
from penstock.engine.mismatch import explain
from penstock.engine.nesting import Nesting
from penstock.engine.scheme import Scheme

NODE_FIELDS: Final = (
    *("annotations", "env", "id", "join", "kind", "links"),
    *("name", "namespace", "ports", "retry", "timeout"),
)
"""What every node may say, whatever its kind."""


FAULT: Final = "this is a mistake of the kind, and not of the document: tell those who wrote it"
"""The hint where a kind raises what no kind should."""


class Decoder:
    """Makes nodes of specs; what is wrong with one goes to the findings.

    env, values: the variables that hold for all nodes, and the value documents by name.
    secrets: every text that came from a value document. missing: the value documents and the
    variables that are not there, in words. resident: whether the nodes are those of a resident
    graph, where triggers belong.
    """

    def __init__(
        self,
        scheme: Scheme,
        binder: Binder,
        findings: Findings,
        *,
        env: Mapping[str, EnvRef],
        values: Mapping[str, Payload],
        resident: bool = False,
    ) -> None:
        self.resident = resident
        self.scheme = scheme
        self.binder = binder
        self.findings = findings
        self.env = env
        self.values = values
        self.secrets: set[str] = set()
        self.missing: set[str] = set()

    def node(self, spec: NodeSpec) -> Node | None:
        """The node of a spec, or None when something is wrong with it."""
        kind = self.kind(spec)
        if kind is not None and issubclass(kind, Trigger) and not self.resident:
            text = f"`{spec.kind}` starts processes by itself, so it belongs in a resident graph"
            hint = (
                "put it in a list of node specs, in no flow and no block; `penstock start` serves that"
            )
            self._report(text, spec.kind_at, hint=hint)
            return None
        config = None if kind is None else self._config(spec, kind)
        if kind is None or config is None:
            return None
        return self._made(spec, kind, config)

    def _made(self, spec: NodeSpec, kind: type[Node], config: dict[str, Any]) -> Node | None:
        """The node of a kind with this config, or None when it says what cannot be."""
        try:
            instance = kind(**config)
            if self._refused(spec, *instance.powers()):  # checking may run what it says
                return None
            instance.check()
            instance.bind(self.binder)
            nesting = Nesting(self, spec)
            instance.nest(nesting)
            if nesting.failed:
                return None
            instance.ports()  # where it fails at all, it fails here
        except DocumentError as error:
            self.findings.adopt(error.problems)
        except FieldError as error:
            self._report_fields(spec, error)
        except ExceptionGroup as group:
            mistakes, rest = group.split(FieldError)
            if mistakes is not None:
                self._report_fields(spec, mistakes)
            if rest is not None:
                self._report_fault(spec, rest.exceptions[0])
        except (ValueError, TypeError) as error:
            self._report(f"`{spec.kind}`: {error}", spec.at)
        except Exception as error:
            self._report_fault(spec, error)
        else:
            return instance
        return None

    def interface(self, spec: NodeSpec, node: Node | None) -> Interface | None:
        """The ports of the node, or None where only a right config could tell."""
        if node is not None:
            return Interface.of(node)
        kind = self.scheme.get(spec.kind)
        if kind is None or kind.ports is not Node.ports:
            return None
        return Interface(kind, kind.in_ports, kind.out_ports)

    def kind(self, spec: NodeSpec) -> type[Node] | None:
        """The kind that a spec names, or None when there is no such kind."""
        kind = self.scheme.get(spec.kind)
        if kind is None and spec.kind:  # that it names none is known
            hint = self.scheme.hint(spec.kind)
            self.findings.report(f"unknown kind `{spec.kind}`", spec.kind_at, hint=hint)
        elif kind is not None and self._refused(spec, spec.kind, kind.kind, *kind.aliases):
            return None
        return kind

    def _refused(self, spec: NodeSpec, *names: str) -> bool:
        """Whether what goes by these names may not be used; that is reported."""
        hint = self.scheme.refusal(*names)
        if hint:
            self.findings.report(f"`{names[0]}` may not be used here", spec.kind_at, hint=hint)
        return bool(hint)

    def _config(self, spec: NodeSpec, kind: type[Node]) -> dict[str, Any] | None:
        """The node's own fields, decoded; None when some of them are wrong."""
        hints = kind.config_types()
        environment = Environment({**self.env, **spec.env}, self.values, self.secrets)
        decoded: dict[str, Any] = {}
        for name, value in spec.config.items():
            path = (*spec.config_at, name)
            if name not in hints:
                self._report_unknown(spec, name, hints)
                continue
            rendered: Payload = None
            try:
                rendered = environment.render(value)
                # A template makes text of everything, so `port: "{{ PORT }}"` is read as a number.
                strict = rendered == value
                decoded[name] = msgspec.convert(
                    rendered, hints[name], strict=strict, dec_hook=decode_hook
                )
            except msgspec.ValidationError as error:
                self._miss_variable(spec, name)
                wrong = explain(error, rendered, hints[name], mask=self._masked)
                self._report(wrong.message, (*path, *wrong.path), hint=wrong.hint, at_key=wrong.at_key)
            except ValueError as error:
                if isinstance(error, MissingValue):
                    self.missing.add(f"the value `{error.value}`")
                self._report(str(error), path)
        missing = [name for name in kind.required_config() if name not in spec.config]
        for name in missing:
            about = (*spec.config_at, name)
            if about not in self.findings.places:
                text, hint = f"`{spec.kind}` needs the field `{name}`", f"add `{name}: …`"
                self._report(text, spec.at, hint=hint, about=about)
        return decoded if len(decoded) == len(spec.config) and not missing else None

    def _report_fields(self, spec: NodeSpec, error: FieldError | ExceptionGroup[FieldError]) -> None:
        if isinstance(error, FieldError):
            self._miss_variable(spec, *error.path[:1])
            self._report(f"`{spec.kind}`: {error}", (*spec.config_at, *error.path))
            return
        for mistake in error.exceptions:
            self._report_fields(spec, mistake)

    def _miss_variable(self, spec: NodeSpec, name: str | int = "") -> None:
        """A field that does not fit may be waiting for a variable that nobody has set."""
        variable = variable_of(spec.config.get(str(name)))
        if variable and variable not in self.env and variable not in spec.env:
            self.missing.add(f"the variable `{variable}`")

    def _report_fault(self, spec: NodeSpec, error: Exception) -> None:
        """A kind may be anybody's code; one that fails must not take down what works."""
        self._report(f"`{spec.kind}`: {type(error).__name__}: {error}", spec.at, hint=FAULT)

    def _report_unknown(self, spec: NodeSpec, name: str, known: Iterable[str]) -> None:
        if self.findings.enough:
            self._report(f"`{spec.kind}` has no field `{name}`", (*spec.config_at, name))
            return
        common = NODE_FIELDS if spec.config_at == spec.at else ()
        text, hint = f"`{spec.kind}` has no field `{name}`", suggest(name, (*known, *common))
        self._report(text, (*spec.config_at, name), hint=hint, at_key=True)
        meant = nearest(name, known)
        if meant is not None:  # what is misspelt is not missing as well
            self.findings.doubt((*spec.config_at, meant))

    def _report(
        self,
        message: str,
        path: Path,
        *,
        hint: str = "",
        at_key: bool = False,
        about: Path | None = None,
    ) -> None:
        masked = str(self._masked(message))
        self.findings.report(masked, path, hint=hint, at_key=at_key, about=about)

    def _masked(self, value: Payload) -> Payload:
        """The value without secrets. Masked before a message cuts it: of a part, nobody could tell."""
        if not self.secrets:
            return value
        from penstock.engine.redaction import Redactor

        return Redactor(self.secrets).payload(value)

"""Jinja: text with holes, rendered in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.errors import NodeError
from penstock.core.payload import Payload, normalise

if TYPE_CHECKING:
    import jinja2
    from jinja2.runtime import Context

    from penstock.kinds.languages import Options, Program


def compile_jinja(code: str, options: Options) -> Program:
    """A program that renders a template. Raises ValueError with the line of a mistake."""
    import jinja2

    try:
        template = _environment(native=options.native).from_string(code)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.message}") from error
    except (RecursionError, SyntaxError) as error:  # blocks are Python's blocks in the end
        raise ValueError("it is nested too deeply") from error

    def render(payload: Payload) -> Payload:
        try:
            return normalise(template.render(_names(payload)))
        except jinja2.TemplateError as error:
            raise _failure(error) from error

    return render


def _names(payload: Payload) -> dict[str, Any]:
    """What a template may name: the payload, and the keys of a mapping."""
    fields = payload if isinstance(payload, dict) else {}
    return {**fields, "input": payload}


def _environment(*, native: bool) -> jinja2.Environment:
    from jinja2 import StrictUndefined, pass_context
    from jinja2.nativetypes import NativeEnvironment
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """Templates see payloads and the built-in filters, and can change nothing."""

    class NativeSandbox(ImmutableSandboxedEnvironment, NativeEnvironment):
        """The same, answering values."""

    @pass_context
    def put_out(context: Context, value: Any) -> Any:  # noqa: ARG001 - see below
        return value

    kind = NativeSandbox if native else Sandbox
    # Nothing is computed ahead: `{{ 9 ** 99999999 }}` would be, when a document is read. What
    # takes part in the output must seem to depend on the context for that.
    return kind(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=put_out)


def _failure(error: Exception) -> NodeError:
    from jinja2 import UndefinedError
    from jinja2.exceptions import SecurityError

    if isinstance(error, UndefinedError):
        remedy = "the payload is `input`; for what may be missing write `{{ input.name | default('') }}`"
        return NodeError(str(error), code="snippet.undefined", remedy=remedy)
    if isinstance(error, SecurityError):
        return NodeError(str(error), code="snippet.forbidden", remedy="a template reads payloads only")
    return NodeError(str(error), code="snippet.error")

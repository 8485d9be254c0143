"""`snippet`: a few lines of code as a node."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import FieldError, Relay, Relayed, field
from penstock.kinds.languages import Options, Program, find_language


class Snippet(Relay, kind="snippet", pure=True, normalised=True):
    """Answer a payload with what a few lines of code make of it.

    Config: language and code; a mistake in the code is found when the document is read.

    - `text`: the code itself. `json`, `yaml`: the data that it says.
    - `cel`: an expression over `self`, the payload: `has(self.body) ? self.body : null`. It has
      at most 12,000 characters.
    - `jinja`: a template, rendered in a sandbox to text. The payload is `input`, and the keys
      of a mapping are names. `native: true` answers the value of `{{ … }}` instead of text.
    - `javascript` (or `js`): `export default function (args) {…}`, `function main(args) {…}`, or
      an expression over `args`; each may be async. It runs in a sandbox without host access,
      for at most `limit_ms` of processor time (to be loaded, half a second), with at most
      `memory_mb`.
    - `python`: an expression over `input`, or code that defines `def main(input)`. This is
      no sandbox: the code may do what Penstock may do.

    An error reads as its code in `cel` (`self == "timeout"`) and has `.code`, `.message`,
    `.details` and `.error()`, its message, in every language.

    A snippet is pure: it may run again when a run is resumed, and should not depend on
    the time or on chance. It runs on the event loop; give long work to `python` or `shell.exec`.

    Ports: in → out.

    Errors: `snippet.limit` (details: which limit), `snippet.result` (an answer that cannot
    travel), `expression.missing`, `expression.type` and `expression.error` (cel), `snippet.undefined`
    and `snippet.forbidden` (jinja); what JavaScript throws goes by its `code` or `name`, what
    Python raises by its class.

    Example:
        flow: total
        nodes:
          - kind: snippet
            name: order
            language: json
            code: '{"prices": [3, 4], "tax": 0.2}'
            links: {out: total}
          - kind: snippet
            name: total
            language: javascript
            code: |
              export default function (args) {
                const net = args.prices.reduce((sum, price) => sum + price, 0);
                return { net, gross: net * (1 + args.tax) };
              }
    """

    language: Literal["cel", "javascript", "jinja", "js", "json", "python", "text", "yaml"]
    code: str
    limit_ms: Annotated[int, Meta(ge=1, le=600_000)] = 1000
    memory_mb: Annotated[int, Meta(ge=1, le=4096)] = 64
    native: bool = False
    program: Program | None = field(init=False, default=None)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what the code sees", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what the code answers")}

    def powers(self) -> tuple[str, ...]:
        """In Python it is as mighty as the kind `python`."""
        return ("python",) if self.language == "python" else ()

    def check(self) -> None:
        """Compile the code: whatever is wrong with it is wrong with the document."""
        if self.native and self.language != "jinja":
            raise FieldError("native", f"it belongs to jinja; {self.language} always answers values")
        options = Options(limit_ms=self.limit_ms, memory_mb=self.memory_mb, native=self.native)
        try:
            self.program = find_language(self.language)(self.code, options)
        except ValueError as error:
            raise FieldError("code", f"the {self.language} code cannot be used: {error}") from error

    def relay(self, payload: Payload) -> Relayed:
        assert self.program is not None, "a node is checked before it runs"
        return "out", self.program(payload)

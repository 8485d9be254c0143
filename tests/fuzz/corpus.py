"""Seeds: every document that people were shown, and what no person would write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.docs.snippets import pages_of, snippets_of

from penstock.cli.catalogue import entry
from penstock.engine.scheme import kinds_of
from penstock.kinds import standard_scheme

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = (".yaml", ".json")

ODDITIES: Final = (
    # aliases that grow, that name what is not there, and that hold themselves
    "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n",
    "- &n {kind: nop, name: one}\n- {<<: *n, name: two}\n- {<<: [*n, *n], name: three}\n",
    "- &n {kind: nop, name: one, links: *n}\n",
    # templates, and code in every language
    "- kind: debug.log\n  name: told\n  message: '{{ .WHO }} and {{ PORT }}'\n"
    "  env:\n    WHO: {data: 'a {{ 1 + 1 }}'}\n    PORT: {name: net, data: '{{ port }}'}\n",
    "- {kind: snippet, name: a, language: cel, code: 'self.items.filter(i, i > 1).size() + 1'}\n"
    "- {kind: snippet, name: b, language: jinja, code: '{% for i in range(3) %}{{ i }}{% endfor %}'}\n"
    "- {kind: snippet, name: c, language: javascript, code: 'args.map(x => x ** 2)'}\n"
    "- {kind: snippet, name: d, language: python, code: 'sorted(input or [])'}\n"
    "- {kind: snippet, name: e, language: yaml, code: 'a: &x [1]\\nb: *x'}\n",
    # a graph that calls, waits, nests and lives
    "- kind: block\n  name: outer\n  specs:\n    - kind: step\n      name: inner\n      specs: [{kind: nop}]\n"
    "  inbounds: {in: inner.in}\n  outbounds: {out: inner.out}\n"
    "  links: {init: end, term: end}\n"
    "- {kind: nop, name: end}\n- {kind: call, name: again, flow: tell, links: {out: outer}}\n"
    "- {flow: tell, nodes: [{kind: debug.log, name: log}], triggers: [{kind: cron, cron: '* * * * *'}]}\n",
    # ids and namespaces
    '[{"kind":"nop","id":"0192","name":"a","namespace":"default","revision":0},'
    '{"kind":"nop","id":"0193","links":{"out":[{"id":"0192","port":"in"}]}}]',
    '{"id":"f","name":"A flow","nodes":[{"id":"n","node_type":"nop","config":{"value":{"type":"String",'
    '"value":"x"}}}],"connections":[{"from_node":"n","from_port":"out","to_node":"n","to_port":"in"}]}',
    # values
    "net: {port: 8000, hosts: [a, b]}\nsecret: hunter2\n",
    "- {name: net, data: {port: 8000}, annotations: {owner: me}}\n- {id: v, data: null, revision: 1}\n",
)


def seeds() -> list[str]:
    """Every seed once, in an order that never changes."""
    found = [*_files(), *_snippets(), *_examples(), *ODDITIES]
    return list(dict.fromkeys(found))


def _files() -> list[str]:
    folders = (ROOT / "examples", ROOT / "tests" / "document" / "data", ROOT / "src" / "penstock" / "cli")
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    return [path.read_text("utf-8") for path in paths if path.suffix in DOCUMENTS]


def _snippets() -> list[str]:
    return [
        snippet.body
        for page in pages_of(ROOT)
        for snippet in snippets_of(page.read_text("utf-8"))
        if snippet.language in ("yaml", "json")
    ]


def _examples() -> list[str]:
    """The example of each kind."""
    kinds = sorted(kinds_of(standard_scheme()), key=lambda kind: kind.kind)
    return [example for kind in kinds if (example := entry(kind).example)]

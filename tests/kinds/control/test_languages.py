from __future__ import annotations

from typing import Any, get_args

import pytest

from penstock.core.errors import NodeError, PayloadError
from penstock.core.payload import Error
from penstock.engine.kind import FieldError
from penstock.kinds.languages import LANGUAGES, Options, find_language
from penstock.kinds.snippet import Snippet

from .conftest import make

FAILURE = Error(code="timeout", message="too slow")


def answer(language: str, code: str, payload: Any = None, **config: Any) -> Any:
    return make(Snippet, language=language, code=code, **config).run({"in": payload})["out"]


def test_a_snippet_may_be_written_in_every_language_there_is() -> None:
    assert set(get_args(Snippet.config_types()["language"])) == set(LANGUAGES)
    assert all(callable(find_language(name)) for name in LANGUAGES)


@pytest.mark.parametrize(
    ("language", "code", "payload", "found"),
    [
        ("text", "{{ as it is }}\n", 1, "{{ as it is }}\n"),
        (
            "json",
            '{"a": [1, 2.5, null, 123456789012345678901]}',
            1,
            {"a": [1, 2.5, None, 123456789012345678901]},
        ),
        ("json", "null", 1, None),
        ("yaml", "a: on\nb: [1, 0o17]\n", 1, {"a": "on", "b": [1, 15]}),
        ("yaml", "- x", 1, ["x"]),
        ("cel", "self + 1", 1, 2),
        ("javascript", "args + 1", 1, 2),
        ("js", "args + 1", 1, 2),
        (
            "jinja",
            "Dear {{ name }},{% for n in input.list %} {{ n }}{% endfor %}",
            {"name": "Ada", "list": [1, 2]},
            "Dear Ada, 1 2",
        ),
        ("jinja", "{{ input | length }}", [1, 2], "2"),
        ("jinja", "{{ input.error() }} ({{ input.code }})", FAILURE, "too slow (timeout)"),
        ("jinja", "{{ input.a | default('none') }}", {}, "none"),
        ("python", "sorted(n for n in input if n in input)", [2, 1], [1, 2]),
        ("python", "import math\ndef main(input):\n    return math.floor(input)\n", 2.5, 2),
        ("python", "{1, 2} | {3}", None, [1, 2, 3]),
        ("python", "input.error()", FAILURE, "too slow"),
    ],
)
def test_each_language_answers_a_payload(language: str, code: str, payload: Any, found: Any) -> None:
    assert answer(language, code, payload) == found


def test_native_jinja_answers_values() -> None:
    assert answer("jinja", "{{ input | length }}", [1, 2], native=True) == 2
    assert answer("jinja", "{{ input }}", {"a": [1]}, native=True) == {"a": [1]}


@pytest.mark.parametrize(
    ("language", "code", "complaint"),
    [
        ("json", '{"a": [1,\n 2.5, }', "line 2, column 7"),
        ("json", '{"a": 1, "a": 2}', "appears twice"),
        ("json", "NaN", "NaN"),
        ("yaml", "a: 1\nb: [1, 2", "line 2"),
        ("cel", "self +", "line 1, column 7"),
        ("javascript", "1 +\n* args", "line 2, column 1"),
        ("jinja", "a\n{{ x + }}", "line 2"),
        ("python", "1 +", "line 1, column 4"),
        ("python", "def main(:\n", "line 1"),
        ("python", "x = 1", "neither an expression nor"),
        ("python", "def main():\n    return 1", "one argument"),
        ("python", "import nothing_of_this_name\ndef main(input): ...", "No module named"),
    ],
)
def test_broken_code_is_refused_with_its_place(language: str, code: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"the {language} code cannot be used: [\s\S]*{complaint}"):
        make(Snippet, language=language, code=code)


def test_native_belongs_to_jinja() -> None:
    with pytest.raises(FieldError, match="belongs to jinja; cel always answers values"):
        make(Snippet, language="cel", code="1", native=True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("{{ nothing }}", "snippet.undefined"),
        ("{{ input.a.b }}", "snippet.undefined"),
        ("{{ ''.__class__.__mro__ }}", "snippet.undefined"),
        ("{{ input.__class__.__init__.__globals__ }}", "snippet.undefined"),
        ("{{ input.update({'a': 1}) }}", "snippet.forbidden"),
        ("{{ (1).bit_length.__self__ }}", "snippet.undefined"),
    ],
)
def test_a_template_reads_what_is_there_and_nothing_else(code: str, error: str) -> None:
    with pytest.raises(NodeError) as caught:
        answer("jinja", code, {})
    assert caught.value.code in {error, "snippet.forbidden"}


def test_python_fails_with_its_own_exception() -> None:
    with pytest.raises(ZeroDivisionError):
        answer("python", "1 / input", 0)
    with pytest.raises(PayloadError, match="object"):
        answer("python", "object()")


def test_javascript_obeys_the_limits_of_its_node() -> None:
    with pytest.raises(NodeError, match=r"0\.05 s[\s\S]*`limit_ms`"):
        answer("js", "(() => { for (;;); })()", limit_ms=50)
    with pytest.raises(NodeError, match=r"2 MB[\s\S]*`memory_mb`"):
        answer("js", "'x'.repeat(1e7)", memory_mb=2)


def test_options_have_the_defaults_of_the_kind() -> None:
    node = make(Snippet, language="text", code="")
    assert Options() == Options(limit_ms=node.limit_ms, memory_mb=node.memory_mb, native=node.native)

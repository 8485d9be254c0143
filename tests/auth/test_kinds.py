from __future__ import annotations

import pytest

from penstock.auth.kinds import namespace_kinds
from penstock.core.errors import DocumentError, SettingsError
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme

TOML = "penstock.toml"


def loader(namespace: str = "web", **tables: object) -> Loader:
    scheme = standard_scheme()
    scheme.policy = namespace_kinds(namespace, [(TOML, tables)])
    return Loader(scheme)


def problems(loader: Loader, node: str) -> str:
    text = f"flow: f\nnodes:\n  - {node}\n"
    try:
        loader.read(text, file="f.yaml")
    except DocumentError as error:
        return str(error)
    return ""


SHELL = "{kind: shell.exec, name: a, command: ls}"


def test_a_denied_kind_is_refused_with_who_denies_it() -> None:
    told = problems(loader(web={"deny": ["shell.exec"]}), SHELL)
    assert "f.yaml:3:12" in told
    assert "`shell.exec` may not be used here" in told
    assert "[namespaces.web] of penstock.toml denies `shell.exec` to the namespace `web`" in told


@pytest.mark.parametrize(
    ("pattern", "node"),
    [
        ("shell.exec", "{kind: shell, name: a, command: ls}"),
        ("shell", SHELL),
        ("shell.*", SHELL),
        ("file.*", "{kind: file.read, name: a, path: x}"),
        ("sql", "{kind: sql, name: a, url: 'sqlite:///x', statement: 'select 1'}"),
        ("python", "{kind: python, name: a, function: 'statistics:fmean'}"),
        ("python", "{kind: snippet, name: a, language: python, code: '1'}"),
        ("python", "{kind: block, name: b, specs: [{kind: snippet, language: python, code: '1'}]}"),
        ("*", "{kind: debug.log, name: a}"),
    ],
)
def test_a_kind_is_denied_by_any_of_its_names_and_wherever_it_is(pattern: str, node: str) -> None:
    assert not problems(loader(), node)
    assert "may not be used here" in problems(loader(web={"deny": [pattern]}), node)


def test_denied_code_is_not_even_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    code = "print('here')\\ndef main(input):\\n  return input"
    node = f'{{kind: snippet, name: a, language: python, code: "{code}"}}'
    assert problems(loader(web={"deny": ["python"]}), node)
    assert capsys.readouterr().out == ""
    assert not problems(loader(), node)
    assert capsys.readouterr().out == "here\n"


def test_other_languages_of_a_snippet_stay_when_python_is_denied() -> None:
    node = "{kind: snippet, name: a, language: cel, code: '1'}"
    assert not problems(loader(web={"deny": ["python"]}), node)


def test_where_some_kinds_are_allowed_no_others_are() -> None:
    only = loader(web={"allow": ["snippet", "debug.*"]})
    assert not problems(only, "{kind: log, name: a}")
    told = problems(only, SHELL)
    assert "[namespaces.web] of penstock.toml does not allow it to the namespace `web`" in told


def test_what_is_denied_is_not_allowed_again() -> None:
    assert problems(loader(web={"allow": ["shell.exec"], "deny": ["shell.*"]}), SHELL)


def test_other_namespaces_are_not_bound() -> None:
    assert not problems(loader("shop", web={"deny": ["*"]}), SHELL)


def test_what_holds_for_all_namespaces_holds_besides() -> None:
    tables = {"*": {"deny": ["python"]}, "web": {"deny": ["shell.*"]}}
    assert problems(loader("web", **tables), SHELL)
    assert not problems(loader("shop", **tables), SHELL)
    assert problems(loader("shop", **tables), "{kind: snippet, name: a, language: python, code: '1'}")


@pytest.mark.parametrize("table", [{"denies": []}, {"deny": "shell"}, {"deny": [1]}, [], 3])
def test_a_table_that_cannot_be_used_is_told(table: object) -> None:
    with pytest.raises(SettingsError, match=r"\[namespaces.web\] of penstock.toml"):
        loader(web=table)


def test_settings_that_say_nothing_bind_nobody() -> None:
    assert namespace_kinds("web", []) is None
    assert namespace_kinds("web", [(TOML, {"shop": {"deny": ["*"]}})]) is None

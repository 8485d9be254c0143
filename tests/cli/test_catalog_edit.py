"""`penstock edit`: a document, an editor, and what can go wrong between them."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

SECRET = "hunter2-and-more"
EDITOR = """
import json, os, pathlib, sys
desk, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
number = len(list(desk.glob("seen-*")))
text = path.read_text()
seen = {"text": text, "path": str(path), "mode": path.stat().st_mode & 0o777,
        "folder": path.parent.stat().st_mode & 0o777}
(desk / f"seen-{number}").write_text(json.dumps(seen))
step = desk / f"step-{number}"
if step.exists():
    scope = {"text": text}
    exec(step.read_text(), scope)
    path.write_text(scope["text"])
"""


class Desk:
    """An editor that does what the test says, step by step, and remembers what it saw."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.command = shlex.join([sys.executable, str(folder / "editor.py"), str(folder)])
        (folder / "editor.py").write_text(EDITOR)

    def steps(self, *code: str) -> None:
        """Python for each time that the editor opens; it changes `text`."""
        for number, step in enumerate(code):
            (self._folder / f"step-{number}").write_text(step)

    @property
    def seen(self) -> list[dict[str, Any]]:
        found = sorted(self._folder.glob("seen-*"), key=lambda path: int(path.name.split("-")[1]))
        return [json.loads(path.read_text()) for path in found]


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", desk.command)
    return desk


@pytest.fixture
def a(penstock: Penstock, tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text("- {kind: debug.log, name: a, message: old}")
    penstock("apply", "specs", "-f", path)
    return path


def message(penstock: Penstock) -> str:
    (spec,) = json.loads(penstock("get", "specs", "a", "--json").out)
    found: str = spec["document"]["message"]
    return found


def test_what_was_saved_is_applied(penstock: Penstock, desk: Desk, a: Path) -> None:
    desk.steps("text = text.replace('old', 'new')")
    done = penstock("edit", "specs", "a")

    assert done.code == 0
    assert done.out.split() == ["updated", "default/a", "revision", "2"]
    assert message(penstock) == "new"
    assert "revision: 1\nkind: debug.log\nname: a\nmessage: old\n" in desk.seen[0]["text"]


def test_the_origin_stays(penstock: Penstock, desk: Desk, a: Path) -> None:
    desk.steps("text = text.replace('old', 'new')")
    penstock("edit", "specs", "a")

    assert json.loads(penstock("get", "specs", "--json").out)[0]["origin"] == str(a)


@pytest.mark.parametrize("step", ["", "text = ''", "text = '# nothing but comments\\n'"])
def test_nothing_saved_changes_nothing(penstock: Penstock, desk: Desk, a: Path, step: str) -> None:
    desk.steps(step)
    done = penstock("edit", "specs", "a")

    assert (done.code, done.out, done.err) == (0, "", "nothing was changed\n")
    assert message(penstock) == "old"


def test_problems_are_shown_on_top_with_the_lines_of_this_very_file(
    penstock: Penstock, desk: Desk, a: Path
) -> None:
    desk.steps(
        "text = text.replace('debug.log', 'debug.lgo')",
        "text = text.replace('debug.lgo', 'debug.log').replace('old', 'new')",
    )
    done = penstock("edit", "specs", "a")
    lines = desk.seen[1]["text"].splitlines()
    number = int(lines[0].removeprefix("# spec.yaml:").split(":")[0])

    assert "unknown kind `debug.lgo`" in lines[0]
    assert "did you mean `debug.log`?" in "\n".join(lines[:5])
    assert lines[number - 1] == "kind: debug.lgo"
    assert (done.code, message(penstock)) == (0, "new")


def test_text_that_is_no_yaml_opens_again(penstock: Penstock, desk: Desk, a: Path) -> None:
    desk.steps("text += 'x: [1'", "text = text.replace('x: [1', '').replace('old', 'new')")

    assert penstock("edit", "specs", "a").code == 0
    assert message(penstock) == "new"


def test_giving_up_says_what_is_wrong_and_writes_nothing(
    penstock: Penstock, desk: Desk, a: Path
) -> None:
    desk.steps("text = text.replace('debug.log', 'debug.lgo')")
    done = penstock("edit", "specs", "a")

    assert done.code == 2
    assert len(desk.seen) == 2
    assert "unknown kind `debug.lgo`" in done.err
    assert message(penstock) == "old"


@pytest.mark.parametrize(
    "step",
    [
        "text = text.replace('id: ', 'id: other-')",
        "text = text[text.index('kind:'):]",
        "text = '- {kind: debug.log, name: a}\\n'",
    ],
)
def test_it_stays_the_same_document(penstock: Penstock, desk: Desk, a: Path, step: str) -> None:
    desk.steps(step)
    done = penstock("edit", "specs", "a")

    assert done.code == 2
    assert "this must stay the one document with its id" in done.err
    assert message(penstock) == "old"


def test_what_somebody_else_wrote_meanwhile_is_shown(penstock: Penstock, desk: Desk, a: Path) -> None:
    a.write_text("- {kind: debug.log, name: a, message: theirs}")
    meanwhile = (
        "import asyncio, sys\n"
        "from penstock.cli.main import main\n"
        f"main(['apply', 'specs', '-f', {str(a)!r}, '--store', {f'sqlite:///{a.parent}/runs.db'!r}])\n"
    )
    desk.steps(meanwhile + "text = text.replace('old', 'mine')", "text = text.replace('mine', 'both')")
    done = penstock("edit", "specs", "a")
    again = desk.seen[1]["text"]

    assert "# Somebody else wrote meanwhile: it is at revision 2." in again
    assert "# -message: old\n# +message: theirs\n" in again
    assert "revision: 2\nkind: debug.log\nname: a\nmessage: mine\n" in again
    assert (done.code, message(penstock)) == (0, "both")


def test_a_name_that_is_not_there_opens_no_editor(penstock: Penstock, desk: Desk, a: Path) -> None:
    assert penstock("edit", "specs", "b").code == 4
    assert desk.seen == []


def test_an_editor_that_cannot_be_started_is_told(
    penstock: Penstock, a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor --wait")
    done = penstock("edit", "specs", "a")

    assert done.code == 2
    assert "the editor `no-such-editor` cannot be started" in done.err
    assert "$EDITOR" in done.err


def test_an_editor_that_fails_writes_nothing(
    penstock: Penstock, a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    done = penstock("edit", "specs", "a")

    assert done.code == 2
    assert "ended with code 1; nothing was written" in done.err


def test_a_value_is_revealed_in_a_file_of_ones_own_that_goes(
    penstock: Penstock, desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "values.yaml").write_text(f"api: {{token: {SECRET}}}")
    penstock("apply", "values", "-f", "values.yaml")
    desk.steps(f"text = text.replace({SECRET!r}, 'another-secret')")
    done = penstock("edit", "values", "api")
    (seen,) = desk.seen

    assert f"  token: {SECRET}\n" in seen["text"]
    assert (seen["mode"], seen["folder"]) == (0o600, 0o700)
    assert not (tmp_path / seen["path"]).parent.exists()
    assert done.code == 0
    assert SECRET not in done.out + done.err
    assert "another-secret" in penstock("get", "values", "--reveal").out


def test_a_problem_with_a_value_is_told_without_what_it_holds(
    penstock: Penstock, desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "values.yaml").write_text(f"api: {SECRET}")
    penstock("apply", "values", "-f", "values.yaml")
    desk.steps("text = text.replace('data:', 'dta:')")
    done = penstock("edit", "values", "api")

    assert done.code == 2
    assert "`data` is missing" in done.err
    assert SECRET not in done.err

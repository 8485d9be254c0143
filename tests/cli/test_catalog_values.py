"""Values on the command line: sealed in the store, and shown to nobody who does not ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from penstock.store.keys import Key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

SECRET = "hunter2-and-more"
OTHER = "correct-horse-battery"
VALUES = f"api: {{user: ada, token: {SECRET}}}\nplain: {SECRET}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(VALUES)
    return path


def stored(folder: Path) -> bytes:
    """All that is in the files of the store."""
    return b"".join(path.read_bytes() for path in folder.rglob("runs.db*") if path.is_file())


def test_values_are_applied_and_shown_by_their_keys(penstock: Penstock, file: Path) -> None:
    assert penstock("apply", "values", "-f", file).code == 0
    rows = [line.split() for line in penstock("get", "values").out.splitlines()]

    assert rows[0] == ["NAME", "REVISION", "CHANGED", "DATA", "ORIGIN"]
    assert rows[1][-3:-1] == ["user,", "token"]
    assert rows[2][-2] == "•••"


def test_values_are_revealed_to_those_who_ask(penstock: Penstock, file: Path) -> None:
    penstock("apply", "values", "-f", file)

    assert SECRET in penstock("get", "values", "--reveal").out
    (one,) = json.loads(penstock("get", "values", "api", "--reveal", "--json").out)
    assert one["data"] == {"user": "ada", "token": SECRET}


def test_a_secret_appears_nowhere(penstock: Penstock, file: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text(VALUES.replace(SECRET, OTHER))
    (tmp_path / "bad.yaml").write_text(f"- {{name: a, data: {SECRET}, dta: {SECRET}}}")
    (tmp_path / "broken.yaml").write_text(f"api: {{token: {SECRET}")
    (tmp_path / "old.yaml").write_text(f"- {{name: api, data: {SECRET}, revision: 7}}")
    outcomes = [
        penstock(*line.split())
        for line in (
            "apply values -f values.yaml",
            "apply values -f values.yaml --json",
            "diff values -f more.yaml",
            "diff values -f more.yaml --json",
            "apply values -f more.yaml --dry-run",
            "apply values -f more.yaml",
            "apply values -f bad.yaml",
            "apply values -f broken.yaml",
            "apply values -f old.yaml --debug",
            "get values",
            "get values -o yaml",
            "get values --json",
            "get values api --history -o yaml",
            "get values api --revision 1 --json",
            "diff values api --revision 1",
            "rollback values api 1 --json",
            "keys rotate --json",
            "keys ls",
            "keys prune --yes",
            "delete values api",
            "get namespaces",
        )
    ]
    told = "".join(outcome.out + outcome.err for outcome in outcomes)

    assert [outcome.code for outcome in outcomes].count(0) == 15
    assert SECRET not in told
    assert OTHER not in told
    assert SECRET.encode() not in stored(tmp_path)
    assert OTHER.encode() not in stored(tmp_path)


def test_a_value_that_does_not_fit_is_not_shown_by_the_status(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "values.yaml").write_text("pin: 907")
    (tmp_path / "graph.yaml").write_text(
        "- {kind: debug.log, name: a, env: {PIN: {name: pin}}, level: '{{ PIN }}'}"
    )
    penstock("apply", "values", "-f", "values.yaml")
    done = [penstock("apply", "specs", "-f", "graph.yaml"), penstock("get", "specs", "--json")]

    assert "default/a is broken: `level` does not fit with the values that it names" in done[0].err
    assert "907" not in "".join(one.out + one.err for one in done)


def test_a_difference_says_what_changed_and_to_those_who_ask_to_what(
    penstock: Penstock, file: Path
) -> None:
    penstock("apply", "values", "-f", file)
    file.write_text(VALUES.replace(f"token: {SECRET}", f"token: {OTHER}"))
    masked = penstock("diff", "values", "-f", file)

    assert masked.code == 1
    assert "-  token: •••\n+  token: ••• (changed)" in masked.out
    assert f"+  token: {OTHER}" in penstock("diff", "values", "-f", file, "--reveal").out


def test_what_was_printed_masked_cannot_be_applied(penstock: Penstock, file: Path) -> None:
    penstock("apply", "values", "-f", file)
    file.write_text(penstock("get", "values", "-o", "yaml").out)
    done = penstock("apply", "values", "-f", file)

    assert done.code == 2
    assert "get it with --reveal" in done.err


def test_what_was_printed_revealed_can_be_applied(penstock: Penstock, file: Path) -> None:
    penstock("apply", "values", "-f", file)
    file.write_text(penstock("get", "values", "-o", "yaml", "--reveal").out)

    assert penstock("apply", "values", "-f", file).err == "2 unchanged\n"


# --- keys ---------------------------------------------------------------------


def test_the_key_file_is_named_by_a_setting(penstock: Penstock, file: Path, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text('key_file = "secrets/keys"\n')
    penstock("apply", "values", "-f", file)

    assert (tmp_path / "secrets" / "keys").stat().st_mode & 0o777 == 0o600
    elsewhere = penstock("get", "values", PENSTOCK_KEY_FILE=f"{tmp_path}/other")
    assert elsewhere.code == 2
    assert "sealed with the key" in elsewhere.err
    assert not (tmp_path / "other").exists()


def test_a_wrong_key_names_the_one_that_is_wanted(penstock: Penstock, file: Path) -> None:
    right, wrong = Key.new(), Key.new()
    penstock("apply", "values", "-f", file, PENSTOCK_KEY=right.text)
    done = penstock("get", "values", PENSTOCK_KEY=wrong.text)

    assert done.code == 2
    assert (
        f"the value `api` of the namespace `default`: it is sealed with the key {right.fingerprint}"
        in (done.err)
    )
    assert penstock("get", "values", PENSTOCK_KEY=f"{wrong.text},{right.text}").code == 0


def test_a_key_file_that_others_can_read_is_refused(
    penstock: Penstock, file: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    penstock("apply", "values", "-f", file, PENSTOCK_KEY_FILE=str(keys))
    keys.chmod(0o644)
    done = penstock("get", "values", PENSTOCK_KEY_FILE=str(keys))

    assert done.code == 2
    assert f"chmod 600 '{keys}'" in done.err


def test_rotation_leaves_everything_readable_and_pruning_too(penstock: Penstock, file: Path) -> None:
    penstock("apply", "values", "-f", file)
    (old,) = json.loads(penstock("keys", "ls", "--json").out)["keys"]
    rotated = json.loads(penstock("keys", "rotate", "--json").out)
    new = rotated["key"]

    assert (rotated["resealed"], rotated["lost"]) == (2, {})
    assert json.loads(penstock("keys", "ls", "--json").out)["keys"] == [new, old]
    assert penstock("get", "values", "--reveal").out.count(SECRET) == 2
    assert json.loads(penstock("keys", "prune", "--yes", "--json").out)["removed"] == [old]
    assert json.loads(penstock("keys", "ls", "--json").out)["keys"] == [new]
    assert penstock("get", "values", "--reveal").out.count(SECRET) == 2


def test_keys_of_the_environment_are_rotated_by_putting_one_first(
    penstock: Penstock, file: Path
) -> None:
    old, new = Key.new(), Key.new()
    penstock("apply", "values", "-f", file, PENSTOCK_KEY=old.text)
    done = penstock("keys", "rotate", "--json", PENSTOCK_KEY=f"{new.text} {old.text}")

    assert json.loads(done.out)["resealed"] == 2
    assert penstock("get", "values", PENSTOCK_KEY=new.text).code == 0
    assert penstock("keys", "prune", "--yes", PENSTOCK_KEY=f"{new.text} {old.text}").code == 2


def test_pruning_asks_before_it_removes_a_key(penstock: Penstock, file: Path) -> None:
    penstock("apply", "values", "-f", file)
    penstock("keys", "rotate")
    penstock("keys", "prune")

    assert len(json.loads(penstock("keys", "ls", "--json").out)["keys"]) == 2


def test_values_of_a_lost_key_do_not_keep_others_from_rotation(penstock: Penstock, file: Path) -> None:
    lost, here = Key.new(), Key.new()
    penstock("apply", "values", "-f", file, "-n", "one", PENSTOCK_KEY=lost.text)
    penstock("apply", "values", "-f", file, "-n", "two", PENSTOCK_KEY=here.text)
    done = penstock("keys", "rotate", PENSTOCK_KEY=f"{Key.new().text} {here.text}")

    assert done.code == 0
    assert f"warning: 2 cannot be opened: their key {lost.fingerprint} is not here" in done.err

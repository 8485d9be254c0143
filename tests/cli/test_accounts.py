"""Users, groups, grants and tokens, on the command line."""

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from click.shell_completion import ShellComplete

from penstock.cli.app import App
from penstock.cli.main import penstock as command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Penstock = Callable[..., Outcome]

PASSWORD = "correct horse"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a text to the command that comes next, by stdin."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def listed(penstock: Penstock, *args: str) -> Any:
    outcome = penstock(*args, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def add(penstock: Penstock, name: str, *args: str) -> None:
    outcome = penstock("users", "add", name, "--no-password", *args)
    assert (outcome.code, outcome.out) == (0, f"{name}  added\n")


def test_a_user_is_added_with_a_password_from_stdin(
    penstock: Penstock, typed: Callable[[str], None]
) -> None:
    typed(f"{PASSWORD}\n")
    outcome = penstock("users", "add", "Ada", "--password-stdin", "--role", "admin", "--email", "a@x")
    assert (outcome.code, outcome.out) == (0, "ada  added\n")
    assert PASSWORD not in outcome.out + outcome.err
    (user,) = listed(penstock, "users", "ls")
    assert (user["name"], user["roles"], user["password"], user["email"]) == (
        "ada",
        ["admin"],
        True,
        "a@x",
    )


def test_nobody_is_asked_where_nobody_can_answer(
    penstock: Penstock, typed: Callable[[str], None]
) -> None:
    typed("")
    outcome = penstock("users", "add", "ada")
    assert outcome.code == 2
    assert "--password-stdin" in outcome.err


def test_a_password_that_is_none_is_refused_without_showing_it(
    penstock: Penstock, typed: Callable[[str], None]
) -> None:
    typed("secret\n")
    outcome = penstock("users", "add", "ada", "--password-stdin")
    assert outcome.code == 2
    assert "6 characters" in outcome.err
    assert "secret" not in outcome.err


def test_a_list_is_a_table_for_people(penstock: Penstock) -> None:
    add(penstock, "ada", "--role", "admin")
    outcome = penstock("users", "ls")
    head, row = outcome.out.splitlines()
    assert head.split() == ["NAME", "ACTIVE", "ROLES", "GROUPS", "EMAIL", "CREATED"]
    assert row.split()[:3] == ["ada", "yes", "admin"]


def test_a_user_is_shown_in_lines(penstock: Penstock) -> None:
    add(penstock, "ada", "--role", "admin")
    outcome = penstock("users", "show", "ADA")
    assert "roles       admin" in outcome.out.splitlines()
    assert "password    no" in outcome.out.splitlines()


def test_one_who_is_not_there_is_told_with_the_nearest_name(penstock: Penstock) -> None:
    add(penstock, "ada")
    outcome = penstock("users", "show", "adda")
    assert outcome.code == 4
    assert "did you mean `ada`?" in outcome.err


def test_roles_that_are_given_replace_those_there_are(penstock: Penstock) -> None:
    add(penstock, "ada", "--role", "viewer")
    assert penstock("users", "change", "ada", "--role", "operator").code == 0
    assert listed(penstock, "users", "show", "ada")["roles"] == ["operator"]
    assert penstock("users", "change", "ada", "--no-roles").code == 0
    assert listed(penstock, "users", "show", "ada")["roles"] == []
    assert penstock("users", "change", "ada").code == 2


def test_a_role_that_is_not_there_is_told_with_the_nearest_one(penstock: Penstock) -> None:
    outcome = penstock("users", "add", "ada", "--no-password", "--role", "oprator")
    assert outcome.code == 2
    assert "did you mean `operator`?" in outcome.err


def test_an_identity_of_a_provider_is_given_and_taken(penstock: Penstock) -> None:
    add(penstock, "ada", "--identity", "https://id.example 1")
    assert listed(penstock, "users", "show", "ada")["identities"] == ["https://id.example 1"]
    assert penstock("users", "change", "ada", "--no-identities").code == 0
    assert listed(penstock, "users", "show", "ada")["identities"] == []


def test_a_user_is_put_out_and_let_in_again(penstock: Penstock) -> None:
    add(penstock, "root", "--role", "admin")
    add(penstock, "ada")
    assert penstock("users", "deactivate", "ada").out == "ada  is out\n"
    assert listed(penstock, "users", "show", "ada")["active"] is False
    assert penstock("users", "activate", "ada").out == "ada  is in\n"
    assert listed(penstock, "users", "show", "ada")["active"] is True


def test_the_last_administrator_cannot_be_put_out(penstock: Penstock) -> None:
    add(penstock, "root", "--role", "admin")
    outcome = penstock("users", "deactivate", "root")
    assert outcome.code == 2
    assert "nobody would be left" in outcome.err


def test_a_password_is_set_and_removed(penstock: Penstock, typed: Callable[[str], None]) -> None:
    add(penstock, "ada")
    typed(PASSWORD)
    assert penstock("users", "password", "ada", "--password-stdin").code == 0
    assert listed(penstock, "users", "show", "ada")["password"] is True
    assert penstock("users", "password", "ada", "--remove").code == 0
    assert listed(penstock, "users", "show", "ada")["password"] is False


def test_removing_asks_first(penstock: Penstock, typed: Callable[[str], None]) -> None:
    add(penstock, "root", "--role", "admin")
    add(penstock, "ada")
    typed("n\n")
    assert penstock("users", "rm", "ada").code == 3
    assert penstock("users", "rm", "ada", "--yes").out == "ada  removed\n"
    assert [user["name"] for user in listed(penstock, "users", "ls")] == ["root"]


def test_a_group_and_who_is_in_it(penstock: Penstock) -> None:
    add(penstock, "ada")
    add(penstock, "bob")
    added = penstock("groups", "add", "staff", "--role", "viewer", "--description", "All of us")
    assert added.out == "staff  added\n"
    assert penstock("groups", "join", "staff", "ada", "bob").out == "staff  ada, bob\n"
    assert penstock("groups", "leave", "staff", "ada").out == "staff  bob\n"
    assert penstock("groups", "change", "staff", "--no-roles").code == 0
    (group,) = listed(penstock, "groups", "ls")
    assert (group["members"], group["roles"], group["description"]) == (["bob"], [], "All of us")
    assert penstock("groups", "rm", "staff", "-y").out == "staff  removed\n"
    assert listed(penstock, "groups", "ls") == []


def test_a_grant_is_given_and_taken_back(penstock: Penstock) -> None:
    add(penstock, "ada")
    outcome = penstock("grants", "add", "user:ada", "launch", "flow:hello", "-n", "shop")
    assert outcome.out.endswith("  user:ada may launch flow:hello in shop\n")
    everywhere = penstock("grants", "add", "role:night", "operate", "events:*")
    assert everywhere.out.endswith("  role:night may operate events:*\n")
    (grant,) = listed(penstock, "grants", "ls", "--subject", "user:ada")
    assert (grant["permission"], grant["namespace"]) == ("launch", "shop")
    assert penstock("grants", "rm", grant["id"]).out == f"{grant['id']}  removed\n"
    assert penstock("grants", "rm", grant["id"]).code == 4
    assert [grant["subject"] for grant in listed(penstock, "grants", "ls")] == ["role:night"]


@pytest.mark.parametrize(
    "args",
    [
        ("ada", "view", "host"),
        ("user:nobody", "view", "host"),
        ("anyone", "admin", "host"),
        ("anyone", "view", "hosts"),
        ("anyone", "see", "host"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(penstock: Penstock, args: tuple[str, ...]) -> None:
    outcome = penstock("grants", "add", *args)
    assert outcome.code == 2
    assert "error:" in outcome.err


def test_a_token_is_printed_once(penstock: Penstock) -> None:
    add(penstock, "ada")
    outcome = penstock(
        "tokens", "add", "ci", "--user", "ada", "--expires", "90d", "--permission", "launch"
    )
    secret = outcome.out.strip()
    assert secret.startswith("pst_")
    assert "shown this once" in outcome.err
    (token,) = listed(penstock, "tokens", "ls", "--user", "ada")
    assert (token["name"], token["permission"], token["secret"]) == ("ci", "launch", "")
    assert secret not in penstock("tokens", "ls").out
    assert penstock("tokens", "rm", token["id"]).out == f"{token['id']}  removed\n"
    assert penstock("tokens", "rm", token["id"]).code == 4


def test_a_token_is_somebodys(penstock: Penstock) -> None:
    add(penstock, "ada")
    assert "--user" in penstock("tokens", "add", "ci").err
    assert penstock("tokens", "add", "ci", "--user", "bob").code == 4
    assert penstock("tokens", "add", "ci", "--user", "ada", "--expires", "soon").code == 2


def test_a_start_that_fails_does_not_take_the_first_token_along(penstock: Penstock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = penstock("serve", "--bind", f"127.0.0.1:{taken.getsockname()[1]}")
    assert outcome.code != 0
    assert "pst_" not in outcome.out + outcome.err
    assert listed(penstock, "users", "ls") == []


def test_who_did_it_is_in_the_trail(penstock: Penstock, tmp_path: Path) -> None:
    import sqlite3

    add(penstock, "ada", "--role", "admin")
    with sqlite3.connect(tmp_path / "runs.db") as database:
        rows = database.execute("SELECT who, action, subject FROM audit").fetchall()
    database.close()
    assert [row[1:] for row in rows] == [("user.create", "user:ada")]
    assert rows[0][0].endswith(" on the command line")


def test_the_shell_completes_names(penstock: Penstock, tmp_path: Path) -> None:
    add(penstock, "ada")
    add(penstock, "alan")
    add(penstock, "bob")
    store = {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db"}
    app = App(environ=store, directory=tmp_path)
    shell = ShellComplete(command, {"obj": app}, "penstock", "_PENSTOCK_COMPLETE")
    found = shell.get_completions(["users", "show"], "a")
    assert [item.value for item in found] == ["ada", "alan"]
    nowhere = App(environ={"PENSTOCK_STORE": f"{tmp_path}/none.db"}, directory=tmp_path)
    shell = ShellComplete(command, {"obj": nowhere}, "penstock", "_PENSTOCK_COMPLETE")
    assert shell.get_completions(["users", "show"], "a") == []


def test_a_namespace_that_is_denied_a_kind_serves_the_rest(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text('[namespaces.web]\ndeny = ["shell.*"]\n')
    (tmp_path / "graph.yaml").write_text("- {kind: shell.exec, name: a, command: ls}\n")
    outcome = penstock("start", "-n", "web", "--from", "graph.yaml")
    assert outcome.code == 2
    assert "denies `shell.*` to the namespace `web`" in outcome.err


def test_a_table_of_kinds_that_cannot_be_used_is_told(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text('[namespaces.web]\ndenies = ["shell.*"]\n')
    outcome = penstock("start", "-n", "web")
    assert outcome.code == 2
    assert "[namespaces.web] of" in outcome.err


def test_the_settings_show_what_files_say_of_namespaces_and_providers(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text(
        '[namespaces.web]\ndeny = ["shell.*", "sql"]\n'
        '[oidc.corp]\nissuer = "https://id.example"\nclient_id = "penstock"\n'
    )
    outcome = penstock("config")
    lines = {line.split()[0]: line for line in outcome.out.splitlines()}
    assert "deny shell.*, sql" in lines["namespaces.web"]
    assert "issuer https://id.example; client_id penstock" in lines["oidc.corp"]


def test_the_trail_is_shown_newest_first_and_by_what_one_looks_for(penstock: Penstock) -> None:
    for number in range(3):
        add(penstock, f"user{number}")
    penstock("grants", "add", "user:user1", "view", "host")
    found = listed(penstock, "audit")
    assert [entry["action"] for entry in found] == ["grant.create", *["user.create"] * 3]
    assert [entry["number"] for entry in found] == [4, 3, 2, 1]
    users = listed(penstock, "audit", "--action", "user.create", "--limit", "2")
    assert [entry["subject"] for entry in users] == ["user:user2", "user:user1"]
    (about,) = listed(penstock, "audit", "--subject", "user:user0")
    assert about["who"].endswith(" on the command line")
    head, *rows = penstock("audit").out.splitlines()
    assert head.split() == ["AT", "WHO", "ACTION", "SUBJECT", "OUTCOME", "ADDRESS", "DETAIL"]
    assert len(rows) == 4
    assert listed(penstock, "audit", "--who", "nobody") == []

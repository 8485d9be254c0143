"""Settings: what holds, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.cli.settings import Settings
from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def settings(directory: Path, *, environ: dict[str, str] | None = None, **flags: str) -> Settings:
    return Settings(flags=flags, environ=environ or {}, directory=directory)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_origin_wins_over_the_ones_below(tmp_path: Path) -> None:
    assert settings(tmp_path).look_up("color").origin == "default"
    write(tmp_path / "pyproject.toml", '[tool.penstock]\ncolor = "never"\n')
    assert settings(tmp_path).look_up("color")[1:] == (
        "never",
        f"{tmp_path}/pyproject.toml [tool.penstock]",
    )
    write(tmp_path / "penstock.toml", 'color = "always"\n')
    assert settings(tmp_path).look_up("color")[1:] == ("always", f"{tmp_path}/penstock.toml")
    environ = {"PENSTOCK_COLOR": "auto"}
    assert settings(tmp_path, environ=environ).look_up("color")[1:] == ("auto", "PENSTOCK_COLOR")
    found = settings(tmp_path, environ=environ, color="never").look_up("color")
    assert found[1:] == ("never", "--color")


def test_the_nearest_file_upwards_counts(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", 'progress = "none"\n')
    write(tmp_path / "a" / "penstock.toml", 'progress = "plain"\n')
    below = tmp_path / "a" / "b" / "c"
    below.mkdir(parents=True)
    assert settings(below)["progress"] == "plain"
    assert settings(tmp_path)["progress"] == "none"


def test_the_default_store_lies_beside_the_project_file(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", "")
    below = tmp_path / "below"
    below.mkdir()
    assert settings(below)["store"] == f"sqlite:///{tmp_path}/.penstock/penstock.db"


def test_without_a_project_the_default_store_lies_in_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if settings(tmp_path).project is None:
        assert settings(tmp_path)["store"].endswith("penstock/penstock.db")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("runs.db", "{folder}/runs.db"),
        ("sqlite:///runs.db", "sqlite:///{folder}/runs.db"),
        ("sqlite:////var/runs.db", "sqlite:////var/runs.db"),
        ("/var/runs.db", "/var/runs.db"),
        ("memory:", "memory:"),
    ],
)
def test_a_relative_store_counts_from_its_file(tmp_path: Path, written: str, expected: str) -> None:
    write(tmp_path / "penstock.toml", f'store = "{written}"\n')
    below = tmp_path / "below"
    below.mkdir()
    assert settings(below)["store"] == expected.format(folder=tmp_path)


def test_files_with_kinds_count_from_the_settings_file(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", 'kinds = ["mine.py", "package.kinds"]\n')
    assert settings(tmp_path)["kinds"] == f"{tmp_path}/mine.py,package.kinds"


def test_an_unknown_setting_is_named_with_its_file_and_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path / "penstock.toml", 'stroe = "runs.db"\n')
    with pytest.raises(SettingsError) as caught:
        _ = settings(tmp_path)["color"]
    assert str(caught.value) == (
        f"{tmp_path}/penstock.toml has settings that do not exist: `stroe`: did you mean `store`?"
    )


def test_a_value_that_is_not_allowed_is_named_with_its_origin(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"`pink` from PENSTOCK_COLOR .* allowed: auto, always, never"
    ):
        _ = settings(tmp_path, environ={"PENSTOCK_COLOR": "pink"})["color"]


@pytest.mark.parametrize("text", ["color = ", "color = 3", "color = [1]"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path / "penstock.toml", text)
    with pytest.raises(SettingsError, match=r"penstock\.toml"):
        _ = settings(tmp_path)["color"]


@pytest.mark.parametrize(
    ("text", "value"), [("1", "true"), ("yes", "true"), ("False", "false"), ("0", "false")]
)
def test_debug_takes_the_usual_words(tmp_path: Path, text: str, value: str) -> None:
    assert settings(tmp_path, environ={"PENSTOCK_DEBUG": text})["debug"] == value

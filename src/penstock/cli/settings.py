"""Settings and where each comes from.

Flag, then `PENSTOCK_*` variable, then the nearest `penstock.toml` upwards, then
`[tool.penstock]` of the nearest `pyproject.toml`, then the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.core.errors import SettingsError

PREFIX: Final = "PENSTOCK_"
FILE: Final = "penstock.toml"
VALUES: Final = "values"
"""The table of a settings file that holds value documents for `env`."""
NAMESPACES: Final = "namespaces"
OIDC: Final = "oidc"
TABLES: Final = (VALUES, NAMESPACES, OIDC)
"""What a settings file holds besides settings: value documents, the kinds that namespaces may use,
and identity providers.
"""


class Setting(NamedTuple):
    """One thing that can be set. choices: what is allowed, empty for any text."""

    name: str
    doc: str
    choices: tuple[str, ...] = ()


SETTINGS: Final = (
    Setting("store", "where runs are kept: a path, sqlite:///PATH, postgresql://… or memory:"),
    Setting("files", "where the files of runs are"),
    Setting("max_upload", "how large a file may be that a host takes, such as 500MB"),
    Setting("host", "the host that is asked in place of the store, such as http://127.0.0.1:8370"),
    Setting("host_ca_file", "certificates to trust that host by, as PEM; empty for the usual ones"),
    Setting("host_insecure", "trust that host whatever its certificate", ("true", "false")),
    Setting("kinds", "modules or files with kinds of your own, separated by commas"),
    Setting("progress", "how a run is shown while it runs", ("auto", "live", "plain", "none")),
    Setting("color", "whether output is coloured", ("auto", "always", "never")),
    Setting("debug", "show tracebacks", ("true", "false")),
    Setting("log", "how `penstock start` tells what happens", ("auto", "pretty", "json")),
    Setting("log_level", "from which level on", ("debug", "info", "warning", "error")),
    Setting("observe", "address of /metrics, /livez and /readyz of `penstock start`; empty for none"),
    Setting(
        "trace", "make OpenTelemetry spans; auto: if OTEL_* says where to", ("auto", "true", "false")
    ),
    Setting("key_file", "the file with the keys that values are sealed with"),
    Setting("workers", "how many runs worker processes execute at a time; empty: one per processor"),
    Setting("worker_memory", "what a run may have in a worker, such as 512MiB; empty for no limit"),
    Setting("worker_timeout", "how long a run may keep a worker, such as 10m; empty for no limit"),
    Setting("worker_retries", "how often a run that lost its worker goes on in another one"),
    Setting("worker_environ", "variables that workers see beside the usual ones, separated by commas"),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_LISTS: Final = ("kinds", "worker_environ")
"""Those that a settings file may also write as a list."""

_NUMBERS: Final = ("workers", "worker_memory", "worker_retries", "worker_timeout")
"""Those that it may write as a whole number."""

_DEFAULTS: Final = {
    "debug": "false",
    "host": "",
    "host_ca_file": "",
    "host_insecure": "false",
    "kinds": "",
    "log_level": "info",
    "max_upload": "1GiB",
    "observe": "",
    "worker_environ": "",
    "worker_memory": "",
    "worker_retries": "",
    "worker_timeout": "",
    "workers": "",
}
"""Of those whose default is not `auto`, nor found out."""


class Value(NamedTuple):
    """A setting's value and its origin, as a person would name it."""

    name: str
    value: str
    origin: str


class Settings:
    """The settings that hold in a directory, looked up when they are first asked for."""

    def __init__(
        self,
        *,
        flags: Mapping[str, str | None] | None = None,
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self._flags = {name: value for name, value in (flags or {}).items() if value is not None}
        self._environ = os.environ if environ is None else environ
        self._directory = directory or Path.cwd()
        self._files: list[tuple[Path, str, dict[str, Any]]] | None = None

    def with_flags(self, **flags: str | None) -> Settings:
        """These settings with flags that win over everything else; None means not given."""
        given = {name: value for name, value in flags.items() if value is not None}
        return Settings(flags=self._flags | given, environ=self._environ, directory=self._directory)

    def __getitem__(self, name: str) -> str:
        return self.look_up(name).value

    def __iter__(self) -> Iterator[Value]:
        return (self.look_up(setting.name) for setting in SETTINGS)

    def look_up(self, name: str) -> Value:
        """The value that holds, with its origin. Raises SettingsError."""
        setting = _BY_NAME[name]
        variable = PREFIX + name.upper()
        if name in self._flags:
            return _checked(setting, self._flags[name], f"--{name}")
        if self._environ.get(variable):
            return _checked(setting, self._environ[variable], variable)
        for path, table, found in self._read_files():
            if name in found:
                value = _checked(setting, _text(found[name], setting, path), f"{path}{table}")
                return value._replace(value=_anchored(name, path, value.value))
        return self._default(setting)

    def tables(self, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        """The tables `[name.…]` of each file with their origin, the one that wins first."""
        found: list[tuple[str, Mapping[str, Any]]] = []
        for path, table, settings in self._read_files():
            documents = settings.get(name, {})
            if not isinstance(documents, dict):
                raise SettingsError(
                    f"`{name}` in {path} is no table",
                    remedy=f"each has a table: [{name}.NAME]",
                )
            found.append((f"{path}{table}", documents))
        return found

    @property
    def project(self) -> Path | None:
        """The folder of the nearest `penstock.toml`, or None."""
        path = _nearest(self._directory, FILE)
        return path.parent if path else None

    def _default(self, setting: Setting) -> Value:
        if setting.name == "key_file":
            from penstock.store.keys import usual_file

            return Value(setting.name, str(usual_file()), "default")
        if setting.name == "files":
            return Value(setting.name, _files_of(self["store"]), "default, by the store")
        if setting.name != "store":
            return Value(setting.name, _DEFAULTS.get(setting.name, "auto"), "default")
        if self.project is not None:
            path, origin = self.project / ".penstock" / "penstock.db", f"default, beside {FILE}"
        else:
            from platformdirs import user_data_path

            path, origin = user_data_path("penstock", appauthor=False) / "penstock.db", "default"
        return Value(setting.name, f"sqlite:///{path}", origin)

    def _read_files(self) -> list[tuple[Path, str, dict[str, Any]]]:
        if self._files is None:
            self._files = []
            own = _nearest(self._directory, FILE)
            if own is not None:
                self._files.append((own, "", _known(_toml(own), own, "")))
            shared = _nearest(self._directory, "pyproject.toml")
            if shared is not None and "[tool.penstock" in _source(shared):
                table = _toml(shared).get("tool", {}).get("penstock", {})
                self._files.append((shared, " [tool.penstock]", _known(table, shared, "tool.penstock.")))
        return self._files


def _nearest(directory: Path, name: str) -> Path | None:
    for folder in (directory, *directory.parents):
        if (folder / name).is_file():
            return folder / name
    return None


def _source(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", remedy="make it readable UTF-8"
        ) from error


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(_source(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _known(found: dict[str, Any], path: Path, prefix: str) -> dict[str, Any]:
    allowed = (*_BY_NAME, *TABLES)
    unknown = [name for name in found if name not in allowed]
    if unknown:
        from penstock.core.problems import suggest

        lines = "; ".join(f"`{prefix}{name}`: {suggest(name, allowed)}" for name in unknown)
        raise SettingsError(f"{path} has settings that do not exist: {lines}")
    return found


def _text(value: Any, setting: Setting, path: Path) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and setting.name in _NUMBERS:
        return str(value)
    if setting.name in _LISTS and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    raise SettingsError(f"`{setting.name}` in {path} is not text", remedy=f"it is {setting.doc}")


def _checked(setting: Setting, value: str, origin: str) -> Value:
    if "true" in setting.choices:
        value = {"1": "true", "yes": "true", "0": "false", "no": "false"}.get(
            value.lower(), value.lower()
        )
    if setting.choices and value not in setting.choices:
        allowed = ", ".join(setting.choices)
        raise SettingsError(
            f"`{value}` from {origin} is no value for `{setting.name}`; allowed: {allowed}"
        )
    return Value(setting.name, value, origin)


def _anchored(name: str, path: Path, value: str) -> str:
    """A relative path in a settings file counts from the file's own folder."""
    if name == "store":
        return _store_beside(path.parent, value)
    if name in ("files", "key_file", "host_ca_file"):
        return str(path.parent / value)
    if name == "kinds":
        modules = [module.strip() for module in value.split(",") if module.strip()]
        return ",".join(
            str(path.parent / module) if module.endswith(".py") else module for module in modules
        )
    return value


def _store_beside(folder: Path, store: str) -> str:
    scheme, mark, rest = store.partition(":///")
    if mark and scheme == "sqlite" and not rest.startswith("/"):
        return f"sqlite:///{folder / rest}"
    if "://" in store or store.startswith("memory:"):
        return store
    return str(folder / store)


def _files_of(store: str) -> str:
    """Where the files of a store's runs usually are; empty where they do not last."""
    from penstock.store import usual_files

    try:
        return str(usual_files(store) or "")
    except SettingsError:  # the address is told to be wrong by who opens the store
        return ""

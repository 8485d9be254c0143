"""What the commands of one invocation share."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from penstock.cli.console import Console
from penstock.cli.settings import NAMESPACES, OIDC, VALUES, Settings
from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from penstock.auth.oidc.settings import ProviderSettings
    from penstock.client import AsyncClient
    from penstock.core.payload import Payload
    from penstock.core.store import Store
    from penstock.engine.executor import Executor
    from penstock.engine.loading import Loader
    from penstock.engine.scheme import Scheme
    from penstock.executors.subprocess import Pool
    from penstock.host.files.upload import UploadLimits
    from penstock.store.keys import KeySource
    from penstock.store.vault import Vault

TOKEN_VARIABLE: Final = "PENSTOCK_TOKEN"  # noqa: S105 - where one is, and none


class App:
    """Settings and console of one invocation. Flags arrive while the command line is parsed."""

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, directory: Path | None = None
    ) -> None:
        self.directory = directory or Path.cwd()
        self.settings = Settings(environ=environ, directory=self.directory)
        self._environ = environ
        self._value_files: tuple[str, ...] = ()

    def take_values(self, *files: str) -> None:
        """Take files with value documents that were given."""
        self._value_files += files

    def flag(self, **flags: str | None) -> None:
        """Take a flag that was given; it wins over every other origin."""
        self.settings = self.settings.with_flags(**flags)

    @property
    def console(self) -> Console:
        return Console(color=self.settings["color"], environ=self._environ)

    @property
    def debug(self) -> bool:
        return self.settings["debug"] == "true"

    def open_store(self, *, create: bool = True) -> Store:
        """The store that the settings name, not opened yet.

        create: make a file that is missing; the default one is made in any case, so that
        somebody who has run nothing yet sees no runs rather than an error.
        """
        from penstock.store import open_store

        value = self.settings.look_up("store")
        return open_store(value.value, create=create or value.origin.startswith("default"))

    @property
    def host(self) -> str:
        """The address of the host to ask; empty where the store is meant. Raises SettingsError."""
        host = self.settings.look_up("host")
        if not host.value or self.settings.look_up("store").origin != "--store":
            return host.value
        if host.origin == "--host":
            raise SettingsError("--host and --store are two places to look", remedy="give one of them")
        return ""

    def client(self, *, token: str | None = None, patient: bool = True) -> AsyncClient:
        """A client of that host. Raises SettingsError.

        token: in place of the one that is known for it. patient: wait a little for a host that
        does not answer.
        """
        from penstock.client import AsyncClient
        from penstock.client.credentials import known_token
        from penstock.client.line import PATIENCE
        from penstock.core.policies import Retry

        url, environ = self.host, os.environ if self._environ is None else self._environ
        token = known_token(url, environ) if token is None else token
        return AsyncClient(
            url,
            token=token,
            retry=PATIENCE if patient else Retry(attempts=1),
            ca_file=self.settings["host_ca_file"] or None,
            insecure=self.settings["host_insecure"] == "true",
        )

    def keys(self) -> KeySource:
        """Where the keys of values come from: the environment, else a file. Raises SettingsError."""
        from penstock.store.keys import usual_keys

        environ = os.environ if self._environ is None else self._environ
        return usual_keys(environ, Path(self.settings["key_file"]).expanduser())

    def vault(self) -> Vault:
        """What seals and opens values here. Raises SettingsError."""
        from penstock.store.vault import Vault

        return Vault(self.keys())

    def values_of(self, store: Store) -> Callable[[str], Awaitable[dict[str, Payload]]]:
        """What finds the values of a namespace in a store, when a run wants some."""

        async def payloads(namespace: str) -> dict[str, Payload]:
            from penstock.engine.catalog.values import Values

            return await Values(store, vault=self.vault()).payloads(namespace)

        return payloads

    def scheme(self, *, namespace: str = "") -> Scheme:
        """The kinds that the settings make known. Raises SettingsError.

        namespace: whose; only those that it may use can then be used.
        """
        from penstock.kinds import standard_scheme

        own = (module.strip() for module in self.settings["kinds"].split(","))
        scheme = standard_scheme(*filter(None, own))
        tables = self.settings.tables(NAMESPACES) if namespace else ()
        if any(table for _, table in tables):
            from penstock.auth.kinds import namespace_kinds

            scheme.policy = namespace_kinds(namespace, tables)
        return scheme

    def loader(self, *, namespace: str = "") -> Loader:
        """Makes flows of references. Modules are looked for in the current folder, too.

        namespace: as for `scheme`.
        """
        import sys

        from penstock.agents import standard_readers
        from penstock.engine.loading import Loader

        folder = str(self.directory)
        if folder not in sys.path:
            # As `python -m` does: the installed script has only its own folder there.
            sys.path.insert(0, folder)
        return Loader(self.scheme(namespace=namespace), values=self.values(), readers=standard_readers())

    def files(self) -> Path | None:
        """Where the folders of runs are; None for a place that does not last longer than the runs."""
        folder = self.settings["files"]
        return None if self.settings["store"] == "memory:" or not folder else Path(folder).expanduser()

    def upload_limits(self) -> UploadLimits:
        """How much clients may upload to a host. Raises SettingsError."""
        from penstock.core.size import parse_size
        from penstock.host.files.upload import UploadLimits

        most = self.settings.look_up("max_upload")
        try:
            return UploadLimits(file_bytes=parse_size(most.value))
        except ValueError as error:
            raise SettingsError(f"max_upload from {most.origin}: {error}") from error

    def executors(self) -> dict[str, Executor]:
        """Where runs may be executed but here. Nothing is started before there is one."""
        return {self.pool.name: self.pool}

    @functools.cached_property
    def pool(self) -> Pool:
        """Worker processes, as the settings want them. Raises SettingsError."""
        from penstock.cli.workers import make_pool

        return make_pool(self.settings)

    def identity_providers(self) -> list[ProviderSettings]:
        """Through whom people log in to a host. Raises SettingsError."""
        from penstock.auth.oidc.settings import provider_settings

        environ = os.environ if self._environ is None else self._environ
        folder = self.settings.project or self.directory
        return provider_settings(self.settings.tables(OIDC), environ=environ, folder=folder)

    def values(self) -> dict[str, Payload]:
        """The value documents that `env` may refer to. Raises SettingsError."""
        from penstock.cli.values import gather
        from penstock.store.keys import VARIABLE

        environ = dict(os.environ if self._environ is None else self._environ)
        for name in (VARIABLE, TOKEN_VARIABLE):
            environ.pop(name, None)  # no spec has any business with the keys of all values, nor a host
        return gather(self.settings.tables(VALUES), self._value_files, environ)


pass_app = click.make_pass_decorator(App)

"""What the commands of one invocation share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.console import Console
from penstock.cli.settings import Settings

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.core.store import Store
    from penstock.engine.loading import Loader
    from penstock.engine.scheme import Scheme
    from penstock.store.keys import KeySource
    from penstock.store.vault import Vault


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

    def keys(self) -> KeySource:
        """Where the keys of values come from: the environment, else a file. Raises SettingsError."""
        import os

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

    def scheme(self) -> Scheme:
        """The kinds that the settings make known. Raises SettingsError."""
        from penstock.kinds import standard_scheme

        own = (module.strip() for module in self.settings["kinds"].split(","))
        return standard_scheme(*filter(None, own))

    def loader(self) -> Loader:
        """Makes flows of references. Modules are looked for in the current folder, too."""
        import sys

        from penstock.engine.loading import Loader

        folder = str(self.directory)
        if folder not in sys.path:
            # As `python -m` does: the installed script has only its own folder there.
            sys.path.insert(0, folder)
        return Loader(self.scheme(), values=self.values())

    def values(self) -> dict[str, Payload]:
        """The value documents that `env` may refer to. Raises SettingsError."""
        import os

        from penstock.cli.values import gather
        from penstock.store.keys import VARIABLE

        environ = dict(os.environ if self._environ is None else self._environ)
        environ.pop(VARIABLE, None)  # no spec has any business with the keys of all values
        return gather(self.settings.value_tables(), self._value_files, environ)


pass_app = click.make_pass_decorator(App)

"""The scheme: kind names and the classes behind them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.core.errors import SettingsError
from penstock.core.problems import nearest
from penstock.engine.function import NodeFunction
from penstock.engine.kind import Node
from penstock.engine.resident.heads import HEADS

if TYPE_CHECKING:
    from types import ModuleType

PLUGIN_GROUP: Final = "penstock.kinds"
"""The entry-point group through which other packages add kinds."""


class KindPolicy(Protocol):
    """Says which kinds may be used."""

    def refusal(self, names: Sequence[str]) -> str:
        """Why a kind with these names may not be used; empty where it may be."""
        ...


class Scheme:
    """Maps kind names and aliases to kinds, importing each when it is first asked for.

    kinds: name → class, or `module:class` to import later. plugins: whether to look for
    entry points when a name is not known otherwise. policy: which of them may be used; all
    unless one is given. broken: plugin → why it did not load.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Node] | str] | None = None,
        *,
        plugins: bool = False,
        policy: KindPolicy | None = None,
    ) -> None:
        self.policy = policy
        self._kinds: dict[str, type[Node] | str] = dict(kinds or {})
        self._plugins_wanted = plugins
        self.broken: dict[str, str] = {}

    def add(self, *kinds: type[Node] | NodeFunction[Any, Any]) -> None:
        """Make kinds known under their names and aliases; a later one replaces an earlier."""
        for kind in kinds:
            found = kind.node_class if isinstance(kind, NodeFunction) else kind
            for name in (found.kind, *found.aliases):
                self._kinds[name] = found

    def add_module(self, reference: str) -> None:
        """Make every kind of a module known: an importable name, or a path to a file."""
        module = import_module(reference)
        found = [item for item in vars(module).values() if _is_kind(item, module)]
        if not found:
            raise SettingsError(
                f"`{reference}` defines no kinds", remedy="make one with @node or derive from Action"
            )
        self.add(*found)

    def get(self, name: str) -> type[Node] | None:
        """The kind of this name, or None."""
        found = self._kinds.get(name) or HEADS.get(name)
        if found is None and self._plugins_wanted:
            self._find_plugins()
            found = self._kinds.get(name)
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            try:
                loaded = getattr(importlib.import_module(module), attribute)
            except Exception as error:
                # A plugin is somebody else's code: whatever it raises, it is reported.
                self.broken[name] = f"{type(error).__name__}: {error}"
                return None
            kind = loaded.node_class if isinstance(loaded, NodeFunction) else loaded
            if not (isinstance(kind, type) and issubclass(kind, Node)):
                self.broken[name] = f"`{module}:{attribute}` is {type(kind).__name__}, not a kind"
                return None
            found = self._kinds[name] = kind
        return found

    def names(self) -> list[str]:
        """Every name and alias, sorted."""
        self._find_plugins()
        return sorted(self._kinds)

    def refusal(self, *names: str) -> str:
        """Why what goes by these names may not be used here; empty where it may be."""
        return self.policy.refusal(names) if self.policy is not None and names else ""

    def hint(self, name: str) -> str:
        """What to say about a name that `get` does not know."""
        if name in self.broken:
            return f"the plugin that provides it does not load: {self.broken[name]}"
        names = self.names()
        if not names:
            return ""
        close = nearest(name, names)
        # There are too many kinds to name them all wherever one is not known.
        return f"did you mean `{close}`?" if close else "`penstock kinds` lists those there are"

    def _find_plugins(self) -> None:
        if not self._plugins_wanted:
            return
        self._plugins_wanted = False
        from importlib.metadata import entry_points

        for point in entry_points(group=PLUGIN_GROUP):
            self._kinds.setdefault(point.name, point.value)


def import_module(reference: str) -> ModuleType:
    """A module by its importable name, or by the path of its file.

    Raises SettingsError when there is none. Importing runs somebody else's code, which may
    raise what it likes; one that ends the program is told as an error as well.
    """
    path = Path(reference)
    try:
        if path.suffix != ".py":
            return importlib.import_module(reference)
        return _import_file(path)
    except FileNotFoundError as error:
        raise SettingsError(f"no file `{reference}`", remedy="check the path") from error
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"cannot import `{reference}`: {error}", remedy="install it, or give the path of its file"
        ) from error
    except SystemExit as error:
        raise SettingsError(
            f"importing `{reference}` ends the program",
            remedy="put what it does behind `if __name__ == '__main__':`",
        ) from error


def _import_file(path: Path) -> ModuleType:
    """Import a file under its own name, as `python file.py` would find its neighbours."""
    if not os.path.exists(path):  # noqa: PTH110 - a Path raises for names that no file can have
        raise FileNotFoundError(path)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _is_kind(item: Any, module: ModuleType) -> bool:
    if isinstance(item, NodeFunction):
        return item.node_class.__module__ == module.__name__
    return (
        isinstance(item, type)
        and issubclass(item, Node)
        and bool(item.kind)
        and item.__module__ == module.__name__
    )


def kinds_of(scheme: Scheme) -> Iterable[type[Node]]:
    """Every kind of a scheme once, by its main name; those that do not load are left out."""
    seen: dict[str, type[Node]] = {}
    for name in scheme.names():
        kind = scheme.get(name)
        if kind is not None:
            seen.setdefault(kind.kind, kind)
    return seen.values()

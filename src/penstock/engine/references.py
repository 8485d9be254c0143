"""References to Python code: `module:object`, `module.object`, `file.py:object`, or whole modules."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from penstock.core.errors import PenstockError, SettingsError
from penstock.core.problems import nearest, suggest
from penstock.engine.pyflow import PythonFlow, flow_of_function
from penstock.engine.scheme import import_module

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from penstock.document.source import Source
    from penstock.engine.flow import Flow


class Reader(Protocol):
    """Makes flows of what another framework calls so.

    source: the `source` of its flows, and a field of every document that they are restored from.
    """

    source: str

    def prepare(self) -> None:
        """Set what the framework looks at when it is imported: a module may do that any time."""
        ...

    def knows(self, item: Any) -> bool:
        """Whether an object is a flow of this framework."""
        ...

    def of_object(self, item: Any, reference: str) -> Flow:
        """The flow of such an object, or of a function that makes one. Raises SettingsError.

        reference: `module:object`, by which a later process finds it again.
        """
        ...

    def makes(self, function: Any) -> bool:
        """Whether a function makes such an object, as far as its hints tell."""
        ...

    def reads(self, data: Any) -> bool:
        """Whether a document's data is one of this framework."""
        ...

    def of_document(self, source: Source) -> Flow:
        """The flow of such a document. Raises DocumentError with all that is wrong with it."""
        ...

    def restore(self, document: Mapping[str, Any]) -> Flow:
        """The flow of a revision that the store kept."""
        ...


class Modules:
    """Finds flows in modules: those of this package, and those that a reader knows."""

    def __init__(self, readers: Sequence[Reader] = ()) -> None:
        self.readers = tuple(readers)

    def flow(self, module: str, attribute: str = "") -> Flow:
        """The flow that a module holds, or the one of its objects that is named.

        A function that is named is a flow, whatever it is. Raises SettingsError.
        """
        if not attribute:
            return self._only(module)
        home = self._imported(module)
        item = self._look_up(home, module, attribute)
        reference = f"{home.__name__}:{attribute}"
        if self._is_flow(item):
            return self._flow(item, reference)
        if inspect.isroutine(item):
            reader = next((reader for reader in self.readers if reader.makes(item)), None)
            if reader is not None:
                return reader.of_object(item, reference)
            return _described(flow_of_function(item))
        raise SettingsError(
            f"`{module}:{attribute}` is {_named(item)}, not a flow",
            remedy="name a function, or an object that is decorated with @flow",
        )

    def flows(self, module: str) -> list[Flow]:
        """Every flow of a module, and of all modules of a package, each once.

        Those that it has imported from elsewhere are not its own. Raises SettingsError.
        """
        items: dict[int, tuple[Any, str]] = {}
        for each in self._with_submodules(self._imported(module)):
            for item, reference in self._own(each):
                items.setdefault(id(item), (item, reference))
        return [self._flow(item, reference) for item, reference in items.values()]

    def flows_of_package(self, folder: Path) -> list[Flow]:
        """The flows of the package in a folder, which is found there. Raises SettingsError."""
        around = str(folder.resolve().parent)
        if around not in sys.path:
            sys.path.append(around)
        return self.flows(folder.resolve().name)

    def dotted(self, reference: str) -> tuple[str, str] | None:
        """The module and the attribute that `package.module.Object` means; None when no module."""
        parts = reference.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for count in range(len(parts), 0, -1):
            module = ".".join(parts[:count])
            if importable(module):
                return module, ".".join(parts[count:])
        return None

    def restore(self, document: Mapping[str, Any]) -> Flow:
        """The flow of a Python reference that the store kept. Raises SettingsError."""
        module, _, attribute = document["reference"].partition(":")
        if module == "__main__" or not importable(module):
            module = document["file"] or module
        for item, _ in self._own(self._imported(module)):
            # By what it was made of: the module may know it by another name than its function's.
            if isinstance(item, PythonFlow) and _made_of(item) == (document.get("flow"), attribute):
                return item
        return self.flow(module, attribute)

    # --- looking --------------------------------------------------------------------

    def _imported(self, module: str) -> ModuleType:
        """A module. Raises SettingsError, whatever its code raises."""
        for reader in self.readers:
            reader.prepare()
        try:
            return import_module(module)
        except PenstockError:
            raise
        except Exception as error:
            raise SettingsError(
                f"importing `{module}` failed: {type(error).__name__}: {error}",
                remedy="correct it; with --debug the traceback is shown",
            ) from error

    def _with_submodules(self, module: ModuleType) -> Iterator[ModuleType]:
        yield module
        if not hasattr(module, "__path__"):
            return
        for each in sorted(pkgutil.iter_modules(module.__path__, f"{module.__name__}.")):
            if each.name.rpartition(".")[2] != "__main__":  # which is a program
                yield from self._with_submodules(self._imported(each.name))

    def _only(self, module: str) -> Flow:
        own = list(self._own(self._imported(module)))
        if len(own) == 1:
            return self._flow(*own[0])
        names = ", ".join(f"{module}:{name.rpartition(':')[2]}" for _, name in own)
        raise SettingsError(
            f"`{module}` holds {len(own)} flows",
            remedy=f"say which one: {names or 'none: make one with @flow'}",
        )

    def _own(self, module: ModuleType) -> Iterator[tuple[Any, str]]:
        """What a module has that is a flow, with the reference of each."""
        for name, item in list(vars(module).items()):
            if not name.startswith("_") and self._is_flow(item) and _belongs(item, module):
                yield item, f"{module.__name__}:{name}"

    def _is_flow(self, item: Any) -> bool:
        return isinstance(item, PythonFlow) or any(reader.knows(item) for reader in self.readers)

    def _flow(self, item: Any, reference: str) -> Flow:
        if isinstance(item, PythonFlow):
            return _described(item)
        return next(reader for reader in self.readers if reader.knows(item)).of_object(item, reference)

    def _look_up(self, module: ModuleType, name: str, path: str) -> Any:
        found: Any = module
        for depth, part in enumerate(path.split(".")):
            if not hasattr(found, part):
                around = ".".join(path.split(".")[:depth])
                where = f"{name}:{around}" if around else name
                public = [each for each in vars(found) if not each.startswith("_")]
                own = [] if depth else [each.rpartition(":")[2] for _, each in self._own(module)]
                allowed = public if nearest(part, public) else own or public
                raise SettingsError(f"`{where}` has no `{part}`", remedy=suggest(part, allowed))
            found = getattr(found, part)
        return found


def importable(module: str) -> bool:
    """Whether there is a module of this name; packages around it are imported to find out."""
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
    except (Exception, SystemExit):
        return True  # what went wrong in a package around it is told when the module is imported


def _belongs(item: Any, module: ModuleType) -> bool:
    """Whether an object is a module's own, or its package's. Only what has a home can be another's."""
    if isinstance(item, PythonFlow):
        item = item.function
    home = getattr(item, "__module__", None) if isinstance(item, type) or callable(item) else None
    name = module.__name__
    return home is None or home == name or home.startswith(f"{name}.")


def _made_of(flow: PythonFlow[..., Any]) -> tuple[str, str]:
    return flow.name, flow.reference.partition(":")[2]


def _described(flow: PythonFlow[..., Any]) -> PythonFlow[..., Any]:
    """The flow, once it is certain that its inputs can be described. Raises SettingsError."""
    _ = flow.input_schema
    return flow


def _named(item: Any) -> str:
    kind = type(item).__name__
    return f"a class `{item.__name__}`" if isinstance(item, type) else f"a value of type `{kind}`"

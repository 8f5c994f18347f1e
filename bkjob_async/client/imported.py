"""Methods of a client whose module is imported when one of them is first looked up."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


class ImportedMethod:
    """Stands in a class for the function *name* in a *module* of this folder, and replaces itself by it.

    The classes of rare operations take as long to import as all else that a client needs. Type checkers are shown the
    functions themselves; `getattr`, `help` and completion find them, as they do with any method.
    """

    def __init__(self, owner: type, name: str, module: str) -> None:
        self._owner, self._name, self._module = owner, name, module

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        function = getattr(import_module(f"{__package__}.{self._module}"), self._name)
        setattr(self._owner, self._name, function)
        return function.__get__(instance, owner)


def add_imported_methods(owner: type, modules: Mapping[str, str]) -> None:
    """Give a class those methods that it does not have yet, each from the module in *modules*."""
    for name, module in modules.items():
        if name not in vars(owner):
            setattr(owner, name, ImportedMethod(owner, name, module))

"""Methods of a client whose module is imported when one of them is first looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


class ImportedMethod:
    """Stands in a class for what *make* makes of the function *name* in a *module* of this folder, and replaces itself by it.

    The classes of rare operations take as long to import as all else that a client needs. Type checkers are shown the
    functions themselves; `getattr`, `help` and completion find them, as they do with any method.
    """

    def __init__(self, owner: type, name: str, module: str, make: Callable[[Any], Any]) -> None:
        self._owner, self._name, self._module, self._make = owner, name, module, make

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        function = self._make(getattr(import_module(f"{__package__}.{self._module}"), self._name))
        setattr(self._owner, self._name, function)
        return function.__get__(instance, owner)


def add_imported_methods(
    owner: type, modules: Mapping[str, str], make: Callable[[Any], Any] = lambda function: function
) -> None:
    """Give a class those methods that it does not have yet, each what *make* makes of the function in the module in *modules*."""
    for name, module in modules.items():
        if name not in vars(owner):
            setattr(owner, name, ImportedMethod(owner, name, module, make))

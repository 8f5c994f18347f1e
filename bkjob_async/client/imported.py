"""Methods of a client whose module is imported when one of them is first looked up."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class ImportedMethod:
    """Stands in a class for the function of its own name in a *module* of this folder, and replaces itself by it.

    The classes of rare operations take as long to import as all else that a client needs. Type checkers are shown the
    functions themselves; `getattr`, `help` and completion find them, as they do with any method.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        function = getattr(import_module(f"{__package__}.{self._module}"), self._name)
        setattr(self._owner, self._name, function)
        return function.__get__(instance, owner)

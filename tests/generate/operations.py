"""The files that are made from the classes of operations: methods, lists of public names, a page of the API."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import bkjob_async
from bkjob_async.client.operations.batch_logs import GatheredLogs
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations import (
    base,
    details,
    extra_operations,
    launches,
    management,
    queries,
    responses,
    stored_items,
    stored_queries,
)
from bkjob_async.model.operations.base import Operation
from tests.generate.files import ROOT, Imports, formatted, with_blocks
from tests.generate.methods import BY_HAND, Kind, functions_file, is_list, result_of

PACKAGE = ROOT / "bkjob_async"
MODEL = (base, queries, launches, stored_queries, management, extra_operations)
ON_PAGE = (stored_queries, management)
ANSWERS = (responses, details, stored_items, management)
OTHER_ANSWERS: tuple[type[Any], ...] = (base.OperationAccepted, GatheredLogs, PagedList)
DOCS = {
    "operations": "The operations of the platform, a frozen class each: what `JobClient.call` takes.",
    "responses": "What the methods of a client return: the platform's responses as frozen classes.",
}


def public_classes(module: ModuleType) -> list[type[Any]]:
    """Return the classes of a module, in their order, but for those that others inherit."""
    values = [
        each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__
    ]
    inherited = {base for each in values for base in each.__bases__}
    return [each for each in values if each not in inherited]


def written(module: ModuleType) -> list[Kind]:
    """Return the operations of a module whose methods are written."""
    return [each for each in public_classes(module) if has_name(each) and each not in BY_HAND]


def operation_classes() -> list[type[Any]]:
    """Return every operation of the platform that there is, and what they have in common."""
    found = {each for module in MODEL for each in public_classes(module) if is_operation(each)}
    return sorted(found | {Operation}, key=lambda each: each.__name__)


def response_classes() -> list[type[Any]]:
    """Return the classes of what operations return."""
    declared = [each for module in ANSWERS for each in public_classes(module) if not is_operation(each)]
    return sorted({*declared, *OTHER_ANSWERS} - {responses.Callback}, key=lambda each: each.__name__)


def is_operation(value: object) -> bool:
    """Return True for a class of operations."""
    return inspect.isclass(value) and issubclass(value, Operation)


def has_name(value: object) -> bool:
    """Return True for a class of one operation of the platform; a `RawCall` is any."""
    return is_operation(value) and isinstance(vars(value).get("name"), str)


def public_module(doc: str, classes: Sequence[type[Any]]) -> str:
    """Return a module from which these classes are imported."""
    imports = Imports("")
    for each in classes:
        imports.add(each.__module__, each.__name__)
    names = "".join(f'    "{each.__name__}",\n' for each in classes)
    return f'"""{doc}"""\n\n{imports.lines()}\n\n__all__ = [\n{names}]\n'


def files() -> dict[Path, str]:
    """Return the text of each file that is written, whole or in part."""
    clients = {
        PACKAGE / "client" / "client.py": attributes(),
        PACKAGE / "sync" / "client.py": twin_attributes(),
    }
    kinds = {place_of(module): written(module) for module in MODEL}
    functions = {
        PACKAGE / "client" / "operations" / f"{name}.py": functions_file(name, some)
        for name, some in kinds.items()
    }
    of_modules = {"operations": operation_classes(), "responses": response_classes()}
    modules = {
        PACKAGE / f"{name}.py": public_module(DOCS[name], classes) for name, classes in of_modules.items()
    }
    others = {name: import_module(f"bkjob_async.{name}").__all__ for name in ("codes", "observations")}
    names = others | {name: [each.__name__ for each in classes] for name, classes in of_modules.items()}
    dotted = [f"{module}.{name}" for module, some in names.items() for name in some]
    return {
        **{
            path: formatted(with_blocks(path.read_text(encoding="utf-8"), lines), path)
            for path, lines in clients.items()
        },
        PACKAGE / "model" / "operations" / "names.py": names_file(),
        **{path: formatted(text, path) for path, text in (functions | modules).items()},
        ROOT / "tests" / "public.txt": "\n".join(sorted([*bkjob_async.__all__, *dotted])) + "\n",
        PACKAGE / "docs" / "api" / "management.md": management_page(),
    }


def attributes() -> list[str]:
    """Return the lines that make functions the methods of the client."""
    return [f"{kind.name} = {place_of(module)}.{kind.name}" for module in MODEL for kind in written(module)]


def twin_attributes() -> list[str]:
    """Return the lines that make functions the methods of the synchronous client."""
    return [
        f"{kind.name} = {'listed' if is_list(kind) else 'in_loop'}({place_of(module)}.{kind.name})"
        for module in MODEL
        for kind in written(module)
    ]


def place_of(module: ModuleType) -> str:
    """Return the name of a module in its folder."""
    return module.__name__.rpartition(".")[2]


def names_file() -> str:
    """Return the module with the names of all operations, for those who need not import their classes."""
    kinds = {each: place_of(module) for module in MODEL for each in public_classes(module) if has_name(each)}
    named = {kind.name: place for kind, place in sorted(kinds.items(), key=lambda item: item[0].name)}
    launching = sorted(kind.name for kind in kinds if result_of(kind) == "JobLaunch")
    path = PACKAGE / "model" / "operations" / "names.py"
    doc = "The names of all operations; written by `python -m tests.generate`: change their classes."
    return formatted(
        f'"""{doc}"""\n\n# Each with the module of its class.\nOPERATIONS = {named}\n'
        f"# Those that start a job.\nLAUNCHES = frozenset({launching})\n",
        path,
    )


def management_page() -> str:
    """Return the page of the API that shows the operations of these modules, and what they return."""
    shown = [each for module in ON_PAGE for each in public_classes(module)]
    parts = []
    for name, wanted in (("operations", True), ("responses", False)):
        parts.append(f".. currentmodule:: bkjob_async.{name}\n")
        parts += [
            f".. autoclass:: {each.__name__}\n   :members:\n"
            for each in shown
            if is_operation(each) is wanted
        ]
    body = "\n".join(parts)
    return f"# Plans, scripts, accounts, crons, agents\n\n```{{eval-rst}}\n{body}\n```\n"

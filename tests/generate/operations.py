"""Methods of the client, and the lists of public names, made from the classes of operations."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from bkjob_async.model.operations import management, stored_queries
from bkjob_async.model.operations.base import Operation
from tests.generate.files import ROOT, Imports, formatted, with_blocks

PACKAGE = ROOT / "bkjob_async"
MODULES = (stored_queries, management)
# Fields that a method calls as the platform does: `name` is that of an operation itself.
RENAMED = {"item_name": "name", "global_vars": "global_var_list"}
HEAD = '''"""Operations that classes of `model/operations` describe; written by `python -m tests.generate`: change those."""

from __future__ import annotations

'''


def public_classes(module: ModuleType) -> list[type[Any]]:
    """Return the classes of a module, in their order, but for those that others inherit."""
    values = [
        each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__
    ]
    inherited = {base for each in values for base in each.__bases__}
    return [each for each in values if each not in inherited]


def operations() -> list[type[Operation[Any]]]:
    """Return the operations among them."""
    return [each for module in MODULES for each in public_classes(module) if issubclass(each, Operation)]


def result_of(kind: type[Operation[Any]]) -> str:
    """Return the type of an operation's result, as its class names it."""
    header = inspect.getsource(kind).partition("class ")[2].partition("):")[0]
    return header.partition("Operation[")[2].removesuffix("]")


def parameters(kind: type[Operation[Any]], imports: Imports) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and default of each parameter of a method; a default that is empty means none."""
    for each in sorted(fields_of(kind), key=lambda each: each.name == "length"):
        if each.name in ("scope", "start"):
            continue
        written, module = str(each.type), declared_in(kind, each.name)
        if each.converter is not None:
            converter: Any = each.converter
            (given, *_) = inspect.signature(converter).parameters.values()
            written, module = str(given.annotation), converter.__module__
        default = "" if each.default is attrs.NOTHING else shown(each.default)
        if each.name == "length":
            default = "USUAL_PAGE"
            imports.add("bkjob_async.client.operations.paged_list", default)
        if isinstance(each.default, Enum):
            imports.add(type(each.default).__module__, type(each.default).__name__)
        imports.add_words(written, sys.modules[module])
        yield RENAMED.get(each.name, each.name), written, default


def fields_of(kind: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    """Return the fields of an operation."""
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    return found


def shown(default: object) -> str:
    """Return a default as source."""
    return str(default) if not isinstance(default, Enum) else f"{type(default).__name__}.{default.name}"


def declared_in(kind: type[Any], name: str) -> str:
    """Return the module of the class that declares a field."""
    return next(each.__module__ for each in kind.__mro__ if name in vars(each).get("__annotations__", {}))


def said(kind: type[Any]) -> str:
    """Return the documentation of an operation with the names of the parameters."""
    text = inspect.cleandoc(kind.__doc__ or "")
    for field, name in RENAMED.items():
        text = text.replace(f"*{field}*", f"*{name}*")
    # A method has no *start*: it reads page after page.
    text = re.sub(r"\*start\* counts \w+\s+from\s+0,\s+and\s+\*length\*", "*length*", text)
    return textwrap.indent(f'"""{text}\n"""', "    ", lambda line: bool(line.strip()))


def function(kind: type[Operation[Any]], imports: Imports) -> str:
    """Return the function that is the method of an operation."""
    imports.add(kind.__module__, kind.__name__)
    result = result_of(kind)
    imports.add_words(result, sys.modules[kind.__module__])
    given = list(parameters(kind, imports))
    needed = [f"{name}: {written}" for name, written, default in given if not default]
    optional = [f"{name}: {written} = {default}" for name, written, default in given if default]
    scopes = [each for each in fields_of(kind) if each.name == "scope"]
    if scopes:
        imports.add("bkjob_async.model.refs", "Scope")
        optional.append("scope: Scope | None = None")
    optional.append("request_timeout: float | None = None")
    names = {RENAMED.get(each.name, each.name): each.name for each in fields_of(kind)}
    owner = (
        "client._needed_scope(scope)"
        if scopes and scopes[0].default is attrs.NOTHING
        else "scope or client.scope"
    )
    passed = [f"scope={owner}"] if scopes else []
    passed += [f"{names[name]}={name}" for name, _, _ in given]
    operation = f"build({kind.__name__}, {', '.join(passed)})"
    page = re.match(r"Page\[(.+)\]$", result)
    lines = [] if is_open(kind) else ["@hide_arguments"]
    if lines:
        imports.add("bkjob_async.wire.tracebacks", "hide_arguments")
    returned = f"PagedList[{page[1]}]" if page else result
    ending = f"return await client._call({operation}, request_timeout)"
    if page:
        for name in ("PagedList", "list_items"):
            imports.add("bkjob_async.client.operations.paged_list", name)
        ending = f"return list_items(client, {operation}, request_timeout)"
    if result == "None":
        ending = ending.removeprefix("return ")
    signature = ", ".join(["client: Caller", *needed, "*", *optional])
    return "\n".join(
        [
            *lines,
            f"{'' if page else 'async '}def {kind.name}({signature}) -> {returned}:",
            said(kind),
            f"    {ending}",
        ]
    )


def is_open(kind: type[Any]) -> bool:
    """Return True if no field of an operation may hold a secret."""
    return not any(each.repr is False or "GlobalVar" in str(each.type) for each in fields_of(kind))


def functions_file() -> str:
    """Return `client/operations/management.py`."""
    imports = Imports("bkjob_async.client.operations.management")
    for name in ("Caller", "build"):
        imports.add("bkjob_async.client.caller", name)
    written = [function(kind, imports) for kind in operations()]
    return HEAD + imports.lines() + "\n\n\n" + "\n\n\n".join(written) + "\n"


def files() -> dict[Path, str]:
    """Return the text of each file that is written, whole or in part."""
    root, methods = PACKAGE / "__init__.py", PACKAGE / "client" / "client.py"
    names = {module.__name__: [kind.__name__ for kind in public_classes(module)] for module in MODULES}
    every = [name for some in names.values() for name in some]
    lists = with_blocks(
        root.read_text(encoding="utf-8"),
        [line for module, some in names.items() for line in import_of(module, some)],
        textwrap.wrap(", ".join(f'"{name}"' for name in every) + ",", 100),
        [line for module, some in names.items() for line in places_of(module, some)],
    )
    attributes = [f"{kind.name} = management.{kind.name}" for kind in operations()]
    functions = PACKAGE / "client" / "operations" / "management.py"
    return {
        functions: formatted(functions_file(), functions),
        methods: with_blocks(methods.read_text(encoding="utf-8"), attributes),
        root: lists,
        ROOT / "tests" / "public.txt": "\n".join(public_names(lists)) + "\n",
        PACKAGE / "docs" / "api" / "management.md": page_of(every),
    }


def import_of(module: str, names: list[str]) -> list[str]:
    """Return the import of public names."""
    wrapped = textwrap.wrap(f"{', '.join(names)},", 96)
    return [f"from {module} import (", *(f"    {line}" for line in wrapped), ")"]


def places_of(module: str, names: list[str]) -> list[str]:
    """Return the item of the table that says where public names are."""
    wrapped = textwrap.wrap(" ".join(names), 88)
    texts = [f'    "{line}{"" if line is wrapped[-1] else " "}"' for line in wrapped]
    return [f'"{module}": (', *texts, "),"]


def public_names(root: str) -> list[str]:
    """Return all names that the package exports."""
    block = root.partition("__all__ = [")[2].partition("\n]")[0]
    return sorted(re.findall(r'"(\w+)"', block))


def page_of(names: list[str]) -> str:
    """Return the page of the API that shows the classes."""
    parts = [f".. autoclass:: {name}\n   :members:\n" for name in names]
    body = "\n".join([".. currentmodule:: bkjob_async\n", *parts])
    return f"# Plans, scripts, accounts, crons, agents\n\n```{{eval-rst}}\n{body}\n```\n"

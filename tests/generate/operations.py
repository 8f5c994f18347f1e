"""Methods of the client, and the lists of public names, made from the classes of operations."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

import bkjob_async
from bkjob_async.client.operations.batch_logs import GatheredLogs
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations import (
    base,
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

PACKAGE = ROOT / "bkjob_async"
MODULES = (stored_queries, management)
MODEL = (base, extra_operations, launches, queries, stored_queries, management)
ANSWERS = (responses, stored_items, management)
OTHER_ANSWERS: tuple[type[Any], ...] = (base.OperationAccepted, GatheredLogs, PagedList)
DOCS = {
    "operations": "The operations of the platform, a frozen class each: what `JobClient.call` takes.",
    "responses": "What the methods of a client return: the platform's responses as frozen classes.",
}
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


def operation_classes() -> list[type[Any]]:
    """Return every operation of the platform that there is, and what they have in common."""
    found = {each for module in MODEL for each in vars(module).values() if is_operation(each)}
    return sorted(
        {each for each in found if "name" in vars(each)} | {Operation}, key=lambda each: each.__name__
    )


def response_classes() -> list[type[Any]]:
    """Return the classes of what operations return."""
    declared = [each for module in ANSWERS for each in public_classes(module) if not is_operation(each)]
    return sorted({*declared, *OTHER_ANSWERS} - {responses.Callback}, key=lambda each: each.__name__)


def is_operation(value: object) -> bool:
    """Return True for a class of operations."""
    return inspect.isclass(value) and issubclass(value, Operation)


def public_module(doc: str, classes: Sequence[type[Any]]) -> str:
    """Return a module from which these classes are imported."""
    imports = Imports("")
    for each in classes:
        imports.add(each.__module__, each.__name__)
    names = "".join(f'    "{each.__name__}",\n' for each in classes)
    return f'"""{doc}"""\n\n{imports.lines()}\n\n__all__ = [\n{names}]\n'


def files() -> dict[Path, str]:
    """Return the text of each file that is written, whole or in part."""
    methods = PACKAGE / "client" / "client.py"
    attributes = [f"{kind.name} = management.{kind.name}" for kind in operations()]
    functions = PACKAGE / "client" / "operations" / "management.py"
    of_modules = {"operations": operation_classes(), "responses": response_classes()}
    modules = {
        PACKAGE / f"{name}.py": public_module(DOCS[name], classes) for name, classes in of_modules.items()
    }
    others = {name: import_module(f"bkjob_async.{name}").__all__ for name in ("codes", "observations")}
    names = others | {name: [each.__name__ for each in classes] for name, classes in of_modules.items()}
    dotted = [f"{module}.{name}" for module, some in names.items() for name in some]
    return {
        functions: formatted(functions_file(), functions),
        methods: with_blocks(methods.read_text(encoding="utf-8"), attributes),
        **{path: formatted(text, path) for path, text in modules.items()},
        ROOT / "tests" / "public.txt": "\n".join(sorted([*bkjob_async.__all__, *dotted])) + "\n",
        PACKAGE / "docs" / "api" / "management.md": management_page(),
    }


def management_page() -> str:
    """Return the page of the API that shows the operations of these modules, and what they return."""
    shown = [each for module in MODULES for each in public_classes(module)]
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

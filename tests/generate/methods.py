"""The methods of the client, made from the classes of operations."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias, cast

import attrs

from bkjob_async.model import ref_input
from bkjob_async.model.operations.base import OperateStepInstance, Operation
from bkjob_async.model.operations.extra_operations import (
    BkciPluginFastExecuteScript,
    BkciPluginFastTransferFile,
    BkciPluginGetJobInstanceStatus,
)
from bkjob_async.model.operations.launches import ExecuteJobPlan, FastExecuteScript, FastExecuteSql
from bkjob_async.model.operations.queries import BatchGetJobInstanceIpLog
from tests.generate.files import Imports

Kind = type[Operation[Any]]
Field: TypeAlias = "attrs.Attribute[Any]"

# Methods that do more than to build an operation and to send it.
BY_HAND: tuple[Kind, ...] = (OperateStepInstance, BatchGetJobInstanceIpLog)
# Fields that a method calls as the platform does: `name` is that of an operation itself.
RENAMED = {
    "file_names": "file_name_list",
    "files": "file_list",
    "global_vars": "global_var_list",
    "item_name": "name",
    "job_name": "name",
    "sources": "file_source_list",
    "targets": "target_server",
}
# Where the platform has other names for the same.
RENAMED_IN: Mapping[Kind, Mapping[str, str]] = {
    BkciPluginFastExecuteScript: {"targets": "execute_target"},
    BkciPluginFastTransferFile: {"targets": "execute_object"},
    BkciPluginGetJobInstanceStatus: {"return_ip_result": "include_execute_object_task_result"},
}
# Fields that are passed by position, where these are not the ones without a default.
BY_POSITION: Mapping[Kind, Sequence[str]] = {
    ExecuteJobPlan: ("job_plan_id", "global_vars"),
    FastExecuteScript: ("script_content", "targets"),
    FastExecuteSql: ("script_content", "targets"),
    BkciPluginFastExecuteScript: ("script_content", "targets"),
}
# What names the job or the step in a method, and how its documentation says so.
# What names the job or the step in a method: its parameters, what they become, and what their documentation is.
REFS = {
    "JobRef": (
        ("job_instance_id: JobRefLike",),
        "client.job(job_instance_id, scope=scope)",
        "*job_instance_id* names the job",
    ),
    "StepRef": (
        ("job_instance_id: RefLike", "step_instance_id: int | None = None"),
        "client.step(job_instance_id, step_instance_id, scope=scope)",
        "*job_instance_id* names the step, or its job beside a *step_instance_id*",
    ),
}
WIDTH = 106
HEAD = '''"""Operations that `model/operations/{name}.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

'''


def functions_file(name: str, kinds: Sequence[Kind]) -> str:
    """Return the module *name*: the functions that are the methods of these operations."""
    imports = Imports(f"bkjob_async.client.operations.{name}")
    for each in ("Caller", "build"):
        imports.add("bkjob_async.client.caller", each)
    written = [function(kind, imports) for kind in kinds]
    return HEAD.format(name=name) + imports.lines() + "\n\n\n" + "\n\n\n".join(written) + "\n"


def function(kind: Kind, imports: Imports) -> str:
    """Return the function that is the method of an operation."""
    imports.add(kind.__module__, kind.__name__)
    result = result_of(kind)
    imports.add_words(result, sys.modules[kind.__module__])
    page = is_list(kind)
    returned = result.replace("Page", "PagedList", 1) if page else result
    operation = f"build({kind.__name__}, {', '.join(passed(kind))})"
    ending = f"return await client._call({operation}, request_timeout)"
    if page:
        imports.add("bkjob_async.client.operations.paged_list", "PagedList")
        ending = f"return PagedList(client, {operation}, request_timeout)"
    if result == "None":
        ending = ending.removeprefix("return ")
    if not is_open(kind):
        imports.add("bkjob_async.wire.tracebacks", "hide_arguments")
    return "\n".join(
        [
            *([] if is_open(kind) else ["@hide_arguments"]),
            f"{'' if page else 'async '}def {kind.name}({signature(kind, imports)}) -> {returned}:",
            said(kind),
            f"    {ending}",
        ]
    )


def result_of(kind: Kind) -> str:
    """Return the type of an operation's result, as its class names it."""
    header = inspect.getsource(kind).partition("class ")[2].partition("):")[0]
    return header.partition("Operation[")[2].removesuffix("]")


def is_list(kind: Kind) -> bool:
    """Return True if an operation reads a page of a list."""
    return result_of(kind).startswith("Page[")


def is_open(kind: Kind) -> bool:
    """Return True if no field of an operation may hold a secret."""
    return not any(each.repr is False or "GlobalVar" in str(each.type) for each in fields_of(kind))


# Parameters ----------------------------------------------------------------------------------------------------------


def signature(kind: Kind, imports: Imports) -> str:
    """Return the parameters of the method of an operation."""
    fields = {each.name: each for each in given_fields(kind)}
    ref = ref_of(kind)
    # Behind what names a step, or its job and the step, names are clearer.
    usual = [] if ref == "StepRef" else [name for name in fields if is_needed(fields[name])]
    first = BY_POSITION.get(kind, usual)
    last = sorted(
        (name for name in fields if name not in first), key=lambda name: not is_needed(fields[name])
    )
    words = ["client: Caller"]
    if ref:
        words += REFS[ref][0]
        imports.add_words(words[1].partition(": ")[2], ref_input)
    for place, name in enumerate(first):
        # No parameter that has a default stands before one without.
        is_bare = any(is_needed(fields[each]) for each in first[place:])
        words.append(parameter(kind, fields[name], imports, is_bare=is_bare))
    words.append("*")
    words += [parameter(kind, fields[name], imports) for name in last]
    if ref or takes_scope(kind):
        imports.add("bkjob_async.model.refs", "Scope")
        words.append("scope: Scope | None = None")
    return ", ".join([*words, "request_timeout: float | None = None"])


def parameter(kind: Kind, field: Field, imports: Imports, *, is_bare: bool = False) -> str:
    """Return one parameter as source; one that *is_bare* has no default."""
    written, module = str(field.type), declared_in(kind, field.name)
    if field.converter is not None:
        converter: Any = field.converter
        (given, *_) = inspect.signature(converter).parameters.values()
        written, module = str(given.annotation), converter.__module__
    imports.add_words(written, sys.modules[module])
    named = f"{name_of(kind, field.name)}: {written}"
    if is_bare or is_needed(field):
        return named
    default = repr(field.default)
    if field.name == "length":
        default = "USUAL_PAGE"
        imports.add("bkjob_async.model.operations.queries", default)
    elif isinstance(field.default, Enum):
        default = f"{type(field.default).__name__}.{field.default.name}"
        imports.add(type(field.default).__module__, type(field.default).__name__)
    return f"{named} = {default}"


def passed(kind: Kind) -> Iterator[str]:
    """Yield the arguments from which the operation of a method is built."""
    ref = ref_of(kind)
    if ref:
        yield f"ref={REFS[ref][1]}"
    for each in fields_of(kind):
        if each.name == "scope":
            yield f"scope={'client._needed_scope(scope)' if is_needed(each) else 'scope or client.scope'}"
    for each in given_fields(kind):
        given = name_of(kind, each.name)
        if given == "callback_url":
            given = f"client._callback_url(callback_url, {kind.__name__})"
        yield f"{each.name}={given}"


def fields_of(kind: Kind) -> tuple[Field, ...]:
    """Return the fields of an operation."""
    found: tuple[Field, ...] = attrs.fields(cast("type[Any]", kind))
    return found


def given_fields(kind: Kind) -> list[Field]:
    """Return the fields that a caller gives, each by a parameter of its own; how long a page is comes last."""
    fields = [each for each in fields_of(kind) if each.name not in ("ref", "scope", "start")]
    return sorted(fields, key=lambda each: each.name == "length")


def ref_of(kind: Kind) -> str:
    """Return what an operation is about, `JobRef` or `StepRef`; empty for neither."""
    return next((str(each.type) for each in fields_of(kind) if each.name == "ref"), "")


def takes_scope(kind: Kind) -> bool:
    """Return True if an operation has a scope."""
    return any(each.name == "scope" for each in fields_of(kind))


def is_needed(field: Field) -> bool:
    """Return True for a field without a default."""
    return field.default is attrs.NOTHING


def name_of(kind: Kind, field: str) -> str:
    """Return what a method calls a field."""
    return RENAMED_IN.get(kind, {}).get(field) or RENAMED.get(field, field)


def declared_in(kind: Kind, name: str) -> str:
    """Return the module of the class that declares a field."""
    return next(each.__module__ for each in kind.__mro__ if name in vars(each).get("__annotations__", {}))


# Documentation -------------------------------------------------------------------------------------------------------


def said(kind: Kind) -> str:
    """Return the documentation of an operation with the names of the parameters."""
    text = inspect.cleandoc(kind.__doc__ or "")
    for ref, (_, _, words) in REFS.items():
        noun = ref.removesuffix("Ref").lower()
        text = text.replace(f"*ref* names the {noun}", words)
    for each in fields_of(kind):
        text = text.replace(f"*{each.name}*", f"*{name_of(kind, each.name)}*")
    text = text.replace("a method's *request_timeout*", "*request_timeout*")
    # A method has no *start*: it reads page after page.
    text = re.sub(r"\*start\* counts \w+\s+from\s+0,\s+and\s+\*length\*", "*length*", text)
    text = "\n\n".join(map(filled, text.split("\n\n")))
    return textwrap.indent(f'"""{text}\n"""', "    ", lambda line: bool(line.strip()))


def filled(paragraph: str) -> str:
    """Return a paragraph in lines of the usual length, an example as it is; code is not divided."""
    if paragraph.startswith(">>>"):
        return paragraph
    joined = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), " ".join(paragraph.split()))
    text = textwrap.fill(joined, WIDTH, break_long_words=False, break_on_hyphens=False)
    return text.replace("\0", " ")

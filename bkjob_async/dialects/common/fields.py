"""Fields of operations and results by their own names; dialects list those that they name differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from attrs import fields

from bkjob_async.dialects.common.json_fields import MILLISECONDS, JsonObject
from bkjob_async.dialects.common.ref_checks import read_scope
from bkjob_async.model.refs import Scope

T = TypeVar("T")
Names = Mapping[str, str | tuple[str, ...]]

# How a field of a result is read, by its type.
READERS: Mapping[Any, Callable[..., Any]] = {
    str: JsonObject.text,
    str | None: JsonObject.maybe_text,
    int: JsonObject.identity,
    int | None: JsonObject.maybe_integer,
    float | None: JsonObject.number,
    bool: lambda row, *names: row.flag(*names) or False,
    bool | None: JsonObject.flag,
    datetime | None: JsonObject.time,
    tuple[str, ...]: JsonObject.texts,
    Scope | None: lambda row, *_: read_scope(row),
    # The platform's own data.
    Mapping[str, Any]: lambda row, *_: row.members,
}


def read_fields(kind: Callable[..., T], row: JsonObject, names: Names | None = None, **given: Any) -> T:
    """Return a result of *kind*, each field read by its type from the member of its name.

    *names* maps fields to members that are called differently, *given* are fields that were read already. A field of
    a type that is not in `READERS` keeps its default unless it is given.
    """
    for field, read in readers_of(kind).items():
        if field not in given:
            name = (names or {}).get(field, field)
            given[field] = read(row, *([name] if isinstance(name, str) else name))
    return kind(**given)


@cache
def readers_of(kind: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
    """Return what reads each field of *kind*: numbers of things are positive, any other number may be 0."""
    types = {name: kind for name, kind in get_type_hints(kind).items() if kind in READERS}
    return {
        name: JsonObject.maybe_identity if name.endswith("id") and kind == int | None else READERS[kind]
        for name, kind in types.items()
    }


def field_values(operation: Any, *without: str, unit: float = MILLISECONDS, **renamed: str) -> dict[str, Any]:
    """Return the fields of an operation by their names, but for *without* and what every dialect names alike: scope, job and step.

    Times are numbers in *unit*. *renamed* maps the platform's names to those of fields.
    """
    kind: Callable[..., Any] = type(operation)
    return {
        name: round(value.timestamp() * unit) if isinstance(value, datetime) else value
        for name, field in sent_names(kind, without, tuple(renamed.items()))
        for value in (getattr(operation, field),)
    }


@cache
def sent_names(
    kind: Callable[..., Any], without: tuple[str, ...], renamed: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """Return the platform's name of each field of *kind* that is sent, and the field's own; see `field_values`."""
    platform_names = {field: name for name, field in renamed}
    names = [
        str(each.name)
        for each in fields(cast("type[Any]", kind))
        if each.name not in ("ref", "scope", *without)
    ]
    return tuple((platform_names.get(name, name), name) for name in names)

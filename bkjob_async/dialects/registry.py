"""The dialects by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from pkgutil import resolve_name
from typing import Any

from attrs import evolve

from bkjob_async.dialects.common.dialect import COMMON_OPTIONS, Dialect
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE
from bkjob_async.dialects.names import DIALECTS, PLACES
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import Operation


def dialect_named(name: str) -> Dialect:
    """Return the dialect of this *name* without options; raise `UsageError`."""
    if name not in PLACES:
        raise UsageError(f"no dialect {name!r}; there are {', '.join(DIALECTS)}")
    dialect: Dialect = resolve_name(PLACES[name])
    return dialect


@cache
def operations() -> Mapping[type[Operation[Any]], tuple[str, ...]]:
    """Return each operation with the names of the dialects that have it; imports them all."""
    tables = {name: dialect_named(name).all_calls() for name in DIALECTS}
    kinds = {kind: None for table in tables.values() for kind in table}
    return {kind: tuple(name for name, table in tables.items() if kind in table) for kind in kinds}


def dialects_with(kind: type[Operation[Any]]) -> tuple[str, ...]:
    """Return the names of the dialects that have this *kind* of operation."""
    return operations().get(kind, ())


def dialect_by_name(name: str, *, timezone: tzinfo = DEFAULT_ZONE, **options: Any) -> Dialect:
    """Return the dialect of this *name*; raise `UsageError`, for options that it does not have too.

    *timezone* is that of times which carry none. All take *tenant* and *language*; the gateways take *system*
    and *acting_user*, the ESB's components *credentials_in*.
    """
    dialect = dialect_named(name)
    refused = options.keys() - dialect.options - COMMON_OPTIONS
    if refused:
        raise UsageError(f"{name} does not take these options: {', '.join(sorted(refused))}")
    return evolve(dialect, zone=timezone, supported_by=dialects_with, **options)

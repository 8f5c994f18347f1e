"""The dialects by name."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from attrs import evolve

from bkjob_async.dialects.common.dialect import COMMON_OPTIONS, Dialect
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE
from bkjob_async.dialects.esb.job import ESB_JOB
from bkjob_async.dialects.esb.jobv3 import ESB_JOBV3
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.dialects.gateway.v4 import GATEWAY_V4
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import Operation

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (ESB_JOB, ESB_JOBV3, GATEWAY_V3, GATEWAY_V4)
}

# Each operation with the names of the dialects that have it.
OPERATIONS: Mapping[type[Operation[Any]], tuple[str, ...]] = {
    operation: tuple(dialect.name for dialect in DIALECTS.values() if operation in dialect.calls)
    for operation in {operation: None for dialect in DIALECTS.values() for operation in dialect.calls}
}


def dialect_by_name(name: str, *, timezone: tzinfo = DEFAULT_ZONE, **options: Any) -> Dialect:
    """Return the dialect of this *name*; raise `UsageError`, for options that it does not have too.

    *timezone* is that of times which carry none. All take *tenant* and *language*; the gateways take *system*
    and *acting_user*, the ESB's components *credentials_in*.
    """
    if name not in DIALECTS:
        raise UsageError(f"no dialect {name!r}; there are {', '.join(DIALECTS)}")
    dialect = DIALECTS[name]
    refused = options.keys() - dialect.options - COMMON_OPTIONS
    try:
        if not refused:
            return evolve(dialect, zone=timezone, supported_by=OPERATIONS, **options)
    except ValueError as error:
        raise UsageError(f"{name} does not take these options: {', '.join(sorted(options))}") from error
    raise UsageError(f"{name} does not take these options: {', '.join(sorted(refused))}")

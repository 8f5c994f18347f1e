"""The dialects by name."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from bkjob_async.dialects.base import Dialect
from bkjob_async.dialects.esb_job import EsbJob
from bkjob_async.dialects.gateway_v3 import GatewayV3
from bkjob_async.dialects.reading import DEFAULT_ZONE
from bkjob_async.errors import UsageError

DIALECTS: Mapping[str, Callable[..., Dialect]] = {
    "esb-job": EsbJob,
    "gateway-v3": GatewayV3,
}


def dialect(name: str, *, timezone: tzinfo = DEFAULT_ZONE, **options: Any) -> Dialect:
    """Return the dialect of this *name*; raise `UsageError` for any other, and for options that it does not have.

    *timezone* is that of times which carry none. `esb-job` takes `credentials_in="body"`.
    """
    make = DIALECTS.get(name)
    if make is None:
        raise UsageError(f"no dialect {name!r}; there are {', '.join(sorted(DIALECTS))}")
    try:
        return make(zone=timezone, **options)
    except TypeError as error:
        raise UsageError(f"{name} does not take these options: {', '.join(sorted(options))}") from error

"""The dialects by name."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from bkjob_async.dialects.common.base import Calls, TableDialect
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE
from bkjob_async.dialects.esb.job import CALLS as ESB_JOB
from bkjob_async.dialects.esb.job import EsbJob
from bkjob_async.dialects.esb.jobv3 import CALLS as ESB_JOBV3
from bkjob_async.dialects.esb.jobv3 import EsbJobV3
from bkjob_async.dialects.gateway.v3 import CALLS as GATEWAY_V3
from bkjob_async.dialects.gateway.v3 import GatewayV3
from bkjob_async.dialects.gateway.v4 import CALLS as GATEWAY_V4
from bkjob_async.dialects.gateway.v4 import GatewayV4
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import Operation

DIALECTS: Mapping[str, tuple[Callable[..., TableDialect], Calls]] = {
    "esb-job": (EsbJob, ESB_JOB),
    "esb-jobv3": (EsbJobV3, ESB_JOBV3),
    "gateway-v3": (GatewayV3, GATEWAY_V3),
    "gateway-v4": (GatewayV4, GATEWAY_V4),
}

OPERATIONS: Mapping[type[Operation[Any]], tuple[str, ...]] = {
    kind: tuple(name for name, (_, calls) in DIALECTS.items() if kind in calls)
    for kind in {kind: None for _, calls in DIALECTS.values() for kind in calls}
}


def dialect(name: str, *, timezone: tzinfo = DEFAULT_ZONE, **options: Any) -> TableDialect:
    """Return the dialect of this *name*; raise `UsageError` for any other, and for options that it does not have.

    *timezone* is that of times which carry none. All take *tenant* and *language*; the gateways take *system* and
    *acting_user*, the ESB's components *credentials_in*.
    """
    if name not in DIALECTS:
        raise UsageError(f"no dialect {name!r}; there are {', '.join(DIALECTS)}")
    make = DIALECTS[name][0]
    try:
        return make(zone=timezone, elsewhere=OPERATIONS, **options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} does not take these options: {', '.join(sorted(options))}") from error

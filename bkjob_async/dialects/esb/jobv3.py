"""The ESB's component `jobv3`: `{paas}/api/c/compapi/v2/jobv3/<operation>/`."""

from __future__ import annotations

from bkjob_async.dialects.common.dialect import ESB_OPTIONS, Calls, Dialect
from bkjob_async.dialects.gateway import v3
from bkjob_async.dialects.gateway import v3_requests as requests
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities

# The same operations with the same parameters as in the gateway, but nothing about a single step
# and nothing that needs `/system/`.
CALLS: Calls = {kind: call for kind, call in v3.CALLS.items() if kind is not GetStepInstanceStatus}


ESB_JOBV3 = Dialect(
    name="esb-jobv3",
    capabilities=Capabilities(
        step_status=False,
        job_rows_on_request=True,
        groups=False,
        log_hosts=requests.LOG_HOSTS_V3,
        list_length=requests.LIST_LENGTH_V3,
    ),
    path_prefix="api/c/compapi/v2/jobv3/",
    path_suffix="/",
    calls=CALLS,
    rare_calls=(
        "gateway.stored_items:CALLS",
        "gateway.management:CALLS",
        "gateway.extra_operations:UPLOADS",
    ),
    scope_parameters=requests.scope_parameters_esb,
    options=ESB_OPTIONS,
)

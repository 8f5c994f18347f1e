"""The ESB's component `jobv3`: `{paas}/api/c/compapi/v2/jobv3/<operation>/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from bkjob_async.dialects.common.base import Calls
from bkjob_async.dialects.esb.base import EsbDialect
from bkjob_async.dialects.gateway import v3_requests as send
from bkjob_async.dialects.gateway.extra_operations import SYSTEM_CALLS, UPLOADS
from bkjob_async.dialects.gateway.v3 import CALLS as GATEWAY_CALLS
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.queries import GetStepInstanceDetail
from bkjob_async.model.refs import Scope

CAPABILITIES = Capabilities(
    step_status=False,
    job_rows_on_request=True,
    groups=False,
    job_list=True,
    log_hosts=send.LOG_HOSTS_V3,
    list_length=send.LIST_LENGTH_V3,
)

# The same operations with the same parameters as in the gateway, but nothing about a single step
# and nothing that needs `/system/`.
LACKING = (GetStepInstanceStatus, GetStepInstanceDetail, *SYSTEM_CALLS)
SHARED: Calls = {kind: call for kind, call in GATEWAY_CALLS.items() if kind not in LACKING}
CALLS: Calls = {**SHARED, **UPLOADS}


@frozen(kw_only=True)
class EsbJobV3(EsbDialect):
    """The ESB's component `jobv3`."""

    name: str = "esb-jobv3"
    capabilities: Capabilities = CAPABILITIES
    root: str = "api/c/compapi/v2/jobv3/"
    calls: Calls = field(default=CALLS, repr=False)
    scope_parameters: Callable[[Scope], Mapping[str, Any]] = field(
        default=send.scope_parameters_esb, repr=False
    )

"""The API gateway, version 4: `{gateway}/{stage}/api/v4/<operation>`."""

from __future__ import annotations

from functools import partial

from bkjob_async.dialects.common.dialect import GATEWAY_OPTIONS, Call, Calls, Dialect
from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.responses import read_host_logs, read_job_launch, read_job_list
from bkjob_async.dialects.common.status_calls import status_call
from bkjob_async.dialects.gateway import v3_launch_requests as launch_requests
from bkjob_async.dialects.gateway import v3_requests as requests
from bkjob_async.dialects.gateway.v4_responses import read_job, read_job_strictly
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.launches import FastExecuteScript
from bkjob_async.model.operations.queries import BatchGetJobInstanceIpLog, GetJobInstanceList

CALLS: Calls = {
    GetJobInstanceStatus: status_call(
        "GET",
        partial(field_values, return_execute_object_result="return_ip_result"),
        read_job,
        read_job_strictly,
        # bk-job: OpenApiGetJobInstanceStatusV4ResourceImpl.java
        omits_empty_lists=True,
    ),
    BatchGetJobInstanceIpLog: Call(
        "POST",
        requests.host_logs_v4_parameters,
        read_host_logs,
        platform_name="batch_get_job_instance_execute_object_log",
    ),
    GetJobInstanceList: Call("GET", requests.job_list_v4_parameters, read_job_list),
    FastExecuteScript: Call("POST", launch_requests.fast_execute_script_v4_parameters, read_job_launch),
}


# No step status, but containers.
GATEWAY_V4 = Dialect(
    name="gateway-v4",
    capabilities=Capabilities(
        step_status=False,
        job_rows_on_request=True,
        groups=False,
        log_hosts=requests.LOG_HOSTS_V4,
        list_length=requests.LIST_LENGTH_V4,
    ),
    path_prefix="api/v4/",
    calls=CALLS,
    rare_calls=(
        "gateway.extra_operations:CONTEXT_CALLS",
        "gateway.management:V4_CALLS",
    ),
    scope_parameters=requests.scope_parameters,
    options=GATEWAY_OPTIONS,
)

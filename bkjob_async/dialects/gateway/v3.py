"""The API gateway, version 3: `{gateway}/{stage}/api/v3/<operation>`."""

from __future__ import annotations

from bkjob_async.dialects.common.dialect import GATEWAY_OPTIONS, Call, Calls, Dialect
from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.responses import (
    read_host_log,
    read_host_logs,
    read_job_launch,
    read_job_list,
    read_operation_accepted,
    read_variables,
)
from bkjob_async.dialects.common.status_calls import status_call
from bkjob_async.dialects.gateway import v3_launch_requests as launch_requests
from bkjob_async.dialects.gateway import v3_requests as requests
from bkjob_async.dialects.gateway.v3_responses import (
    read_job,
    read_job_strictly,
    read_step,
    read_step_strictly,
)
from bkjob_async.model.operations import launches, queries
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
)
from bkjob_async.model.operations.capabilities import Capabilities

CALLS: Calls = {
    GetJobInstanceStatus: status_call("GET", field_values, read_job, read_job_strictly),
    GetStepInstanceStatus: status_call("GET", field_values, read_step, read_step_strictly),
    queries.GetJobInstanceIpLog: Call("GET", requests.host_log_parameters, read_host_log),
    queries.BatchGetJobInstanceIpLog: Call("POST", requests.host_logs_parameters, read_host_logs),
    queries.GetJobInstanceList: Call("GET", requests.job_list_parameters, read_job_list),
    queries.GetJobInstanceGlobalVarValue: Call("GET", field_values, read_variables),
    OperateStepInstance: Call("POST", field_values, read_operation_accepted),
    OperateJobInstance: Call("POST", field_values, read_operation_accepted),
    launches.ExecuteJobPlan: Call("POST", launch_requests.execute_job_plan_parameters, read_job_launch),
    launches.FastExecuteScript: Call("POST", launch_requests.fast_execute_script_parameters, read_job_launch),
    launches.FastExecuteSql: Call("POST", launch_requests.fast_execute_sql_parameters, read_job_launch),
    launches.FastTransferFile: Call("POST", launch_requests.fast_transfer_file_parameters, read_job_launch),
    launches.PushConfigFile: Call("POST", launch_requests.push_config_file_parameters, read_job_launch),
}


GATEWAY_V3 = Dialect(
    name="gateway-v3",
    capabilities=Capabilities(
        step_status=True,
        job_rows_on_request=True,
        groups=True,
        log_hosts=requests.LOG_HOSTS_V3,
        list_length=requests.LIST_LENGTH_V3,
    ),
    path_prefix="api/v3/",
    calls=CALLS,
    rare_calls=(
        "gateway.stored_items:CALLS",
        "gateway.extra_operations:GATEWAY_CALLS",
        "gateway.extra_operations:SYSTEM_CALLS",
        "gateway.management:CALLS",
        "gateway.management:GATEWAY_CALLS",
        "gateway.management:SYSTEM_CALLS",
    ),
    scope_parameters=requests.scope_parameters,
    options=GATEWAY_OPTIONS,
)

"""The API gateway, version 3: `{gateway}/{stage}/api/v3/<operation>`."""

from __future__ import annotations

from bkjob_async.dialects.common.dialect import GATEWAY_OPTIONS, Call, Calls, TableDialect
from bkjob_async.dialects.common.responses import (
    read_host_log,
    read_host_logs,
    read_job_list,
    read_launched,
    read_operated,
    read_variables,
)
from bkjob_async.dialects.common.step_detail import read_step_detail
from bkjob_async.dialects.gateway import v3_launch_requests as start
from bkjob_async.dialects.gateway import v3_requests as send
from bkjob_async.dialects.gateway.extra_operations import SYSTEM_CALLS
from bkjob_async.dialects.gateway.stored_items import CALLS as STORED_CALLS
from bkjob_async.dialects.gateway.v3_responses import (
    read_job_poll,
    read_job_status,
    read_job_status_strictly,
    read_step_poll,
    read_step_status,
    read_step_status_strictly,
)
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
)
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    PushConfigFile,
)
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetStepInstanceDetail,
)

CAPABILITIES = Capabilities(
    step_status=True,
    job_rows_on_request=True,
    groups=True,
    job_list=True,
    log_hosts=send.LOG_HOSTS_V3,
    list_length=send.LIST_LENGTH_V3,
)

CALLS: Calls = {
    GetJobInstanceStatus: Call(
        method="GET",
        parameters=send.job_status,
        read=read_job_status,
        read_strict=read_job_status_strictly,
        read_poll=read_job_poll,
    ),
    GetStepInstanceStatus: Call(
        method="GET",
        parameters=send.step_status,
        read=read_step_status,
        read_strict=read_step_status_strictly,
        read_poll=read_step_poll,
    ),
    GetStepInstanceDetail: Call(method="GET", parameters=send.by_step, read=read_step_detail),
    GetJobInstanceIpLog: Call(method="GET", parameters=send.host_log, read=read_host_log),
    BatchGetJobInstanceIpLog: Call(method="POST", parameters=send.host_logs, read=read_host_logs),
    GetJobInstanceList: Call(method="GET", parameters=send.job_list, read=read_job_list),
    GetJobInstanceGlobalVarValue: Call(method="GET", parameters=send.by_job, read=read_variables),
    OperateStepInstance: Call(method="POST", parameters=send.operate_step, read=read_operated),
    OperateJobInstance: Call(method="POST", parameters=send.operate_job, read=read_operated),
    ExecuteJobPlan: Call(method="POST", parameters=start.execute_job_plan, read=read_launched),
    FastExecuteScript: Call(method="POST", parameters=start.fast_execute_script, read=read_launched),
    FastExecuteSql: Call(method="POST", parameters=start.fast_execute_sql, read=read_launched),
    FastTransferFile: Call(method="POST", parameters=start.fast_transfer_file, read=read_launched),
    PushConfigFile: Call(method="POST", parameters=start.push_config_file, read=read_launched),
    **STORED_CALLS,
    **SYSTEM_CALLS,
}

GATEWAY_V3 = TableDialect(
    name="gateway-v3",
    capabilities=CAPABILITIES,
    path_prefix="api/v3/",
    calls=CALLS,
    scope_parameters=send.scope_parameters,
    options=GATEWAY_OPTIONS,
)

"""The ESB's component `job`, version 2: `{paas}/api/c/compapi/v2/job/<operation>/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from bkjob_async.dialects.common.base import Call, Calls
from bkjob_async.dialects.common.responses import read_job_logs, read_launched, read_operated, read_variables
from bkjob_async.dialects.esb import job_requests as send
from bkjob_async.dialects.esb.base import EsbDialect
from bkjob_async.dialects.esb.job_responses import (
    look_job,
    look_step,
    quick_job_status,
    read_job_status,
    read_step_status,
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
from bkjob_async.model.operations.queries import GetJobInstanceGlobalVarValue, GetJobInstanceLog
from bkjob_async.model.refs import Scope

# Current servers fill only the first group of a step status, so a watch cannot live on it.
CAPABILITIES = Capabilities(
    step_status=False, job_rows_on_request=False, groups=False, config_file_callback=False
)

CALLS: Calls = {
    GetJobInstanceStatus: Call(
        method="GET", parameters=send.by_job, read=read_job_status, quick=quick_job_status, look=look_job
    ),
    GetStepInstanceStatus: Call(
        method="POST", parameters=send.step_status, read=read_step_status, look=look_step
    ),
    GetJobInstanceLog: Call(method="GET", parameters=send.by_job, read=read_job_logs),
    GetJobInstanceGlobalVarValue: Call(method="GET", parameters=send.by_job, read=read_variables),
    OperateStepInstance: Call(method="POST", parameters=send.operate_step, read=read_operated),
    OperateJobInstance: Call(method="POST", parameters=send.operate_job, read=read_operated),
    ExecuteJobPlan: Call(method="POST", name="execute_job", parameters=send.execute_job, read=read_launched),
    FastExecuteScript: Call(method="POST", parameters=send.fast_execute_script, read=read_launched),
    FastExecuteSql: Call(method="POST", parameters=send.fast_execute_sql, read=read_launched),
    FastTransferFile: Call(
        method="POST", name="fast_push_file", parameters=send.fast_push_file, read=read_launched
    ),
    PushConfigFile: Call(method="POST", parameters=send.push_config_file, read=read_launched),
}


@frozen(kw_only=True)
class EsbJob(EsbDialect):
    """The ESB's component `job`, answered by the classic backend or by the one that replaced it."""

    name: str = "esb-job"
    capabilities: Capabilities = CAPABILITIES
    root: str = "api/c/compapi/v2/job/"
    calls: Calls = field(default=CALLS, repr=False)
    scope_parameters: Callable[[Scope], Mapping[str, Any]] = field(default=send.scope_parameters, repr=False)

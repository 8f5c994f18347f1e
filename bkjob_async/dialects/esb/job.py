"""The ESB's component `job`, version 2: `{paas}/api/c/compapi/v2/job/<operation>/`."""

from __future__ import annotations

from collections.abc import Mapping

from bkjob_async.dialects.common.dialect import ESB_OPTIONS, Call, Calls, Dialect
from bkjob_async.dialects.common.fields import field_values
from bkjob_async.dialects.common.responses import (
    read_job_launch,
    read_job_logs,
    read_operation_accepted,
    read_variables,
)
from bkjob_async.dialects.common.status_calls import status_call
from bkjob_async.dialects.esb import job_requests as requests
from bkjob_async.dialects.esb.job_responses import read_job, read_job_strictly, read_step
from bkjob_async.model.operations import launches
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
)
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.operations.queries import GetJobInstanceGlobalVarValue, GetJobInstanceLog

CALLS: Calls = {
    GetJobInstanceStatus: status_call("GET", lambda _: {}, read_job, read_job_strictly),
    GetStepInstanceStatus: status_call("POST", requests.step_status_parameters, read_step),
    GetJobInstanceLog: Call("GET", field_values, read_job_logs),
    GetJobInstanceGlobalVarValue: Call("GET", field_values, read_variables),
    OperateStepInstance: Call("POST", field_values, read_operation_accepted),
    OperateJobInstance: Call("POST", field_values, read_operation_accepted),
    launches.ExecuteJobPlan: Call(
        "POST", requests.execute_job_parameters, read_job_launch, platform_name="execute_job"
    ),
    launches.FastExecuteScript: Call("POST", requests.fast_execute_script_parameters, read_job_launch),
    launches.FastExecuteSql: Call("POST", requests.fast_execute_sql_parameters, read_job_launch),
    launches.FastTransferFile: Call(
        "POST", requests.fast_push_file_parameters, read_job_launch, platform_name="fast_push_file"
    ),
    launches.PushConfigFile: Call("POST", requests.push_config_file_parameters, read_job_launch),
}


# Where this dialect says the same in another way, or less of it.
INSTEAD: Mapping[str, str] = {
    "get_job_template_list": "here get_job_plan_detail names the template of a plan",
    "get_script_version_list": "here get_script_list lists the version of each script that is online",
    "get_public_script_version_list": "here get_public_script_list lists the version of each script that is online",
    "get_cron_detail": "here get_cron_list(id=...) returns all of it but its variables",
}

# Both the old backend and the one that replaced it serve this component.
ESB_JOB = Dialect(
    name="esb-job",
    # Current servers fill only the first group of a step status, so a watch cannot use it.
    capabilities=Capabilities(
        step_status=False, job_rows_on_request=False, groups=False, config_file_callback=False
    ),
    path_prefix="api/c/compapi/v2/job/",
    path_suffix="/",
    calls=CALLS,
    rare_calls=("esb.job_stored_items:CALLS",),
    scope_parameters=requests.scope_parameters,
    options=ESB_OPTIONS,
    instead=INSTEAD,
)

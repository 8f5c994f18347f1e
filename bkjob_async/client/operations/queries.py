"""Operations that `model/operations/queries.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from bkjob_async.client.caller import Caller, build
from bkjob_async.model.operations.queries import (
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceLog,
)
from bkjob_async.model.operations.responses import HostLog, StepLogs, StepVariables
from bkjob_async.model.operations.targets import HostLike
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import Scope


async def get_job_instance_log(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[StepLogs, ...]:
    """Return all logs of a job, by step and host, with status, exit code and times of each.

    *job_instance_id* names the job. In `esb-job`. Raises a `CallFailed`, elsewhere `NotSupported`; `logs`
    works everywhere. Document: `get_job_instance_log`.

    >>> for logs in await esb.get_job_instance_log(job):
    ...     print(logs.name, [log.exit_code for log in logs.hosts])
    restart [0, 0, 1]
    """
    return await client._call(
        build(GetJobInstanceLog, ref=client.job(job_instance_id, scope=scope)), request_timeout
    )


async def get_job_instance_ip_log(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    host: HostLike,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> HostLog:
    """Return one host's log of a step's latest execution; each call returns the whole text.

    *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* is a `HostKey`, a
    `bk_host_id` or `"cloud:ip"`. In `esb-jobv3` and `gateway-v3`. Raises a `CallFailed`, elsewhere
    `NotSupported`. Document: `get_job_instance_ip_log`.

    >>> log = await client.get_job_instance_ip_log(step, host="0:10.0.0.2")
    >>> print(log.text)
    no such file
    """
    return await client._call(
        build(
            GetJobInstanceIpLog, ref=client.step(job_instance_id, step_instance_id, scope=scope), host=host
        ),
        request_timeout,
    )


async def get_job_instance_global_var_value(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[StepVariables, ...]:
    """Return the values that a job's text variables had in each step that runs a script.

    *job_instance_id* names the job. A job without variables has none. Values may be secret: they are not in
    the repr. Not in `gateway-v4` (`NotSupported`). Raises a `CallFailed`. Document:
    `get_job_instance_global_var_value`.

    >>> for step in await client.get_job_instance_global_var_value(job):
    ...     print([variable.name for variable in step.variables])
    ['version']
    """
    return await client._call(
        build(GetJobInstanceGlobalVarValue, ref=client.job(job_instance_id, scope=scope)), request_timeout
    )

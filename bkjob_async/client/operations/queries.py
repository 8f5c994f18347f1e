"""Operations that `model/operations/queries.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from datetime import datetime

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.paged_list import PagedList
from bkjob_async.model.operations.queries import (
    USUAL_PAGE,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
)
from bkjob_async.model.operations.responses import HostLog, JobInstance, StepLogs, StepVariables
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


def get_job_instance_list(
    client: Caller,
    create_time_start: datetime,
    create_time_end: datetime,
    *,
    job_instance_id: int | None = None,
    job_cron_id: int | None = None,
    operator: str | None = None,
    name: str | None = None,
    launch_mode: int | None = None,
    type: int | None = None,
    status: int | None = None,
    ip: str | None = None,
    length: int | None = USUAL_PAGE,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobInstance]:
    """Return the job instances created in a span of time, newest first, for `async for`; each once.

    *scope* owns the jobs. *create_time_start* and *create_time_end* carry a zone; outside version 4 the
    platform takes 30 days at most. *job_instance_id* makes the platform ignore every other filter.
    *job_cron_id* names the cron, *operator* the user who launched them; *name* is a part of their name, *ip*
    the address of one of their hosts. *launch_mode* is a `LaunchMode`, *type* a `TaskType`, *status* a run
    code. *length* is that of the page. Not in `esb-job`: iterating then raises `NotSupported`, as it raises
    every `CallFailed`. Document: `get_job_instance_list`.

    >>> begin = datetime(2025, 12, 31, tzinfo=UTC)
    >>> jobs = client.get_job_instance_list(begin, begin + timedelta(days=2))
    >>> [job.name async for job in jobs]
    ['restart nginx']
    """
    return PagedList(
        client,
        build(
            GetJobInstanceList,
            scope=client._needed_scope(scope),
            create_time_start=create_time_start,
            create_time_end=create_time_end,
            job_instance_id=job_instance_id,
            job_cron_id=job_cron_id,
            operator=operator,
            job_name=name,
            launch_mode=launch_mode,
            type=type,
            status=status,
            ip=ip,
            length=length,
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

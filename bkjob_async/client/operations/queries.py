"""Operations that only read, under the platform's own names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bkjob_async.client.caller import Caller, build
from bkjob_async.client.operations.batch_logs import GatheredLogs, gather_logs
from bkjob_async.client.operations.paged_list import USUAL_PAGE, PagedList, list_jobs
from bkjob_async.errors import NotSupported
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
    GetStepInstanceDetail,
)
from bkjob_async.model.operations.responses import HostLog, JobInstance, StepDetail, StepLogs, StepVariables
from bkjob_async.model.operations.targets import HostLike, host_keys
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import Scope
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot


async def get_job_instance_status(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    return_ip_result: bool = False,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> JobSnapshot:
    """Return a job's status and steps; with *return_ip_result* all hosts of their latest executions.

    Times carry a zone, durations are seconds; *request_timeout* is seconds for one attempt. In every dialect.
    Raises a `CallFailed`: `NotFound` for an unknown, archived or foreign job. Document:
    `get_job_instance_status`.

    >>> await client.get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """
    ref = client.job(job_instance_id, scope=scope)
    query = GetJobInstanceStatus(ref=ref, return_ip_result=return_ip_result)
    return await client._call(query, request_timeout)


async def get_step_instance_status(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    execute_count: int | None = None,
    batch: int | None = 0,
    max_host_num_per_group: int | None = None,
    keyword: str | None = None,
    search_ip: str | None = None,
    status: int | None = None,
    tag: str | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> StepSnapshot:
    """Return a step's status and its hosts, in groups of one status and tag.

    *batch* 0 is all batches of a rolling step, None the latest only. *status* and *tag* name the one group
    whose hosts are listed; *max_host_num_per_group* cuts each list. In `gateway-v3`, without filters in
    `esb-job`. Raises a `CallFailed`: `WrongState` for a step that only waits for a user; `NotSupported`
    elsewhere. Document: `get_step_instance_status`.

    >>> seen = await client.get_step_instance_status(step, max_host_num_per_group=1)
    >>> [(str(group.status), group.size) for group in seen.groups]
    [('SUCCESS', 2), ('SCRIPT_NOT_ZERO_EXIT_CODE', 1)]
    """
    query = build(
        GetStepInstanceStatus,
        ref=client.step(job_instance_id, step_instance_id, scope=scope),
        execute_count=execute_count,
        batch=batch,
        max_host_num_per_group=max_host_num_per_group,
        keyword=keyword,
        search_ip=search_ip,
        status=status,
        tag=tag,
    )
    return await client._call(query, request_timeout)


async def get_step_instance_detail(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> StepDetail:
    """Return what a step does: script or files, account, hosts, timeout in seconds.

    In `gateway-v3`. Raises a `CallFailed`, elsewhere `NotSupported`. Document: `get_step_instance_detail`.

    >>> detail = await client.get_step_instance_detail(step)
    >>> detail.name, detail.script.timeout
    ('restart', 7200.0)
    """
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    return await client._call(GetStepInstanceDetail(ref=ref), request_timeout)


async def get_job_instance_log(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[StepLogs, ...]:
    """Return all logs of a job, by step and host, with status, exit code and times of each.

    In `esb-job`. Raises a `CallFailed`, elsewhere `NotSupported`; `logs` works everywhere. Document:
    `get_job_instance_log`.

    >>> for logs in await esb.get_job_instance_log(job):
    ...     print(logs.name, [log.exit_code for log in logs.hosts])
    restart [0, 0, 1]
    """
    ref = client.job(job_instance_id, scope=scope)
    return await client._call(GetJobInstanceLog(ref=ref), request_timeout)


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

    *host* is a `HostKey`, a `bk_host_id` or `"cloud:ip"`. In `esb-jobv3` and `gateway-v3`.
    Raises a `CallFailed`, elsewhere `NotSupported`. Document: `get_job_instance_ip_log`.

    >>> log = await client.get_job_instance_ip_log(step, host="0:10.0.0.2")
    >>> print(log.text)
    no such file
    """
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    return await client._call(build(GetJobInstanceIpLog, ref=ref, host=host), request_timeout)


async def batch_get_job_instance_ip_log(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    hosts: HostLike | Iterable[HostLike],
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> GatheredLogs:
    """Return the logs of any number of hosts of a step.

    They are requested in parts as large as the platform accepts (500, in version 4 50), a few at a time. A
    part that is rejected is divided until the bad host is alone: `missing` then has it with its error, and
    the others have their logs. Not in `esb-job` (`NotSupported`). Raises a `CallFailed` only when every
    request failed. Documents: `batch_get_job_instance_ip_log`, `batch_get_job_instance_execute_object_log`.

    >>> gathered = await client.batch_get_job_instance_ip_log(step, hosts=[1, 2, 3])
    >>> len(gathered.hosts), gathered.missing
    (3, {})
    """
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    at_once = client._session.dialect.capabilities.log_hosts
    keys = build(host_keys, hosts)
    if not at_once:
        client._session.dialect.encode(BatchGetJobInstanceIpLog(ref=ref, hosts=keys))
        raise NotSupported(f"{client._session.dialect.name} has no logs of many hosts")

    async def ask(query: BatchGetJobInstanceIpLog) -> StepLogs:
        return await client._call(query, request_timeout)

    return await gather_logs(ask, ref, keys, at_once=at_once)


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
    type: int | None = None,  # noqa: A002 - the platform's word
    status: int | None = None,
    ip: str | None = None,
    length: int | None = None,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> PagedList[JobInstance]:
    """Return the job instances created in a span of time, newest first, for `async for`.

    The times carry a zone; outside version 4 the platform takes 30 days at most. Pages of *length* are fetched as they are
    needed, and each job is yielded once. *launch_mode* is a `LaunchMode`, *type* a `TaskType`, *status* a run
    code. Not in `esb-job`: iterating then raises `NotSupported`, as it raises every `CallFailed`. Document:
    `get_job_instance_list`.

    >>> begin = datetime(2025, 12, 31, tzinfo=UTC)
    >>> jobs = client.get_job_instance_list(begin, begin + timedelta(days=2))
    >>> [job.name async for job in jobs]
    ['restart nginx']
    """
    most = client._session.dialect.capabilities.list_length
    query = build(
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
        length=length or min(most or USUAL_PAGE, USUAL_PAGE),
    )
    return list_jobs(client, query, request_timeout)


async def get_job_instance_global_var_value(
    client: Caller,
    job_instance_id: JobRefLike,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> tuple[StepVariables, ...]:
    """Return the values that a job's text variables had in each step that runs a script.

    A job without variables has none. Values may be secret: they are not in the repr. Not in `gateway-v4` (`NotSupported`). Raises a
    `CallFailed`. Document: `get_job_instance_global_var_value`.

    >>> for step in await client.get_job_instance_global_var_value(job):
    ...     print([variable.name for variable in step.variables])
    ['version']
    """
    ref = client.job(job_instance_id, scope=scope)
    return await client._call(GetJobInstanceGlobalVarValue(ref=ref), request_timeout)

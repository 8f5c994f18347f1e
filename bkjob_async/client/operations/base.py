"""Operations that `model/operations/base.py` describes; written by `python -m tests.generate`: change that."""

from __future__ import annotations

from bkjob_async.client.caller import Caller, build
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperationAccepted,
)
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

    *job_instance_id* names the job. Dialects that always send the hosts ignore *return_ip_result*. Times
    carry a zone, durations are seconds; *request_timeout* is seconds for one attempt. In every dialect.
    Raises a `CallFailed`: `NotFound` for an unknown, archived or foreign job. Document:
    `get_job_instance_status`.

    >>> await client.get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """
    return await client._call(
        build(
            GetJobInstanceStatus,
            ref=client.job(job_instance_id, scope=scope),
            return_ip_result=return_ip_result,
        ),
        request_timeout,
    )


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

    *job_instance_id* names the step, or its job beside a *step_instance_id*. *execute_count* asks for an
    earlier execution, from 0. *batch* 0 is all batches of a rolling step, None the latest only, whatever
    documents say. *status* and *tag* name the one group whose hosts are listed; *max_host_num_per_group* cuts
    each list, to 1 host at least. *keyword* looks for hosts by what their scripts logged, *search_ip* by
    address. In `gateway-v3`; `esb-job` ignores all of these filters. Raises a `CallFailed`: `WrongState` for
    a step that only waits for a user; `NotSupported` elsewhere. Document: `get_step_instance_status`.

    >>> seen = await client.get_step_instance_status(step, max_host_num_per_group=1)
    >>> [(str(group.status), group.size) for group in seen.groups]
    [('SUCCESS', 2), ('SCRIPT_NOT_ZERO_EXIT_CODE', 1)]
    """
    return await client._call(
        build(
            GetStepInstanceStatus,
            ref=client.step(job_instance_id, step_instance_id, scope=scope),
            execute_count=execute_count,
            batch=batch,
            max_host_num_per_group=max_host_num_per_group,
            keyword=keyword,
            search_ip=search_ip,
            status=status,
            tag=tag,
        ),
        request_timeout,
    )


async def operate_job_instance(
    client: Caller,
    job_instance_id: JobRefLike,
    operation_code: int,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> OperationAccepted:
    """Terminate a job, or start a pending one; *operation_code* is a `JobOperation` or an int.

    *job_instance_id* names the job. It is sent once; watches and waits poll the job at once. Raises a
    `CallFailed`: `WrongState` when the job is not in a state for it, `OutcomeUnknown` when there is no clear
    response. Not in `gateway-v4` (`NotSupported`). Document: `operate_job_instance`.

    >>> launch = await client.execute_job_plan(1000)
    >>> accepted = await client.operate_job_instance(launch, operation_code=bkjob.JobOperation.TERMINATE)
    WrongState: operate_job_instance failed: Unsupported operation (code 1241003, HTTP 200, dialect gateway-v3,
    X-Bkapi-Request-Id 45849aaadaaa311451ad4d50b3042a96); read the status first: the operation is not possible in the
    present state
    >>> result = await client.wait(launch)
    >>> print(result.status)
    SUCCESS
    """
    return await client._call(
        build(
            OperateJobInstance, ref=client.job(job_instance_id, scope=scope), operation_code=operation_code
        ),
        request_timeout,
    )

"""Operate a step, under the platform's own name."""

from __future__ import annotations

from bkjob_async.client.caller import Caller
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import OperateStepInstance, OperationAccepted, StepOperation
from bkjob_async.model.ref_input import RefLike
from bkjob_async.model.refs import Scope


async def operate_step_instance(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | StepOperation | None = None,
    operation_code: int | None = None,
    *,
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> OperationAccepted:
    """Retry, ignore, confirm, skip a step; *operation_code* is a `StepOperation` or an int.

    Behind what names a step, a `StepOperation` may stand in second place: `operate_step_instance(step, StepOperation.SKIP)`.

    It is sent once. Watches and waits of this client poll the job at once, and do not take its status for
    final until it changes. Raises a `CallFailed`: `WrongState` when the step is not in a state for it,
    `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
    `operate_step_instance`.

    >>> accepted = await client.operate_step_instance(step, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS)
    >>> print(accepted.ref)
    2:20000000001/30000000001
    """
    if isinstance(step_instance_id, StepOperation):
        if operation_code is not None:
            raise UsageError(f"one operation at a time: {step_instance_id!r} or {operation_code!r}")
        step_instance_id, operation_code = None, step_instance_id
    if operation_code is None:
        raise UsageError(
            "operate_step_instance needs an operation_code, such as operation_code=StepOperation.SKIP;"
            " a plain number in second place is the id of a step"
        )
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    command = OperateStepInstance(ref=ref, operation_code=operation_code)
    return await client._call(command, request_timeout)

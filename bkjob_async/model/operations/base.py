"""Operations of the platform's API, as frozen values: requests that were not sent yet."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any, Generic, TypeVar

from attrs import Attribute, field, frozen, validators
from msgspec import Struct

from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Operation(Generic[R_co]):
    """A call of the platform's API whose result is an `R`.

    *name* is the platform's own name, the same for all of a class. *repeatable* is False for operations that
    start or change something: they are sent once.
    """

    __slots__ = ()

    name: str
    repeatable: bool = True


@frozen(kw_only=True)
class GetJobInstanceStatus(Operation[JobSnapshot]):
    """Ask for a job's status, its steps and, on request, their hosts.

    *return_ip_result* asks for host rows of the latest execution of every step; dialects that always send
    them ignore it. Documents: `get_job_instance_status`.

    *ref* names the job.
    """

    name = "get_job_instance_status"

    ref: JobRef
    return_ip_result: bool = False


@frozen(kw_only=True)
class GetStepInstanceStatus(Operation[StepSnapshot]):
    """Ask for a step's status and its hosts in groups.

    *batch* 0 means all batches of a rolling step (None: the latest only, whatever documents say). *status*
    with *tag* names the one group whose hosts are listed. *max_host_num_per_group* cuts each list, to 1 host
    at least. Dialects without filters ignore them all. Documents: `get_step_instance_status`.

    *ref* names the step. *execute_count* asks for an earlier execution, from 0. *keyword* looks for hosts by
    what their scripts logged, *search_ip* by address.
    """

    name = "get_step_instance_status"

    ref: StepRef
    execute_count: int | None = None
    batch: int | None = 0
    max_host_num_per_group: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    keyword: str | None = None
    search_ip: str | None = None
    status: int | None = None
    tag: str | None = None


class StepOperation(IntEnum):
    """The operations on a step instance (`operation_code`)."""

    RETRY_FAILED_HOSTS = 2
    IGNORE_ERROR = 3
    CONFIRM_CONTINUE = 6
    RETRY_ALL_HOSTS = 8
    CONFIRM_TERMINATE = 9
    RESTART_CONFIRM = 10
    NEXT_STEP = 11
    SKIP = 12
    ROLLING_CONTINUE = 13


class OperationAccepted(Struct, frozen=True, kw_only=True):
    """The platform accepted an operation; the new status is not known yet.

    *ref* is the job or step that was operated on.
    """

    ref: JobRef | StepRef


@frozen(kw_only=True)
class OperateStepInstance(Operation[OperationAccepted]):
    """Operate a step: retry, ignore, confirm, skip, continue.

    *operation_code* is a `StepOperation` or the platform's plain int. Documents: `operate_step_instance`.

    *ref* names the step.
    """

    name = "operate_step_instance"
    repeatable = False

    ref: StepRef
    operation_code: int


@frozen(kw_only=True)
class OperateJobInstance(Operation[OperationAccepted]):
    """Operate a whole job: terminate it, or start one that is pending.

    *operation_code* is a `JobOperation` or the platform's plain int. Documents: `operate_job_instance`.

    *ref* names the job.
    """

    name = "operate_job_instance"
    repeatable = False

    ref: JobRef
    operation_code: int


def has_zone(_operation: object, attribute: Attribute[Any], value: object) -> None:
    """Raise TypeError or ValueError for a time, if there is one, that is none or has no zone."""
    if value is None:
        return
    if not isinstance(value, datetime):
        raise TypeError(f"{attribute.name} is a datetime with a zone, not {value!r:.60}")
    if value.tzinfo is None:
        raise ValueError(f"{attribute.name} needs a zone: datetime.now(UTC), not datetime.now()")

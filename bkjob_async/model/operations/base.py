"""Operations of the platform's API, as frozen values: requests that were not sent yet.

Each class is the whole description of its operation: `python -m tests.generate` writes the method of the client, but for
those of `client/operations/batch_logs.py` and `client/operations/operate_step.py`, and the lists that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from attrs import Attribute, field, fields, frozen, has, validators
from msgspec import Struct

from bkjob_async.model.base_error import WrongType, WrongValue, check_type, in_range
from bkjob_async.model.operations.codes import JobOperation
from bkjob_async.model.operations.targets import Targets, check_hosts
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
    """Return a job's status and steps; with *return_ip_result* all hosts of their latest executions.

    *ref* names the job. Dialects that always send the hosts ignore *return_ip_result*. Times carry a zone, durations are
    seconds; a method's *request_timeout* is seconds for one attempt. In every dialect. Raises a `CallFailed`: `NotFound`
    for an unknown, archived or foreign job. Document: `get_job_instance_status`.

    >>> await client.get_job_instance_status(job)
    <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
    """

    name = "get_job_instance_status"

    ref: JobRef
    return_ip_result: bool = False


@frozen(kw_only=True)
class GetStepInstanceStatus(Operation[StepSnapshot]):
    """Return a step's status and its hosts, in groups of one status and tag.

    *ref* names the step. *execute_count* asks for an earlier execution, from 0. *batch* 0 is all batches of a rolling
    step, None the latest only, whatever documents say. *status* and *tag* name the one group whose hosts are listed;
    *max_host_num_per_group* cuts each list, to 1 host at least. *keyword* looks for hosts by what their scripts logged,
    *search_ip* by address. In `gateway-v3`; `esb-job` ignores all of these filters. Raises a `CallFailed`: `WrongState`
    for a step that only waits for a user; `NotSupported` elsewhere. Document: `get_step_instance_status`.

    >>> seen = await client.get_step_instance_status(step, max_host_num_per_group=1)
    >>> [(str(group.status), group.size) for group in seen.groups]
    [('SUCCESS', 2), ('SCRIPT_NOT_ZERO_EXIT_CODE', 1)]
    """

    name = "get_step_instance_status"

    ref: StepRef
    execute_count: int | None = None
    batch: int | None = 0
    max_host_num_per_group: int | None = field(default=None, validator=validators.optional(in_range(1)))
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


def is_not(other: type[IntEnum]) -> Callable[[object, Attribute[Any], object], None]:
    """Return a validator that refuses an *other*: its numbers mean something else here."""

    def check(operation: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, other):
            name = f"{type(operation).__name__}: {attribute.name}"
            raise WrongType(f"{name} must not be a {other.__name__}: its numbers mean something else here")

    return check


@frozen(kw_only=True)
class OperateStepInstance(Operation[OperationAccepted]):
    """Operate a step: retry, ignore, confirm, skip, continue.

    *operation_code* is a `StepOperation` or the platform's plain int. Documents: `operate_step_instance`.

    *ref* names the step.
    """

    name = "operate_step_instance"
    repeatable = False

    ref: StepRef
    operation_code: int = field(validator=is_not(JobOperation))


@frozen(kw_only=True)
class OperateJobInstance(Operation[OperationAccepted]):
    """Terminate a job, or start a pending one; *operation_code* is a `JobOperation` or an int.

    *ref* names the job. It is sent once; watches and waits poll the job at once. Raises a `CallFailed`: `WrongState` when
    the job is not in a state for it, `OutcomeUnknown` when there is no clear response. Not in `gateway-v4`
    (`NotSupported`). Document: `operate_job_instance`.

    >>> launch = await client.execute_job_plan(1000)
    >>> accepted = await client.operate_job_instance(launch, operation_code=bkjob.JobOperation.TERMINATE)
    WrongState: operate_job_instance failed: Unsupported operation (code 1241003, HTTP 200, dialect gateway-v3,
    X-Bkapi-Request-Id 45849aaadaaa311451ad4d50b3042a96); read the status first: the operation is not possible in the
    present state
    >>> result = await client.wait(launch)
    >>> print(result.status)
    SUCCESS
    """

    name = "operate_job_instance"
    repeatable = False

    ref: JobRef
    operation_code: int = field(validator=is_not(StepOperation))


def has_zone(_operation: object, attribute: Attribute[Any], value: object) -> None:
    """Raise TypeError or ValueError for a time, if there is one, that is none or has no zone."""
    if value is None:
        return
    if not isinstance(value, datetime):
        raise WrongType(f"{attribute.name} is a datetime with a zone, not {value!r:.60}")
    if value.tzinfo is None:
        raise WrongValue(f"{attribute.name} needs a zone: datetime.now(UTC), not datetime.now()")


def check_fields(operation: Operation[Any]) -> None:
    """Raise `UsageError` for a field of another type than declared, in its parts too, and for targets without hosts."""
    _check_parts(operation)
    targets = getattr(operation, "targets", None)
    if isinstance(targets, Targets):
        check_hosts(f"{type(operation).__name__}: targets", targets)


def _check_parts(owner: object) -> None:
    """Raise `WrongType` for a field of another type than declared, of *owner* or of what it is composed of."""
    kind: Any = type(owner)
    plain, composed = _declared(kind)
    for name, kinds in plain.items():
        check_type(f"{kind.__name__}: {name}", getattr(owner, name), kinds)
    for name in composed:
        value = getattr(owner, name)
        for part in value if isinstance(value, tuple) else (value,):
            if has(type(part)):
                _check_parts(part)


@cache
def _declared(kind: type[Any]) -> tuple[Mapping[str, type | UnionType], Sequence[str]]:
    """Return the types of those fields that take plain classes and nothing else, and the fields with classes like *kind*."""
    if not has(kind):
        return {}, ()
    hints = get_type_hints(kind)
    plain = {each.name: hints[each.name] for each in fields(kind) if _is_plain(hints[each.name])}
    return plain, [each.name for each in fields(kind) if _is_composed(hints[each.name])]


def _is_composed(hint: Any) -> bool:
    """Return True for a class with fields, and what has one among its arguments."""
    return (isinstance(hint, type) and has(hint)) or any(map(_is_composed, get_args(hint)))


def _is_plain(hint: Any) -> bool:
    """Return True for a class, or a choice among several."""
    choices = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    return all(isinstance(each, type) and each is not Any for each in choices)

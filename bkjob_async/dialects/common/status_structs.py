"""Structs of status responses that are exactly as documented, shared by all dialects.

A strict decoder reads a documented response several times as fast as the lenient reader. It refuses any other response,
which is then left to the lenient reader, so that both return the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bkjob_async.dialects.common.host_rows import Code, Identity, Number, all_name_hosts
from bkjob_async.dialects.common.json_fields import INT64
from bkjob_async.dialects.common.ref_checks import BIZ_SETS
from bkjob_async.dialects.common.status_views import flat_rows
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.poll_view import GroupPollView, HostRow, JobPollView, Named, StepPollView, as_read
from bkjob_async.model.refs import JobRef, ScopeType, StepRef
from bkjob_async.model.snapshot import Times

# How a time is sent: Unix milliseconds (`Code`) or text.
T = TypeVar("T")
# The struct of a step, and that of the data.
S = TypeVar("S", bound="StepStruct[Any]")
D = TypeVar("D")


class UndocumentedResponse(ValueError):
    """A response is not exactly as documented; never leaves this package's decoders."""


# What a strict decoder raises for a response that is not as documented.
STRICT_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)

# A member that only other versions send: a strict decoder refuses whatever it is.
Absent = Annotated[int, Meta(gt=0, lt=0)] | UnsetType


class JobStruct(Struct, Generic[T], gc=False, kw_only=True):
    """A job; what a poll does not need may be anything, and a read in full checks it."""

    status: Code
    name: str | None = None
    operator: Any = None
    launch_mode: Any = None
    start_way: Any = UNSET
    create_time: T | None = None
    start_time: T | None = None
    end_time: T | None = None
    total_time: Number | None = None
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


class StepStruct(Struct, Generic[T], gc=False, kw_only=True):
    """A step without its hosts, whose list each dialect names in its own way."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    operator: Any = None
    execute_count: Code | None = None
    retry_count: Absent = UNSET
    create_time: T | None = None
    start_time: T | None = None
    end_time: T | None = None
    total_time: Number | None = None


class JobDataStruct(Struct, Generic[S], gc=False):
    """The data of a response about a job, with its steps as S."""

    job_instance: JobStruct[Code]
    finished: bool | None = None
    step_instance_list: list[S] | None = None
    is_finished: Absent = UNSET


class EnvelopeStruct(Struct, Generic[D], gc=False):
    """The envelope of a success, but for its *result*."""

    data: D
    result: bool
    code: Literal[0]
    error: Absent = UNSET


class NamesJob(Protocol):
    """The job and scope that a decoded struct names; None for what it does not name."""

    job_instance_id: int | None
    bk_scope_type: str | None
    bk_scope_id: str | None
    bk_biz_id: int | None


class NamesStep(NamesJob, Protocol):
    """The same of a response about one step."""

    step_instance_id: int


def matches_job(named: NamesJob, job: JobRef) -> bool:
    """Return True when *named* is certainly of *job*; False leaves the response to `check_ref`."""
    number, scope = named.job_instance_id, job.scope
    if number is not None and number != job.job_instance_id:
        return False
    kind, text = named.bk_scope_type, named.bk_scope_id
    if kind is not None or text is not None:
        return kind == scope.type and text == str(scope.id)
    business = named.bk_biz_id
    return business is None or (
        business == scope.id and (scope.type is ScopeType.BIZ or business in BIZ_SETS)
    )


def matches_step(named: NamesStep, step: StepRef) -> bool:
    """Return True when *named* is certainly *step*."""
    return named.step_instance_id == step.step_instance_id and matches_job(named, step.job)


def decode_data(decoder: msgspec.json.Decoder[EnvelopeStruct[D]], response: HttpResponse) -> D | None:
    """Return the data of a success that *decoder* can read, None for any other response."""
    if not 200 <= response.status < 300:
        return None
    try:
        envelope = decoder.decode(response.body)
    except STRICT_ERRORS:
        return None
    return envelope.data if envelope.result else None


def is_text(value: object) -> bool:
    """Return True for a text and for None."""
    return value is None or isinstance(value, str)


def is_code(value: object) -> bool:
    """Return True for a whole number of 64 bits and for None."""
    return value is None or (type(value) is int and -INT64 <= value < INT64)


def read_job_data(
    data: JobDataStruct[Any],
    rows: Sequence[Sequence[HostRow] | None],
    ref: JobRef,
    *,
    for_poll: bool,
    named: Named = as_read,
    lacks_addresses: bool = False,
) -> JobPollView:
    """Return the view of the job in *data*, whose steps have these *rows*; raise `UndocumentedResponse`.

    Where *named* reads the rest of rows, what such a poll does not need is not checked.
    """
    job, in_full = data.job_instance, named is as_read
    if in_full and job.start_way is not UNSET:
        raise UndocumentedResponse
    steps = [
        flat_step_view(step, its_rows, for_poll=for_poll, named=named)
        for step, its_rows in zip(data.step_instance_list or (), rows, strict=True)
    ]
    return job_view(
        job,
        ref,
        steps,
        finished=data.finished,
        launch_mode=job.launch_mode,
        in_full=in_full,
        lacks_addresses=lacks_addresses,
    )


def job_view(
    job: JobStruct[Any],
    ref: JobRef,
    steps: Sequence[StepPollView],
    *,
    finished: bool | None,
    launch_mode: Any,
    times: Times | None = None,
    in_full: bool = True,
    lacks_addresses: bool = False,
) -> JobPollView:
    """Return the view of *job* with its *steps*; raise `UndocumentedResponse`, for another job than *ref* too."""
    if not matches_job(job, ref) or (in_full and not (is_text(job.operator) and is_code(launch_mode))):
        raise UndocumentedResponse
    return JobPollView(
        status=job.status,
        finished=finished,
        name=job.name or "",
        operator=job.operator if in_full else None,
        launch_mode=launch_mode if in_full else None,
        times=times or (job.create_time, job.start_time, job.end_time, job.total_time),
        steps=tuple(steps),
        lacks_addresses=lacks_addresses,
    )


def flat_step_view(
    step: StepStruct[Any],
    rows: Sequence[HostRow] | None,
    *,
    for_poll: bool,
    times: Times | None = None,
    named: Named = as_read,
    tells_tags: bool = True,
) -> StepPollView:
    """Return the view of *step*, whose hosts are one list of *rows*; raise `UndocumentedResponse`."""
    return step_view(
        step,
        flat_rows(rows),
        complete=for_poll and rows is not None and (named is not as_read or all_name_hosts(rows)),
        times=times,
        named=named,
        tells_tags=tells_tags,
    )


def step_view(
    step: StepStruct[Any],
    groups: Sequence[GroupPollView] | None,
    *,
    complete: bool,
    times: Times | None = None,
    named: Named = as_read,
    grouped: bool = False,
    tells_tags: bool = True,
) -> StepPollView:
    """Return the view of *step* with its hosts in *groups*, as in the view; raise `UndocumentedResponse`."""
    in_full = named is as_read
    if in_full and not is_text(step.operator):
        raise UndocumentedResponse
    return StepPollView(
        step_instance_id=step.step_instance_id,
        status=step.status,
        name=step.name or "",
        type=step.type,
        execute_count=step.execute_count or 0,
        times=times or (step.create_time, step.start_time, step.end_time, step.total_time),
        operator=step.operator if in_full else None,
        groups=groups,
        grouped=grouped,
        complete=complete,
        named=named,
        tells_tags=tells_tags,
    )

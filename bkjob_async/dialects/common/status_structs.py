"""Structs of status responses that are exactly as documented, shared by all dialects.

A strict decoder reads a documented response several times as fast as the lenient reader. It returns None for
any other response, which is then left to the lenient reader, so that both return the same values. Members
that only other versions send are declared too: they are UNSET in a documented response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.common.host_rows import Code, Identity, Number
from bkjob_async.dialects.common.json_fields import INT64
from bkjob_async.dialects.common.ref_checks import matches_job
from bkjob_async.dialects.common.status_views import list_all
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.poll_view import GroupPollView, JobPollView, StepPollView, UnreadRows
from bkjob_async.model.refs import JobRef
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


class JobStruct(Struct, Generic[T], gc=False, kw_only=True):
    """A job; what a poll does not need may be anything, and `job_view` checks it."""

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
    retry_count: Any = UNSET
    create_time: T | None = None
    start_time: T | None = None
    end_time: T | None = None
    total_time: Number | None = None


class JobDataStruct(Struct, Generic[S], gc=False):
    """The data of a response about a job, with its steps as S."""

    job_instance: JobStruct[Code]
    finished: bool | None = None
    step_instance_list: list[S] | None = None
    is_finished: Raw | UnsetType = UNSET


class EnvelopeStruct(Struct, Generic[D], gc=False, kw_only=True):
    """An envelope; version 4 sends neither *result* nor *code*."""

    data: D
    result: bool | UnsetType = UNSET
    code: Code | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


def is_success(response: HttpResponse, envelope: EnvelopeStruct[Any]) -> bool:
    """Return True for HTTP 2xx with `result` true and `code` 0, and no error."""
    return (
        envelope.result is True
        and envelope.code == 0
        and envelope.error is UNSET
        and 200 <= response.status < 300
    )


def is_text(value: object) -> bool:
    """Return True for a text and for None."""
    return value is None or isinstance(value, str)


def is_code(value: object) -> bool:
    """Return True for a whole number of 64 bits and for None."""
    return value is None or (type(value) is int and -INT64 <= value < INT64)


def read_job_data(
    data: JobDataStruct[S],
    ref: JobRef,
    read_groups: Callable[[S], Sequence[GroupPollView] | None],
    *,
    for_poll: bool,
    unread: UnreadRows | None = None,
    lacks_addresses: bool = False,
) -> JobPollView:
    """Return the view of the job in *data*, *read_groups* reading a step's hosts; raise `UndocumentedResponse`.

    Of rows that were read in part the rest is *unread*; what such a poll does not need is not checked.
    """
    job, in_full = data.job_instance, unread is None
    if data.is_finished is not UNSET or (in_full and job.start_way is not UNSET):
        raise UndocumentedResponse
    steps = [
        step_view(step, read_groups(step), for_poll=for_poll, unread=unread)
        for step in data.step_instance_list or ()
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


def step_view(
    step: StepStruct[Any],
    groups: Sequence[GroupPollView] | None,
    *,
    for_poll: bool,
    times: Times | None = None,
    unread: UnreadRows | None = None,
    grouped: bool = False,
    tells_tags: bool = True,
) -> StepPollView:
    """Return the view of *step* with its hosts in *groups*; raise `UndocumentedResponse`.

    *for_poll*: it is a poll that asked for all hosts, which are complete if they are all listed; the others are as in the view.
    """
    in_full = unread is None
    if step.retry_count is not UNSET or (in_full and not is_text(step.operator)):
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
        complete=for_poll and groups is not None and list_all(groups, are_named=not in_full),
        unread=unread,
        tells_tags=tells_tags,
    )

"""Status answers of the v3 interfaces: in minimal Structs where they are as documented, leniently where not.

`get_job_instance_status` is the same in the gateway's v3 and in the ESB's jobv3; `get_step_instance_status` is the
gateway's. Both ways end in the same values, so that which one was taken cannot be seen.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.envelopes import opened
from bkjob_async.dialects.instances import (
    SeenGroup,
    SeenJob,
    SeenStep,
    grouped,
    job_snapshot,
    listed,
    look_at_job,
    look_at_step,
    step_snapshot,
)
from bkjob_async.dialects.reading import MILLISECONDS, Fields, read_times
from bkjob_async.dialects.rows import Code, Identity, Number, Row, millisecond_times, read_rows
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.look import JobLook, StepLook
from bkjob_async.model.operations import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot, Times

# Before `step_result_group_list` there were flat lists, under two names (documents of 2023).
FLAT_LISTS = ("step_host_result_list", "step_ip_result_list")
ROW_LISTS = ("step_ip_result_list", "step_host_result_list")


class StepLine(Struct):
    """A step in a job's answer, as documented."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    operator: str | None = None
    execute_count: Code | None = None
    create_time: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None
    step_ip_result_list: list[Row] | None = None
    step_host_result_list: Raw | UnsetType = UNSET
    retry_count: Raw | UnsetType = UNSET


class JobLine(Struct):
    """A job in its answer, as documented."""

    status: Code
    name: str | None = None
    operator: str | None = None
    launch_mode: Code | None = None
    create_time: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None
    start_way: Raw | UnsetType = UNSET


class JobData(Struct):
    """The data of a job's answer."""

    job_instance: JobLine
    finished: bool | None = None
    step_instance_list: list[StepLine] | None = None
    is_finished: Raw | UnsetType = UNSET


class JobEnvelope(Struct):
    """A successful answer about a job."""

    result: bool
    code: Code
    data: JobData
    error: Raw | UnsetType = UNSET


class GroupLine(Struct):
    """A group of hosts in a step's answer, as documented."""

    result_type: Code
    host_size: Code
    tag: str | None = None
    host_result_list: list[Row] | None = None


class StepData(Struct):
    """The data of a step's answer."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    operator: str | None = None
    execute_count: Code | None = None
    create_time: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None
    step_result_group_list: list[GroupLine] | None = None
    step_host_result_list: Raw | UnsetType = UNSET
    step_ip_result_list: Raw | UnsetType = UNSET
    retry_count: Raw | UnsetType = UNSET
    finished: Raw | UnsetType = UNSET
    is_finished: Raw | UnsetType = UNSET


class StepEnvelope(Struct):
    """A successful answer about a step."""

    result: bool
    code: Code
    data: StepData
    error: Raw | UnsetType = UNSET


_JOB = msgspec.json.Decoder(JobEnvelope)
_STEP = msgspec.json.Decoder(StepEnvelope)


def read_job_status(operation: GetJobInstanceStatus, answer: Fields) -> JobSnapshot:
    """Read a job with its steps."""
    return job_snapshot(read_job(answer), operation.ref)


def read_step_status(operation: GetStepInstanceStatus, answer: Fields) -> StepSnapshot:
    """Read a step with its groups of hosts."""
    return step_snapshot(read_step(answer), operation.ref)


# Looking ------------------------------------------------------------------------------------------------------------


def look_job(_operation: GetJobInstanceStatus, response: HttpResponse, zone: tzinfo) -> JobLook:
    """Read a job's answer as the engine needs it."""
    return look_at_job(quick_job(response) or read_job(Fields(opened(response), zone=zone)))


def look_step(operation: GetStepInstanceStatus, response: HttpResponse, zone: tzinfo) -> StepLook:
    """Read a step's answer as the engine needs it."""
    step = quick_step(response) or read_step(Fields(opened(response), zone=zone))
    return look_at_step(step, asked_for_all=asks_for_all(operation))


def asks_for_all(operation: GetStepInstanceStatus) -> bool:
    """Whether a question leaves no host out: all batches, the latest execution, no filter."""
    filters = (
        operation.execute_count,
        operation.keyword,
        operation.search_ip,
        operation.status,
        operation.tag,
    )
    return operation.batch == 0 and all(filter_ is None for filter_ in filters)


# The quick way ------------------------------------------------------------------------------------------------------


def quick_job(response: HttpResponse) -> SeenJob | None:
    """Read a job's answer that is exactly as documented; None for any other."""
    try:
        envelope = _JOB.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    data, job = envelope.data, envelope.data.job_instance
    if (
        not is_plain_success(response, envelope)
        or job.start_way is not UNSET
        or data.is_finished is not UNSET
    ):
        return None
    lines = data.step_instance_list or ()
    if any(line.step_host_result_list is not UNSET or line.retry_count is not UNSET for line in lines):
        return None
    return SeenJob(
        status=job.status,
        finished=data.finished,
        name=job.name or "",
        operator=job.operator,
        launch_mode=job.launch_mode,
        times=line_times(job),
        steps=tuple(step_of(line, listed(line.step_ip_result_list)) for line in lines),
    )


def quick_step(response: HttpResponse) -> SeenStep | None:
    """Read a step's answer that is exactly as documented; None for any other."""
    try:
        envelope = _STEP.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    line = envelope.data
    others = (
        *(line.step_host_result_list, line.step_ip_result_list, line.retry_count),
        *(line.finished, line.is_finished),
    )
    if not is_plain_success(response, envelope) or any(other is not UNSET for other in others):
        return None
    groups = tuple(
        grouped(group.result_type, group.tag, group.host_size, group.host_result_list)
        for group in line.step_result_group_list or ()
    )
    return step_of(line, groups, by_platform=True)


def is_plain_success(response: HttpResponse, envelope: JobEnvelope | StepEnvelope) -> bool:
    """Whether an answer is a success without any doubt."""
    fine = envelope.result and envelope.code == 0 and envelope.error is UNSET
    return fine and 200 <= response.status < 300


def step_of(
    line: StepLine | StepData, groups: tuple[SeenGroup, ...] | None, *, by_platform: bool = False
) -> SeenStep:
    """Return the step that a line tells of."""
    return SeenStep(
        step_instance_id=line.step_instance_id,
        status=line.status,
        name=line.name or "",
        type=line.type,
        execute_count=line.execute_count or 0,
        times=line_times(line),
        operator=line.operator,
        groups=groups,
        grouped=by_platform,
    )


def line_times(line: JobLine | StepLine | StepData) -> Times:
    """Return the times that a line tells."""
    return millisecond_times(line.create_time, line.start_time, line.end_time, line.total_time)


# The lenient way ----------------------------------------------------------------------------------------------------


def read_job(answer: Fields) -> SeenJob:
    """Read a job's answer of any shape that means something."""
    data = answer.child("data")
    job = data.child("job_instance")
    return SeenJob(
        status=job.integer("status"),
        finished=data.flag("finished", "is_finished"),
        name=job.text("name"),
        operator=job.maybe_text("operator"),
        launch_mode=job.maybe_integer("launch_mode", "start_way"),
        times=read_times(job, unit=MILLISECONDS),
        steps=tuple(
            read_step_line(step, listed(read_rows(step, *ROW_LISTS)))
            for step in data.children("step_instance_list") or ()
        ),
    )


def read_step(answer: Fields) -> SeenStep:
    """Read a step's answer of any shape that means something."""
    data = answer.child("data")
    groups = data.children("step_result_group_list")
    if groups is None:
        flat = read_rows(data, *FLAT_LISTS)
        return read_step_line(data, () if flat is None else listed(flat), by_platform=flat is None)
    return read_step_line(data, tuple(read_group(group) for group in groups), by_platform=True)


def read_step_line(
    step: Fields, groups: tuple[SeenGroup, ...] | None, *, by_platform: bool = False
) -> SeenStep:
    """Read what is said of a step itself."""
    return SeenStep(
        step_instance_id=step.identity("step_instance_id"),
        status=step.integer("status"),
        finished=step.flag("finished", "is_finished") if by_platform else None,
        name=step.text("name"),
        type=step.maybe_integer("type"),
        execute_count=step.maybe_integer("execute_count", "retry_count") or 0,
        times=read_times(step, unit=MILLISECONDS),
        operator=step.maybe_text("operator"),
        groups=groups,
        grouped=by_platform,
    )


def read_group(group: Fields) -> SeenGroup:
    """Read a group: without a code of its own its rows have theirs."""
    status = group.maybe_integer("result_type")
    rows = read_rows(group, "host_result_list", group_status=status)
    return grouped(status, group.maybe_text("tag"), group.maybe_integer("host_size"), rows)

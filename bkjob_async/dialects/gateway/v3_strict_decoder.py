"""Status answers of the v3 interfaces that are exactly as documented, straight into minimal Structs.

Whatever is not as documented is None here, and left to the lenient reader, so that both end in the same values.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.common.correlation import is_surely_of
from bkjob_async.dialects.common.host_rows import Code, Identity, Number, Row, millisecond_times
from bkjob_async.dialects.common.parsed import ParsedGroup, ParsedJob, ParsedStep, grouped, listed
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import Times


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
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


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
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None
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


def quick_job(ref: JobRef, response: HttpResponse) -> ParsedJob | None:
    """Read an answer about the job *ref* that is exactly as documented; None for any other."""
    try:
        envelope = _JOB.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    data, job = envelope.data, envelope.data.job_instance
    if (
        not is_plain_success(response, envelope)
        or job.start_way is not UNSET
        or data.is_finished is not UNSET
        or not is_surely_of(job, ref)
    ):
        return None
    lines = data.step_instance_list or ()
    if any(line.step_host_result_list is not UNSET or line.retry_count is not UNSET for line in lines):
        return None
    return ParsedJob(
        status=job.status,
        finished=data.finished,
        name=job.name or "",
        operator=job.operator,
        launch_mode=job.launch_mode,
        times=line_times(job),
        steps=tuple(step_of(line, listed(line.step_ip_result_list)) for line in lines),
    )


def quick_step(ref: StepRef, response: HttpResponse) -> ParsedStep | None:
    """Read an answer about the step *ref* that is exactly as documented; None for any other."""
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
    if line.step_instance_id != ref.step_instance_id or not is_surely_of(line, ref.job):
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
    line: StepLine | StepData, groups: tuple[ParsedGroup, ...] | None, *, by_platform: bool = False
) -> ParsedStep:
    """Return the step that a line tells of."""
    return ParsedStep(
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

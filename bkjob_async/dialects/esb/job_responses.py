"""Status answers of the ESB's component `job`: in minimal Structs where they are as documented, leniently where not."""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.common.correlation import check_job, check_step, is_surely_of
from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.host_rows import Code, Identity, Number, Row, read_rows
from bkjob_async.dialects.common.json_fields import SECONDS, JsonObject, as_time, read_times
from bkjob_async.dialects.common.parsed import (
    ParsedGroup,
    ParsedJob,
    ParsedStep,
    grouped,
    job_snapshot,
    listed,
    look_at_job,
    look_at_step,
    step_snapshot,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot, Times


class StepLine(Struct):
    """A step in a job's answer, as documented or as the newer backend sends it."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    operator: str | None = None
    execute_count: Code | None = None
    retry_count: Code | None = None
    create_time: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    total_time: Number | None = None
    step_ip_status: list[Row] | None = None


class BlockLine(Struct):
    """A block of steps."""

    step_instances: list[StepLine] | None = None


class JobLine(Struct):
    """A job in its answer."""

    status: Code
    name: str | None = None
    operator: str | None = None
    start_way: Code | None = None
    create_time: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    total_time: Number | None = None
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


class JobData(Struct):
    """The data of a job's answer."""

    job_instance: JobLine
    is_finished: bool
    blocks: list[BlockLine] | None = None


class JobEnvelope(Struct):
    """A successful answer about a job."""

    result: bool
    code: Code
    data: JobData
    error: Raw | UnsetType = UNSET


_JOB = msgspec.json.Decoder(JobEnvelope)


def read_job_status(operation: GetJobInstanceStatus, answer: JsonObject) -> JobSnapshot:
    """Read a job with its steps and their hosts."""
    return job_snapshot(read_job(operation.ref, answer), operation.ref)


def read_step_status(operation: GetStepInstanceStatus, answer: JsonObject) -> StepSnapshot:
    """Read a step with the hosts of the groups that the server filled."""
    return step_snapshot(read_step(operation.ref, answer), operation.ref)


def quick_job_status(
    operation: GetJobInstanceStatus, response: HttpResponse, zone: tzinfo
) -> JobSnapshot | None:
    """Read a job's answer that is exactly as documented; None for any other."""
    job = quick_job(operation.ref, response, zone)
    return None if job is None else job_snapshot(job, operation.ref)


def look_job(operation: GetJobInstanceStatus, response: HttpResponse, zone: tzinfo) -> JobPollView:
    """Read a job's answer as the engine needs it."""
    ref = operation.ref
    return look_at_job(
        quick_job(ref, response, zone) or read_job(ref, JsonObject(open_envelope(response), zone=zone))
    )


def look_step(operation: GetStepInstanceStatus, response: HttpResponse, zone: tzinfo) -> StepPollView:
    """Read a step's answer as the engine needs it."""
    return look_at_step(read_step(operation.ref, JsonObject(open_envelope(response), zone=zone)))


# The quick way ------------------------------------------------------------------------------------------------------


def quick_job(ref: JobRef, response: HttpResponse, zone: tzinfo) -> ParsedJob | None:
    """Read an answer about the job *ref* that is exactly as documented; None for any other."""
    try:
        envelope = _JOB.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    fine = envelope.result and envelope.code == 0 and envelope.error is UNSET
    if not fine or not 200 <= response.status < 300:
        return None
    job = envelope.data.job_instance
    if not is_surely_of(job, ref):
        return None
    lines = [line for block in envelope.data.blocks or () for line in block.step_instances or ()]
    return ParsedJob(
        status=job.status,
        finished=envelope.data.is_finished,
        name=job.name or "",
        operator=job.operator,
        launch_mode=job.start_way,
        times=line_times(job, zone),
        steps=tuple(step_of(line, zone) for line in lines),
    )


def step_of(line: StepLine, zone: tzinfo) -> ParsedStep:
    """Return the step that a line tells of."""
    count = line.retry_count if line.execute_count is None else line.execute_count
    return ParsedStep(
        step_instance_id=line.step_instance_id,
        status=line.status,
        name=line.name or "",
        type=line.type,
        execute_count=count or 0,
        times=line_times(line, zone),
        operator=line.operator,
        groups=listed(line.step_ip_status),
        tells_tags=False,
    )


def line_times(line: JobLine | StepLine, zone: tzinfo) -> Times:
    """Return the times that a line tells, as text."""
    return Times(
        create_time=as_time(line.create_time, zone),
        start_time=as_time(line.start_time, zone),
        end_time=as_time(line.end_time, zone),
        total_time=line.total_time,
    )


# The lenient way ----------------------------------------------------------------------------------------------------


def read_job(ref: JobRef, answer: JsonObject) -> ParsedJob:
    """Read an answer about the job *ref*: steps stand in blocks, hosts always come."""
    data = answer.child("data")
    job = data.child("job_instance")
    check_job(job, ref)
    steps = [
        step for block in data.children("blocks") or () for step in block.children("step_instances") or ()
    ]
    return ParsedJob(
        status=job.integer("status"),
        finished=data.flag("is_finished", "finished"),
        name=job.text("name"),
        operator=job.maybe_text("operator"),
        launch_mode=job.maybe_integer("start_way"),
        times=read_times(job, unit=SECONDS),
        steps=tuple(read_step_line(step, listed(read_rows(step, "step_ip_status"))) for step in steps),
    )


def read_step(ref: StepRef, answer: JsonObject) -> ParsedStep:
    """Read an answer about the step *ref*; its flag stands beside it, its hosts in groups.

    The counters (`running_ip_num`, `fail_ip_num`, ...) contradict the groups in the platform's own documents, and are
    null on current servers, so they are not read.
    """
    data = answer.child("data")
    step = data.child("step_instance_detail")
    check_step(step, ref)
    groups = data.children("step_instance_analyse_result")
    return read_step_line(
        step,
        None if groups is None else tuple(read_group(group) for group in groups),
        finished=data.flag("is_finished", "finished"),
    )


def read_step_line(
    step: JsonObject, groups: tuple[ParsedGroup, ...] | None, *, finished: bool | None = None
) -> ParsedStep:
    """Read what is said of a step itself."""
    return ParsedStep(
        step_instance_id=step.identity("step_instance_id"),
        status=step.integer("status"),
        finished=finished,
        name=step.text("name"),
        type=step.maybe_integer("type"),
        execute_count=step.maybe_integer("execute_count", "retry_count") or 0,
        times=read_times(step, unit=SECONDS),
        operator=step.maybe_text("operator"),
        groups=groups,
        tells_tags=False,
    )


def read_group(group: JsonObject) -> ParsedGroup:
    """Read a group; current servers fill the first one only, and count 0 in the others."""
    status = group.integer("result_type")
    rows = read_rows(group, "ip_list", group_status=status)
    count = group.maybe_integer("count")
    return grouped(status, group.maybe_text("tag"), count, rows, told=rows is not None)

"""Status answers of the gateway's version 4: hosts and containers are execute objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.common.correlation import check_job, is_surely_of
from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.host_rows import (
    Code,
    Identity,
    Number,
    Row,
    millisecond_times,
    read_object_row,
    read_rows,
)
from bkjob_async.dialects.common.json_fields import MILLISECONDS, JsonObject, read_times
from bkjob_async.dialects.common.parsed import ParsedJob, ParsedStep, job_snapshot, listed, look_at_job
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.poll_view import JobPollView
from bkjob_async.model.refs import JobRef
from bkjob_async.model.snapshot import JobSnapshot

# The first name is today's, the others were used before 2025-10, the last with rows like those of version 3.
OBJECT_LISTS = ("step_execute_object_result_list", "execute_object_result_list")
FLAT_LIST = "step_ip_result_list"


class HostLine(Struct, gc=False):
    """A host in an execute object."""

    bk_host_id: Identity | None = None
    bk_cloud_id: Code | None = None
    ip: str | None = None
    ipv6: str | None = None
    host_id: Raw | UnsetType = UNSET


class ObjectLine(Struct):
    """An execute object that is a host; a container is left to the lenient way."""

    host: HostLine
    container: Raw | UnsetType = UNSET


class RowLine(Struct):
    """What one execute object did."""

    execute_object: ObjectLine
    status: Code
    tag: str | None = None
    exit_code: Code | None = None
    error_code: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None


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
    step_execute_object_result_list: list[RowLine] | None = None
    execute_object_result_list: Raw | UnsetType = UNSET
    step_ip_result_list: Raw | UnsetType = UNSET


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
    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


class JobData(Struct):
    """The data of a job's answer."""

    job_instance: JobLine
    finished: bool
    step_instance_list: list[StepLine] | None = None


class JobEnvelope(Struct):
    """A successful answer about a job: no `result`, no `code`, no `error`."""

    data: JobData
    error: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    code: Raw | UnsetType = UNSET


_JOB = msgspec.json.Decoder(JobEnvelope)


def read_job_status(operation: GetJobInstanceStatus, answer: JsonObject) -> JobSnapshot:
    """Read a job with its steps."""
    return job_snapshot(read_job(operation.ref, answer), operation.ref)


def quick_job_status(
    operation: GetJobInstanceStatus, response: HttpResponse, _zone: tzinfo
) -> JobSnapshot | None:
    """Read a job's answer that is exactly as documented; None for any other."""
    job = quick_job(operation.ref, response)
    return None if job is None else job_snapshot(job, operation.ref)


def look_job(operation: GetJobInstanceStatus, response: HttpResponse, zone: tzinfo) -> JobPollView:
    """Read a job's answer as the engine needs it."""
    ref = operation.ref
    return look_at_job(
        quick_job(ref, response) or read_job(ref, JsonObject(open_envelope(response), zone=zone))
    )


# The quick way ------------------------------------------------------------------------------------------------------


def quick_job(ref: JobRef, response: HttpResponse) -> ParsedJob | None:
    """Read an answer about the job *ref* that is exactly as documented, with hosts only; None for any other."""
    try:
        envelope = _JOB.decode(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    data, job = envelope.data, envelope.data.job_instance
    lines = data.step_instance_list or []
    doubts = (
        envelope.error,
        envelope.result,
        envelope.code,
        *(doubt for line in lines for doubt in odd(line)),
    )
    if not 200 <= response.status < 300 or any(doubt is not UNSET for doubt in doubts):
        return None
    if not is_surely_of(job, ref):
        return None
    return ParsedJob(
        status=job.status,
        finished=data.finished,
        name=job.name or "",
        operator=job.operator,
        launch_mode=job.launch_mode,
        times=millisecond_times(job.create_time, job.start_time, job.end_time, job.total_time),
        steps=tuple(step_of(line) for line in lines),
    )


def odd(line: StepLine) -> Iterator[object]:
    """Yield what a step has only in older answers, or for containers."""
    yield line.execute_object_result_list
    yield line.step_ip_result_list
    for row in line.step_execute_object_result_list or ():
        yield row.execute_object.container
        yield row.execute_object.host.host_id


def step_of(line: StepLine) -> ParsedStep:
    """Return the step that a line tells of."""
    rows = line.step_execute_object_result_list
    return ParsedStep(
        step_instance_id=line.step_instance_id,
        status=line.status,
        name=line.name or "",
        type=line.type,
        execute_count=line.execute_count or 0,
        times=millisecond_times(line.create_time, line.start_time, line.end_time, line.total_time),
        operator=line.operator,
        groups=None if rows is None else listed([host_row(row) for row in rows]),
    )


def host_row(line: RowLine) -> Row:
    """Return the row of a host."""
    host = line.execute_object.host
    return Row(
        status=line.status,
        bk_host_id=host.bk_host_id,
        bk_cloud_id=host.bk_cloud_id,
        ip=host.ip or None,
        ipv6=host.ipv6 or None,
        tag=line.tag,
        exit_code=line.exit_code,
        error_code=line.error_code,
        start_time=line.start_time,
        end_time=line.end_time,
        total_time=line.total_time,
    )


# The lenient way ----------------------------------------------------------------------------------------------------


def read_job(ref: JobRef, answer: JsonObject) -> ParsedJob:
    """Read an answer about the job *ref* of any shape that means something."""
    data = answer.child("data")
    job = data.child("job_instance")
    check_job(job, ref)
    return ParsedJob(
        status=job.integer("status"),
        finished=data.flag("finished", "is_finished"),
        name=job.text("name"),
        operator=job.maybe_text("operator"),
        launch_mode=job.maybe_integer("launch_mode"),
        times=read_times(job, unit=MILLISECONDS),
        steps=tuple(read_step(step) for step in data.children("step_instance_list") or ()),
    )


def read_step(step: JsonObject) -> ParsedStep:
    """Read a step in a job's answer."""
    rows = step.children(*OBJECT_LISTS)
    if rows is None:
        groups = listed(read_rows(step, FLAT_LIST))
    else:
        groups = listed([read_object_row(row) for row in rows])
    return ParsedStep(
        step_instance_id=step.identity("step_instance_id"),
        status=step.integer("status"),
        name=step.text("name"),
        type=step.maybe_integer("type"),
        execute_count=step.maybe_integer("execute_count") or 0,
        times=read_times(step, unit=MILLISECONDS),
        operator=step.maybe_text("operator"),
        groups=groups,
    )

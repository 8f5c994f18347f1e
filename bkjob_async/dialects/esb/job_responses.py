"""Status responses of the ESB's component `job`."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.host_rows import FullHostRow, read_rows
from bkjob_async.dialects.common.json_fields import SECONDS, JsonObject, as_time
from bkjob_async.dialects.common.parsed import (
    ParsedGroup,
    ParsedJob,
    ParsedStep,
    group_rows,
    read_job_members,
    read_step_members,
    step_poll_view,
    step_snapshot,
    ungrouped_rows,
)
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.dialects.common.status_structs import (
    STRICT_ERRORS,
    EnvelopeStruct,
    JobStruct,
    StepStruct,
    UndocumentedResponse,
    is_code,
    is_success,
    parse_job,
    parse_step,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import StepSnapshot, Times


class TextStepStruct(StepStruct[str], gc=False, kw_only=True):
    """A step with its host rows; the newer backend counts executions by `retry_count`."""

    step_ip_status: list[FullHostRow] | None = None


class BlockStruct(Struct, gc=False):
    """A block of steps."""

    step_instances: list[TextStepStruct] | None = None


class BlocksDataStruct(Struct, gc=False):
    """The data of a response about a job; `finished`, as the flag is called elsewhere, is not documented here."""

    job_instance: JobStruct[str]
    is_finished: bool
    blocks: list[BlockStruct] | None = None
    finished: Any = UNSET


_JOB = msgspec.json.Decoder(EnvelopeStruct[BlocksDataStruct])


def read_step_status(operation: GetStepInstanceStatus, envelope: JsonObject) -> StepSnapshot:
    """Read a step with the hosts of the groups that the server filled."""
    return step_snapshot(read_step(operation.ref, envelope), operation.ref)


def read_step_poll(operation: GetStepInstanceStatus, response: HttpResponse, zone: tzinfo) -> StepPollView:
    """Return the poll view of a step."""
    return step_poll_view(read_step(operation.ref, JsonObject(open_envelope(response), zone=zone)))


# Strictly, as documented --------------------------------------------------------------------------


def read_job_strictly(ref: JobRef, response: HttpResponse, zone: tzinfo) -> ParsedJob | None:
    """Return the job *ref* from a response exactly as documented, None for any other response."""
    try:
        envelope = _JOB.decode(response.body)
        if not is_success(response, envelope):
            return None
        job, blocks = envelope.data.job_instance, envelope.data.blocks or ()
        if envelope.data.finished is not UNSET or job.launch_mode is not None:
            return None
        steps = [parse_text_step(step, zone) for block in blocks for step in block.step_instances or ()]
        return parse_job(
            job,
            ref,
            text_times(job, zone),
            tuple(steps),
            finished=envelope.data.is_finished,
            launch_mode=None if job.start_way is UNSET else job.start_way,
        )
    except STRICT_ERRORS:
        return None


def parse_text_step(step: TextStepStruct, zone: tzinfo) -> ParsedStep:
    """Return a step whose times are text; raise `UndocumentedResponse`."""
    if step.retry_count is not UNSET:
        if not is_code(step.retry_count):
            raise UndocumentedResponse
        count = step.retry_count if step.execute_count is None else step.execute_count
        step.execute_count, step.retry_count = count, UNSET
    return parse_step(step, text_times(step, zone), ungrouped_rows(step.step_ip_status), tells_tags=False)


def text_times(struct: JobStruct[str] | StepStruct[str], zone: tzinfo) -> Times:
    """Return times that are text, those without a zone in *zone*; the duration is seconds."""
    return Times(
        create_time=as_time(struct.create_time, zone),
        start_time=as_time(struct.start_time, zone),
        end_time=as_time(struct.end_time, zone),
        total_time=struct.total_time,
    )


# Leniently ----------------------------------------------------------------------------------------


def read_job(ref: JobRef, envelope: JsonObject) -> ParsedJob:
    """Read a response about the job *ref*: its steps are in blocks, its hosts always listed."""
    data = envelope.child("data")
    steps = (
        read_step_members(
            step, ungrouped_rows(read_rows(step, "step_ip_status")), unit=SECONDS, tells_tags=False
        )
        for block in data.children("blocks") or ()
        for step in block.children("step_instances") or ()
    )
    return read_job_members(data, ref, steps, unit=SECONDS)


def read_step(ref: StepRef, envelope: JsonObject) -> ParsedStep:
    """Read a response about the step *ref*; its flag stands beside it, its hosts in groups.

    The counters (`running_ip_num`, `fail_ip_num`, ...) contradict the groups in the platform's own documents,
    and are null on current servers, so they are not read.
    """
    data = envelope.child("data")
    step = data.child("step_instance_detail")
    check_ref(step, ref)
    groups = data.children("step_instance_analyse_result")
    return read_step_members(
        step,
        None if groups is None else tuple(read_group(group) for group in groups),
        unit=SECONDS,
        finished=data.flag("is_finished", "finished"),
        tells_tags=False,
    )


def read_group(group: JsonObject) -> ParsedGroup:
    """Read a group; current servers fill the first one only, and count 0 in the others."""
    status = group.integer("result_type")
    rows = read_rows(group, "ip_list", group_status=status)
    count = group.maybe_integer("count")
    return group_rows(status, group.maybe_text("tag"), count, rows, rows_listed=rows is not None)

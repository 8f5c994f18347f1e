"""Status responses of the ESB's component `job`."""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET, Struct

from bkjob_async.dialects.common.host_rows import Code, FullHostRow, UntaggedRow, read_row, read_rows
from bkjob_async.dialects.common.json_fields import SECONDS, JsonObject, as_time
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.dialects.common.status_structs import (
    Absent,
    EnvelopeStruct,
    JobStruct,
    StepStruct,
    decode_data,
)
from bkjob_async.dialects.common.status_views import (
    UndocumentedResponse,
    flat_rows,
    group_rows,
    job_view,
    own_list,
    read_job_members,
    read_step_members,
    step_view,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import GroupPollView, JobPollView, StepPollView
from bkjob_async.model.snapshot import Times


class TextStepStruct(StepStruct[str], gc=False, kw_only=True):
    """A step with its host rows; the newer backend counts executions by `retry_count`."""

    step_ip_status: list[UntaggedRow] | None = None
    retry_count: Code | None = None  # type: ignore[assignment]  # other dialects have none


class BlockStruct(Struct, gc=False):
    """A block of steps."""

    step_instances: list[TextStepStruct] | None = None


class BlocksDataStruct(Struct, gc=False):
    """The data of a response about a job; what only other dialects have is not documented here."""

    job_instance: JobStruct[str]
    is_finished: bool
    blocks: list[BlockStruct] | None = None
    finished: Absent = UNSET
    step_instance_list: Absent = UNSET


_JOB = msgspec.json.Decoder(EnvelopeStruct[BlocksDataStruct])

# The list of steps that other dialects have.
STEP_LIST = {"step_instance_list": "gateway-v3, gateway-v4 and esb-jobv3"}


# Strictly, as documented --------------------------------------------------------------------------


def read_job_strictly(
    operation: GetJobInstanceStatus,
    response: HttpResponse,
    zone: tzinfo,
    *,
    for_poll: bool,
    in_part: bool,  # noqa: ARG001 - rows are read in full
) -> JobPollView | None:
    """Return a job from a response exactly as documented, None for any other response."""
    data = decode_data(_JOB, response)
    if data is None or data.job_instance.launch_mode is not None:
        return None
    job = data.job_instance
    steps = [step for block in data.blocks or () for step in block.step_instances or ()]
    try:
        return job_view(
            job,
            operation.ref,
            [text_step_view(step, zone, for_poll=for_poll) for step in steps],
            finished=data.is_finished,
            launch_mode=None if job.start_way is UNSET else job.start_way,
            times=text_times(job, zone),
        )
    except UndocumentedResponse:
        return None


def text_step_view(step: TextStepStruct, zone: tzinfo, *, for_poll: bool) -> StepPollView:
    """Return the view of a step whose times are text; raise `UndocumentedResponse`."""
    if step.execute_count is None:
        step.execute_count = step.retry_count
    groups = flat_rows(step.step_ip_status)
    return step_view(step, groups, for_poll=for_poll, times=text_times(step, zone), tells_tags=False)


def text_times(struct: JobStruct[str] | StepStruct[str], zone: tzinfo) -> Times:
    """Return times that are text, those without a zone in *zone*; the duration is seconds."""
    return Times(
        create_time=as_time(struct.create_time, zone),
        start_time=as_time(struct.start_time, zone),
        end_time=as_time(struct.end_time, zone),
        total_time=struct.total_time,
    )


# Leniently ----------------------------------------------------------------------------------------


def read_job(operation: GetJobInstanceStatus, envelope: JsonObject, *, for_poll: bool) -> JobPollView:  # noqa: ARG001 - one of several readers
    """Read a response about a job: its steps are in blocks, its hosts always listed."""
    data = envelope.child("data")
    steps = (
        read_step_members(
            step,
            flat_rows(read_rows(step, "step_ip_status", read=read_untagged_row)),
            unit=SECONDS,
            tells_tags=False,
        )
        for block in own_list(data, "blocks", others=STEP_LIST) or ()
        for step in block.children("step_instances") or ()
    )
    return read_job_members(data, operation.ref, steps, unit=SECONDS)


def read_step(operation: GetStepInstanceStatus, envelope: JsonObject, *, for_poll: bool) -> StepPollView:  # noqa: ARG001 - as above
    """Read a response about a step; its flag stands beside it, its hosts in groups.

    The counters (`running_ip_num`, `fail_ip_num`, ...) contradict the groups in the platform's own documents,
    and are null on current servers, so they are not read.
    """
    data = envelope.child("data")
    step = data.child("step_instance_detail")
    check_ref(step, operation.ref)
    groups = data.children("step_instance_analyse_result")
    return read_step_members(
        step,
        None if groups is None else tuple(map(read_group, groups)),
        unit=SECONDS,
        finished=data.flag("is_finished", "finished"),
        # Current servers fill the first group only, and count 0 in the others.
        complete=all(
            None not in (group.maybe_integer("count"), group.get("ip_list")) for group in groups or ()
        ),
        tells_tags=False,
    )


def read_group(group: JsonObject) -> GroupPollView:
    """Read a group of hosts."""
    status = group.integer("result_type")
    rows = read_rows(group, "ip_list", group_status=status, read=read_untagged_row)
    return group_rows(status, group.maybe_text("tag"), group.maybe_integer("count"), rows)


def read_untagged_row(row: JsonObject, group_status: int | None) -> FullHostRow:
    """Read the row of a host; there are no tags."""
    return read_row(row, group_status, UntaggedRow)

"""Status responses of the v3 interfaces, of any shape that can be understood.

`get_job_instance_status` is the same in the gateway's v3 and in the ESB's jobv3; `get_step_instance_status`
is the gateway's. The strict readers are tried first: they return the same values as the lenient ones below,
two to three times as fast.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET

from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.host_rows import FullHostRow, read_rows
from bkjob_async.dialects.common.json_fields import MILLISECONDS, JsonObject
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
from bkjob_async.dialects.common.ref_checks import check_ref, matches_step
from bkjob_async.dialects.common.status_structs import (
    STRICT_ERRORS,
    EnvelopeStruct,
    JobDataStruct,
    UndocumentedResponse,
    is_success,
    parse_job_data,
    parse_step,
)
from bkjob_async.dialects.gateway.v3_poll_decoder import poll_step, skip_known_rows
from bkjob_async.dialects.gateway.v3_structs import FlatStepStruct, GroupStruct, StepDataStruct
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import KnownRows, StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import StepSnapshot

# Before `step_result_group_list` there were flat lists, under two names (documents of 2023).
FLAT_LISTS = ("step_host_result_list", "step_ip_result_list")
NO_FILTERS = (None,) * 5
ROW_LISTS = ("step_ip_result_list", "step_host_result_list")

FullStep = FlatStepStruct[FullHostRow]
_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[FullStep]])
_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[FullHostRow]]])


def read_step_status(operation: GetStepInstanceStatus, envelope: JsonObject) -> StepSnapshot:
    """Read a step with its groups of hosts."""
    return step_snapshot(read_step(operation.ref, envelope), operation.ref)


def read_step_status_strictly(
    operation: GetStepInstanceStatus, response: HttpResponse, _zone: tzinfo
) -> StepSnapshot | None:
    """Return the snapshot of a step from a response exactly as documented, None for any other."""
    step = read_step_strictly(operation.ref, response)
    return None if step is None else step_snapshot(step, operation.ref)


# Polling ------------------------------------------------------------------------------------------


def read_step_poll(operation: GetStepInstanceStatus, response: HttpResponse, zone: tzinfo) -> StepPollView:
    """Return the poll view of a step."""
    ref, for_all = operation.ref, asks_for_all_hosts(operation)
    view = poll_step(ref, response, asked_for_all=for_all)
    if view is not None:
        return view
    step = read_step_strictly(ref, response) or read_step(ref, JsonObject(open_envelope(response), zone=zone))
    return step_poll_view(step, asked_for_all=for_all)


def skip_known_step_rows(
    operation: GetStepInstanceStatus, response: HttpResponse, known: KnownRows
) -> StepPollView | None:
    """Return the poll view of a step without its rows where all is *known*, or with a digest; None for neither."""
    return skip_known_rows(operation.ref, response, known, asked_for_all=asks_for_all_hosts(operation))


def asks_for_all_hosts(operation: GetStepInstanceStatus) -> bool:
    """Return True when a request leaves no host out: all batches, the latest execution, no filter."""
    filters = (
        operation.execute_count,
        operation.keyword,
        operation.search_ip,
        operation.status,
        operation.tag,
    )
    return operation.batch == 0 and filters == NO_FILTERS


# Strictly, as documented --------------------------------------------------------------------------


def read_job_strictly(ref: JobRef, response: HttpResponse, _zone: tzinfo) -> ParsedJob | None:
    """Return the job *ref* from a response exactly as documented, None for any other response."""
    try:
        envelope = _JOB.decode(response.body)
        return parse_job_data(envelope.data, ref, read_hosts) if is_success(response, envelope) else None
    except STRICT_ERRORS:
        return None


def read_hosts(step: FullStep) -> tuple[ParsedGroup, ...] | None:
    """Return the host rows of a step in a response about a job; raise `UndocumentedResponse`."""
    if step.step_host_result_list is not UNSET:
        raise UndocumentedResponse
    return ungrouped_rows(step.step_ip_result_list)


def read_step_strictly(ref: StepRef, response: HttpResponse) -> ParsedStep | None:
    """Return the step *ref* from a response exactly as documented, None for any other response."""
    try:
        envelope = _STEP.decode(response.body)
        step = envelope.data
        if not (step.finished is step.is_finished is UNSET and is_success(response, envelope)):
            return None
        if not matches_step(step, ref):
            return None
        groups = tuple(
            group_rows(group.result_type, group.tag, group.host_size, group.host_result_list)
            for group in step.step_result_group_list
        )
        return parse_step(step, step.times(), groups, grouped=True)
    except STRICT_ERRORS:
        return None


# Leniently, any shape --------------------------------------------------------------------------------


def read_job(ref: JobRef, envelope: JsonObject) -> ParsedJob:
    """Return the job *ref* from a response of any shape that can be understood."""
    data = envelope.child("data")
    steps = (
        read_step_members(step, ungrouped_rows(read_rows(step, *ROW_LISTS)), unit=MILLISECONDS)
        for step in data.children("step_instance_list") or ()
    )
    return read_job_members(data, ref, steps, unit=MILLISECONDS)


def read_step(ref: StepRef, envelope: JsonObject) -> ParsedStep:
    """Return the step *ref* from a response of any shape that can be understood."""
    data = envelope.child("data")
    check_ref(data, ref)
    groups = data.children("step_result_group_list")
    flat = read_rows(data, *FLAT_LISTS) if groups is None else None
    if flat is not None:
        return read_step_members(data, ungrouped_rows(flat), unit=MILLISECONDS)
    return read_step_members(
        data,
        tuple(read_group(group) for group in groups or ()),
        unit=MILLISECONDS,
        finished=data.flag("finished", "is_finished"),
        grouped=True,
    )


def read_group(group: JsonObject) -> ParsedGroup:
    """Read a group: without a code of its own its rows have theirs."""
    status = group.maybe_integer("result_type")
    rows = read_rows(group, "host_result_list", group_status=status)
    return group_rows(status, group.maybe_text("tag"), group.maybe_integer("host_size"), rows)

"""Status responses of the v3 interfaces.

`get_job_instance_status` is the same in the gateway's v3 and in the ESB's jobv3; `get_step_instance_status`
is the gateway's. The strict readers are tried first: they return the same values as the lenient ones below, several
times as fast. For a poll they read little more than id and code of most rows, and the rest when it is wanted.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from bkjob_async.dialects.common.host_rows import (
    FullHostRow,
    read_row,
    read_row_in_part,
    read_rows,
)
from bkjob_async.dialects.common.json_fields import MILLISECONDS, JsonObject
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.dialects.common.status_structs import JobDataStruct, decode_data
from bkjob_async.dialects.common.status_views import (
    BLOCKS,
    UndocumentedResponse,
    flat_rows,
    group_rows,
    matches_step,
    own_list,
    read_job_data,
    read_job_members,
    read_step_members,
    step_view,
)
from bkjob_async.dialects.gateway.lazy_rows import LazyHostRows
from bkjob_async.dialects.gateway.v3_structs import (
    JOB,
    POLLED_JOB,
    POLLED_STEP,
    STEP,
    StepDataStruct,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import GroupPollView, JobPollView, StepPollView, as_read

# Before `step_result_group_list` there were flat lists, under two names (documents of 2023).
FLAT_LISTS = ("step_host_result_list", "step_ip_result_list")
ROW_LISTS = ("step_ip_result_list", "step_host_result_list")
# The lists of other dialects.
OBJECT_LISTS = {"step_execute_object_result_list": "gateway-v4", "execute_object_result_list": "gateway-v4"}


# How the platform writes the address of a host with and without one; null and an absent member are neither.
ADDRESS, NO_ADDRESS = b'"ip":"', b'"ip":""'


# Strictly, as documented --------------------------------------------------------------------------


def read_job_strictly(
    operation: GetJobInstanceStatus, response: HttpResponse, _zone: tzinfo, *, for_poll: bool, in_part: bool
) -> JobPollView | None:
    """Return a job from a response exactly as documented, None for any other response."""
    body, lacks_addresses = response.body, False
    data: JobDataStruct[Any] | None = decode_data(POLLED_JOB, response) if in_part else None
    named = as_read if data is None else LazyHostRows(body, data).in_full
    data = data or decode_data(JOB, response)
    if data is None:
        return None
    rows = [step.step_ip_result_list for step in data.step_instance_list or ()]
    if for_poll:
        size = sum(map(len, filter(None, rows)))
        lacks_addresses = body.count(ADDRESS) - body.count(NO_ADDRESS) < size
    try:
        return read_job_data(
            data, rows, operation.ref, for_poll=for_poll, named=named, lacks_addresses=lacks_addresses
        )
    except UndocumentedResponse:
        return None


def read_step_strictly(
    operation: GetStepInstanceStatus, response: HttpResponse, _zone: tzinfo, *, for_poll: bool, in_part: bool
) -> StepPollView | None:
    """Return a step from a response exactly as documented, None for any other response."""
    step: StepDataStruct[Any] | None = decode_data(POLLED_STEP, response) if in_part else None
    named = as_read if step is None else LazyHostRows(response.body, step).in_full
    # For a poll, too: there may be an unknown code, or an older server, which names hosts by address only.
    step = step or decode_data(STEP, response)
    if step is None or not matches_step(step, operation.ref):
        return None
    groups = tuple(
        [
            group_rows(group.result_type, group.tag, group.host_size, group.host_result_list)
            for group in step.step_result_group_list
        ]
    )
    try:
        return step_view(
            step,
            groups,
            for_poll=for_poll and asks_for_all_hosts(operation),
            named=named,
            grouped=True,
        )
    except UndocumentedResponse:
        return None


def asks_for_all_hosts(operation: GetStepInstanceStatus) -> bool:
    """Return True when a request leaves no host out: all batches, the latest execution, no filter."""
    it = operation
    is_filtered = not (it.keyword is it.search_ip is it.tag is None and it.status is None)
    return it.batch == 0 and it.execute_count is None and not is_filtered


# Leniently, any shape --------------------------------------------------------------------------------


def read_job(operation: GetJobInstanceStatus, envelope: JsonObject, *, for_poll: bool) -> JobPollView:  # noqa: ARG001 - one of several readers
    """Return a job from a response of any shape that can be understood."""
    data = envelope.child("data")
    steps = (
        read_step_members(step, flat_rows(read_own_rows(step)), unit=MILLISECONDS)
        for step in own_list(data, "step_instance_list", others=BLOCKS) or ()
    )
    return read_job_members(data, operation.ref, steps, unit=MILLISECONDS)


def read_own_rows(step: JsonObject) -> list[FullHostRow] | None:
    """Return the rows of a step, None where they are not listed; those of another dialect raise `InvalidResponse`."""
    own_list(step, *ROW_LISTS, others=OBJECT_LISTS)
    return read_rows(step, *ROW_LISTS)


def read_step(operation: GetStepInstanceStatus, envelope: JsonObject, *, for_poll: bool) -> StepPollView:
    """Return a step from a response of any shape that can be understood."""
    data = envelope.child("data")
    check_ref(data, operation.ref)
    groups, complete = data.children("step_result_group_list"), asks_for_all_hosts(operation)
    finished = data.flag("finished", "is_finished")
    flat = read_rows(data, *FLAT_LISTS) if groups is None else None
    if flat is not None:
        return read_step_members(
            data, flat_rows(flat), unit=MILLISECONDS, finished=finished, complete=complete
        )
    groups = groups or []
    return read_step_members(
        data,
        tuple(read_group(group, for_poll=for_poll) for group in groups),
        unit=MILLISECONDS,
        finished=finished,
        grouped=True,
        complete=complete and all(group.maybe_integer("host_size") is not None for group in groups),
    )


def read_group(group: JsonObject, *, for_poll: bool) -> GroupPollView:
    """Read a group: without a code of its own its rows have theirs."""
    status, read = group.maybe_integer("result_type"), read_row_in_part if for_poll else read_row
    rows = read_rows(group, "host_result_list", group_status=status, read=read)
    return group_rows(status, group.maybe_text("tag"), group.maybe_integer("host_size"), rows)

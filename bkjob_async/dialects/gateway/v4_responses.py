"""Status responses of the gateway's version 4: hosts and containers are execute objects."""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET, Struct

from bkjob_async.dialects.common.host_rows import (
    Code,
    FullHostRow,
    Identity,
    Number,
    read_object_row,
    read_rows,
)
from bkjob_async.dialects.common.json_fields import MILLISECONDS, JsonObject
from bkjob_async.dialects.common.status_structs import (
    STRICT_ERRORS,
    Absent,
    JobDataStruct,
    StepStruct,
)
from bkjob_async.dialects.common.status_views import (
    BLOCKS,
    flat_rows,
    own_list,
    read_job_data,
    read_job_members,
    read_step_members,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.poll_view import GroupPollView, JobPollView

# The first name is the present one, the others were used before 2025-10, the last with rows like those of
# version 3.
OBJECT_LISTS = ("step_execute_object_result_list", "execute_object_result_list")
FLAT_LIST = "step_ip_result_list"


class HostStruct(Struct, gc=False):
    """A host in an execute object."""

    bk_host_id: Identity | None = None
    bk_cloud_id: Code | None = None
    ip: str | None = None
    ipv6: str | None = None
    host_id: Absent = UNSET


class ExecuteObjectStruct(Struct, gc=False):
    """An execute object that is a host; a container is left to the lenient reader."""

    host: HostStruct
    container: Absent = UNSET


class ObjectRowStruct(Struct, gc=False):
    """The row of one execute object."""

    execute_object: ExecuteObjectStruct
    status: Code
    tag: str | None = None
    exit_code: Code | None = None
    error_code: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None


class ObjectStepStruct(StepStruct[Code], gc=False, kw_only=True):
    """A step with the rows of its execute objects."""

    step_execute_object_result_list: list[ObjectRowStruct] | None = None
    execute_object_result_list: Absent = UNSET
    step_ip_result_list: Absent = UNSET


class EnvelopeStruct(Struct, gc=False):
    """The envelope of a success; it has neither *result* nor *code*."""

    data: JobDataStruct[ObjectStepStruct]
    result: Absent = UNSET
    code: Absent = UNSET
    error: Absent = UNSET


_JOB = msgspec.json.Decoder(EnvelopeStruct)


# Strictly, as documented --------------------------------------------------------------------------


def read_job_strictly(
    operation: GetJobInstanceStatus,
    response: HttpResponse,
    _zone: tzinfo,
    *,
    for_poll: bool,
    in_part: bool,  # noqa: ARG001 - rows are read in full
) -> JobPollView | None:
    """Return a job from a response exactly as documented, with hosts only; None for any other."""
    if not 200 <= response.status < 300:
        return None
    try:
        data = _JOB.decode(response.body).data
        rows = [host_rows(step) for step in data.step_instance_list or ()]
        return read_job_data(data, rows, operation.ref, for_poll=for_poll)
    except STRICT_ERRORS:
        return None


def host_rows(step: ObjectStepStruct) -> list[FullHostRow] | None:
    """Return the host rows of a step."""
    rows = step.step_execute_object_result_list
    return None if rows is None else [host_row(row) for row in rows]


def host_row(row: ObjectRowStruct) -> FullHostRow:
    """Return the row of a host."""
    host = row.execute_object.host
    return FullHostRow(
        status=row.status,
        bk_host_id=host.bk_host_id,
        bk_cloud_id=host.bk_cloud_id,
        ip=host.ip or None,
        ipv6=host.ipv6 or None,
        tag=row.tag,
        exit_code=row.exit_code,
        error_code=row.error_code,
        raw_start_time=row.start_time,
        raw_end_time=row.end_time,
        total_time=row.total_time,
    )


# Leniently ----------------------------------------------------------------------------------------


def read_job(operation: GetJobInstanceStatus, envelope: JsonObject, *, for_poll: bool) -> JobPollView:  # noqa: ARG001 - one of several readers
    """Return a job from a response of any shape that can be understood."""
    data = envelope.child("data")
    steps = (
        read_step_members(step, read_groups(step), unit=MILLISECONDS)
        for step in own_list(data, "step_instance_list", others=BLOCKS) or ()
    )
    return read_job_members(data, operation.ref, steps, unit=MILLISECONDS)


def read_groups(step: JsonObject) -> tuple[GroupPollView, ...] | None:
    """Read the hosts and containers of a step as one group, None where they are not listed."""
    rows = step.children(*OBJECT_LISTS)
    return flat_rows(read_rows(step, FLAT_LIST) if rows is None else [read_object_row(row) for row in rows])

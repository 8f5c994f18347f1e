"""Strict decoder of the v3 interfaces' status responses, for snapshots: every row in full.

It is two to three times as fast as the lenient reader and serves every typed status call.
"""

from __future__ import annotations

from datetime import tzinfo

import msgspec
from msgspec import UNSET

from bkjob_async.dialects.common.host_rows import FullHostRow
from bkjob_async.dialects.common.parsed import ParsedGroup, ParsedJob, ParsedStep, group_rows, ungrouped_rows
from bkjob_async.dialects.common.ref_checks import matches_step
from bkjob_async.dialects.common.status_structs import (
    STRICT_ERRORS,
    EnvelopeStruct,
    JobDataStruct,
    UndocumentedResponse,
    is_success,
    parse_job_data,
    parse_step,
)
from bkjob_async.dialects.gateway.v3_structs import FlatStepStruct, GroupStruct, StepDataStruct
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.refs import JobRef, StepRef

FullStep = FlatStepStruct[FullHostRow]
_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[FullStep]])
_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[FullHostRow]]])


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

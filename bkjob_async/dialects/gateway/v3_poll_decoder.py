"""Decode the v3 interfaces' documented status responses into poll views; of most rows only id and code.

A response that is not as documented gives None, and is left to a reader that reads more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import UNSET, Raw, Struct

from bkjob_async.dialects.common.host_rows import FlatHostRow, FullHostRow, GroupedHostRow, host_snapshot
from bkjob_async.dialects.common.ref_checks import matches_job, matches_step
from bkjob_async.dialects.common.status_structs import (
    STRICT_ERRORS,
    EnvelopeStruct,
    JobDataStruct,
    StepStruct,
    is_success,
)
from bkjob_async.dialects.gateway.lazy_rows import LazyHostRows, RowList
from bkjob_async.dialects.gateway.v3_structs import (
    PARTIAL_CODES,
    AnyKnownGroup,
    FlatStepStruct,
    GroupStruct,
    KnownGroupStruct,
    PolledGroup,
    StepDataStruct,
)
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.poll_view import GroupPollView, JobPollView, KnownRows, StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import Times

PolledStep = FlatStepStruct[FlatHostRow]
StepDecoder = (
    msgspec.json.Decoder[EnvelopeStruct[StepDataStruct[AnyKnownGroup]]]
    | msgspec.json.Decoder[EnvelopeStruct[StepDataStruct[GroupStruct[GroupedHostRow]]]]
)
_KNOWN_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[AnyKnownGroup]])
_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[GroupedHostRow]]])
GROUPS_MEMBER = b'"step_result_group_list":'
# What differs in every response, where nothing but a JSON number or text as usual can follow the name.
TOTAL_TIME = re.compile(rb'"total_time":(?:0|[1-9][0-9]{0,15})(?=[,}])')
REQUEST_ID = re.compile(rb'"job_request_id":"[0-9A-Za-z_.:-]{0,64}"')
# How the platform writes the address of a host with and without one; null and an absent member are neither.
ADDRESS, NO_ADDRESS = b'"ip":"', b'"ip":""'
_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[PolledStep]])
# A larger response is about a step that is read by groups next time, which needs no digest. (bytes)
LARGEST_DIGESTED = 128 * 1024


def poll_step(ref: StepRef, response: HttpResponse, *, asked_for_all: bool) -> StepPollView | None:
    """Return the poll view of the step *ref*, None for a response that is not as documented.

    *asked_for_all* says that the request left no host out.
    """
    view = poll_step_with(_KNOWN_STEP, ref, response, asked_for_all=asked_for_all)
    # An unknown code, or a row that cannot be read in full: all other rows can still be read in part.
    return view or poll_step_with(_STEP, ref, response, asked_for_all=asked_for_all)


def poll_step_with(
    decoder: StepDecoder, ref: StepRef, response: HttpResponse, *, asked_for_all: bool, content: int = 0
) -> StepPollView | None:
    """Return the poll view of the step *ref*, None where *decoder* cannot read the response.

    *content* is the hash of its bytes that its digest is made of, 0 for none.
    """
    step = read_strictly(decoder, ref, response)
    if step is None:
        return None
    groups = step.step_result_group_list
    views = group_views(groups)
    if views is None:
        return None
    lazy = LazyHostRows(response.body, partial(row_lists_of_groups, groups), split_groups)
    return step_view(step, views, lazy, complete=asked_for_all and are_whole(groups), content=content)


def read_strictly(
    decoder: StepDecoder, ref: StepRef, response: HttpResponse
) -> StepDataStruct[AnyKnownGroup] | StepDataStruct[GroupStruct[GroupedHostRow]] | None:
    """Return the step *ref* from a *response*, None where it is not as documented."""
    try:
        envelope = decoder.decode(response.body)
    except STRICT_ERRORS:
        return None
    step = envelope.data
    documented = step.retry_count is step.finished is step.is_finished is UNSET
    return step if documented and is_success(response, envelope) and matches_step(step, ref) else None


def skip_known_rows(
    ref: StepRef, response: HttpResponse, known: KnownRows, *, asked_for_all: bool
) -> StepPollView | None:
    """Return the poll view of the step *ref* without rows where the response says nothing but what is *known*.

    Otherwise with a digest; None for a response that is large or not as documented.

    While a step runs, its total time differs in every response, and so does the id of the request. All other bytes are
    hashed, with what was read of the step: equal digests are equal responses, and nothing is decoded.
    """
    body = response.body
    begin, end = body.find(GROUPS_MEMBER), body.rfind(b"]")
    if begin < 0 or not asked_for_all or len(body) > LARGEST_DIGESTED:
        return None
    rest = TOTAL_TIME.sub(b"", REQUEST_ID.sub(b"", b"%b%b" % (body[:begin], body[end:])))
    content = hash((response.status, rest, body[begin:end]))
    if known.digest == digest_of(content, known.status, known.execute_count, known.name):
        return StepPollView(
            step_instance_id=ref.step_instance_id,
            status=known.status,
            name=known.name,
            execute_count=known.execute_count,
            when=partial(read_step_times, ref, response),
            details=host_snapshot,
            digest=known.digest,
            has_known_rows=True,
        )
    return poll_step_with(_KNOWN_STEP, ref, response, asked_for_all=asked_for_all, content=content)


def digest_of(content: int, status: int, execute_count: int, name: str) -> int:
    """Return the digest of a response with this *content*, a hash of its bytes, about a step that was read like this."""
    return hash((content, status, execute_count, name))


def read_step_times(ref: StepRef, response: HttpResponse) -> Times:
    """Return the times of the step *ref* in a *response* as documented."""
    step = read_strictly(_KNOWN_STEP, ref, response)
    return Times() if step is None else step.times()


def poll_job(ref: JobRef, response: HttpResponse) -> JobPollView | None:
    """Return the poll view of the job *ref*, None for a response that is not as documented."""
    body = response.body
    try:
        envelope = _JOB.decode(body)
    except STRICT_ERRORS:
        return None
    data, job = envelope.data, envelope.data.job_instance
    steps = data.step_instance_list or ()
    if data.is_finished is not UNSET or not (is_success(response, envelope) and matches_job(job, ref)):
        return None
    if any(not (step.step_host_result_list is step.retry_count is UNSET) for step in steps):
        return None
    lazy = LazyHostRows(body, partial(row_lists_of_steps, steps), split_steps)
    return JobPollView(
        status=job.status,
        finished=data.finished,
        name=job.name or "",
        when=job.times,
        steps=tuple(
            step_view(step, flat_views(step), lazy, complete=step.step_ip_result_list is not None)
            for step in steps
        ),
        lacks_addresses=body.count(ADDRESS) - body.count(NO_ADDRESS)
        < sum(len(step.step_ip_result_list or ()) for step in steps),
    )


def group_views(groups: Sequence[PolledGroup]) -> list[GroupPollView] | None:
    """Return the poll views of *groups*, None where a row that was read in full has no id."""
    views: list[GroupPollView] = []
    for group in groups:
        code, rows = group.result_type, group.host_result_list
        is_full = code not in PARTIAL_CODES and rows and isinstance(group, KnownGroupStruct)
        if is_full and not assign_group_state(group):
            return None
        views.append(GroupPollView(status=code, tag=group.tag or "", size=group.host_size, rows=rows))
    return views


def assign_group_state(group: PolledGroup) -> bool:
    """Give full rows the code and tag of their *group*, which win; return False where one has no id."""
    code, tag = group.result_type, group.tag
    for row in group.host_result_list or ():
        if isinstance(row, FullHostRow):
            if row.bk_host_id is None:
                return False
            row.status = code
            if tag is not None:
                row.tag = tag
    return True


def are_whole(groups: Sequence[PolledGroup]) -> bool:
    """Return True when each group lists as many rows as it counts."""
    for group in groups:  # noqa: SIM110 - called at every poll, mostly with one group
        if group.host_size != len(group.host_result_list or ()):
            return False
    return True


def flat_views(step: PolledStep) -> tuple[GroupPollView, ...] | None:
    """Return the rows of a step in a job's response as one group without a status, None for none."""
    rows = step.step_ip_result_list
    return None if rows is None else (GroupPollView(size=len(rows), rows=rows),)


def step_view(
    step: StepStruct[int],
    groups: Sequence[GroupPollView] | None,
    lazy: LazyHostRows,
    *,
    complete: bool,
    content: int = 0,
) -> StepPollView:
    """Return the poll view of one *step*; *content* as `poll_step_with` takes it."""
    name, execute_count = step.name or "", step.execute_count or 0
    return StepPollView(
        step_instance_id=step.step_instance_id,
        status=step.status,
        name=name,
        type=step.type,
        execute_count=execute_count,
        when=step.times,
        groups=groups,
        complete=complete,
        named=lazy.read_full,
        details=host_snapshot,
        digest=digest_of(content, step.status, execute_count, name) if content else 0,
    )


def row_lists_of_groups(groups: Sequence[PolledGroup]) -> list[RowList]:
    """Return the rows of each group."""
    return [RowList(group.host_result_list or (), group.result_type, group.tag) for group in groups]


def row_lists_of_steps(steps: Sequence[PolledStep]) -> list[RowList]:
    """Return the rows of each step of a job."""
    return [RowList(step.step_ip_result_list or ()) for step in steps]


# The bytes of each list of rows -------------------------------------------------------------------


NOTHING = Raw(b"null")


class GroupBytes(Struct, gc=False):
    """The rows of a group, as bytes."""

    host_result_list: Raw = NOTHING


class StepBytes(Struct, gc=False):
    """The rows of a step in a response about a job, as bytes."""

    step_ip_result_list: Raw = NOTHING


class GroupsBytes(Struct, gc=False):
    """The groups of a step."""

    step_result_group_list: list[GroupBytes]


class StepsBytes(Struct, gc=False):
    """The steps of a job."""

    step_instance_list: list[StepBytes] | None = None


_GROUPS = msgspec.json.Decoder(EnvelopeStruct[GroupsBytes])
_STEPS = msgspec.json.Decoder(EnvelopeStruct[StepsBytes])


def split_groups(body: bytes) -> list[Raw]:
    """Return the bytes of the rows of each group."""
    return [group.host_result_list for group in _GROUPS.decode(body).data.step_result_group_list]


def split_steps(body: bytes) -> list[Raw]:
    """Return the bytes of the rows of each step."""
    return [step.step_ip_result_list for step in _STEPS.decode(body).data.step_instance_list or ()]

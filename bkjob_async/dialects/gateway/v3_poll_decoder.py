"""Poll views of the v3 interfaces' documented status responses: of most rows no more than id and code.

A response that is not as documented gives None, and is left to a reader that reads more.
"""

from __future__ import annotations

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

PolledStep = FlatStepStruct[FlatHostRow]
StepDecoder = (
    msgspec.json.Decoder[EnvelopeStruct[StepDataStruct[AnyKnownGroup]]]
    | msgspec.json.Decoder[EnvelopeStruct[StepDataStruct[GroupStruct[GroupedHostRow]]]]
)
_KNOWN_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[AnyKnownGroup]])
_STEP = msgspec.json.Decoder(EnvelopeStruct[StepDataStruct[GroupStruct[GroupedHostRow]]])
GROUPS_MEMBER = b'"step_result_group_list":'
_JOB = msgspec.json.Decoder(EnvelopeStruct[JobDataStruct[PolledStep]])


def poll_step(ref: StepRef, response: HttpResponse, *, asked_for_all: bool) -> StepPollView | None:
    """Return the poll view of the step *ref*, None for a response that is not as documented.

    *asked_for_all* says that the request left no host out.
    """
    view = poll_step_with(_KNOWN_STEP, ref, response, asked_for_all=asked_for_all)
    # An unknown code, or a row that cannot be read in full: all other rows can still be read in part.
    return view or poll_step_with(_STEP, ref, response, asked_for_all=asked_for_all)


def poll_step_with(
    decoder: StepDecoder, ref: StepRef, response: HttpResponse, *, asked_for_all: bool, rows_digest: int = 0
) -> StepPollView | None:
    """Return the poll view of the step *ref*, None where *decoder* cannot read the response."""
    body = response.body
    step = read_strictly(decoder, ref, response, body)
    if step is None:
        return None
    groups = step.step_result_group_list
    views = group_views(groups)
    if views is None:
        return None
    lazy = LazyHostRows(body, partial(row_lists_of_groups, groups), split_groups)
    return step_view(step, views, lazy, complete=asked_for_all and are_whole(groups), rows_digest=rows_digest)


def read_strictly(
    decoder: StepDecoder, ref: StepRef, response: HttpResponse, body: bytes
) -> StepDataStruct[AnyKnownGroup] | StepDataStruct[GroupStruct[GroupedHostRow]] | None:
    """Return the step *ref* from the *body* of a *response*, None where it is not as documented."""
    try:
        envelope = decoder.decode(body)
    except STRICT_ERRORS:
        return None
    step = envelope.data
    documented = step.retry_count is step.finished is step.is_finished is UNSET
    return step if documented and is_success(response, envelope) and matches_step(step, ref) else None


def skip_known_rows(
    ref: StepRef, response: HttpResponse, known: KnownRows, *, asked_for_all: bool
) -> StepPollView | None:
    """Return the poll view of the step *ref* without rows where they are those that are *known*.

    Otherwise with a digest of the rows; None for a response that is not as documented.

    While a step runs, its total time differs in every response, and what comes behind the rows may. So all bytes from the
    beginning of the groups to the last bracket are hashed. They contain the whole list, so that equal bytes are equal rows.
    What is left of the response without the list is decoded as any other.
    """
    body = response.body
    begin, end = body.find(GROUPS_MEMBER), body.rfind(b"]") + 1
    if begin < 0 or not asked_for_all:
        return None
    begin += len(GROUPS_MEMBER)
    digest = hash(body[begin:end])
    if known.digest and digest == known.digest:
        step = read_strictly(_KNOWN_STEP, ref, response, b"%b[]%b" % (body[:begin], body[end:]))
        if step is not None and (step.status, step.execute_count or 0) == (known.status, known.execute_count):
            lazy = LazyHostRows(body, list, split_groups)
            return step_view(step, None, lazy, complete=False, rows_digest=digest, has_known_rows=True)
    return poll_step_with(_KNOWN_STEP, ref, response, asked_for_all=asked_for_all, rows_digest=digest)


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
    rows_digest: int = 0,
    has_known_rows: bool = False,
) -> StepPollView:
    """Return the poll view of one *step*."""
    return StepPollView(
        step_instance_id=step.step_instance_id,
        status=step.status,
        name=step.name or "",
        type=step.type,
        execute_count=step.execute_count or 0,
        when=step.times,
        groups=groups,
        complete=complete,
        named=lazy.read_full,
        details=host_snapshot,
        rows_digest=rows_digest,
        has_known_rows=has_known_rows,
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

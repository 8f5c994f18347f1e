"""Looks at status answers of the v3 interfaces that are as documented: of most rows no more than id and code.

Whatever is not as documented is None here, and left to who reads more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from bkjob_async.dialects.common.correlation import is_surely_of
from bkjob_async.dialects.common.host_rows import (
    BareRow,
    Code,
    Identity,
    Number,
    host_snapshot,
    millisecond_times,
)
from bkjob_async.dialects.gateway.lazy_rows import LateRows, Listing
from bkjob_async.dialects.gateway.v3_group_rows import AnyGroup, AnyKnownGroup, GroupLine, group_looks
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.poll_view import GroupPollView, JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import Times

G = TypeVar("G", bound=AnyGroup)


class Timed(Struct, gc=False, kw_only=True):
    """Whatever has times of its own, in Unix milliseconds."""

    create_time: Code | None = None
    start_time: Code | None = None
    end_time: Code | None = None
    total_time: Number | None = None

    def times(self) -> Times:
        """Return the times as people read them."""
        return millisecond_times(self.create_time, self.start_time, self.end_time, self.total_time)


class Instance(Timed, gc=False, kw_only=True):
    """What an answer is about: its job and scope."""

    job_instance_id: Identity | None = None
    bk_scope_type: str | None = None
    bk_scope_id: str | None = None
    bk_biz_id: Identity | None = None


class StepLine(Timed, gc=False, kw_only=True):
    """A step in a job's answer."""

    step_instance_id: Identity
    status: Code
    name: str | None = None
    type: Code | None = None
    execute_count: Code | None = None
    step_ip_result_list: list[BareRow] | None = None
    step_host_result_list: Raw | UnsetType = UNSET
    retry_count: Raw | UnsetType = UNSET


class StepData(Instance, Generic[G], gc=False, kw_only=True):
    """The data of a step's answer, with its groups as G."""

    step_instance_id: Identity
    status: Code
    step_result_group_list: list[G]
    name: str | None = None
    type: Code | None = None
    execute_count: Code | None = None
    retry_count: Raw | UnsetType = UNSET
    finished: Raw | UnsetType = UNSET
    is_finished: Raw | UnsetType = UNSET


class StepEnvelope(Struct, Generic[G], gc=False):
    """A successful answer about a step."""

    result: bool
    code: Code
    data: StepData[G]
    error: Raw | UnsetType = UNSET


class JobLine(Instance, gc=False, kw_only=True):
    """A job in its answer."""

    status: Code
    name: str | None = None


class JobData(Struct, gc=False):
    """The data of a job's answer."""

    job_instance: JobLine
    finished: bool | None = None
    step_instance_list: list[StepLine] | None = None
    is_finished: Raw | UnsetType = UNSET


class JobEnvelope(Struct, gc=False):
    """A successful answer about a job."""

    result: bool
    code: Code
    data: JobData
    error: Raw | UnsetType = UNSET


StepDecoder = (
    msgspec.json.Decoder[StepEnvelope[AnyKnownGroup]] | msgspec.json.Decoder[StepEnvelope[GroupLine]]
)
_KNOWN_STEP = msgspec.json.Decoder(StepEnvelope[AnyKnownGroup])
_STEP = msgspec.json.Decoder(StepEnvelope[GroupLine])
_JOB = msgspec.json.Decoder(JobEnvelope)


def bare_step(ref: StepRef, response: HttpResponse, *, asked_for_all: bool) -> StepPollView | None:
    """Look at an answer about the step *ref* that is as documented; None for any other."""
    look = step_by(_KNOWN_STEP, ref, response, asked_for_all=asked_for_all)
    # A code that nobody knows, or a row that cannot be read in full: neither takes the lightness from all the others.
    return look or step_by(_STEP, ref, response, asked_for_all=asked_for_all)


def step_by(
    decoder: StepDecoder, ref: StepRef, response: HttpResponse, *, asked_for_all: bool
) -> StepPollView | None:
    """Look at an answer about the step *ref* that a decoder can read; None for any other."""
    body = response.body
    try:
        envelope = decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    line = envelope.data
    strange = not (line.retry_count is line.finished is line.is_finished is UNSET)
    if strange or not is_plain_success(response, envelope):
        return None
    if line.step_instance_id != ref.step_instance_id or not is_surely_of(line, ref.job):
        return None
    lines = line.step_result_group_list
    groups = group_looks(lines)
    if groups is None:
        return None
    late = LateRows(body, partial(listings_of_groups, lines), cut_step)
    return step_look(line, groups, late, complete=asked_for_all and are_whole(lines))


def bare_job(ref: JobRef, response: HttpResponse) -> JobPollView | None:
    """Look at an answer about the job *ref* that is as documented; None for any other."""
    body = response.body
    try:
        envelope = _JOB.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    data, job = envelope.data, envelope.data.job_instance
    lines = data.step_instance_list or ()
    if data.is_finished is not UNSET or not is_plain_success(response, envelope):
        return None
    if not is_surely_of(job, ref):
        return None
    if any(line.step_host_result_list is not UNSET or line.retry_count is not UNSET for line in lines):
        return None
    late = LateRows(body, partial(listings_of_steps, lines), cut_job)
    return JobPollView(
        status=job.status,
        finished=data.finished,
        name=job.name or "",
        when=job.times,
        steps=tuple(
            step_look(line, flat(line), late, complete=line.step_ip_result_list is not None) for line in lines
        ),
    )


def are_whole(groups: Sequence[AnyGroup]) -> bool:
    """Whether each group lists as many rows as it counts."""
    for group in groups:  # noqa: SIM110 - asked at every look, and mostly there is one
        if group.host_size != len(group.host_result_list or ()):
            return False
    return True


def flat(line: StepLine) -> tuple[GroupPollView, ...] | None:
    """Return the rows of a step in a job's answer as the one group without a status that they are."""
    rows = line.step_ip_result_list
    return None if rows is None else (GroupPollView(size=len(rows), rows=rows),)


def step_look(
    line: StepLine | StepData[Any], groups: Sequence[GroupPollView] | None, late: LateRows, *, complete: bool
) -> StepPollView:
    """Return the look at the step that a line tells of."""
    return StepPollView(
        step_instance_id=line.step_instance_id,
        status=line.status,
        name=line.name or "",
        type=line.type,
        execute_count=line.execute_count or 0,
        when=line.times,
        groups=groups,
        complete=complete,
        named=late.full,
        details=host_snapshot,
    )


def is_plain_success(response: HttpResponse, envelope: JobEnvelope | StepEnvelope[Any]) -> bool:
    """Whether an answer is a success without any doubt."""
    fine = envelope.result and envelope.code == 0 and envelope.error is UNSET
    return fine and 200 <= response.status < 300


def listings_of_groups(groups: Sequence[AnyGroup]) -> list[Listing]:
    """Return the rows of each group."""
    return [Listing(group.host_result_list or (), group.result_type, group.tag) for group in groups]


def listings_of_steps(steps: Sequence[StepLine]) -> list[Listing]:
    """Return the rows of each step of a job."""
    return [Listing(step.step_ip_result_list or ()) for step in steps]


# The bytes of each list ----------------------------------------------------------------------------------------------


NOTHING = Raw(b"null")


class GroupPieces(Struct, gc=False):
    """The rows of a group, as bytes."""

    host_result_list: Raw = NOTHING


class StepPieces(Struct, gc=False):
    """The rows of a step in a job's answer, as bytes."""

    step_ip_result_list: Raw = NOTHING


class Groups(Struct, gc=False):
    """The groups of a step."""

    step_result_group_list: list[GroupPieces]


class Steps(Struct, gc=False):
    """The steps of a job."""

    step_instance_list: list[StepPieces] | None = None


class GroupsEnvelope(Struct, gc=False):
    """An answer about a step, taken apart."""

    data: Groups


class StepsEnvelope(Struct, gc=False):
    """An answer about a job, taken apart."""

    data: Steps


_GROUPS = msgspec.json.Decoder(GroupsEnvelope)
_STEPS = msgspec.json.Decoder(StepsEnvelope)


def cut_step(body: bytes) -> list[Raw]:
    """Return the bytes of the rows of each group."""
    return [group.host_result_list for group in _GROUPS.decode(body).data.step_result_group_list]


def cut_job(body: bytes) -> list[Raw]:
    """Return the bytes of the rows of each step."""
    return [step.step_ip_result_list for step in _STEPS.decode(body).data.step_instance_list or ()]

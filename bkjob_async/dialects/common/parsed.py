"""Parsed jobs, steps and groups of hosts: read from JSON, turned into snapshots and poll views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from bkjob_async.dialects.common.host_rows import (
    NO_CODE,
    FullHostRow,
    host_snapshot,
    names_host,
    untagged_snapshot,
)
from bkjob_async.dialects.common.json_fields import JsonObject, read_times
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.model.poll_view import GroupPollView, HostRow, JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import HostGroup, HostSnapshot, JobSnapshot, StepSnapshot, Times
from bkjob_async.model.status import RUN_CODES, host_status, run_status
from bkjob_async.model.structures.lazy_tuple import joined, lazy_tuple


class ParsedGroup(Struct, frozen=True, kw_only=True):
    """Rows of one list; *rows_listed* is False where the response omitted rows without a sign of it."""

    status: int | None = None
    tag: str = ""
    size: int | None = None
    rows: Sequence[FullHostRow] | None = None
    rows_listed: bool = True


class ParsedStep(Struct, frozen=True, kw_only=True):
    """One step; *grouped* says that the platform itself grouped the hosts by status and tag.

    *tells_tags* is False where responses have no tags.
    """

    step_instance_id: int
    status: int
    finished: bool | None = None
    name: str = ""
    type: int | None = None
    execute_count: int = 0
    times: Times = field(default_factory=Times)
    operator: str | None = None
    groups: Sequence[ParsedGroup] | None = None
    grouped: bool = False
    tells_tags: bool = True


class ParsedJob(Struct, frozen=True, kw_only=True):
    """A job and its steps, in their order."""

    status: int
    finished: bool | None = None
    name: str = ""
    times: Times = field(default_factory=Times)
    operator: str | None = None
    launch_mode: int | None = None
    steps: Sequence[ParsedStep] = ()


def ungrouped_rows(rows: Sequence[FullHostRow] | None) -> tuple[ParsedGroup, ...] | None:
    """Return a flat list of rows as one group without a status; None for none."""
    return None if rows is None else (ParsedGroup(size=len(rows), rows=rows),)


def with_empty_lists(job: ParsedJob) -> ParsedJob:
    """Return *job* with no hosts in the steps that have no list of them."""
    if all(step.groups is not None for step in job.steps):
        return job
    empty = ungrouped_rows(())
    steps = (step if step.groups is not None else replace(step, groups=empty) for step in job.steps)
    return replace(job, steps=tuple(steps))


def group_rows(
    status: int | None,
    tag: str | None,
    size: int | None,
    rows: Sequence[FullHostRow] | None,
    *,
    rows_listed: bool = True,
) -> ParsedGroup:
    """Return a group whose rows all have its status and tag.

    The group's own status and tag replace the rows': groups are read one after the other while hosts change.
    """
    for row in rows or ():
        if status is not None and row.status != status:
            row.status = status
        if tag is not None and row.tag != tag:
            row.tag = tag
    return ParsedGroup(status=status, tag=tag or "", size=size, rows=rows, rows_listed=rows_listed)


# Lenient reading: members of any response that can be understood ----------------------------------


def read_job_members(data: JsonObject, ref: JobRef, steps: Iterable[ParsedStep], *, unit: float) -> ParsedJob:
    """Return the job *ref* from the data of a response whose durations are counted in *unit*.

    Raises `InvalidResponse` for a response about another job, before *steps* are read.
    """
    job = data.child("job_instance")
    check_ref(job, ref)
    return ParsedJob(
        status=job.integer("status"),
        finished=data.flag("finished", "is_finished"),
        name=job.text("name"),
        operator=job.maybe_text("operator"),
        launch_mode=job.maybe_integer("launch_mode", "start_way"),
        times=read_times(job, unit=unit),
        steps=tuple(steps),
    )


def read_step_members(
    step: JsonObject,
    groups: tuple[ParsedGroup, ...] | None,
    *,
    unit: float,
    finished: bool | None = None,
    grouped: bool = False,
    tells_tags: bool = True,
) -> ParsedStep:
    """Return a step with the *groups* of its hosts; the other arguments are as in `ParsedStep`."""
    return ParsedStep(
        step_instance_id=step.identity("step_instance_id"),
        status=step.integer("status"),
        finished=finished,
        name=step.text("name"),
        type=step.maybe_integer("type"),
        execute_count=step.maybe_integer("execute_count", "retry_count") or 0,
        times=read_times(step, unit=unit),
        operator=step.maybe_text("operator"),
        groups=groups,
        grouped=grouped,
        tells_tags=tells_tags,
    )


# Poll views: what the engine reads ----------------------------------------------------------------


def job_poll_view(job: ParsedJob) -> JobPollView:
    """Return the poll view of a job."""
    return JobPollView(
        status=job.status,
        finished=job.finished,
        name=job.name,
        when=lambda: job.times,
        steps=tuple(step_poll_view(step) for step in job.steps),
    )


def step_poll_view(step: ParsedStep, *, asked_for_all: bool = True) -> StepPollView:
    """Return the poll view of a step; *asked_for_all* says that the request left no host out."""
    groups = step.groups
    return StepPollView(
        step_instance_id=step.step_instance_id,
        status=step.status,
        finished=step.finished,
        name=step.name,
        type=step.type,
        execute_count=step.execute_count,
        when=lambda: step.times,
        groups=None
        if groups is None
        else tuple(
            GroupPollView(status=group.status, tag=group.tag, size=group.size or 0, rows=group.rows)
            for group in groups
        ),
        complete=asked_for_all and groups is not None and is_complete(groups),
        details=host_snapshot if step.tells_tags else untagged_snapshot,
        tells_tags=step.tells_tags,
    )


def is_complete(groups: Sequence[ParsedGroup]) -> bool:
    """Return True when every group lists as many rows as it counts, and every row names its host."""
    are_whole = all(group.rows_listed and group.size == len(group.rows or ()) for group in groups)
    return are_whole and all(names_host(row) for group in groups for row in group.rows or ())


# Snapshots: what callers read ---------------------------------------------------------------------


def job_snapshot(job: ParsedJob, ref: JobRef) -> JobSnapshot:
    """Return the snapshot of a job."""
    status = run_status(job.status)
    finished = status.is_finished(flag=job.finished)
    return JobSnapshot(
        ref=ref,
        status=status,
        is_finished=finished,
        name=job.name,
        times=job.times,
        operator=job.operator,
        launch_mode=job.launch_mode,
        steps=tuple(
            step_snapshot(step, ref.step(step.step_instance_id), job_finished=finished) for step in job.steps
        ),
    )


def step_snapshot(step: ParsedStep, ref: StepRef, *, job_finished: bool | None = None) -> StepSnapshot:
    """Return the snapshot of a step; an unknown code follows the step's flag, else the job's."""
    flag = step.finished
    if flag is None and step.status not in RUN_CODES:
        flag = job_finished
    read = host_snapshot if step.tells_tags else untagged_snapshot
    groups = None if step.groups is None else tuple(host_group(group, read) for group in step.groups)
    listings = [group.hosts for group in groups or () if group.hosts is not None]
    return StepSnapshot(
        ref=ref,
        status=run_status(step.status),
        is_finished=run_status(step.status).is_finished(flag=flag),
        name=step.name,
        type=step.type,
        execute_count=step.execute_count,
        times=step.times,
        operator=step.operator,
        groups=groups if step.grouped else None,
        hosts=joined(listings) if listings or groups == () else None,
    )


def host_group(group: ParsedGroup, read: Callable[[HostRow], HostSnapshot]) -> HostGroup:
    """Return the snapshot of a group; *read* makes that of a row, of many only when it is wanted."""
    rows = group.rows
    return HostGroup(
        status=host_status(NO_CODE if group.status is None else group.status),
        tag=group.tag,
        size=group.size or 0,
        hosts=None if rows is None else lazy_tuple(len(rows), lambda b, e: list(map(read, rows[b:e]))),
    )

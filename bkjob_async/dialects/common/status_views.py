"""Views of jobs and steps: their hosts in groups, their members read leniently from JSON, and the snapshots made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from msgspec.structs import replace

from bkjob_async.dialects.common.host_rows import NO_CODE, FullHostRow, all_name_hosts, take_state
from bkjob_async.dialects.common.json_fields import JsonObject, read_times
from bkjob_async.dialects.common.ref_checks import check_ref
from bkjob_async.model.poll_view import (
    GroupPollView,
    HostRow,
    JobPollView,
    PollView,
    StepPollView,
    times_of,
)
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import HostGroup, HostSnapshot, JobSnapshot, LazyResponseData, StepSnapshot
from bkjob_async.model.status import RUN_CODES, host_status, run_status
from bkjob_async.model.structures.lazy_tuple import joined, lazy_tuple

# Groups of hosts ----------------------------------------------------------------------------------


def flat_rows(rows: Sequence[HostRow] | None) -> tuple[GroupPollView, ...] | None:
    """Return a flat list of rows as one group without a status; None for none."""
    return None if rows is None else (GroupPollView(size=len(rows), rows=rows),)


def with_empty_lists(job: JobPollView) -> JobPollView:
    """Return *job* with no hosts in the steps that have no list of them."""
    if all(step.groups is not None for step in job.steps):
        return job
    steps = (
        step if step.groups is not None else replace(step, groups=flat_rows(()), complete=True)
        for step in job.steps
    )
    return replace(job, steps=tuple(steps))


def group_rows(
    status: int | None, tag: str | None, size: int | None, rows: Sequence[HostRow] | None
) -> GroupPollView:
    """Return a group whose rows all have its status and tag; those that were read in part have none."""
    if rows and isinstance(rows[0], FullHostRow):
        take_state(cast("Sequence[FullHostRow]", rows), status, tag)
    return GroupPollView(status=status, tag=tag or "", size=size or 0, rows=rows)


def list_all(groups: Sequence[GroupPollView], *, are_named: bool = False) -> bool:
    """Return True when every group lists as many rows as it counts, and every row names its host, or all *are_named*."""
    return all(
        group.size == len(group.rows or ()) and (are_named or all_name_hosts(group.rows or ()))
        for group in groups
    )


# Lenient reading: members of any response that can be understood ----------------------------------


def read_job_members(
    data: JsonObject, ref: JobRef, steps: Iterable[StepPollView], *, unit: float
) -> JobPollView:
    """Return the job *ref* from the data of a response whose durations are counted in *unit*.

    Raises `InvalidResponse` for a response about another job, before *steps* are read.
    """
    job = data.child("job_instance")
    check_ref(job, ref)
    return JobPollView(
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
    groups: Sequence[GroupPollView] | None,
    *,
    unit: float,
    finished: bool | None = None,
    grouped: bool = False,
    complete: bool = True,
    tells_tags: bool = True,
) -> StepPollView:
    """Return a step with the *groups* of its hosts, which are not *complete* unless they list all; others as in the view."""
    return StepPollView(
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
        complete=complete and groups is not None and list_all(groups),
        tells_tags=tells_tags,
    )


# Snapshots: what callers read ---------------------------------------------------------------------


def snapshot(view: PollView, ref: Any, response: LazyResponseData) -> JobSnapshot | StepSnapshot:
    """Return the snapshot of the job or step *ref*, whose rows have all their members, with its *response*."""
    if isinstance(view, StepPollView):
        return step_snapshot(view, ref, response)
    status = run_status(view.status)
    finished = status.is_finished(flag=view.finished)
    return JobSnapshot(
        ref=ref,
        status=status,
        is_finished=finished,
        name=view.name,
        times=times_of(view),
        operator=view.operator,
        launch_mode=view.launch_mode,
        steps=tuple(
            step_snapshot(step, ref.step(step.step_instance_id), response, job_finished=finished)
            for step in view.steps
        ),
        response=response,
    )


def step_snapshot(
    step: StepPollView, ref: StepRef, response: LazyResponseData, *, job_finished: bool | None = None
) -> StepSnapshot:
    """Return the snapshot of a step; an unknown code follows the step's flag, else the job's."""
    flag = step.finished
    if flag is None and step.status not in RUN_CODES:
        flag = job_finished
    groups = None if step.groups is None else tuple(map(host_group, step.groups))
    listings = [group.hosts for group in groups or () if group.hosts is not None]
    return StepSnapshot(
        ref=ref,
        status=run_status(step.status),
        is_finished=run_status(step.status).is_finished(flag=flag),
        name=step.name,
        type=step.type,
        execute_count=step.execute_count,
        times=times_of(step),
        operator=step.operator,
        groups=groups if step.grouped else None,
        hosts=joined(listings) if listings or groups == () else None,
        response=response,
    )


def host_group(group: GroupPollView) -> HostGroup:
    """Return the snapshot of a group; those of its rows are made when they are wanted."""
    rows = cast("Sequence[FullHostRow] | None", group.rows)

    def hosts(begin: int, end: int) -> list[HostSnapshot]:
        return [row.details() for row in (rows or ())[begin:end]]

    return HostGroup(
        status=host_status(NO_CODE if group.status is None else group.status),
        tag=group.tag,
        size=group.size,
        hosts=None if rows is None else lazy_tuple(len(rows), hosts),
    )

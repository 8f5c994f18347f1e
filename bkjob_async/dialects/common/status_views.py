"""Views of jobs and steps: their hosts in groups, made strictly or leniently, and the snapshots made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from msgspec import UNSET
from msgspec.structs import replace

from bkjob_async.dialects.common.host_rows import NO_CODE, FullHostRow, names_host, take_state
from bkjob_async.dialects.common.json_fields import INT64, JsonObject, read_times
from bkjob_async.dialects.common.ref_checks import BIZ_SETS, check_ref
from bkjob_async.dialects.common.status_structs import JobDataStruct, JobStruct, StepStruct
from bkjob_async.errors import ErrorDetails, InvalidResponse
from bkjob_async.model.poll_view import (
    GroupPollView,
    HostRow,
    JobPollView,
    Named,
    PollView,
    StepPollView,
    as_read,
    times_of,
)
from bkjob_async.model.refs import JobRef, ScopeType, StepRef
from bkjob_async.model.snapshot import (
    HostGroup,
    HostSnapshot,
    JobSnapshot,
    LazyResponseData,
    StepSnapshot,
    Times,
)
from bkjob_async.model.status import RUN_CODES, RunStatus, host_status, run_status
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
    for group in groups:
        if group.size != len(group.rows or ()):
            return False
    if are_named:
        return True
    return all(names_host(row) for group in groups for row in group.rows or () if row.bk_host_id is None)


# Strictly: views of responses that are exactly as documented ---------------------------------------


class UndocumentedResponse(ValueError):
    """A response is not exactly as documented; never leaves this package's decoders."""


def read_job_data(
    data: JobDataStruct[Any],
    rows: Sequence[Sequence[HostRow] | None],
    ref: JobRef,
    *,
    for_poll: bool,
    named: Named = as_read,
    lacks_addresses: bool = False,
) -> JobPollView:
    """Return the view of the job in *data*, whose steps have these *rows*; raise `UndocumentedResponse`.

    Where *named* reads the rest of rows, what such a poll does not need is not checked.
    """
    job, in_full = data.job_instance, named is as_read
    if in_full and job.start_way is not UNSET:
        raise UndocumentedResponse
    steps = [
        step_view(step, flat_rows(its_rows), for_poll=for_poll, named=named)
        for step, its_rows in zip(data.step_instance_list or (), rows, strict=True)
    ]
    return job_view(
        job,
        ref,
        steps,
        finished=data.finished,
        launch_mode=job.launch_mode,
        in_full=in_full,
        lacks_addresses=lacks_addresses,
    )


def job_view(
    job: JobStruct[Any],
    ref: JobRef,
    steps: Sequence[StepPollView],
    *,
    finished: bool | None,
    launch_mode: Any,
    times: Times | None = None,
    in_full: bool = True,
    lacks_addresses: bool = False,
) -> JobPollView:
    """Return the view of *job* with its *steps*; raise `UndocumentedResponse`, for another job than *ref* too."""
    if not matches_job(job, ref) or (in_full and not (is_text(job.operator) and is_code(launch_mode))):
        raise UndocumentedResponse
    return JobPollView(
        status=job.status,
        finished=finished,
        name=job.name or "",
        operator=job.operator if in_full else None,
        launch_mode=launch_mode if in_full else None,
        times=times or (job.create_time, job.start_time, job.end_time, job.total_time),
        steps=tuple(steps),
        lacks_addresses=lacks_addresses,
    )


def step_view(
    step: StepStruct[Any],
    groups: Sequence[GroupPollView] | None,
    *,
    for_poll: bool,
    times: Times | None = None,
    named: Named = as_read,
    grouped: bool = False,
    tells_tags: bool = True,
) -> StepPollView:
    """Return the view of *step* with its hosts in *groups*; raise `UndocumentedResponse`.

    *for_poll*: it is a poll that asked for all hosts, which are complete if they are all listed; the others are as in the view.
    """
    in_full = named is as_read
    if in_full and not is_text(step.operator):
        raise UndocumentedResponse
    return StepPollView(
        step_instance_id=step.step_instance_id,
        status=step.status,
        name=step.name or "",
        type=step.type,
        execute_count=step.execute_count or 0,
        times=times or (step.create_time, step.start_time, step.end_time, step.total_time),
        operator=step.operator if in_full else None,
        groups=groups,
        grouped=grouped,
        complete=for_poll and groups is not None and list_all(groups, are_named=not in_full),
        named=named,
        tells_tags=tells_tags,
    )


class NamesJob(Protocol):
    """The job and scope that a decoded struct names; None for what it does not name."""

    job_instance_id: int | None
    bk_scope_type: str | None
    bk_scope_id: str | None
    bk_biz_id: int | None


class NamesStep(NamesJob, Protocol):
    """The same of a response about one step."""

    step_instance_id: int


def matches_job(named: NamesJob, job: JobRef) -> bool:
    """Return True when *named* is certainly of *job*; False leaves the response to `check_ref`."""
    number, scope = named.job_instance_id, job.scope
    if number is not None and number != job.job_instance_id:
        return False
    kind, text = named.bk_scope_type, named.bk_scope_id
    if kind is not None or text is not None:
        return kind == scope.type and text == str(scope.id)
    business = named.bk_biz_id
    return business is None or (
        business == scope.id and (scope.type is ScopeType.BIZ or business in BIZ_SETS)
    )


def matches_step(named: NamesStep, step: StepRef) -> bool:
    """Return True when *named* is certainly *step*."""
    return named.step_instance_id == step.step_instance_id and matches_job(named, step.job)


def is_text(value: object) -> bool:
    """Return True for a text and for None."""
    return value is None or isinstance(value, str)


def is_code(value: object) -> bool:
    """Return True for a whole number of 64 bits and for None."""
    return value is None or (type(value) is int and -INT64 <= value < INT64)


# Leniently: members of any response that can be understood -----------------------------------------

# How the ESB's component `job` lists steps, which no other dialect does.
BLOCKS = {"blocks": "esb-job"}


def own_list(fields: JsonObject, *names: str, others: Mapping[str, str]) -> list[JsonObject] | None:
    """Return the list that has one of *names*, None where there is none.

    *others* are the names of lists in its place, with the dialects that have them. One of them raises
    `InvalidResponse`: a job without steps, or a step without hosts, would be what a client of the wrong dialect sees.
    """
    found = fields.children(*names)
    if found is None:
        for name, dialects in others.items():
            if fields.get(name) is not None:
                message = f"{fields.path}.{name} is a list of {dialects}: this is not the dialect of the platform's URL"
                raise InvalidResponse(ErrorDetails(message=message))
    return found


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
    finished = is_finished(status, view.finished)
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


def is_finished(status: RunStatus, flag: bool | None) -> bool:  # noqa: FBT001 - the platform's
    """Return the platform's own *flag* where there is one, else what the code says."""
    return status.is_finished if flag is None else flag


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
        is_finished=is_finished(run_status(step.status), flag),
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

"""Choose the request to send next for a job."""

from __future__ import annotations

from msgspec.structs import replace

from bkjob_async.engine.group_polling.group_poller import (
    COUNTS_ONLY,
    MAX_FULL_READ_HOSTS,
    CountsOnly,
    ReadMode,
)
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.run_state import NOT_STARTED, RUNNING
from bkjob_async.engine.tracking.step_state import (
    CONFIRMATION,
    HOSTS_HIDDEN,
    REFUSALS,
    StepState,
)
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.refs import StepRef

PollRequest = GetJobInstanceStatus | GetStepInstanceStatus

# The id of the job itself among the ids of steps.
JOB_ITSELF = 0
# For how many seconds hosts are not requested again after the platform refused to list them; twice as long after each time
# that it did so for a job that runs, with so many doublings at most: what takes long to fail keeps others waiting.
ROWS_RETRY_INTERVAL, MOST_DOUBLINGS = 15.0, 4

# A response that lists so many hosts is worth compressing. Compressing less gains nearly nothing; decompressing more blocks
# the event loop for longer than reading the response. (about 32 kB and 1.5 MB)
FEWEST_COMPRESSED, MOST_COMPRESSED = 128, 6000

# After this many seconds the job itself is requested again, in case it is over without the steps that are
# read in its place.
LONGEST_REPRESENTED = 15.0


def plan_poll(
    job: JobState, capabilities: Capabilities, *, requests_are_scarce: bool = False
) -> tuple[PollRequest, bool | None]:
    """Return the request to send next for a job (`next_request`), and whether its response `is_worth_compressing`."""
    request = next_request(job, capabilities, requests_are_scarce=requests_are_scarce)
    return request, is_worth_compressing(job, request, capabilities)


def next_request(
    job: JobState, capabilities: Capabilities, *, requests_are_scarce: bool = False
) -> PollRequest:
    """Return the cheapest request that can show a change of *job*.

    A round begins with the job, with the steps that are targets by themselves, or with the step that
    represents the job. Steps whose hosts are still to be read follow one by one (`plan_follow_ups`).
    The first round reads every row, where possible with the job: jobs that are over need no further request, and the hosts
    of the others are reported before other jobs are read. *requests_are_scarce*: one larger response is better than two
    small ones.
    """
    if not job.pending:
        job.reads_all = job.seen_at is None
        representative = representative_step(job, capabilities) if job.is_target else None
        job.polled_via_step = representative is not None
        steps = requestable_steps(job, capabilities) if representative is None else [representative]
        step = steps[0] if steps else None
        job.pending = tuple([other.ref.step_instance_id for other in steps[1:]]) if len(steps) > 1 else ()
    else:
        first, job.pending = job.pending[0], job.pending[1:]
        step = None if first == JOB_ITSELF else job.step(first)
    if step is None:
        job.polled_via_step = False
        with_rows = wants_rows_with_job(job, capabilities, requests_are_scarce=requests_are_scarce)
        return GetJobInstanceStatus(ref=job.ref, return_ip_result=with_rows)
    return step_request(step.ref, read_mode_for(job, step, capabilities, single_request=requests_are_scarce))


def read_mode_for(
    job: JobState, step: StepState, capabilities: Capabilities, *, single_request: bool
) -> ReadMode:
    """Return how to read the hosts of a step: by group counts, one group, or all."""
    if not capabilities.groups:
        return None
    if not wants_rows(job, step):
        return COUNTS_ONLY
    group_poller = step.progress.group_poller
    if group_poller is None or wants_final_rows(step) or not step.hosts.is_countable:
        return None
    now = job.seen_at if job.seen_at is not None else 0.0
    return group_poller.next_read(
        now, single_request=single_request and job.detail_level is DetailLevel.EVERY_CHANGE
    )


def wants_rows(job: JobState, step: StepState) -> bool:
    """Return True if hosts of a step are to be read now; for the end only, they are read when it settles."""
    progress = step.progress
    is_ending = progress.settling is not None or progress.is_unread
    return job.reads_all or job.detail_level > DetailLevel.END_ONLY or is_ending


def wants_final_rows(step: StepState) -> bool:
    """Return True if a step has a final status and all its hosts are still to be read."""
    settling = step.progress.settling
    if settling is None or settling.rows_settled:
        return False
    return not settling.all_rows_read or step.hosts.statuses.unfinished_count == 0


def step_request(ref: StepRef, read_mode: ReadMode = None) -> GetStepInstanceStatus:
    """Return the request for the hosts of a step in this *read_mode*, in all its batches."""
    if read_mode is None:
        return GetStepInstanceStatus(ref=ref)
    if isinstance(read_mode, CountsOnly):
        return GetStepInstanceStatus(ref=ref, max_host_num_per_group=read_mode.limit)
    return GetStepInstanceStatus(ref=ref, status=read_mode.status, tag=read_mode.tag or None)


def is_worth_compressing(job: JobState, request: PollRequest, capabilities: Capabilities) -> bool | None:
    """Return True if the response to *request* is, by the hosts that it will list; None while none are known."""
    if isinstance(request, GetStepInstanceStatus):
        if request.max_host_num_per_group is not None:
            return False
        step = job.find_step(request.ref.step_instance_id)
        if step is None or not step.hosts.keys:
            return None
        status = request.status
        hosts = len(step.hosts.keys) if status is None else step.hosts.statuses.count(status)
    else:
        if not request.return_ip_result and capabilities.job_rows_on_request:
            return False
        hosts = sum([len(step.hosts.keys) for step in job.steps])
        if not hosts:
            return None
    return FEWEST_COMPRESSED <= hosts <= MOST_COMPRESSED


def plan_follow_ups(job: JobState, request: PollRequest, capabilities: Capabilities) -> None:
    """After a response, set which steps must be requested for their hosts in this round."""
    if isinstance(request, GetStepInstanceStatus):
        step = job.step(request.ref.step_instance_id)
        group_poller = step.progress.group_poller
        if group_poller is not None and group_poller.needs_another_request:
            job.pending = (request.ref.step_instance_id, *job.pending)
        elif job.polled_via_step and not can_represent_job(step):
            job.pending = (JOB_ITSELF,)
    elif request.return_ip_result:
        if job.poll_failures.job_rows_refused:
            listed = replace(job.poll_failures, job_rows_refused=0, job_rows_hidden=0, rows_refused_at=None)
            job.poll_failures = listed.or_none()
    elif (
        job.detail_level is DetailLevel.END_ONLY
        and not job.poll_failures.job_rows_refused
        and wants_rows_with_job(job, capabilities)
    ):
        job.pending = (JOB_ITSELF,)  # with the hosts of what is over by now
    elif capabilities.step_status:
        reconsider_refusals(job)
        job.pending = tuple(step.ref.step_instance_id for step in unread_steps(job))
    elif job.poll_failures.job_rows_hidden >= REFUSALS:
        hide_hosts(job)


def hide_hosts(job: JobState) -> None:
    """Note that neither the job nor its steps list hosts, as far as is known by now."""
    for step in job.open_steps():
        if not step.may_show_hosts(job.seen_at or 0.0):
            step.host_refusals = max(step.host_refusals, REFUSALS)


def unread_steps(job: JobState) -> list[StepState]:
    """Return the steps whose hosts are still to be read after a response about the job without them.

    Of a step that is over no host changes, or hardly any: it is read again only where the round reads every row.
    """
    if not job.reads_all:
        wanted = [step for step in job.open_steps() if step.needs_rows and wants_rows(job, step)]
        return wanted if job.settling_since is None else wanted + steps_to_read_again(job)
    lost = job.poll_failures.lost
    watched = [
        step for step in job.steps if job.is_target or (step.ref in job.target_steps and step.ref not in lost)
    ]
    return [
        step
        for step in watched
        if step.needs_rows
        # One that never began is shown with hosts that wait, which says nothing.
        or (step.announced.finished and step.started and step.hosts_visible and step.type != CONFIRMATION)
    ]


def steps_to_read_again(job: JobState) -> list[StepState]:
    """Return the finished steps whose hosts may have moved since, because the job was reopened."""
    return [step for step in job.steps if step.progress.is_unread and step.hosts_visible]


def reconsider_refusals(job: JobState) -> None:
    """Have hosts of steps requested once more that the platform refused to list, if it is time."""
    if must_request_rows_again(job):
        for step in job.open_steps():
            if REFUSALS <= step.host_refusals < HOSTS_HIDDEN:
                step.host_refusals = REFUSALS - 1


def must_request_rows_again(job: JobState) -> bool:
    """Return True if hosts that the platform refused to list are to be requested again, after another response.

    The refusals may have been a passing error. They are tried again from time to time, and before a step is over.
    """
    failures, seen_at = job.poll_failures, job.seen_at
    refused_at = failures.rows_refused_at
    if refused_at is None or seen_at is None or seen_at <= refused_at:
        return False
    if job.all_settled() and not job.reads_all:
        return False
    steps = job.open_steps()
    doublings = min(max(0, failures.job_rows_refused // REFUSALS - 1), MOST_DOUBLINGS)
    if any(step.progress.settling is not None for step in steps):
        doublings = 0  # their end waits for the hosts
    if seen_at - refused_at >= ROWS_RETRY_INTERVAL * 2**doublings:
        return True
    return any(step.may_show_hosts(seen_at) for step in steps)


def may_fail_again(job: JobState) -> bool:
    """Return True if the next request may be for what failed the last time."""
    return bool(job.poll_failures.unanswered) or must_request_rows_again(job)


def representative_step(job: JobState, capabilities: Capabilities) -> StepState | None:
    """Return the only running step of a job if it is large: its response shows as much as the job's.

    Its hosts must be requested anyway, and a job with steps in sequence does nothing else meanwhile.
    """
    if not (capabilities.step_status and capabilities.groups) or job.detail_level is DetailLevel.END_ONLY:
        return None
    for step in job.steps:
        if step.progress.group_poller is not None:
            break
    else:
        return None  # no step is large, as in most jobs
    if is_long_unread(job):
        return None
    if job.status_code != RUNNING or job.is_settling():
        return None
    started = [step for step in job.open_steps() if step.started]
    return started[0] if len(started) == 1 and can_represent_job(started[0]) else None


def can_represent_job(step: StepState) -> bool:
    """Return True if a step is large, runs, and shows its hosts."""
    return step.progress.group_poller is not None and step.status_code == RUNNING and step.hosts_visible


def requestable_steps(job: JobState, capabilities: Capabilities) -> list[StepState]:
    """Return the watched steps; none where the job must be requested for one of them.

    A step that shows no hosts is read through its job. So is one that has not started, because it never will
    if the job is over, one that is in doubt after an operation, and one whose final status is provisional until the job has
    passed it; now and then each one that goes on, which it may still show when the job was ended.
    """
    if job.is_target or not capabilities.step_status or job.has_doubtful_step():
        return []
    steps = job.open_steps()
    for step in steps:
        code = step.status_code
        if not step.hosts_visible or code == NOT_STARTED:
            return []
        if step.progress.settling is not None and step.is_provisional:
            return []
        if code is not None and step.progress.settling is None and is_long_unread(job):
            return []
    return steps


def readable_steps(job: JobState, capabilities: Capabilities) -> tuple[int, ...]:
    """Return the ids of the watched steps that can be read while their job, which is no target, cannot."""
    if job.is_target or not capabilities.step_status:
        return ()
    return tuple(
        step.ref.step_instance_id for step in job.open_steps() if step.started and step.hosts_visible
    )


def is_long_unread(job: JobState) -> bool:
    """Return True if only steps of a job were requested for so long that it may be over without them."""
    seen_at, since = job.seen_at, job.job_seen_at
    if since is None:
        since = job.first_polled_at
    return seen_at is None or since is None or seen_at - since >= LONGEST_REPRESENTED


def lacks_rows(job: JobState, capabilities: Capabilities) -> bool:
    """Return True if requests for wanted hosts of a job fail at present, where no step is read by itself.

    Hosts of what is over are not wanted any more: it was reported with what is known of them.
    """
    failures = job.poll_failures
    is_refused = failures.job_rows_refused > 0 and failures.job_rows_hidden < REFUSALS
    return is_refused and not capabilities.step_status and not job.all_settled() and wants_job_rows(job)


def wants_job_rows(job: JobState) -> bool:
    """Return True if hosts of a job are to be read now, be it with the job or by steps."""
    if job.reads_all or job.detail_level > DetailLevel.END_ONLY:
        return True
    if any(step.progress.settling is not None for step in job.open_steps()):
        return True
    return job.settling_since is not None and bool(steps_to_read_again(job))


def wants_rows_with_job(
    job: JobState, capabilities: Capabilities, *, requests_are_scarce: bool = False
) -> bool:
    """Return True if host rows are to be requested with the job, where a dialect does so on request.

    One response with all rows of all steps is cheaper than several requests as long as it is small, or as all rows must be
    read anyway. For the end only, the response that shows the end has the rows at once where requests are scarce. Where the
    platform refused it, steps are read by themselves first, if they can be.
    """
    if not capabilities.job_rows_on_request:
        return False
    refused = job.poll_failures.job_rows_refused
    if refused and (job.job_seen_at is None or (refused >= REFUSALS and not must_request_rows_again(job))):
        return False
    is_wanted = wants_job_rows(job)
    if not is_wanted and requests_are_scarce and not refused:
        is_wanted = not any(
            step.progress.is_large or step.hosts.size > MAX_FULL_READ_HOSTS for step in job.steps
        )
    if not is_wanted or not capabilities.step_status:
        return is_wanted
    size = sum([len(step.hosts.keys) for step in job.steps])
    if refused and (not size or any(step.needs_rows and not step.hosts.size for step in job.steps)):
        return False
    return size <= MAX_FULL_READ_HOSTS

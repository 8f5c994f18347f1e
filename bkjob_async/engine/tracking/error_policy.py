"""Decide what to do after a failed poll; an error never means that the job has failed."""

from __future__ import annotations

from enum import Enum, auto

from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest, is_long_unread
from bkjob_async.engine.tracking.step_state import HOSTS_HIDDEN, REFUSALS, StepState
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    BkJobError,
    CallFailed,
    InvalidRequest,
    InvalidResponse,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
    TransportFailed,
    WrongState,
)
from bkjob_async.model.events import Event, Lost, LostReason
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.refs import Ref

# Who watches what another process has just launched may be shown a database replica that lags behind, so one "not found" is
# ignored.
NOT_FOUND_TWICE = 2
FORBIDDEN_AFTER = 3
# A target that was read before, or launched here, is not lost before it could not be read for so many seconds: a platform that
# fails over may show an empty database, or refuse everybody, for a while.
LOST_AFTER_SECONDS = 30.0
INTERNAL_ERROR = 1240002


class ErrorAction(Enum):
    """What to do about a failed poll."""

    TARGET_TROUBLE = auto()
    """This target cannot be polled now: try again later."""
    CLIENT_TROUBLE = auto()
    """No target can be polled until the user corrects credentials, permissions or the URL."""
    GATEWAY_TROUBLE = auto()
    """The platform cannot be reached, perhaps for all targets."""
    THROTTLED = auto()
    """Too many requests: wait."""
    USE_OTHER_REQUEST = auto()
    """The platform does not answer this request for this target: plan another one."""
    RETRY_ONCE = auto()
    """It may pass: poll once more before it is reported."""
    LOSE_TARGET = auto()
    """The target does not exist, or the user may not read it."""


ACTION_BY_CLASS: dict[type[BkJobError], ErrorAction] = {
    NotAuthenticated: ErrorAction.CLIENT_TROUBLE,
    ApplicationNotAllowed: ErrorAction.CLIENT_TROUBLE,
    ApiNotFound: ErrorAction.CLIENT_TROUBLE,
    Throttled: ErrorAction.THROTTLED,
    TransportFailed: ErrorAction.GATEWAY_TROUBLE,
}
# What concerns all targets, unless it is of one alone.
OF_ALL = frozenset({ErrorAction.CLIENT_TROUBLE, ErrorAction.GATEWAY_TROUBLE})
# What denies the target, or all requests.
DENIALS: tuple[type[BkJobError], ...] = (NotFound, NotAllowed, *ACTION_BY_CLASS)
GATEWAY_STATUS = frozenset({502, 503, 504})
GATEWAY_CODES = frozenset({1306201, 1650200, 1650201, 1650300, 1650401})
# The platform needed too long for its response, or was taken to: that may be for the number of host rows in it.
TIMEOUT_CODES = frozenset({1306201, 1650401})


def classify_poll_error(
    error: BkJobError, request: PollRequest, job: JobState, now: float, *, is_alone: bool = False
) -> ErrorAction:
    """Return what to do about *error*, the response to *request*, which came *now*.

    Counts errors in *job*, because only a repeated error is taken as one of the target. It *is_alone* with it where others
    were answered meanwhile (`PlatformHealth.fails_alone`).
    """
    action = action_on_refusal(error, request, job, now) or action_on_error(error, request, job, now)
    is_about_target = action is ErrorAction.TARGET_TROUBLE or (
        action in OF_ALL and (is_alone or may_be_too_large(error))
    )
    return ErrorAction.RETRY_ONCE if is_about_target and is_shown_by_job(job, request) else action


def action_on_error(error: BkJobError, request: PollRequest, job: JobState, now: float) -> ErrorAction:
    """Return what to do about an error that denies the target, or all requests, or is the gateway's, or any other."""
    if isinstance(error, NotFound):
        count = count_not_found(job, request.ref)
        if count < NOT_FOUND_TWICE:
            note_absence(job, request.ref, now)
            return ErrorAction.RETRY_ONCE
        return ErrorAction.LOSE_TARGET if is_absent(job, request.ref, now) else ErrorAction.TARGET_TROUBLE
    if isinstance(error, NotAllowed) and not isinstance(error, ApplicationNotAllowed):
        refusals = job.poll_failures.refusals + 1
        job.poll_failures = replace(job.poll_failures, refusals=refusals)
        is_lost = is_absent(job, request.ref, now) and refusals >= FORBIDDEN_AFTER
        return ErrorAction.LOSE_TARGET if is_lost else ErrorAction.TARGET_TROUBLE
    if is_gateway_made(error):
        return ErrorAction.GATEWAY_TROUBLE
    return next(
        (action for kind, action in ACTION_BY_CLASS.items() if isinstance(error, kind)),
        ErrorAction.TARGET_TROUBLE,
    )


def action_on_refusal(
    error: BkJobError, request: PollRequest, job: JobState, now: float
) -> ErrorAction | None:
    """Return what to do if the platform cannot serve this request for this kind of step; None for other errors.

    The response to a request for a confirmation step is 1241003, for a container step 1240002. The latter may
    also be a passing internal error: it counts when it repeats, unless hosts of the step were read before. What it is is
    found out by requesting the hosts again from time to time, and before a step is over.

    The first request for a job asks for the rows of all its steps. Where it is refused, or takes too long, or its response
    is not read, the next one does not; nor does a later one where this lasts for half a minute. That it is so still, when the
    rows are requested once more, says nothing new of the job, and nothing of the platform.
    """
    is_internal = isinstance(error, PlatformTrouble) and error.code == INTERNAL_ERROR
    has_hosts = any(step.hosts.size for step in job.steps)
    if (
        isinstance(request, GetJobInstanceStatus)
        and request.return_ip_result
        and (
            (job.job_seen_at is None and (is_internal or may_be_too_large(error)))
            or (fails_for_long(job, now) and (may_be_too_large(error) or is_refusal(error)))
        )
    ):
        was_lasting = job.poll_failures.job_rows_refused >= REFUSALS
        refuse_job_rows(job, now, hides=is_internal and not has_hosts)
        return ErrorAction.USE_OTHER_REQUEST if is_internal or was_lasting else None
    if isinstance(error, WrongState) and isinstance(request, GetStepInstanceStatus):
        job.step(request.ref.step_instance_id).host_refusals = HOSTS_HIDDEN
        return ErrorAction.USE_OTHER_REQUEST
    if not is_internal:
        return None
    if isinstance(request, GetStepInstanceStatus):
        step = job.step(request.ref.step_instance_id)
        return None if step.hosts.size else count_refusal(job, step, now)
    if request.return_ip_result and (job.poll_failures.job_rows_refused or not has_hosts):
        refuse_job_rows(job, now, hides=not has_hosts)
        is_lasting = job.poll_failures.job_rows_refused >= REFUSALS
        return ErrorAction.USE_OTHER_REQUEST if is_lasting else ErrorAction.RETRY_ONCE
    return None


def is_shown_by_job(job: JobState, request: PollRequest) -> bool:
    """Return True if a request about a step failed the last time, too, and its job, which shows its hosts, was read since."""
    failures = job.poll_failures
    return (
        request.ref in failures.unanswered
        and not (failures.failures or failures.troubled or failures.job_rows_refused)
        and not is_long_unread(job)
    )


def is_refusal(error: BkJobError) -> bool:
    """Return True if the platform itself answered, and neither denies the target nor all requests."""
    return isinstance(error, CallFailed) and not (isinstance(error, DENIALS) or is_gateway_made(error))


def fails_for_long(job: JobState, now: float) -> bool:
    """Return True if a request for a job with rows fails as those before it have for half a minute, or from the first on.

    Without rows it may be answered. In an outage few polls of each job fail: the others wait.
    """
    failures, seen_at = job.poll_failures, job.seen_at
    if failures.job_rows_refused >= REFUSALS:
        return True
    if job.ref in failures.unanswered and not failures.failures:  # its steps were answered meanwhile
        return job.job_seen_at is not None and now - job.job_seen_at >= LOST_AFTER_SECONDS
    is_repeated = failures.failures + 1 >= REFUSALS
    return is_repeated and (seen_at is None or now - seen_at >= LOST_AFTER_SECONDS)


def refuse_job_rows(job: JobState, now: float, *, hides: bool) -> None:
    """Count a failed request for a job with rows; *hides*: it is a refusal to list hosts, of which none was ever read.

    Where all requests failed for long, the rows may not be the reason: one without them and one with them come next.
    """
    known = job.poll_failures
    is_lasting = fails_for_long(job, now)
    was_lasting = known.job_rows_refused >= REFUSALS
    job.poll_failures = replace(
        known,
        job_rows_refused=known.job_rows_refused + (REFUSALS if is_lasting else 1),
        job_rows_hidden=known.job_rows_hidden + hides,
        rows_refused_at=job.seen_at if is_lasting and not was_lasting and job.seen_at is not None else now,
    )


def may_be_too_large(error: BkJobError) -> bool:
    """Return True if a response was refused, or took too long, perhaps for its size; a gateway without its platform is none."""
    if isinstance(error, RequestTimedOut | InvalidResponse):
        return error.details.sent and error.details.http_status not in GATEWAY_STATUS
    return isinstance(error, CallFailed) and error.code in TIMEOUT_CODES


def count_refusal(job: JobState, step: StepState, now: float) -> ErrorAction:
    """Count a refusal to list the hosts of a step; one that repeats while a final status settles is not taken as permanent."""
    job.poll_failures = replace(job.poll_failures, rows_refused_at=now)
    step.host_refusals = min(step.host_refusals + 1, REFUSALS - 1 if step.may_show_hosts(now) else REFUSALS)
    return ErrorAction.RETRY_ONCE if step.hosts_visible else ErrorAction.USE_OTHER_REQUEST


def is_gateway_made(error: BkJobError) -> bool:
    """Return True if a proxy or gateway made the error, not the platform."""
    if not isinstance(error, CallFailed) or isinstance(error, InvalidRequest):
        return False
    return error.details.http_status in GATEWAY_STATUS or error.code in GATEWAY_CODES


def is_from_platform(error: BkJobError) -> bool:
    """Return True if the platform itself responded."""
    return not (isinstance(error, TransportFailed) or is_gateway_made(error))


def note_absence(job: JobState, ref: Ref, now: float) -> float:
    """Note that *ref* cannot be read any more; return since when."""
    absent = job.poll_failures.absent_since
    since = absent.get(ref)
    if since is None:
        since = now
        job.poll_failures = replace(job.poll_failures, absent_since={**absent, ref: now})
    return since


def is_absent(job: JobState, ref: Ref, now: float) -> bool:
    """Return True if *ref*, which cannot be read now, was never read, or has not been for `LOST_AFTER_SECONDS`.

    What was just launched is there, although a replica of the database that lags behind may not have it yet.
    """
    since, launched_at = note_absence(job, ref, now), job.launched_at
    is_new = launched_at is not None and now - launched_at < LOST_AFTER_SECONDS
    return now - since >= LOST_AFTER_SECONDS or not (is_new or job.was_read(ref))


def count_not_found(job: JobState, ref: Ref) -> int:
    """Count one more response that *ref* does not exist; return how many there were in a row."""
    count = job.poll_failures.not_found.get(ref, 0) + 1
    job.poll_failures = replace(job.poll_failures, not_found={**job.poll_failures.not_found, ref: count})
    return count


def lose_target(job: JobState, ref: Ref, reason: LostReason, message: str) -> list[Event]:
    """Mark a target lost, or all targets of a lost job; return the events.

    A target that has finished stays finished; its event is for watches that joined it and were not given its
    state yet.
    """
    refs = [target for target in job.targets if ref in (job.ref, target) and target not in job.lost]
    events = {target: Lost(ref=target, reason=reason, message=message) for target in sorted(refs, key=str)}
    lost = {target: event for target, event in events.items() if not job.has_finished(target)}
    job.poll_failures = replace(job.poll_failures, lost={**job.lost, **lost})
    return list(events.values())

"""Handle failed polls: events, each published once, retries, and recovery after an outage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.flow_control.health import (
    CLOSED_DELAY,
    PROBE_PATIENCE,
    PlatformEvent,
    PlatformHealth,
)
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.error_policy import (
    NOT_FOUND_TWICE,
    OF_ALL,
    ErrorAction,
    count_not_found,
    is_absent,
    lose_target,
)
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest
from bkjob_async.errors import BkJobError, CallFailed, InvalidResponse, NotFound
from bkjob_async.model.events import Event, LostReason, Recovered, Trouble
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.refs import Ref
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import BreakerChanged, PollingFailed, PollingRecovered
from bkjob_async.watch.polling.target_registry import NO_SUBSCRIBERS, PollTarget, TargetRegistry

# What errors tell of the platform; with all others it responded.
PLATFORM_EVENTS = {
    ErrorAction.CLIENT_TROUBLE: PlatformEvent.REFUSAL_OF_ALL,
    ErrorAction.GATEWAY_TROUBLE: PlatformEvent.ERROR,
    ErrorAction.THROTTLED: PlatformEvent.REFUSAL,
}


class ErrorReporting(Struct, eq=False, kw_only=True):
    """Turns failed polls into events and observations.

    A target that fails alone gets `Trouble` of its own. Where the platform as a whole is closed, by *health*, one event for
    all targets of *registry* is published instead, and only single probes go out until it responds again. Readers that wait
    are woken when all is refused, or nothing responded to. *throttled* is the last refusal for too many requests, which is no
    event. *unanswered* is the error of the last poll that the platform did not respond to, while it responded to no other, and
    *unanswered_at* when it failed.
    """

    registry: TargetRegistry
    observe: ObserverDispatch
    health: PlatformHealth
    outage: Trouble | None = None
    client_error: BkJobError | None = None
    throttled: Trouble | None = None
    unanswered: BkJobError | None = None
    unanswered_at: float = -inf
    # When the last request was sent that was refused with `client_error`, and when its response came.
    _refused: tuple[float, float] = (-inf, -inf)
    _invalid_response: BkJobError | None = None
    _invalid_at: float = -inf
    _next_probe: PollTarget | None = None

    # The platform as a whole ----------------------------------------------------------------------------------------

    def delay_if_closed(self, target: PollTarget, now: float) -> float | None:
        """Return until when a poll of *target* waits while only probes may go out; None when it may go out now.

        The next probe is the first target, of those that are due, in `probe_order`: others may fail by themselves.
        """
        probe = self._next_probe
        if (
            probe is None
            or probe.group == NO_SUBSCRIBERS
            or probe_order(target) < probe_order(probe)
            or now > self.health.probe_at + PROBE_PATIENCE
        ):
            self._next_probe = probe = target
        if probe is not target:
            return now + CLOSED_DELAY  # in case the next probe is dropped: recovery makes every target due
        if not self.health.try_probe(now):
            return self.health.probe_at
        self._next_probe = None
        return None

    def on_reachable(self) -> None:
        """Announce that the platform, which was closed, responded."""
        self._next_probe = None
        self.client_error = self.outage = None
        targets = len(self.registry.targets)
        self.registry.publish_to_all(Recovered(ref=None, targets=targets))
        self._report_breaker(is_open=False)
        self._report_recovery(None, targets)

    def refusal_since(self, *, sent: float, received: float) -> BkJobError | None:
        """Return the error that every request is refused with, None where no response since *received* said so.

        Responses to requests from before *sent* do not count: nobody asks while there are no targets, and what was the
        reason of the refusal may have been mended meanwhile.
        """
        last_sent, last_received = self._refused
        return self.client_error if last_sent >= sent and last_received >= received else None

    def keeps_from_reading(self, targets: Iterable[JobState], since: float) -> BkJobError | None:
        """Return the error that every poll of *targets* is answered with, None where waiting may help or one was read.

        Responses that cannot be read may be those of a moment: they count where one of them came *since* then.
        """
        error = self.client_error
        for target in targets:
            troubles = target.poll_failures.troubled.values()
            if target.seen_at is not None:
                return None
            if self.client_error is None:
                is_invalid = any(trouble.error == InvalidResponse.__name__ for trouble in troubles)
                if not is_invalid or self._invalid_at < since:
                    return None
                error = self._invalid_response
        return error

    # Single targets -------------------------------------------------------------------------------------------------

    def on_failure(
        self,
        target: PollTarget,
        request: PollRequest,
        error: BkJobError,
        action: ErrorAction,
        at: PollStamp,
        *,
        begun: float,
        is_alone: bool,
    ) -> list[Event]:
        """Return the events of a failed poll, begun at *begun*, that were not published before.

        It *is_alone* with its failure where others were answered meanwhile. Trouble with what is over is none, unless a watch
        that has joined the job awaits it.
        """
        is_awaited = self.registry.awaits(target)
        if action is ErrorAction.LOSE_TARGET and request.ref in (target.ref, *target.targets):
            reason = LostReason.GONE if target.was_read(request.ref) else LostReason.NOT_FOUND
            if not isinstance(error, NotFound):
                reason = LostReason.FORBIDDEN
            return lose_target(target, request.ref, reason, str(error))
        if action is ErrorAction.THROTTLED:
            self.throttled = self._trouble_of_all(error)
            if target.poll_failures.stalled:
                self.registry.wake_readers()
        if action in (ErrorAction.THROTTLED, ErrorAction.RETRY_ONCE):
            return []
        if action in OF_ALL and not is_alone:
            self._suspect_outage(target, error, at, PLATFORM_EVENTS[action], begun=begun)
            if self.health.is_closed:
                return []
        if isinstance(error, InvalidResponse):
            self._invalid_response, self._invalid_at = error, at.now
        known = target.poll_failures.troubled
        troubled = {
            ref: Trouble(
                ref=ref,
                error=type(error).__name__,
                # Trouble with a job names the one step of it that cannot be read.
                message=str(error) if request.ref in (ref, target.ref) else f"{request.ref}: {error}",
            )
            for ref in affected_by(target, request)
            if ref not in known and (is_awaited or not target.is_settled(ref))
        }
        if troubled and not known:
            self._report_failure(request.ref, request.name, error)
        target.poll_failures = replace(target.poll_failures, troubled={**known, **troubled})
        return list(troubled.values())

    def _suspect_outage(
        self, target: PollTarget, error: BkJobError, at: PollStamp, event: PlatformEvent, *, begun: float
    ) -> None:
        """Count a failure towards an outage; announce the outage when that makes it one."""
        if event is PlatformEvent.ERROR:
            self.unanswered, self.unanswered_at = error, at.now
            self.registry.wake_readers()
        begins = self.health.on_error(event, target.ref, at.now, targets=len(self.registry.targets))
        if self.health.is_closed:  # the reason may have become another one
            self.client_error = error if event is PlatformEvent.REFUSAL_OF_ALL else None
            if self.client_error is not None:
                self._refused = begun, at.now
                self.registry.wake_readers()
        if not begins:
            return
        self._report_breaker(is_open=True)
        self.outage = self._trouble_of_all(error)
        self.registry.publish_to_all(self.outage)
        operation = error.operation if isinstance(error, CallFailed) else ""
        self._report_failure(None, operation, error, self.outage.targets)

    def _trouble_of_all(self, error: BkJobError) -> Trouble:
        targets = len(self.registry.targets)
        return Trouble(ref=None, error=type(error).__name__, message=str(error), targets=targets)

    def on_success(self, target: PollTarget, *, lacks_rows: bool) -> list[Event]:
        """Return the events, published once, that polling the targets of a job works again.

        It does when every request of a round was answered, and it does not lack hosts: a job may be shown, and one step of it
        refused, or its steps while the job itself cannot be read. Of what is over nothing is to be read, unless a watch that
        has joined the job awaits it.
        """
        is_awaited = self.registry.awaits(target)
        failures = target.poll_failures
        troubled = failures.troubled
        is_unread = target.ref in failures.unanswered
        if lacks_rows or target.pending or failures.failed_in_round or is_unread:
            left = {ref: each for ref, each in troubled.items() if is_awaited or not target.is_settled(ref)}
        else:
            left = {}
        target.poll_failures = replace(failures, troubled=left).or_none()
        if not left:
            self._report_recovery(target.ref)
        ended = [
            ref for ref in troubled if ref not in left and ref in target.targets and ref not in target.lost
        ]
        return [Recovered(ref=ref) for ref in ended]

    # Observers ------------------------------------------------------------------------------------------------------

    def _report_failure(self, ref: Ref | None, operation: str, error: BkJobError, targets: int = 1) -> None:
        observe = self.observe
        if observe.listens(PollingFailed):
            ids = error.request_ids if isinstance(error, CallFailed) else {}
            observe(
                PollingFailed(
                    client=observe.client,
                    ref=ref,
                    operation=operation,
                    error=type(error).__name__,
                    message=str(error),
                    request_id=next(iter(ids.values()), ""),
                    targets=targets,
                )
            )

    def _report_recovery(self, ref: Ref | None, targets: int = 1) -> None:
        if self.observe.listens(PollingRecovered):
            self.observe(PollingRecovered(client=self.observe.client, ref=ref, targets=targets))

    def _report_breaker(self, *, is_open: bool) -> None:
        if self.observe.listens(BreakerChanged):
            self.observe(BreakerChanged(client=self.observe.client, is_open=is_open))


def has_failed(target: JobState) -> bool:
    """Return True if the last poll of a target failed."""
    return target.poll_failures.failures > 0


def probe_order(target: JobState) -> tuple[int, float]:
    """Return what orders targets for probes: by their failures in a row, then from the one that was read last."""
    return target.poll_failures.failures, inf if target.seen_at is None else -target.seen_at


def affected_by(target: JobState, request: PollRequest) -> Sequence[Ref]:
    """Return the targets that a response would have shown: a step and its job, or all of a job."""
    refs = [ref for ref in target.targets if ref not in target.lost]
    if isinstance(request, GetStepInstanceStatus):
        about = [ref for ref in refs if ref in (request.ref, target.ref)]
        refs = about or refs
    return sorted(refs, key=str)


def lose_missing_steps(target: JobState, now: float) -> list[Event]:
    """Return the events of watched steps that two responses in a row about their job did not list, the last one *now*."""
    events: list[Event] = []
    for ref in target.target_steps:
        if target.was_read(ref) or ref in target.lost:
            continue
        is_missing = is_absent(target, ref, now)
        if count_not_found(target, ref) >= NOT_FOUND_TWICE and is_missing:
            events += lose_target(target, ref, LostReason.NOT_FOUND, "the job has no such step")
    return events

"""Polls one target: chooses the request, applies the response or the error, and delivers the events."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from functools import partial
from logging import DEBUG
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from bkjob_async.engine.flow_control.health import (
    CLOSED_DELAY,
    SLOW_FAILURE,
    SLOWEST_RATE,
    PlatformEvent,
    PlatformHealth,
    PlatformState,
)
from bkjob_async.engine.group_polling.group_poller import read_mode_of
from bkjob_async.engine.responses.job_tracker import (
    abandon_round,
    abandon_step,
    apply_job,
    apply_step,
    forget_old_operation,
    note_unread,
    put_off_operation,
)
from bkjob_async.engine.responses.new_hosts import lists_many_new_hosts, read_names
from bkjob_async.engine.responses.unchanged import (
    known_rows,
    note_unchanged_job,
    note_unchanged_step,
)
from bkjob_async.engine.responses.unwanted_rows import without_unnamed_rows
from bkjob_async.engine.scheduling.list_polling import ListPoller
from bkjob_async.engine.scheduling.poll_interval import SETTLE_INTERVAL, next_slot, slot_after
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.error_policy import (
    OF_ALL,
    ErrorAction,
    classify_poll_error,
    is_from_platform,
    may_be_too_large,
)
from bkjob_async.engine.tracking.next_request import (
    JOB_ITSELF,
    PollRequest,
    is_long_unread,
    is_worth_compressing,
    lacks_rows,
    plan_follow_ups,
    plan_poll,
    readable_steps,
)
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.run_state import Stage
from bkjob_async.errors import BkJobError
from bkjob_async.model.events import Event, HostChanged
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import JobPollView, PollView, StepPollView
from bkjob_async.model.refs import HostKey, StepRef
from bkjob_async.model.status import UNFINISHED_RUN_CODES
from bkjob_async.observe.to_logging import polling_logger, requests_logger
from bkjob_async.watch.cooperative import CooperativeIterator
from bkjob_async.watch.polling.error_reporting import (
    PLATFORM_EVENTS,
    ErrorReporting,
    has_failed,
    lose_missing_steps,
)
from bkjob_async.watch.polling.list_pollers import ListPollers, Polled
from bkjob_async.watch.polling.poll_reports import PollReports, active_times, lag_bounds
from bkjob_async.watch.polling.poll_runner import URGENT, PollRunner
from bkjob_async.watch.polling.target_registry import NO_SUBSCRIBERS, PollTarget, TargetRegistry
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.session import Session, ViewOrRest

# These errors say nothing of the other steps of a job.
ABOUT_THE_TARGET = frozenset({ErrorAction.TARGET_TROUBLE, ErrorAction.RETRY_ONCE, ErrorAction.LOSE_TARGET})
NO_EVENTS: Sequence[Event] = ()
# A target whose journal can take no more events, or that waits for credentials, is considered again after so many seconds.
PAUSE_SECONDS = 1.0
# Polls are planned anew where the rate of requests is so many times higher; with less they follow it one after the other.
HIGHER_RATE = 2.0


class TargetPoller(Struct, eq=False, kw_only=True):
    """Polls targets: `poll` begins one; when its response has come, that is applied, and the next poll scheduled.

    `longest_block` is for how many seconds at most handling a response kept the event loop.
    """

    session: Session
    registry: TargetRegistry
    errors: ErrorReporting
    reports: PollReports
    runner: PollRunner[Polled]
    list_pollers: ListPollers
    planner: PollPlanner
    health: PlatformHealth
    longest_block: float = 0.0
    _planning: CooperativeIterator = field(default_factory=CooperativeIterator)
    _resumption: CooperativeIterator = field(default_factory=CooperativeIterator)

    def poll(self, target: Polled, permit: Permit) -> Coroutine[Any, Any, None] | None:
        """Poll one target, or a list of jobs, with a *permit*, as `PollRunner` says."""
        limiter, started = self.session.limiter, permit.sent_at
        if not isinstance(target, PollTarget):
            return self._poll_list(target, permit)
        is_delayed = target.group == NO_SUBSCRIBERS
        if (
            self.health.state is PlatformState.CLOSED
            or self.registry.may_be_full
            or self.session.credentials.current is None
        ):
            delayed_until = None if is_delayed else self._delayed_until(target, started)
            if delayed_until is not None:
                self.runner.schedule(target, delayed_until)
                is_delayed = True
        if is_delayed:
            limiter.return_unused(permit)
            self.runner.end(target)
            return None
        if target.poll_state is not None:
            self.planner.on_request(target, started)
        if not target.pending:
            self._begin_round(target, started)
        is_scarce = limiter.waiting > 0 and limiter.is_scarce
        capabilities = self.session.dialect.capabilities
        request, permit.accept_compressed = plan_poll(target, capabilities, requests_are_scarce=is_scarce)
        self._count(target, request, started)
        permit.is_observed = (
            self.session.observe.has_poll_observers
            or polling_logger.isEnabledFor(DEBUG)
            or requests_logger.isEnabledFor(DEBUG)
        )
        known = partial(known_rows, target, request)
        on_view = partial(self._on_view, target, request, permit)
        if self.session.begin_poll(request, permit, known, on_view):
            return None
        return self._await_view(target, request, permit, partial(self.session.poll, request, permit, known))

    def _on_view(self, target: PollTarget, request: PollRequest, permit: Permit, view: ViewOrRest) -> None:
        """Go on with a poll whose response has come; what takes longer becomes a task."""
        try:
            if callable(view):  # a response with many new hosts is large, and so to be awaited
                self.runner.await_rest(target, self._await_view(target, request, permit, view))
            else:
                self.runner.end(target, self._on_response(target, request, view, permit))
        except Exception as error:  # noqa: BLE001 - whoever calls this back has no use for it
            self.runner.fail(error)

    async def _await_view(
        self, target: PollTarget, request: PollRequest, permit: Permit, view: ViewOrRest
    ) -> None:
        """Await the response of a poll, and apply it."""
        try:
            view = await view() if callable(view) else view
        except BkJobError as error:
            self._on_failure(target, request, error, permit.sent_at)
            return
        names = await self._read_names(view) if lists_many_new_hosts(target, view) else ()
        again_at = self._on_response(target, request, view, permit)
        if again_at is not None:
            self.runner.schedule(target, again_at)
        del names  # nothing else refers to them until the response is applied

    async def _read_names(self, view: PollView) -> list[Sequence[HostKey]]:
        """Return the names of the hosts in a large response, read while other tasks can run."""
        names: list[Sequence[HostKey]] = []
        for some in read_names(view, self.registry.cursors.machines):
            names.append(some)
            await asyncio.sleep(0)
        return names

    def _count(self, target: PollTarget, request: PollRequest, now: float) -> None:
        """Count a poll that begins *now*."""
        if target.first_polled_at is None and target.seen_at is None:
            target.first_polled_at = now
        for subscriber in self.registry.members[target.group]:
            subscriber.polls += 1
        if isinstance(request, GetJobInstanceStatus):
            self.session.observe.polls.jobs += 1
        else:
            self.session.observe.polls.steps += 1

    def _delayed_until(self, target: PollTarget, now: float) -> float | None:
        """Return until when a poll waits for the platform, credentials or a journal; None when it may go out now."""
        credentials, most = self.session.credentials, self.session.limiter.limit.max_in_flight
        if credentials.current is None and credentials.waiting >= most:
            return now + PAUSE_SECONDS  # others ask for them, which need no permit meanwhile
        if self.registry.may_be_full and self.registry.is_full(target):
            return now + PAUSE_SECONDS
        return self.errors.delay_if_closed(target, now) if self.health.is_closed else None

    def _begin_round(self, target: PollTarget, now: float) -> None:
        """Begin a round of requests with the whole job where single steps do not show all that is wanted."""
        failures = target.poll_failures
        if failures.failed_in_round:
            target.poll_failures = replace(failures, failed_in_round=()).or_none()
        target.reads_all = target.seen_at is None
        times = self.registry.joined.get(target)
        if times is not None:
            times.requested = self.registry.cursors.last
            target.pending, target.reads_all = (JOB_ITSELF,), True
        elif failures.failed_in_round:
            # What was refused of the job may be shown of its steps, and the other way round.
            is_job = failures.failed_in_round == (target.ref,)
            steps = readable_steps(target, self.session.dialect.capabilities) if is_job else ()
            target.pending = steps or (JOB_ITSELF,)
        elif target.target_steps and (
            (target.operated_at is not None and target.must_read_after_operation(now))
            or (len(target.target_steps) > 1 and self.registry.must_revisit(target, now))
        ):
            target.pending = (JOB_ITSELF,)

    def _apply_job(
        self, target: PollTarget, request: PollRequest, view: JobPollView, started: float, now: float
    ) -> tuple[PollStamp, list[Event]] | None:
        """Apply a response about the whole job, requested at *started*, and set what the round requests next.

        Return the events and their stamp, None where nothing has changed and nothing waits for the response.
        """
        was_forgotten = target.operated_at is not None and forget_old_operation(target, started)
        capabilities = self.session.dialect.capabilities
        unnamed: tuple[int, ...] = ()
        if view.lacks_addresses and capabilities.step_status:
            view, unnamed = without_unnamed_rows(target, view)
        at, changes, others = None, NO_EVENTS, NO_EVENTS
        if not note_unchanged_job(target, view, now):
            at = self.registry.stamp(now)
            changes = apply_job(target, view, at)
        has_rows = isinstance(request, GetJobInstanceStatus) and request.return_ip_result
        if not has_rows or target.poll_failures is not NO_FAILURES:
            plan_follow_ups(target, request, capabilities)
        target.pending = unnamed or target.pending
        if target.target_steps or target.poll_failures is not NO_FAILURES:
            missing = NO_EVENTS if self._is_outdated(target) else lose_missing_steps(target, now)
            others = [*self._recovered(target), *missing]
        is_unchanged = at is None and not others and not was_forgotten
        if is_unchanged and self._goes_on_unchanged(target):
            return None
        return at or self.registry.stamp(now), [*others, *changes]

    def _apply_step(
        self, target: PollTarget, request: PollRequest, view: StepPollView, now: float
    ) -> tuple[PollStamp, list[Event]] | None:
        """Apply a response about one step, as `_apply_job` does."""
        mode = read_mode_of(request) if isinstance(request, GetStepInstanceStatus) else None
        is_unchanged = note_unchanged_step(target, view, now, mode)
        if is_unchanged and self._goes_on_unchanged(target):
            return None
        at = self.registry.stamp(now)
        changes = NO_EVENTS if is_unchanged else apply_step(target, view, at, mode)
        plan_follow_ups(target, request, self.session.dialect.capabilities)
        return at, [*self._recovered(target), *changes]

    def _recovered(self, target: PollTarget) -> Sequence[Event]:
        """Return the events that polling works again; a response without the hosts that cannot be read is no sign of it."""
        if not target.poll_failures.troubled:
            return NO_EVENTS
        lacks = lacks_rows(target, self.session.dialect.capabilities)
        return self.errors.on_success(target, lacks_rows=lacks)

    def _on_response(
        self, target: PollTarget, request: PollRequest, view: PollView, permit: Permit
    ) -> float | None:
        """Apply a response, and deliver the events, unless the target was dropped meanwhile.

        Return when the job is polled next, None where it is not to be.
        """
        if target.group == NO_SUBSCRIBERS:
            return None
        started, received = permit.sent_at, self.session.limiter.received_at
        self._count_response(received, started)
        now = self._now()
        observe = self.session.observe
        is_reported, is_counted = permit.is_observed and observe.wants_polls, observe.counters is not None
        self.longest_block = max(self.longest_block, now - received)
        # A poll from before the end of a silence counts as one that was begun now.
        begun = now if started < self.health.silence_ended_at else started
        # `active_times` decides; a poll of a job that plainly goes on is spared the call.
        may_end = view.finished or view.status not in UNFINISHED_RUN_CODES or target.target_steps
        active_at = active_times(target, view) if may_end and (is_reported or is_counted) else None
        if target.operated_at is not None:
            put_off_operation(target, started, now)
        operated_at = target.operated_at
        if isinstance(view, JobPollView):
            applied = self._apply_job(target, request, view, started, now)
        else:
            applied = self._apply_step(target, request, view, now)
        at, events = (None, NO_EVENTS) if applied is None else applied
        lags = () if at is None or active_at is None else lag_bounds(target, active_at, now)
        if is_reported:
            decode_seconds = now - received
            self.reports.report(
                target, request, now - started, decode_seconds=decode_seconds, events=events, lags=lags
            )
        if at is None:
            return self._after_unchanged(target, now, begun)
        if is_counted and (events or lags):
            self.reports.count(target, events, lags)
        if permit.accept_compressed is None:
            self._learn_size(target, request)
        again_at = self._deliver(target, at, events, begun, may_settle=target.operated_at != operated_at)
        self.longest_block = max(self.longest_block, self._now() - received)
        return again_at

    def _learn_size(self, target: PollTarget, request: PollRequest) -> None:
        """Learn from the first response to a poll of *target* whether others of unknown size are worth compressing."""
        accepts = is_worth_compressing(target, request, self.session.dialect.capabilities)
        if accepts is not None:
            self.session.poll_requests.compress_unknown = accepts

    def _deliver(
        self,
        target: PollTarget,
        at: PollStamp,
        events: Sequence[Event],
        begun: float,
        *,
        may_settle: bool = False,
    ) -> float | None:
        """Deliver the events of a poll that was begun at *begun*; return when the next one is due, None for never.

        *may_settle*: more than events can settle a target, as the response does that ends the doubt after an operation.
        """
        times = self.registry.joined.get(target) if self.registry.joined else None
        if times is not None and not target.pending:
            refused = target.poll_failures.failed_in_round
            if lacks_rows(target, self.session.dialect.capabilities):
                refused += tuple(step.ref for step in target.steps)
            times.complete(at.now, refused)
        self.registry.publish(target, at, events)
        if events and not may_settle:
            # Changes of hosts alone concern only what is over: the job, which `_settle` finds out, or single steps.
            may_settle = {*map(type, events)} != {HostChanged} or any(
                map(target.is_over, target.target_steps)
            )
        return self._settle(target, at.now, begun, may_settle=may_settle)

    async def _poll_list(self, poller: ListPoller[PollTarget], permit: Permit) -> None:
        started, permit.scope = self._now(), poller
        request = self.list_pollers.next_request(poller, started)
        if request is None:
            self.session.limiter.return_unused(permit)
            return
        self.session.observe.polls.lists += 1
        try:
            await self.list_pollers.poll(poller, request, permit)
        except BkJobError as error:
            self.reports.report(None, request, self._now() - started, error=type(error).__name__)
        else:
            self.reports.report(None, request, self._now() - started)

    # When a target is polled next -----------------------------------------------------------------------------------

    def _goes_on_unchanged(self, target: PollTarget) -> bool:
        """Return True if a poll without events leaves nothing to read, and nothing that waits for it."""
        if target.pending or target.operated_at is not None or target in self.registry.joined:
            return False
        # A response that shows the present state is of a job that goes on; single steps may have ended.
        return target.is_target or not target.all_settled()

    def _after_unchanged(self, target: PollTarget, now: float, begun: float) -> float | None:
        """Deliver a poll without events, begun at *begun*; return when the job is polled next."""
        if self.registry.behind:
            self.registry.publish_unchanged(target, self.registry.stamp(now))
        return None if target.group == NO_SUBSCRIBERS else self._next_at(target, now, begun)

    def _settle(self, target: PollTarget, now: float, begun: float, *, may_settle: bool) -> float | None:
        """Determine which watches have settled; return when the job is polled next, None for never.

        *begun* is when this poll began. *may_settle*: something was published that can settle a target or reopen one, as
        changes of hosts alone do not.
        """
        registry = self.registry
        if target.ended:
            self.planner.learn(target, now, expects_callbacks=registry.expects_callbacks(target))
        if may_settle or target.operated_at is not None or target in registry.joined:
            registry.update_settled(target)
        if target.group == NO_SUBSCRIBERS:
            return None
        if target.pending:
            # Before other targets that are late: what is known of this one is whole, and reported, only then.
            return now if self.runner.is_slow_retry(target) else URGENT
        is_awaited = bool(registry.joined) and registry.awaits(target)
        if is_awaited and not registry.joined[target].refused:
            return now
        stage = target.stage()
        if stage is not Stage.OVER:
            return self._next_at(target, now, begun, settling=stage is Stage.SETTLING)
        if is_awaited:
            return now + SETTLE_INTERVAL
        self.list_pollers.forget(target)
        self.planner.rest(target)
        registry.update_settled(target)
        interval = registry.revisit_interval(target)
        return None if interval is None or target.group == NO_SUBSCRIBERS else now + interval

    def _next_at(self, target: PollTarget, now: float, begun: float, *, settling: bool = False) -> float:
        """Return when a job that is not over is polled next, last polled at *begun*; sooner while it is *settling*."""
        intervals = self.planner.intervals
        if intervals.interval is not None and settling:
            at = now + intervals.while_settling
        elif intervals.interval is not None:
            at = next_slot(target.ref, intervals.interval, begun=begun, now=now)
        else:
            deadline = self.registry.first_deadline(target)
            at = self.planner.next_poll_at(
                target,
                now,
                settling=settling,
                limit=self.session.limiter.requests_per_second,
                expects_callbacks=self.registry.expects_callbacks(target),
                ends_in=None if deadline is None else deadline - now,
            )
        if self.list_pollers.page_size:
            self.list_pollers.update(target, now)
        return at

    def plan_again(self, before: float | None) -> None:
        """Plan the next polls anew, in slices, where far more requests a second may go out than *before*."""
        limit, now = self.session.limiter.requests_per_second, self._now()
        if before is not None and (limit is None or limit >= HIGHER_RATE * before):
            self._planning.start(self._plan_all(tuple(self.registry.targets.values()), now, limit))

    def _plan_all(self, targets: Sequence[PollTarget], now: float, limit: float | None) -> Iterator[None]:
        """Plan one target after the other, but those that are late or polled now, or that failed."""
        for number, target in enumerate(targets):
            if target.poll_state is not None and target.due == target.poll_state.due:
                expects_callbacks, share = self.registry.expects_callbacks(target), number / len(targets)
                at = self.planner.plan_again(
                    target, now, share, limit=limit, expects_callbacks=expects_callbacks
                )
                if at is not None:
                    self.runner.reschedule(target, at)
            yield

    # Failures and outages -------------------------------------------------------------------------------------------

    def _on_failure(self, target: PollTarget, request: PollRequest, error: BkJobError, begun: float) -> None:
        """Deliver the events of a failed poll, begun at *begun*, and schedule another one."""
        if target.group == NO_SUBSCRIBERS:  # it was dropped while the request was under way
            return
        self.reports.report(target, request, self._now() - begun, error=type(error).__name__)
        now = self._now()
        is_alone = self.health.fails_alone(begun, now, failed_at=target.poll_failures.failed_at)
        action = self._action_after(target, request, error, is_alone=is_alone)
        is_about_step = isinstance(request.ref, StepRef) and (
            action in ABOUT_THE_TARGET or (is_alone and action in OF_ALL) or may_be_too_large(error)
        )
        if is_about_step:
            abandon_step(target, request.ref)
        else:
            abandon_round(target)
        note_unread(target, request, now)
        target.poll_failures = replace(target.poll_failures, failed_at=now)
        self.runner.note_failure(target, is_slow=now - begun >= SLOW_FAILURE)
        event = PLATFORM_EVENTS.get(action, PlatformEvent.RESPONSE)
        if event is PlatformEvent.RESPONSE and is_from_platform(error):
            self._count_response(self._now(), begun)
        at = self.registry.stamp(self._now())
        if action is ErrorAction.USE_OTHER_REQUEST:
            # Not at once: if the other request is refused as well, this must not become a busy loop.
            self.runner.schedule(target, at.now + SETTLE_INTERVAL)
            return
        self._count_failure(target, request, at.now, is_about_step=is_about_step)
        events = self.errors.on_failure(target, request, error, action, at, begun=begun, is_alone=is_alone)
        self.reports.count(target, events)
        if not events:
            at = self.registry.stamp(self._now())  # an event for all targets may have been published since
        self.registry.publish(target, at, events)
        is_awaited = self.registry.awaits(target)
        if target.stage() is Stage.OVER and not is_awaited:
            again_at = self._settle(target, at.now, begun, may_settle=True)
            if again_at is not None:
                self.runner.schedule(target, again_at)
            return
        if events:
            self.registry.update_settled(target)
        if target.group != NO_SUBSCRIBERS:
            again_at = self._after_failure(target, event, at.now, begun, is_about_step=is_about_step)
            self.runner.schedule(target, again_at)

    def _action_after(
        self, target: PollTarget, request: PollRequest, error: BkJobError, *, is_alone: bool
    ) -> ErrorAction:
        """Return what to do after a failed poll; hosts that no other request shows are trouble with their job."""
        action = classify_poll_error(error, request, target, self._now(), is_alone=is_alone)
        if action is ErrorAction.LOSE_TARGET and self._is_outdated(target):
            return ErrorAction.RETRY_ONCE
        if action is not ErrorAction.USE_OTHER_REQUEST or target.poll_failures.troubled:
            return action
        lacks = lacks_rows(target, self.session.dialect.capabilities)
        return ErrorAction.TARGET_TROUBLE if lacks else action

    def _is_outdated(self, target: PollTarget) -> bool:
        """Return True if the requests under way were sent before somebody joined, for whom a target may be there."""
        times = self.registry.joined.get(target)
        return times is not None and times.are_outdated

    def _after_failure(
        self, target: PollTarget, event: PlatformEvent, now: float, begun: float, *, is_about_step: bool
    ) -> float:
        """Return when a job is polled again after a poll, begun at *begun*, that failed *now* with an *event*.

        One step that fails raises no rate where the rest of its job is answered.
        """
        again_at = self.health.poll_again_at(
            event,
            now,
            failures=target.poll_failures.failures,
            interval=self.planner.intervals.interval,
            targets=len(self.registry.targets),
        )
        if is_about_step and not target.pending and not is_long_unread(target):
            return max(again_at, self._next_at(target, now, begun))
        return again_at

    def _count_failure(
        self, target: PollTarget, request: PollRequest, now: float, *, is_about_step: bool
    ) -> None:
        """Count a failed poll, which may have been the last one of its round."""
        known = target.poll_failures
        failed = (*known.failed_in_round, request.ref)
        target.poll_failures = replace(
            known,
            failures=known.failures + 1,
            failed_in_round=failed,
            unanswered=known.unanswered | {request.ref},
        )
        times = self.registry.joined.get(target)
        if is_about_step and times is not None and not target.pending:
            times.complete(now, failed)

    def _count_response(self, now: float, sent: float) -> None:
        """Count a response *now* to a poll *sent* then; resume all polls if it ends an outage, or a silence with late ones."""
        targets = len(self.registry.targets)
        before = self.health.on_response(now, sent=sent, targets=targets)
        if before is PlatformState.CLOSED:
            self.errors.on_reachable()
        if before is PlatformState.CLOSED or (before is not None and self.runner.overdue):
            # Those that failed come last: they may fail by themselves, and then the usual rate is that of the others.
            resumed = sorted(self.registry.targets.values(), key=has_failed)
            self._resumption.start(self._resume(resumed, self._now()))

    def _resume(self, targets: Sequence[PollTarget], now: float) -> Iterator[None]:
        """Schedule one target after the other that may have missed a poll, at the usual rate.

        Each comes in its own slot when the polls are at a short fixed interval.
        """
        number, interval = 0, self.planner.intervals.interval
        for target in targets:
            is_awaited = target in self.registry.joined or not target.all_settled()
            is_wanted = target.group != NO_SUBSCRIBERS and is_awaited
            has_missed = has_failed(target) or target.due is None or target.due <= now + CLOSED_DELAY
            if is_wanted and has_missed:
                if interval is not None and len(targets) > interval * SLOWEST_RATE:
                    at = slot_after(target.ref, interval, now)
                else:
                    at = now + number / self.health.rate
                self.runner.reschedule(target, at)
                number += 1
            yield

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

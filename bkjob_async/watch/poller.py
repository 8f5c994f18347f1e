"""Poll every watched job once, however many watches follow it, and deliver the events to each of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from itertools import count

from attrs import evolve

from bkjob_async.engine.flow_control.outage_detector import OutageDetector
from bkjob_async.engine.group_polling.group_poller import read_mode_of
from bkjob_async.engine.scheduling.list_polling import ListPoller
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.stream.cursor import CursorSequence, PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy
from bkjob_async.engine.tracking.error_policy import ErrorAction, classify_poll_error
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_tracker import (
    NO_EVENTS,
    abandon_round,
    apply_job,
    apply_step,
    expect_change,
    forget_old_operation,
)
from bkjob_async.engine.tracking.next_request import (
    JOB_ITSELF,
    PollRequest,
    known_rows,
    next_request,
    plan_follow_ups,
)
from bkjob_async.engine.tracking.settling import SETTLE_BOUND, SETTLE_INTERVAL
from bkjob_async.errors import BkJobError, ClientClosed
from bkjob_async.model.events import Recovered, Trouble
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, Ref, Scope
from bkjob_async.model.request_limit import RequestLimit
from bkjob_async.watch.cooperative import CooperativeQueue
from bkjob_async.watch.error_reporting import (
    REACHABILITY_UNKNOWN,
    ErrorReporting,
    OutageRecovery,
    StallTimer,
    lose_missing_steps,
    mark_stalled,
)
from bkjob_async.watch.list_pollers import ListPollers, Polled
from bkjob_async.watch.poll_reports import PollReports, active_times
from bkjob_async.watch.polling_load import PhaseCounts, PollingLoad, polling_load
from bkjob_async.watch.stats import Explanation, explanation_of
from bkjob_async.watch.target_registry import NO_SUBSCRIBERS, PollTarget, Subscriber, TargetRegistry
from bkjob_async.watch.worker_pool import WorkerPool
from bkjob_async.wire.session import Session

# A target whose journal can take no more events is considered again after this many seconds.
PAUSE_SECONDS = 1.0


class Poller:
    """The polling of one client: what is due is polled, and what changed is delivered to the subscribers.

    Workers run only while there are targets.
    """

    def __init__(self, session: Session, *, poll_planner: PollPlanner, workers: int) -> None:
        """Prepare to poll through *session*; nothing runs before the first target."""
        self.planner = poll_planner
        self.cursors = CursorSequence(secrets.token_hex(4))
        self.polls = 0
        self.watch_numbers = count(1)
        self._session = session
        self.observe = session.observe
        self.errors = ErrorReporting(publish_to_all=self._publish_to_all, observe=self.observe)
        self._registry = TargetRegistry()
        self.phases = PhaseCounts(self._registry.targets)
        self.longest_block = 0.0
        self.fallen_behind = 0  # by readers of watches that are closed
        self._reports = PollReports(self.observe, self._registry)
        self._workers: WorkerPool[Polled] = WorkerPool(
            self._dispatch, on_crash=self._registry.crash, workers=workers, group=scope_of
        )
        self._list_pollers = ListPollers(
            session, self._registry, poll_planner, self._workers, breaker=self.errors.breaker, now=self._now
        )
        # Names of many hosts, read before the next response about them comes.
        self._unread_names = CooperativeQueue()
        self._operated_at: dict[JobRef, float] = {}
        self._outage_detector = OutageDetector()
        self._outage_recovery = OutageRecovery(
            self._registry, self._workers, poll_planner.cadence, self._outage_detector, self.errors.breaker
        )
        self._stall_timer = StallTimer(
            self._registry.targets.values(),
            interval=poll_planner.cadence.interval,
            is_overdue=self._outage_recovery.is_overdue,
            report=self._report_stalled,
        )

    # Subscribers and their targets ----------------------------------------------------------------------------------

    def add_subscriber(self, subscriber: Subscriber, *, has_journal: bool = False) -> None:
        """Deliver to *subscriber* from now on what concerns all targets, and an outage that lasts already."""
        self._registry.subscribers.append(subscriber)
        self._registry.has_journals |= has_journal
        if self.errors.outage is not None:
            at = self._stamp()
            subscriber.on_platform_event(at, evolve(self.errors.outage, cursor=at.cursor, index=1))

    def polls_of(self, subscriber: Subscriber) -> int:
        """Return how many polls of its targets *subscriber* has had."""
        return self._registry.polls_of(subscriber)

    def is_only_subscriber(self, subscriber: Subscriber, job: JobRef) -> bool:
        """Return True if nobody but *subscriber* follows a job."""
        target = self._registry.targets.get(job)
        return target is not None and self._registry.subscribers_of(target) == (subscriber,)

    def load(self, now: float, subscriber: Subscriber | None = None) -> PollingLoad:
        """Return the load of polling all jobs, or those of one *subscriber*."""
        groups = None if subscriber is None else self._registry.groups_of(subscriber)
        return polling_load(self._registry, self._workers, self._stall_timer.unseen_since, now, groups)

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        """The open watches."""
        return tuple(self._registry.subscribers)

    @property
    def target_count(self) -> int:
        """How many jobs are watched."""
        return len(self._registry.targets)

    def remove_subscriber(self, subscriber: Subscriber) -> None:
        """Deliver nothing to *subscriber* any more; harmless when repeated."""
        if subscriber in self._registry.subscribers:
            self.fallen_behind += subscriber.fallen_behind
        self._registry.remove_subscriber(subscriber)

    def subscribe(
        self, subscriber: Subscriber, ref: Ref, recorded: PollTarget | None = None
    ) -> tuple[JobState, int | None]:
        """Poll *ref* for *subscriber*, as soon as possible; *recorded* is what it was told of the job earlier.

        Return its job, and which round of requests shows its present state; None when any response does.
        """
        if ref.job not in self._registry.targets:
            self.planner.begin()
            self._stall_timer.start()
        target, round_wanted = self._registry.subscribe(
            subscriber, ref, operated_at=self._operated_at.get(ref.job), recorded=recorded
        )
        self.phases.mark_changed(ref.job)

        if recorded is None or any(each not in target.lost for each in target.targets):
            self._workers.schedule(target, self._now())
        return target, round_wanted

    def unsubscribe(self, subscriber: Subscriber, ref: Ref) -> None:
        """Stop polling *ref*, no longer a target of *subscriber*, unless another one wants it."""
        unwatched = self._registry.unsubscribe(subscriber, ref)
        self.phases.mark_changed(ref.job)
        if unwatched is not None:
            self.planner.end(unwatched)
            self._list_pollers.forget(unwatched)
            self._workers.forget(unwatched)

    def state(self, job: JobRef) -> JobState | None:
        """Return the state of a job, None when it is not watched."""
        return self._registry.targets.get(job)

    def nudge(self, ref: Ref) -> None:
        """Poll *ref* as soon as possible, before targets that are merely late."""
        target = self._registry.targets.get(ref.job)
        if target is not None:
            self.planner.on_nudge(target)
            self._workers.schedule(target, self._now(), urgent=True)

    def poll_again(self, job: JobRef) -> int | None:
        """Poll a job as soon as possible; return which round of requests shows its present state, None if unwatched."""
        target = self._registry.targets.get(job)
        if target is None:
            return None
        self._workers.schedule(target, self._now())
        return self._registry.rereads.request(target)

    def on_operation(self, ref: Ref) -> None:
        """Record that an operation on *ref* was sent: a final status may not be final any more."""
        now, job = self._now(), ref.job
        self._operated_at = {each: at for each, at in self._operated_at.items() if now - at < SETTLE_BOUND}
        self._operated_at[job] = now
        target = self._registry.targets.get(job)
        if target is not None:
            expect_change(target, now)
            self._registry.update_settled(target, now)
            self._workers.schedule(target, now)

    def explain(self, ref: Ref) -> Explanation:
        """Return why *ref* is polled or not, and when next."""
        target, now = self._registry.targets.get(ref.job), self._now()
        if target is None:
            return Explanation(ref=ref, because="nobody watches it")
        return explanation_of(
            target,
            ref,
            now,
            due=self._workers.due_at(target),
            is_polled=self._workers.is_busy(target),
            is_unreachable=self.errors.breaker.is_open,
            limit=self.limit_at_work(),
            expected_duration=self.planner.expects(target, now),
            running_for=self.planner.running_for(target, ref, now),
            ends_in=self.planner.ends_in(target, ref, now),
        )

    def limit_at_work(self) -> RequestLimit | None:
        """Return the limit that holds up polls at the moment, None where every poll starts when it is due."""
        limiter, are_late = self._session.limiter, self._workers.has_backlog
        if not (limiter.waiting or are_late):
            return None
        # There are as many workers as requests in flight are allowed.
        return limiter.limit_at_work() or (limiter.limit.bound_by if are_late else None)

    async def stop_if_idle(self) -> None:
        """Stop the workers when no target is left."""
        if not self._registry.targets:
            self._stall_timer.stop()
            await self._workers.aclose()

    async def aclose(self) -> None:
        """End all watches and wait until all workers have stopped."""
        for subscriber in tuple(self._registry.subscribers):
            subscriber.on_crash(ClientClosed("the client was closed while this watch was open"))
        self._stall_timer.stop()
        await self._workers.aclose()

    # One poll -------------------------------------------------------------------------------------------------------

    def _dispatch(self, polled: Polled) -> Awaitable[None]:
        return self._poll_list(polled) if isinstance(polled, ListPoller) else self._poll(polled)

    async def _poll(self, target: PollTarget) -> None:
        if target.group == NO_SUBSCRIBERS:
            return
        started = self._now()
        if self.errors.breaker.is_open or self._registry.has_journals:
            delayed_until = self._delayed_until(target, started)
            if delayed_until is not None:
                self._workers.schedule(target, delayed_until)
                return
        if target.poll_state is not None:
            self.planner.on_request(target, started, self._queued_seconds())
        if not target.pending:
            self._begin_round(target, started)
        scarce = self._session.limiter.waiting > 0
        request = next_request(target, self._session.dialect.capabilities, requests_are_scarce=scarce)
        self._count_poll(target, request)
        if target.first_polled_at is None and target.seen_at is None:
            target.first_polled_at = started
        try:
            view = (
                await self._session.poll(request)
                if isinstance(request, GetJobInstanceStatus)
                else await self._session.poll(request, known_rows(target, request))
            )
        except BkJobError as error:
            if target.group != NO_SUBSCRIBERS:
                self._on_failure(target, request, error, started)
                self._reports.on_failure(target, request, self._now() - started, type(error).__name__)
            return
        if target.group != NO_SUBSCRIBERS:  # else it was dropped while the request was under way
            self._on_response(target, request, view, started)

    def _count_poll(self, target: PollTarget, request: PollRequest) -> None:
        self.polls += 1
        self._registry.polls[target.group] += 1
        counters = self.observe.counters
        if counters is not None:
            counters.polls["step" if isinstance(request, GetStepInstanceStatus) else "job"] += 1

    def _delayed_until(self, target: PollTarget, now: float) -> float | None:
        """Return until when a poll waits for the platform or for a journal; None when it may go out now."""
        if self._registry.has_journals and self._registry.is_full(target):
            return now + PAUSE_SECONDS
        return self.errors.delay_if_open(target, now) if self.errors.breaker.is_open else None

    def _begin_round(self, target: PollTarget, now: float) -> None:
        """Begin a round of requests with the whole job where single steps do not show all that is wanted."""
        if target in self._registry.rereads.requested:
            self._registry.rereads.begin(target)
            target.pending = (JOB_ITSELF,)
        elif target.target_steps and self._registry.must_revisit(target, now):
            target.pending = (JOB_ITSELF,)

    def _on_response(
        self, target: PollTarget, request: PollRequest, view: JobPollView | StepPollView, started: float
    ) -> None:
        """Apply a response, deliver the events, and schedule the next poll."""
        received = self._session.limiter.received_at
        if self.errors.breaker.failures:
            self._on_reachable(started)
        at = self._stamp()
        report = self._reports.begin(target, request, started, received)
        active_at = None if self.observe.counters is None else active_times(target)
        self.longest_block = max(self.longest_block, at.now - received)
        if self._outage_detector.on_response(at.now, sent=started) and self._workers.overdue:
            self._outage_recovery.resume_all()
        asked = at.now if started < self._outage_detector.outage_ended_at else started
        events: Sequence[EventOrLazy] = (
            self.errors.on_success(target, at) if target.poll_failures.troubled else NO_EVENTS
        )
        if isinstance(view, JobPollView):
            changes = apply_job(target, view, at)
            missing = lose_missing_steps(target, at) if target.target_steps else NO_EVENTS
            plan_follow_ups(target, request, self._session.dialect.capabilities)
            if changes is NO_EVENTS and not missing and not events and self._is_unchanged(target, at.now):
                self._reschedule(target, at, asked)
                self._list_pollers.update(target, at.now)
                if report is not None:
                    report.send(NO_EVENTS, at.now)
                return
            events = [*events, *changes, *missing]
        else:
            mode = None if isinstance(request, GetJobInstanceStatus) else read_mode_of(request)
            changes = apply_step(target, view, at, mode)
            if changes is NO_EVENTS and self._is_unchanged(target, at.now):
                self._reschedule(target, at, asked)
                if report is not None:
                    report.send(NO_EVENTS, at.now)
                return
            events = [*events, *changes]
            plan_follow_ups(target, request, self._session.dialect.capabilities)
        if report is not None:
            report.send(events, at.now)
        if events and active_at is not None:
            self._reports.count(target, events, active_at, at.now)
        self._deliver(target, at, events, asked)
        self.longest_block = max(self.longest_block, self._now() - received)

    def _deliver(
        self, target: PollTarget, at: PollStamp, events: Sequence[EventOrLazy], asked: float
    ) -> None:
        """Deliver the events of a poll that was begun at *asked*, and schedule the next one."""
        if not target.pending:
            self._registry.rereads.complete(target)
        if events:
            self.phases.mark_changed(target.ref)
        self._registry.publish(target, at, events)
        self._read_names_later(target)
        self._after_poll(target, at.now, asked, published=bool(events))

    def _read_names_later(self, target: PollTarget) -> None:
        """Read names of many new hosts in slices, so that not all are to be read when the next response comes."""
        for step in target.steps:
            if step.hosts.has_unread_names:
                self._unread_names.put(step.hosts.release_response_in_slices())

    def _is_unchanged(self, target: PollTarget, now: float) -> bool:
        """Return True when a poll without events needs no more than the next one: nothing is pending or awaited."""
        if target.pending or target.operated_at is not None or target in self._registry.rereads.requested:
            return False
        return not target.all_settled(now)

    def _reschedule(self, target: PollTarget, at: PollStamp, asked: float) -> None:
        """Schedule the next poll of a job in which nothing has changed."""
        self._registry.publish_unchanged(target, at)
        if target.group != NO_SUBSCRIBERS:
            self._workers.schedule(target, self._next_poll(target, at.now, asked))

    def _after_poll(self, target: PollTarget, now: float, asked: float, *, published: bool) -> None:
        """Determine which watches have settled, and schedule the next poll, if any; *asked* is when this one began."""
        if target.ended:
            expected = self._registry.expects_callbacks(target)
            self.planner.learn(target, now, expects_callbacks=expected)
        if published or target.operated_at is not None or target in self._registry.rereads.requested:
            self._registry.update_settled(target, now)
            forget_old_operation(target, now)
        if target.group == NO_SUBSCRIBERS:
            return
        if target.pending or self._registry.awaits_reread(target):
            self._workers.schedule(target, now)
        elif not target.all_settled(now):
            self._workers.schedule(target, self._next_poll(target, now, asked))
            self._list_pollers.update(target, now)
        else:
            self._list_pollers.forget(target)
            self.planner.rest(target)
            self._registry.update_settled(target, now)
            interval = self._registry.revisit_interval(target)
            if interval is not None and target.group != NO_SUBSCRIBERS:
                self._workers.schedule(target, now + interval)

    def _next_poll(self, target: PollTarget, now: float, asked: float) -> float:
        """Return when a job that is not over, last polled at *asked*, is polled again."""
        if self.planner.cadence.interval is not None:
            return self.planner.next_poll_at(target, now, asked=asked)
        deadline = self._registry.first_deadline(target)
        return self.planner.next_poll_at(
            target,
            now,
            limit=self._session.limiter.requests_per_second,
            expects_callbacks=self._registry.expects_callbacks(target),
            ends_in=None if deadline is None else deadline - now,
        )

    def _queued_seconds(self) -> float:
        """Return how many seconds of requests are queued."""
        limiter = self._session.limiter
        rate = limiter.requests_per_second
        return limiter.waiting / rate if rate else 0.0

    async def _poll_list(self, poller: ListPoller[PollTarget]) -> None:
        started = self._now()
        request = self._list_pollers.next_request(poller, started)
        if request is None:
            return
        self.polls += 1
        if self.observe.counters is not None:
            self.observe.counters.polls["list"] += 1
        try:
            await self._list_pollers.poll(poller, request)
        except BkJobError as error:
            self._reports.on_failure(None, request, self._now() - started, type(error).__name__)
        else:
            self._reports.on_list(request, self._now() - started)

    # Failures and outages -------------------------------------------------------------------------------------------

    def _on_failure(self, target: PollTarget, request: PollRequest, error: BkJobError, asked: float) -> None:
        """Deliver the events of a failed poll, begun at *asked*, and schedule another one."""
        action = classify_poll_error(error, request, target)
        abandon_round(target)
        if action not in REACHABILITY_UNKNOWN:
            self._on_reachable(asked)
        at = self._stamp()
        if action is ErrorAction.USE_OTHER_REQUEST:
            # Not at once: if the other request is refused as well, this must not become a busy loop.
            self._workers.schedule(target, at.now + SETTLE_INTERVAL)
            return
        target.poll_failures = evolve(target.poll_failures, failures=target.poll_failures.failures + 1)
        was_open = self.errors.breaker.is_open
        events = self.errors.on_failure(
            target, request, error, action, at, targets=len(self._registry.targets)
        )
        if self.errors.breaker.is_open and not was_open:
            self._outage_detector.on_circuit_open()
        if not events:
            at = self._stamp()  # an event for all targets may have been published since
        if events:
            self._reports.count(target, events, active_times(target), at.now)
            self.phases.mark_changed(target.ref)
        self._registry.publish(target, at, events)
        if target.all_settled(at.now) and not self._registry.awaits_reread(target):
            self._after_poll(target, at.now, asked, published=True)
            return
        if events:
            self._registry.update_settled(target, at.now)
        if target.group != NO_SUBSCRIBERS:
            wait = self.errors.backoff(
                target, action, self.planner.cadence, targets=len(self._registry.targets)
            )
            due = at.now + wait
            self._workers.schedule(target, self.errors.retry_at(due))

    def _on_reachable(self, sent: float) -> None:
        """Record that the platform responded to a request *sent* then; after an outage, resume all polls."""
        if self.errors.on_reachable(len(self._registry.targets), self._now(), sent=sent):
            self._outage_recovery.resume_all()

    def _report_stalled(self, target: PollTarget, silence: float) -> None:
        at = self._stamp()
        self._registry.publish(target, at, mark_stalled(target, at, silence))

    def _publish_to_all(self, event: Trouble | Recovered) -> None:
        self._registry.publish_to_all(self._stamp(), event)

    def _stamp(self) -> PollStamp:
        """Return the time now with the next number of a batch."""
        return self.cursors.next_stamp(self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def scope_of(polled: Polled) -> Scope:
    """Return the scope that a poll is counted for when groups take turns."""
    return polled.scope if isinstance(polled, ListPoller) else polled.ref.scope

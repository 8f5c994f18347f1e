"""Poll every watched job once, however many watches follow it, and deliver the events to each of them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from itertools import count
from math import inf

from msgspec.structs import replace

from bkjob_async.engine.responses.job_tracker import confirm_wait, expect_change, waits_of
from bkjob_async.engine.scheduling.list_polling import ListPoller
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.stream.cursor import CursorSequence, PollStamp
from bkjob_async.engine.tracking.error_policy import LOST_AFTER_SECONDS
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import JOB_ITSELF, may_fail_again
from bkjob_async.engine.tracking.step_state import SETTLE_BOUND
from bkjob_async.errors import BkJobError, ClientClosed, ErrorDetails, Throttled
from bkjob_async.model.events import Trouble
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.refs import JobRef, Ref, Scope, StepRef
from bkjob_async.model.request_limit import RequestLimit
from bkjob_async.watch.polling.error_reporting import ErrorReporting
from bkjob_async.watch.polling.list_pollers import ListPollers, Polled
from bkjob_async.watch.polling.poll_reports import PollReports
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.polling_load import PhaseCounts, PollingLoad, polling_load
from bkjob_async.watch.polling.stalls import STALLED_AFTER, STALLED_POLLS, StallTimer
from bkjob_async.watch.polling.target_poller import TargetPoller
from bkjob_async.watch.polling.target_registry import PollTarget, Subscriber, TargetRegistry
from bkjob_async.watch.stats import Explanation, explanation_of, explanation_of_ended, started_ago
from bkjob_async.wire.session import Session

# Seconds between two polls of the same job that callbacks or callers ask for.
NUDGE_INTERVAL = 1.0


class Poller:
    """The polling of one client: what is due is polled, and what changed is delivered to the subscribers.

    Workers run only while there are targets.
    """

    def __init__(self, session: Session, *, poll_planner: PollPlanner) -> None:
        """Prepare to poll through *session*; nothing runs before the first target."""
        self.planner = poll_planner
        self.cursors = CursorSequence(secrets.token_hex(4))
        self.watch_numbers = count(1)
        self._session = session
        self.observe = session.observe
        self._registry = TargetRegistry(self.cursors)
        self.errors = ErrorReporting(registry=self._registry, observe=self.observe, health=session.health)
        self.phases = PhaseCounts(self._registry.targets)
        self.fallen_behind = 0  # by readers of watches that are closed
        self._runner: PollRunner[Polled] = PollRunner(
            on_crash=self._registry.crash,
            limiter=session.limiter,
            group=group_of,
            resource=resource_of,
            may_fail_again=poll_may_fail_again,
        )
        self._list_pollers = ListPollers(
            session=session, registry=self._registry, planner=poll_planner, runner=self._runner
        )
        # When operations on jobs that nobody watches were sent, and the steps whose wait for a user they ended, each with
        # the number of that wait, if it is known.
        self._operations: dict[JobRef, tuple[float, Mapping[StepRef, int | None]]] = {}
        # When jobs were launched, and when each was last polled for a nudge or will be, the latest last.
        self._launched_at: dict[JobRef, float] = {}
        self._nudged_at: dict[JobRef, float] = {}
        self._target_poller = TargetPoller(
            session=session,
            registry=self._registry,
            errors=self.errors,
            reports=PollReports(self.observe, self._registry, self.phases),
            runner=self._runner,
            list_pollers=self._list_pollers,
            planner=poll_planner,
            health=session.health,
        )
        self._runner.poll = self._target_poller.poll
        self._stall_timer = StallTimer(
            registry=self._registry,
            runner=self._runner,
            health=session.health,
            limit=max(STALLED_AFTER, STALLED_POLLS * (poll_planner.intervals.interval or 0.0)),
        )

    # Subscribers and their targets ----------------------------------------------------------------------------------

    def add_subscriber(self, subscriber: Subscriber) -> None:
        """Deliver to *subscriber* from now on what concerns all targets, and an outage that lasts already."""
        self._registry.add_subscriber(subscriber)
        if self.errors.outage is not None:
            subscriber.on_platform_event(self.stamp(), replace(self.errors.outage))

    def allow_pauses(self) -> None:
        """Ask subscribers from now on before each poll whether they can take events."""
        self._registry.may_be_full = True

    def refusal_of(self, ref: Ref, *, sent: float, received: float) -> BkJobError | None:
        """Return the error that polls of *ref* are refused with, None where no response since *received* said so.

        It is that of all requests, if one sent since *sent* was refused; or `Throttled` where the gateway has let no request
        through while *ref* became stalled, by its quota or that of what is polled.
        """
        error, target = self.errors.refusal_since(sent=sent, received=received), self.state(ref.job)
        if error is not None or target is None or not target.poll_failures.stalled:
            return error
        since, is_outage = self._now() - STALLED_AFTER, self._session.health.is_closed
        resource = resource_of(target)
        if is_outage or not self._session.limiter.refuses_all(resource, since=since, refused=received):
            return None
        message = "nothing could be read yet: the gateway has refused every request for a minute"
        return Throttled(ErrorDetails(operation="wait", message=message, sent=False))

    @property
    def throttled(self) -> Trouble | None:
        """The last refusal of a poll for too many requests, None while requests get through."""
        return self.errors.throttled if self._session.limiter.is_throttled else None

    @property
    def polls(self) -> int:
        """How many polls there were."""
        return self.observe.polls.total

    @property
    def longest_block(self) -> float:
        """For how many seconds at most handling a response kept the event loop."""
        return self._target_poller.longest_block

    def is_only_subscriber(self, subscriber: Subscriber, job: JobRef) -> bool:
        """Return True if *subscriber* alone follows a job."""
        target = self._registry.targets.get(job)
        return target is not None and self._registry.subscribers_of(target) == (subscriber,)

    def load(self, now: float, subscriber: Subscriber | None = None) -> PollingLoad:
        """Return the load of polling all jobs, or those of one *subscriber*."""
        return polling_load(self._registry, self._runner, now, subscriber)

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
        self,
        subscriber: Subscriber,
        ref: Ref,
        recorded: PollTarget | None = None,
        *,
        recorded_until: float = -inf,
    ) -> tuple[JobState, int | None]:
        """Poll *ref* for *subscriber*, as soon as possible; *recorded* is what it was given of the job earlier.

        The last of that was recorded at *recorded_until*, on the loop's clock. Return its job, and since when what it is
        given must be requested; None where any response will do.
        """
        if ref.job not in self._registry.targets:
            self.planner.begin()
            self._stall_timer.start()
        operated_at, confirmed = self._operations.pop(ref.job, (None, {}))
        now = self._now()
        target, since = self._registry.subscribe(
            subscriber, ref, now=now, operated_at=operated_at, recorded=recorded
        )
        target.launched_at = self._launched_at.get(ref.job, target.launched_at)
        is_newer = operated_at is not None and operated_at > recorded_until
        for step, waits in confirmed.items():
            # Otherwise another process may have recorded the wait that came after the operation.
            ended = waits_of(target, step) if waits is None and is_newer else waits
            confirm_wait(target, step, ended)
        self.phases.mark_changed(ref.job)

        if recorded is None or any(each not in target.lost for each in target.targets):
            self._runner.schedule(target, now)
        return target, since

    def unsubscribe(self, subscriber: Subscriber, ref: Ref) -> None:
        """Stop polling *ref*, no longer a target of *subscriber*, unless another one wants it."""
        unwatched = self._registry.unsubscribe(subscriber, ref)
        self.phases.mark_changed(ref.job)
        if unwatched is not None:
            self.planner.end(unwatched)
            self._list_pollers.forget(unwatched)
            self._runner.forget(unwatched)
            if unwatched.operated_at is not None:
                confirmed = {
                    step.ref: step.waits.count for step in unwatched.steps if step.waits.is_confirmed
                }
                self._keep_operation(ref.job, unwatched.operated_at, confirmed)

    def state(self, job: JobRef) -> PollTarget | None:
        """Return the state of a job, None when it is not watched."""
        return self._registry.targets.get(job)

    def nudge(self, ref: Ref) -> None:
        """Poll *ref* as soon as possible, before targets that are merely late; its job once a second at most.

        A nudge that comes too early is not lost: all that do are one poll when the second is over.
        """
        job, now, nudged_at = ref.job, self._now(), self._nudged_at
        if job not in self._registry.targets:
            return
        last = nudged_at.get(job, -inf)
        if last > now:
            return  # it will be polled for this one, too
        nudged_at.pop(job, None)
        nudged_at[job] = at = max(now, last + NUDGE_INTERVAL)
        drop_older(nudged_at, now - NUDGE_INTERVAL)
        if at > now:
            asyncio.get_running_loop().call_at(at, self._poll_nudged, job)
        else:
            self._poll_nudged(job)

    def _poll_nudged(self, job: JobRef) -> None:
        target = self._registry.targets.get(job)
        if target is not None:
            self.planner.on_nudge(target)
            self._runner.schedule(target, self._now(), urgent=True)

    def read_again(self, job: JobRef) -> int | None:
        """Read a job in full as soon as possible, in requests sent after the time that is returned; None if unwatched."""
        target = self._registry.targets.get(job)
        if target is None:
            return None
        self._runner.schedule(target, self._now())
        return self._registry.read_again(target)

    def waits_of(self, ref: Ref) -> int | None:
        """Return how many waits for a user were reported of a step in its execution, None where that is not known."""
        return waits_of(self._registry.targets.get(ref.job), ref) if isinstance(ref, StepRef) else None

    def on_operation(self, ref: Ref, *, confirms: bool = False, waits: int | None = None) -> None:
        """Record that an operation on *ref* was sent: a final status may not be final any more.

        *confirms*: it was accepted, and so ended a wait of the step for a user; *waits* is what `waits_of` returned before.
        """
        now, job = self._now(), ref.job
        target = self._registry.targets.get(job)
        confirmed = {ref: waits} if confirms and isinstance(ref, StepRef) else {}
        if target is None:
            self._keep_operation(job, now, confirmed)
        else:
            for step in confirmed:
                confirm_wait(target, step, waits)
            if target.all_settled():
                target.awaited_since = now
            expect_change(target, now)
            self._registry.update_settled(target)
            self._runner.schedule(target, now)

    def on_launch(self, job: JobRef) -> None:
        """Record that a *job* was launched: it is there, whatever a response says that comes soon."""
        now = self._now()
        self._launched_at[job] = now
        drop_older(self._launched_at, now - LOST_AFTER_SECONDS)

    def _keep_operation(self, job: JobRef, at: float, confirmed: Mapping[StepRef, int | None]) -> None:
        """Keep when an operation on a job was sent that nobody watches; somebody may watch it soon."""
        now = self._now()
        recent = {each: kept for each, kept in self._operations.items() if now - kept[0] < SETTLE_BOUND}
        _, confirmed_before = recent.get(job, (at, {}))
        self._operations = {**recent, job: (at, {**confirmed_before, **confirmed})}

    def explain(self, ref: Ref, kept: JobState | None = None) -> Explanation:
        """Return why *ref* is polled or not, and when next; *kept* is what a watch saw that has ended, if anything."""
        target, now = self._registry.targets.get(ref.job), self._now()
        if target is None and kept is not None and kept.was_read(ref):
            return explanation_of_ended(kept, ref, now)
        if target is None:
            return Explanation(ref=ref, because="nobody watches it")
        return explanation_of(
            target,
            ref,
            now,
            due=self._runner.due_at(target),
            is_polled=self._runner.is_busy(target),
            is_unreachable=self.errors.health.is_closed,
            limit=self.limit_at_work(),
            started_ago=started_ago(target, ref, time.time()),
            expected_duration=self.planner.expects(target, now),
            running_for=self.planner.running_for(target, ref, now),
            ends_in=self.planner.ends_in(target, ref, now),
        )

    def set_rate(self, rate: float | None) -> None:
        """Change how many requests may go out in a second; polls that are planned go by a much higher rate at once."""
        limiter = self._session.limiter
        before = limiter.requests_per_second
        limiter.set_rate(rate)
        self._target_poller.plan_again(before)

    def limit_at_work(self) -> RequestLimit | None:
        """Return the limit that holds up polls at the moment, None where every poll starts when it is due."""
        limiter = self._session.limiter
        return limiter.limit_at_work() if limiter.waiting or self._runner.has_backlog else None

    async def stop_if_idle(self) -> None:
        """Stop polling when no target is left."""
        if not self._registry.targets:
            self._stall_timer.stop()
            await self._runner.aclose()

    async def aclose(self) -> None:
        """End all watches and wait until all polls have ended."""
        for subscriber in tuple(self._registry.subscribers):
            subscriber.close(ClientClosed("the client was closed while this watch was open"))
        self._stall_timer.stop()
        await self._runner.aclose()

    def stamp(self) -> PollStamp:
        """Return the time now with the next number of a batch."""
        return self._registry.stamp(self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def drop_older(times: dict[JobRef, float], than: float) -> None:
    """Drop the first of *times*, the latest of which come last, as far as they are older *than* that."""
    while times and times[oldest := next(iter(times))] <= than:
        del times[oldest]


def resource_of(polled: Polled) -> str:
    """Return the name of the operation that a poll most likely sends."""
    if isinstance(polled, ListPoller):
        return GetJobInstanceList.name
    if polled.pending:
        return (GetJobInstanceStatus if polled.pending[0] == JOB_ITSELF else GetStepInstanceStatus).name
    is_by_step = polled.polled_via_step or not polled.is_target
    return (GetStepInstanceStatus if is_by_step else GetJobInstanceStatus).name


def poll_may_fail_again(polled: Polled) -> bool:
    """Return whether a poll may be for what failed the last time."""
    return isinstance(polled, PollTarget) and may_fail_again(polled)


def group_of(polled: Polled) -> Scope | ListPoller[PollTarget]:
    """Return what takes turns with others when more is due than can be polled: the jobs of a scope, or one list.

    A page of a list tells of many jobs, so it does not wait until all that are late have been polled.
    """
    return polled.ref.scope if isinstance(polled, PollTarget) else polled

"""When a target is polled next, after a response or an error."""

from __future__ import annotations

from attrs import define

from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_tracker import forget_old_operation
from bkjob_async.watch.polling.list_pollers import ListPollers, Polled
from bkjob_async.watch.polling.target_registry import NO_SUBSCRIBERS, PollTarget, TargetRegistry
from bkjob_async.watch.polling.worker_pool import WorkerPool
from bkjob_async.wire.limits.request_limiter import RequestLimiter


@define(eq=False, kw_only=True)
class NextPolls:
    """Schedules the next poll of a target, or none once it has settled."""

    registry: TargetRegistry
    planner: PollPlanner
    workers: WorkerPool[Polled]
    list_pollers: ListPollers
    limiter: RequestLimiter

    def after_unchanged(self, target: PollTarget, at: PollStamp, begun: float) -> bool:
        """Schedule the next poll after one without events; return False, and do nothing, if more is pending or awaited."""
        if target.pending or target.operated_at is not None or target in self.registry.rereads.requested:
            return False
        # A response that shows the present state is of a job that goes on; single steps may have ended.
        if not target.is_target and target.all_settled(at.now):
            return False
        self.registry.publish_unchanged(target, at)
        if target.group != NO_SUBSCRIBERS:
            self.workers.schedule(target, self._next_at(target, at.now, begun, settling=False))
        return True

    def after_poll(self, target: PollTarget, now: float, begun: float, *, may_settle: bool) -> None:
        """Determine which watches have settled, and schedule the next poll, if any; *begun* is when this one began.

        *may_settle*: something was published that can settle a target or reopen one, as changes of hosts alone do not.
        """
        if target.ended:
            expected = self.registry.expects_callbacks(target)
            self.planner.learn(target, now, expects_callbacks=expected)
        if may_settle or target.operated_at is not None or target in self.registry.rereads.requested:
            self.registry.update_settled(target, now)
            forget_old_operation(target, now)
        if target.group == NO_SUBSCRIBERS:
            return
        if target.pending or self.registry.awaits_reread(target):
            self.workers.schedule(target, now)
        elif not target.all_settled(now):
            due = self._next_at(target, now, begun, settling=target.is_settling(now))
            self.workers.schedule(target, due)
            self.list_pollers.update(target, now)
        else:
            self.list_pollers.forget(target)
            self.planner.rest(target)
            self.registry.update_settled(target, now)
            interval = self.registry.revisit_interval(target)
            if interval is not None and target.group != NO_SUBSCRIBERS:
                self.workers.schedule(target, now + interval)

    def _next_at(self, target: PollTarget, now: float, begun: float, *, settling: bool) -> float:
        """Return when a job that is not over, last polled at *begun*, is polled again; sooner while it is *settling*."""
        if self.planner.intervals.interval is not None:
            return self.planner.next_poll_at(target, now, settling=settling, begun=begun)
        deadline = self.registry.first_deadline(target)
        return self.planner.next_poll_at(
            target,
            now,
            settling=settling,
            limit=self.limiter.requests_per_second,
            expects_callbacks=self.registry.expects_callbacks(target),
            ends_in=None if deadline is None else deadline - now,
        )

    def queued_seconds(self) -> float:
        """Return how many seconds of requests are queued."""
        limiter = self.limiter
        rate = limiter.requests_per_second
        return limiter.waiting / rate if rate else 0.0

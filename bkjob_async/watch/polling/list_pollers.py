"""Poll lists of running jobs in place of many single jobs, one list for each scope."""

from __future__ import annotations

import asyncio

from msgspec import Struct, field
from msgspec.structs import replace

from bkjob_async.engine.scheduling.list_polling import LONGEST_UNSEEN, ListPoller, is_list_pollable
from bkjob_async.engine.scheduling.poll_planner import BEFORE_END, PollPlanner
from bkjob_async.engine.tracking.next_request import JOB_ITSELF
from bkjob_async.errors import BkJobError
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.refs import Scope
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.target_registry import PollTarget, TargetRegistry
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.session import Session

Polled = PollTarget | ListPoller[PollTarget]


class ListPollers(Struct, eq=False, kw_only=True):
    """The list pollers of one client, one for each scope.

    There are none, and `page_size` is 0, when the dialect has no list, or when the user has set the intervals.
    """

    session: Session
    registry: TargetRegistry
    planner: PollPlanner
    runner: PollRunner[Polled]
    page_size: int = 0
    _by_scope: dict[Scope, ListPoller[PollTarget]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        capabilities, intervals = self.session.dialect.capabilities, self.planner.intervals
        has_own_rhythm = intervals.interval is not None or intervals.target_lag is not None
        self.page_size = 0 if has_own_rhythm else capabilities.list_length

    def update(self, target: PollTarget, now: float) -> None:
        """Record the state of a job after a poll; start polling a list where that saves requests."""
        scope = target.ref.scope
        poller = self._by_scope.get(scope)
        if poller is None:
            poller = self._by_scope[scope] = ListPoller(scope)
        poller.note(target)
        if poller.is_worthwhile(now) and self.runner.is_idle(poller):
            self.runner.schedule(poller, now + poller.interval)

    def forget(self, target: PollTarget) -> None:
        """Remove a job that is over or not watched any more."""
        poller = self._by_scope.get(target.ref.scope)
        if poller is not None:
            poller.forget(target)

    def next_request(self, poller: ListPoller[PollTarget], now: float) -> GetJobInstanceList | None:
        """Return the request for the next page of running jobs, None when a list is not worth a request."""
        request = poller.next_request(self.page_size)
        if request is None or not poller.is_worthwhile(now) or self.session.health.is_closed:
            return None  # the next poll of one of its jobs starts the list again
        return request

    async def poll(self, poller: ListPoller[PollTarget], request: GetJobInstanceList, permit: Permit) -> None:
        """Poll a page of running jobs: delay the polls of those it lists, poll those that it lists no more.

        Raises the error of a failed request.
        """
        loop = asyncio.get_running_loop()
        try:
            page = await self.session.call(request, urgent=False, permit=permit)
        except BkJobError:
            poller.failed(loop.time())
            raise
        now = loop.time()
        hints = poller.on_page(page, now)
        groups = {target.group: target for target in (*hints.still_running, *hints.maybe_finished)}
        for subscriber in {each for one in groups.values() for each in self.registry.subscribers_of(one)}:
            subscriber.polls += 1
        for target in hints.still_running:
            if is_list_pollable(target):
                until = self._delayed_until(target, poller.next_listing_by(now))
                self.runner.postpone(target, until)
                self.planner.on_postponed(target, until)
        for target in hints.maybe_finished:
            # With its hosts, which are wanted if it is over; before jobs that are merely late, most of which still run.
            target.pending, target.reads_all = (JOB_ITSELF,), True
            target.poll_failures = replace(target.poll_failures, failed_in_round=()).or_none()
            self.runner.schedule(target, now, urgent=True)
        if poller.is_worthwhile(now):
            self.runner.schedule(poller, now + poller.next_wait())

    def _delayed_until(self, target: PollTarget, next_page: float) -> float:
        """Return when a listed job is polled itself, unless it is listed again by *next_page*."""
        until = min(next_page, (target.seen_at or 0.0) + LONGEST_UNSEEN)
        deadline = self.registry.first_deadline(target)
        return until if deadline is None else min(until, deadline - BEFORE_END)

"""Find targets that are stalled: no response about them has come for long, although one is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.flow_control.health import CLOSED_DELAY, PlatformHealth
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Event, Stalled
from bkjob_async.watch.polling.list_pollers import Polled
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.watch.polling.target_registry import NO_SUBSCRIBERS, PollTarget, TargetRegistry

# A target is stalled after this many seconds, or polls at a long fixed interval, without a response.
STALLED_AFTER = 60.0
STALLED_POLLS = 5
# Seconds between two checks for stalled targets, and how many are checked in one turn of the event loop.
STALL_CHECK_INTERVAL, STALL_CHECK_SIZE = 10.0, 64


class StallTimer(Struct, eq=False, kw_only=True):
    """Publishes `Stalled` once for each target that is stalled; one timer serves all targets of *registry*.

    A target is stalled when there was no response for *limit* seconds although a poll is late, under way, failed, or not
    sent because of an outage. One that is over may be awaited by who has yet to be given its end.
    """

    registry: TargetRegistry
    runner: PollRunner[Polled]
    health: PlatformHealth
    limit: float
    _timer: asyncio.Handle | None = None

    def start(self) -> None:
        """Check in a while, unless a check is due or under way; there is none any more when there is no target."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(STALL_CHECK_INTERVAL, self._check_all)

    def stop(self) -> None:
        """Check no more; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_all(self) -> None:
        self._check_next(iter(tuple(self.registry.targets.values())))

    def _check_next(self, targets: Iterator[PollTarget]) -> None:
        """Check some targets, and the others in further turns of the event loop."""
        loop, some = asyncio.get_running_loop(), list(islice(targets, STALL_CHECK_SIZE))
        self._timer = loop.call_soon(self._check_next, targets) if some else None
        if self.registry.targets:
            self.start()
        for target in some:
            self._check(target, loop.time())

    def _check(self, target: PollTarget, now: float) -> None:
        since = unseen_since(target)
        if now - since < self.limit or target.poll_failures.stalled or target.group == NO_SUBSCRIBERS:
            return
        if self.registry.is_full(target):
            return  # it is not polled on purpose
        is_awaited = not target.all_settled() or self.registry.awaits(target)
        if is_awaited and self._is_overdue(target, now):
            self.registry.publish(target, self.registry.stamp(now), mark_stalled(target, now - since))

    def _is_overdue(self, target: PollTarget, now: float) -> bool:
        """Return True when a poll of a target is late, under way, failed, or not sent because of an outage."""
        if target.due is None:
            return not self.runner.is_idle(target)
        by = now + CLOSED_DELAY if self.health.is_closed else now
        return target.poll_failures.failures > 0 or target.due <= by


def unseen_since(target: PollTarget) -> float:
    """Return since when no response about a job has come that is awaited."""
    return target.awaited_since if target.seen_at is None else max(target.seen_at, target.awaited_since)


def mark_stalled(target: JobState, silence: float) -> list[Event]:
    """Return the events, published once, that the targets of a job were not seen for *silence* seconds."""
    target.poll_failures = replace(target.poll_failures, stalled=True)
    refs = sorted((ref for ref in target.targets if ref not in target.lost), key=str)
    return [Stalled(ref=ref, seconds=silence) for ref in refs]

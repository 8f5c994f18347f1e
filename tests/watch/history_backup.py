"""A platform that is restored from a backup, for random histories: what was done since the backup was never done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import Truth, broken_promises, truth_of
from tests.watch.histories import History
from tests.watch.history_checks import Checks, Past, WatchRecord
from tests.watch.history_faults import is_read
from tests.watch.history_hosts import with_shown_hosts

# An earlier execution is believed after half a minute; then everything is read once more, at the latest after so long.
BELIEVED = 90.0
BETWEEN_BATCHES = "6 was reported as final, and was a status between two batches"


@frozen
class Restore:
    """What was *done_until* some second is in the backup that answers from second *at* on."""

    done_until: float
    at: float


class Backup:
    """The platform that answers from some moment on: the same jobs, without what was done to them since the backup."""

    def __init__(self, world: World, platform: Platform, restore: Restore) -> None:
        self.world = world
        self._platform = platform
        self._restore = restore

    def outdate(self, request: HttpRequest, response: HttpResponse, now: float) -> HttpResponse:
        """Return the backup's response once that was restored."""
        if now >= self._restore.at:
            return self._platform.respond(request, now)
        if now < self._restore.done_until and not is_read(request):
            self._platform.respond(request, now)
        return response

    def operate_elsewhere(self, job: bkjob.JobRef, action: str, code: int, now: float) -> None:
        """Do what is done elsewhere: before the backup, and once that was restored."""
        if self._restore.done_until <= now < self._restore.at:
            return
        self.world.advance(now)
        record = self.world.jobs[job.job_instance_id]
        with suppress(OperationNotAllowed):
            if action == "operate":
                self.world.operate_step(record.current_step, code)
            else:
                self.world.operate_job(record, 1 if action == "stop" else 2)


def backup_of(history: History, site: SiteConfig) -> Backup | None:
    """Return the backup of a history, None where none is restored."""
    if history.restored is None:
        return None
    world = World(history.seed)
    for plan in history.plans:
        world.add(with_shown_hosts(history.dialect, plan))
    return Backup(world, Platform(world, site=site), Restore(*history.restored))


def broken_after_restore(history: History, backup: Backup, past: Past) -> list[str]:
    """Return every promise that was broken, in words: of the order of events, and of what was reported last."""
    truth = truth_of(backup.world.history())
    found: list[str] = []
    for seen in past.watches:
        for who, batches, after in (
            ("", seen.batches, seen.after),
            ("slowly: ", seen.slowly, ""),
            ("again: ", seen.again, ""),
        ):
            broken = broken_promises(
                batches, watch_starts=seen.followed.joins, target_starts=seen.followed.added, after=after
            )
            # A step that was left as it was, 6, may run again in the backup.
            found += [who + each for each in broken if BETWEEN_BATCHES not in each]
        found += seen.miscounted
        found += (
            each for each in Checks(history, truth, past).cut(seen, None) if BETWEEN_BATCHES not in each
        )
        if seen.left is None and seen.ended is not None:
            found += unseen(history, seen, seen.batches, truth)
            if seen.plan.slow:
                found += (f"slowly: {each}" for each in unseen(history, seen, seen.slowly, truth))
    return found


def unseen(history: History, seen: WatchRecord, batches: list[bkjob.Batch], truth: Truth) -> Iterator[str]:
    """Yield what has been so for long in the backup, and was not reported of targets that are polled by time."""
    assert history.restored is not None
    assert seen.ended is not None
    reported: dict[bkjob.Ref, bkjob.JobChanged | bkjob.StepChanged] = {}
    hosts: dict[tuple[bkjob.Ref, str], bkjob.HostChanged] = {}
    for batch in batches:
        for event in batch.events:
            if isinstance(event, bkjob.JobChanged | bkjob.StepChanged):
                reported[event.ref] = event
            elif isinstance(event, bkjob.HostChanged):
                hosts[event.ref, event.host.label] = event
    calm = seen.ended - BELIEVED
    for ref, event in reported.items():
        codes, since = truth.codes(ref), truth.since.get(ref)
        if not codes or not since or since[-1] > calm or history.restored[1] > calm:
            continue
        if not {ref, ref.job} & seen.followed.targets or max(seen.followed.joins.get(ref, [0.0])) > calm:
            continue
        if reported.get(ref.job, event).is_finished or event.is_finished:
            continue  # not polled by time
        if event.after.code != codes[-1]:
            yield f"{ref} is {codes[-1]} since {since[-1]:.0f} s in the backup, and was last reported as {event}"

"""One look at jobs and steps: how they stand, why, and what they wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from attrs import define, field

from bkjob_async.client.caller import Caller, surrounded
from bkjob_async.client.earlier_runs import earlier_runs, time_left
from bkjob_async.client.watching import Deadline, watch
from bkjob_async.engine.folding.stream_state import StreamState
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.errors import BkJobError, DeadlineExceeded, ErrorDetails, RequestTimedOut
from bkjob_async.model.causes import HostsByCause, hosts_by_cause
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Finished, HostChanged, JobChanged, Lost, Stalled, StepChanged
from bkjob_async.model.operations.base import StepOperation
from bkjob_async.model.operations.target_status import StepStatus, TargetStatus
from bkjob_async.model.ref_input import RefLike, as_refs
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.watch.stats import since_start
from bkjob_async.watch.watch import Watch

# The statuses that wait for a person, and the operation that lets the step go on.
CONTINUING = {7: StepOperation.CONFIRM_CONTINUE, 15: StepOperation.ROLLING_CONTINUE}
BAD = frozenset({Phase.FAILED, Phase.STOPPED, Phase.ABNORMAL})
# The platform is away when requests that it does not respond to fail still after so many seconds.
AWAY_AFTER = 2.0
SIGHT = HostChanged | StepChanged | JobChanged | Finished


@surrounded
async def status(
    client: Caller,
    refs: Iterable[RefLike] | RefLike,
    *,
    deadline: Deadline = 30.0,
    with_earlier_runs: bool = False,
) -> tuple[TargetStatus, ...]:
    """Look once at jobs and steps: how each stands, its failed hosts by cause, what it waits for.

    *refs* is one or many of what `job` and `step` take. Each is read in full once; at the *deadline*, in seconds or a
    timedelta, what was not read has no status. With *with_earlier_runs*, the platform's lists are read for how long earlier
    runs of the same names took, so that running jobs have `ends_in`. The result has one `TargetStatus` for each, in their
    order, those that cannot be read included. Raises the error of wrong credentials, and where the platform gave no response
    at all that of the requests, such as `TransportFailed`: after a few seconds in which they fail, else at the deadline.

    >>> (found,) = await client.status(job)
    >>> print(found)
    2:20000000001 FAIL: 1 FAILED, 2 SUCCESS; it is over
    >>> print(*found.causes)
    1 host SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1: 0:10.0.0.2 (in 2:20000000001)
    """
    targets = tuple(dict.fromkeys(as_refs(refs, client.scope)))
    began = asyncio.get_running_loop().time()
    # It stays open after all targets are over, so that they can be looked at.
    level = DetailLevel.COALESCED
    async with watch(client, targets, deadline=deadline, linger=None, detail_level=level) as opened:
        look = Look(client, opened, began)
        await look.read()
        if with_earlier_runs:
            running = [seen for ref in targets if (seen := look.running_job(ref)) is not None]
            look.earlier = await earlier_runs(client, running, datetime.now(UTC))
        return tuple(map(look.status_of, targets))


@define(eq=False)
class Look:
    """An open watch that is read until every target was seen, and what is said of each; it was opened after *since*."""

    _client: Caller
    _watch: Watch
    _since: float
    earlier: DurationTable = field(factory=DurationTable)
    _state: StreamState = field(factory=lambda: StreamState(jobs=False), init=False)
    _is_anything_seen: bool = field(default=False, init=False)
    # Whether the platform responded, if only with an error; and when a request failed first that it did not respond to.
    _has_response: bool = field(default=False, init=False)
    _failed_at: float | None = field(default=None, init=False)

    async def read(self) -> None:
        """Read events until every target was read, or the deadline has passed; raise the error that keeps all from being read."""
        error: BkJobError | None
        try:
            async for batch in self._watch._batches_until(self._is_over):
                self._state.apply(batch)
                self._is_anything_seen |= any(isinstance(event, SIGHT) for event in batch.events)
                for event in batch.events:
                    if not self._is_anything_seen and isinstance(event, Stalled):
                        raise self._stalled(event)
            error = self._refusal() or self._no_response()
        except DeadlineExceeded:
            error = self._no_response() or self._nothing_received()
        if error is not None:
            raise error

    def _is_over(self) -> bool:
        """Return whether all was read that can be, or nothing can be.

        What was not responded to is requested again for a moment.
        """
        loop, errors = asyncio.get_running_loop(), self._client._poller.errors
        if self._failed_at is None and errors.unanswered_at >= self._since:
            self._failed_at = errors.unanswered_at
            loop.call_later(AWAY_AFTER, errors.registry.wake_readers)
        if self._refusal() is not None:
            return True
        if self._failed_at is None:
            return self._state.is_in_sync
        patient_until = self._failed_at + AWAY_AFTER
        if self._no_response() is not None:
            return errors.unanswered_at >= patient_until
        return self._state.is_in_sync and not (self._state.trouble and loop.time() < patient_until)

    def _refusal(self) -> BkJobError | None:
        """Return what keeps all from being read, by a request that was sent since the look began."""
        since = self._since
        if self._is_anything_seen:
            return None
        return self._client._poller.errors.refusal_since(sent=since, received=since)

    def _no_response(self) -> BkJobError | None:
        """Return the error of the last request where the platform has responded to none since the look began."""
        since, errors = self._since, self._client._poller.errors
        if self._is_anything_seen or self._client._session.health.has_responded(since):
            self._has_response = True
        return errors.unanswered if errors.unanswered_at >= since and not self._has_response else None

    def _nothing_received(self) -> BkJobError | None:
        """Return the error of a look whose requests are all under way still; None where any has ended, or none was sent."""
        if self._client._session.limiter.received_at >= self._since or not self._watch.stats().polls:
            return None
        message = "no response before the deadline"
        return RequestTimedOut(ErrorDetails(operation="status", message=message))

    def _stalled(self, event: Stalled) -> BkJobError:
        """Return why a target was not seen for long, where nothing was."""
        since = self._since
        refused = self._client._poller.refusal_of(event.ref, sent=since, received=since)
        return refused or self._no_response() or BkJobError(str(event))

    def running_job(self, ref: Ref) -> JobSnapshot | None:
        """Return a job that is not over."""
        seen = self._watch.snapshot(ref)
        return seen if isinstance(seen, JobSnapshot) and not seen.is_finished else None

    def status_of(self, ref: Ref) -> TargetStatus:
        """Return how one target stands."""
        seen = self._watch.snapshot(ref)
        if seen is None:
            end, trouble = self._state.ends.get(ref), self._state.trouble.get(ref)
            if isinstance(end, Lost):
                return TargetStatus(ref=ref, status=None, lost=end.reason, message=end.message)
            return TargetStatus(ref=ref, status=None, message="" if trouble is None else trouble.message)
        steps = seen.steps if isinstance(seen, JobSnapshot) else ()
        seconds = elapsed(self._watch, seen)
        return TargetStatus(
            ref=ref,
            name=seen.name,
            status=seen.status,
            is_finished=seen.is_finished,
            hosts=without_zeros(self._watch.counts(ref)),
            start_time=seen.times.start_time,
            seconds=seconds,
            steps=tuple(map(self._step, steps)),
            because=self._watch.explain(ref).because,
            ends_in=self._expected_end(ref, seconds),
            waiting=waiting_steps(seen),
            causes=self._causes(ref),
        )

    def _step(self, step: StepSnapshot) -> StepStatus:
        hosts = without_zeros(self._watch.counts(step.ref))
        return StepStatus(
            ref=step.ref,
            name=step.name,
            status=step.status,
            execute_count=step.execute_count,
            hosts=hosts,
        )

    def _expected_end(self, ref: Ref, seconds: float | None) -> tuple[float, float] | None:
        """Return in how many seconds half and 90 % of such runs are over: as the client learned, else by earlier runs."""
        job = self.running_job(ref)
        if job is None:
            return None
        return self._watch.explain(ref).ends_in or time_left(self.earlier, job, seconds or 0.0)

    def _causes(self, ref: Ref) -> tuple[HostsByCause, ...]:
        if not BAD & without_zeros(self._watch.counts(ref)).keys():
            return ()
        result = self._watch.progress(ref)
        return () if result is None else hosts_by_cause(result)


def without_zeros(counts: Mapping[Phase, int]) -> dict[Phase, int]:
    """Return the counts of phases that have any."""
    return {phase: count for phase, count in counts.items() if count}


def waiting_steps(seen: JobSnapshot | StepSnapshot) -> dict[StepRef, StepOperation]:
    """Return the steps of a target that wait for a person, with what lets them go on."""
    steps = seen.steps if isinstance(seen, JobSnapshot) else (seen,)
    return {step.ref: CONTINUING[step.status.code] for step in steps if step.status.code in CONTINUING}


def elapsed(watch: Watch, seen: JobSnapshot | StepSnapshot) -> float | None:
    """Return for how many seconds it has been running, or ran.

    Where the platform's clock is another one, it is the time since it was first seen running.
    """
    if seen.is_finished:
        return seen.times.total_time
    since = since_start(seen.times, time.time())
    return watch.explain(seen.ref).running_for if since is None else since

"""The figures of a watch, and explanations of single targets."""

from __future__ import annotations

from msgspec import Struct

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.journal_errors import JournalError
from bkjob_async.model.refs import Ref
from bkjob_async.model.request_limit import RequestLimit
from bkjob_async.model.snapshot import Times
from bkjob_async.model.text.printing import counted

# What seems to have started longer ago than this many seconds has another clock.
PLAUSIBLE = 30.0 * 86_400.0


class WatchStats(Struct, frozen=True, kw_only=True):
    """A watch in figures, as they are now.

    *over* of its *targets* are over. *events* were delivered, *polls* of its targets sent. Polls of its jobs that are
    late wait in *due*; *in_flight* are under way. *oldest_unseen* is the seconds since the job that was seen longest
    ago, of those that are followed; None without any. *longest_block* is the longest time in seconds that one poll of
    the client occupied the event loop. *limit* is what holds up requests of the client at the moment, None where
    every request goes out when it is due.
    """

    targets: int
    over: int
    events: int
    polls: int
    due: int = 0
    in_flight: int = 0
    oldest_unseen: float | None = None
    longest_block: float = 0.0
    limit: RequestLimit | None = None


class RecordingState(Struct, frozen=True, kw_only=True):
    """How far a watch is recorded under its *name* in a journal.

    *term* counts the watches that opened the name. *targets* is how many targets it records. *unstored* events wait for
    the journal; readers are given them once they are stored. *trouble* is the error that the last attempt to store
    ended with, None while all is well.
    """

    name: str
    term: int
    targets: int = 0
    unstored: int = 0
    trouble: JournalError | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """What the client knows about polling one target at the moment.

    *because* is a few words; *seen_ago* and *next_in* are seconds, None when the target was never seen or is not
    scheduled. *failures* counts failed polls in a row. *limit* is what holds up its poll if it is due, None for nothing.
    *running_for* is how long it has been running, None where it does not run. *ends_in* is in how many seconds half and 90 %
    of the runs with its name would be over, None where it is over or fewer than three earlier runs are known.

    *ref* is the target.
    """

    ref: Ref
    because: str
    seen_ago: float | None = None
    next_in: float | None = None
    failures: int = 0
    limit: RequestLimit | None = None
    running_for: float | None = None
    ends_in: tuple[float, float] | None = None

    def __str__(self) -> str:
        seen = "never seen" if self.seen_ago is None else f"seen {self.seen_ago:.1f} s ago"
        due = "not due" if self.next_in is None else f"next poll in {self.next_in:.1f} s"
        failed = f", {counted(self.failures, 'failed poll')}" if self.failures else ""
        return f"{self.ref}: {self.because}; {seen}, {due}{failed}"


def explanation_of(
    target: JobState,
    ref: Ref,
    now: float,
    *,
    due: float | None,
    is_polled: bool,
    is_unreachable: bool,
    limit: RequestLimit | None,
    expected_duration: str,
    running_for: float | None,
    ends_in: tuple[float, float] | None,
    started_ago: float | None,
) -> Explanation:
    """Explain one target of a job; the first reason that holds is given, the strongest first.

    *limit* is what holds up polls at present, if anything does. *started_ago* is for how many seconds it has been running by
    the platform's clock, None where that is unknown: then it is how long it was seen running.
    """
    is_due = is_polled or (due is not None and due <= now)
    held_up_by = limit if is_due else None
    reasons = (
        (ref in target.lost, "it is lost"),
        (is_polled and held_up_by is not None, f"it is being polled as soon as {limit} allows"),
        (is_polled, "it is being polled"),
        (is_unreachable, "the platform cannot be reached; single probes try it"),
        (held_up_by is not None, f"it is due and held up by {limit}"),
        (target.poll_failures.failures > 0, "its last poll failed"),
        (target.is_settled(ref), "it is over"),
        (target.is_settling(), "a final status is settling"),
        (target.is_waiting(now), "it waits for a user"),
        (not target.was_read(ref), "it was not seen yet"),
    )
    seen = f"at least {target.age(now):.0f} s" if started_ago is None else f"{started_ago:.0f} s"
    duration = expected_duration or seen
    return Explanation(
        ref=ref,
        because=next((reason for holds, reason in reasons if holds), f"it has been running for {duration}"),
        seen_ago=None if target.seen_at is None else now - target.seen_at,
        next_in=None if due is None else max(0.0, due - now),
        failures=target.poll_failures.failures,
        limit=held_up_by,
        running_for=running_for,
        ends_in=ends_in,
    )


def since_start(times: Times, wall: float) -> float | None:
    """Return the seconds from a start to the Unix time *wall*; None unless both clocks seem to be the same."""
    if times.start_time is None:
        return None
    seconds = wall - times.start_time.timestamp()
    return seconds if 0.0 <= seconds <= PLAUSIBLE else None


def started_ago(job: JobState, ref: Ref, wall: float) -> float | None:
    """Return for how many seconds *ref*, the job or a step of it, has been running at the Unix time *wall*, if that is known."""
    run = job.run_of(ref)
    return None if run is None else since_start(run.times, wall)


def explanation_of_ended(kept: JobState, ref: Ref, now: float) -> Explanation:
    """Explain one target of a job that nobody watches any more, as the watch saw it that has ended."""
    reasons = ((ref in kept.lost, "it is lost"), (kept.is_settled(ref), "it is over"))
    because = next((reason for holds, reason in reasons if holds), "nobody watches it any more")
    return Explanation(
        ref=ref,
        because=because,
        seen_ago=None if kept.seen_at is None else now - kept.seen_at,
        failures=kept.poll_failures.failures,
    )

"""The state of the polls of one job: their schedule and their failures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.model.events import Lost, Trouble
from bkjob_async.model.refs import Ref

V = TypeVar("V")

# Weight of the newest rate at which hosts finish.
NEWEST_WEIGHT = 0.7


class PollState(Struct, eq=False, gc=False):
    """The schedule of one job's polls, for the poll planner.

    `weight` is its share in the load of all polls, `due` when the next poll is planned, `step` the seconds
    planned before it, `cost` the number of requests in the last round that the next one will have too, `polls` the number
    of polls planned so far. `began_at` is the estimated start of the run that was first seen at `since`. `finish_rate` is how
    many hosts finish per second: `unfinished` hosts were left at `counted_at`. `nudged`: a callback or caller
    asked for the poll that comes next.
    """

    weight: float = 0.0
    due: float = inf
    step: float = 0.0
    began_at: float = 0.0
    since: float | None = None
    cost: int = 1
    polls: int = 0
    finish_rate: float = 0.0
    unfinished: int = 0
    counted_at: float | None = None
    nudged: bool = False

    def take_lateness(self, now: float) -> float:
        """Return the seconds by which a poll at *now* is late; a poll that was not planned is not late."""
        late = max(0.0, now - self.due)
        self.due = inf
        return late

    def on_unfinished(self, unfinished: int, now: float) -> None:
        """Update the finish rate with the number of hosts that are unfinished at *now*."""
        if (
            self.counted_at is not None
            and now > self.counted_at
            and (self.finish_rate or unfinished != self.unfinished)
        ):
            rate = max(0, self.unfinished - unfinished) / (now - self.counted_at)
            self.finish_rate += NEWEST_WEIGHT * (rate - self.finish_rate)
        self.unfinished = unfinished
        self.counted_at = now


class PollFailures(Struct, frozen=True, kw_only=True):
    """The failed polls of one job.

    *failures* is their number in a row, *refusals* how many of them said that the user may not read the job.
    *failed_in_round* are what requests of the present round failed for; *unanswered* are the parts, the job itself and steps,
    of which the last request failed. *absent_since* has, by what was requested, the time since when responses say so, or that
    it does not exist. *not_found* counts, by target, responses in a row that it does not exist. *troubled* is the `Trouble`
    that was published, by target; *lost* the targets that are lost. *job_rows_refused* counts failed requests for the job with
    its hosts that may be answered without them, *job_rows_hidden* those of them that were refused for the hosts.
    *rows_refused_at* is when the last refusal to list hosts came, with the job or with a step. *failed_at* is when the last
    failure came, infinity for never, which alone is no failure.
    """

    failures: int = 0
    refusals: int = 0
    failed_in_round: tuple[Ref, ...] = ()
    unanswered: frozenset[Ref] = frozenset()
    absent_since: Mapping[Ref, float] = {}
    not_found: Mapping[Ref, int] = {}
    troubled: Mapping[Ref, Trouble] = {}
    stalled: bool = False
    lost: Mapping[Ref, Lost] = {}
    job_rows_refused: int = 0
    job_rows_hidden: int = 0
    rows_refused_at: float | None = None
    failed_at: float = inf

    def after_response(self, finished: Collection[Ref] = ()) -> PollFailures:
        """Return what remains after a successful poll; *finished* steps are not requested by themselves any more."""
        if self is NO_FAILURES:
            return self
        absent = self.absent_since
        if absent:
            # Of a part that still does not exist, a response about another part says nothing.
            absent = {ref: since for ref, since in absent.items() if ref in self.not_found}
        return replace(
            self,
            failures=0,
            refusals=0,
            unanswered=self.unanswered.difference(finished),
            absent_since=absent,
            stalled=False,
        ).or_none()

    def or_none(self) -> PollFailures:
        """Return these failures, the shared `NO_FAILURES` if there are none."""
        return NO_FAILURES if replace(self, failed_at=inf) == NO_FAILURES else self

    def found(self, ref: Ref) -> PollFailures:
        """Return what remains after a response that shows *ref*."""
        if ref not in self.not_found and ref not in self.unanswered:
            return self
        return replace(self, not_found=without(self.not_found, ref), unanswered=self.unanswered - {ref})


NO_FAILURES = PollFailures()


def without(mapping: Mapping[Ref, V], ref: Ref) -> Mapping[Ref, V]:
    """Return *mapping* without *ref*."""
    return {key: value for key, value in mapping.items() if key != ref} if ref in mapping else mapping

"""Stalls in random histories: which silences there were, and what watches were told of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Self

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from tests.watch.clients import Exchange
from tests.watch.histories import History
from tests.watch.history_faults import FAULTS, is_read, said
from tests.watch.small_bounds import STALL_CHECK_INTERVAL, STALLED_AFTER, STALLED_POLLS

# Times that are so near are the same.
NEAR = 0.01
# Seconds beyond a check until what it found was read.
MARGIN = 1.0

Interval = tuple[float, float]


@define
class Silences:
    """What was heard of a job: *good* responses, all that *may* be good, and when polls were under way or had failed.

    *good* are (received, sent), the others seconds; all in order. *overdue* are intervals that do not touch.
    """

    good: list[tuple[float, float]] = field(factory=list)
    may: list[float] = field(factory=list)
    overdue: list[Interval] = field(factory=list)

    def may_end(self, begin: float, end: float) -> bool:
        """Whether a silence may have ended between two moments."""
        return bisect_right(self.may, begin - NEAR) < bisect_left(self.may, end + NEAR)

    def last_good(self, end: float) -> tuple[float, float] | None:
        """Return the last good response before *end*."""
        place = bisect_left(self.good, (end - NEAR, 0.0))
        return self.good[place - 1] if place else None

    def all(self, begin: float, end: float) -> Iterator[Interval]:
        """Yield the silences between two moments: each from what may be a good response to the next."""
        bounds = [at for at in self.may if begin < at < end]
        yield from zip([begin, *bounds], [*bounds, end], strict=True)

    def was_overdue(self, begin: float, end: float, seconds: float) -> bool:
        """Whether polls were under way, or had failed, for so many seconds in a row between two moments."""
        return any(min(end, late) - max(begin, early) >= seconds for early, late in self.overdue)


def limit_of(history: History) -> float:
    """Return after how many seconds without a response a target is stalled."""
    return max(STALLED_AFTER, STALLED_POLLS * (history.interval or 0.0))


def silences_of(exchanges: Sequence[Exchange], job: bkjob.JobRef, end: float) -> Silences:
    """Return what was heard of a job until *end*."""
    heard, number = Silences(), str(job.job_instance_id)
    under_way: list[Interval] = []
    outcomes: list[tuple[float, bool]] = []
    for exchange in exchanges:
        received = end if exchange.received is None else exchange.received
        is_list = "get_job_instance_list" in exchange.request.url.path
        if not is_list and not (is_read(exchange.request) and number in said(exchange.request)):
            continue
        if not is_list:
            under_way.append((exchange.sent, received))
        if exchange.response is None:
            continue
        has_failed = any(exchange.response is fault for fault in FAULTS.values())
        if not has_failed:
            heard.may.append(received)
        if not is_list:
            outcomes.append((received, has_failed))
        if exchange.is_true and not is_list and is_success(exchange.response):
            heard.good.append((received, exchange.sent))
    heard.may.sort()
    heard.good.sort()
    heard.overdue = joined([*under_way, *failed(outcomes, heard.may, end)])
    return heard


def failed(outcomes: Sequence[tuple[float, bool]], may: Sequence[float], end: float) -> Iterator[Interval]:
    """Yield from when to when the last poll had failed."""
    for received, has_failed in outcomes:
        if has_failed:
            place = bisect_right(may, received)
            yield received, may[place] if place < len(may) else end


def joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Return *intervals* as some that do not touch."""
    found: list[Interval] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1] + NEAR:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def is_success(response: object) -> bool:
    """Whether a response says that a request succeeded."""
    return (
        isinstance(response, HttpResponse)
        and response.status == 200
        and b'"result":false' not in response.body
    )


@define
class Told:
    """What one reader was told: when targets were stalled, when they were *shown* first, and when they ended, or ran again."""

    stalls: dict[bkjob.Ref, list[float]] = field(factory=dict)
    shown: dict[bkjob.Ref, float] = field(factory=dict)
    ends: dict[bkjob.Ref, list[tuple[float, bool]]] = field(factory=dict)

    @classmethod
    def of(cls, batches: Iterable[tuple[float, bkjob.Batch]]) -> Self:
        """Return what these batches, each with the second at which it was read, tell."""
        told = cls()
        for time, batch in batches:
            for event in batch.events:
                told.read(time, event)
        return told

    def read(self, time: float, event: bkjob.Event) -> None:
        """Read one event."""
        match event:
            case bkjob.Stalled(ref=ref):
                self.stalls.setdefault(ref, []).append(time)
            case bkjob.JobChanged(ref=ref) | bkjob.StepChanged(ref=ref):
                self.shown.setdefault(ref, time)
            case bkjob.Finished(ref=ref) | bkjob.Lost(ref=ref):
                self.ends.setdefault(ref, []).append((time, True))
            case bkjob.Reopened(ref=ref):
                self.ends.setdefault(ref, []).append((time, False))
            case _:
                pass

    def is_over(self, ref: bkjob.Ref, at: float) -> bool:
        """Whether the end of a target was the last that was told of it."""
        return any([is_end for time, is_end in self.ends.get(ref, ()) if time <= at + MARGIN][-1:])


@define
class Stalls:
    """Holds what watches were told of silences against what was heard until *end*."""

    history: History
    exchanges: Sequence[Exchange]
    end: float
    _heard: dict[bkjob.JobRef, Silences] = field(factory=dict)

    def heard_of(self, job: bkjob.JobRef) -> Silences:
        """Return what was heard of a job."""
        if job not in self._heard:
            self._heard[job] = silences_of(self.exchanges, job, self.end)
        return self._heard[job]

    def unfounded(self, ref: bkjob.Ref, told: Sequence[float], joins: Sequence[float]) -> Iterator[str]:
        """Yield the times at which a target was *told* to be stalled although a response had just come, or once more.

        *joins* are when it came to be watched.
        """
        heard, limit = self.heard_of(ref.job), limit_of(self.history)
        for at in told:
            good = heard.last_good(at)
            joined_at = max((join for join in joins if join <= at), default=0.0)
            if good is not None and good[0] > at - limit + NEAR and good[1] > joined_at + NEAR:
                yield f"{ref} is stalled at {at:.1f} s, and a response came at {good[0]:.1f} s"
        for first, second in pairwise(told):
            is_joined = any(first < join <= second for join in joins)
            if not is_joined and not heard.may_end(first, second):
                yield f"{ref} is stalled at {second:.1f} s, and was at {first:.1f} s: nothing came in between"

    def untold(self, ref: bkjob.Ref, told: Told, begin: float, end: float) -> Iterator[str]:
        """Yield the silences from *begin* to *end* of which nothing was *told*."""
        heard, limit = self.heard_of(ref.job), limit_of(self.history)
        for silent, heard_again in heard.all(begin, end):
            if heard_again - silent < limit + STALL_CHECK_INTERVAL + MARGIN:
                continue
            good = heard.last_good(silent + 2 * NEAR)
            if good is None or abs(good[0] - silent) > NEAR or told.is_over(ref, silent):
                continue
            if not heard.was_overdue(silent + limit, heard_again, STALL_CHECK_INTERVAL + MARGIN):
                continue
            if not any(silent < at <= heard_again + NEAR for at in told.stalls.get(ref, ())):
                yield f"nothing came of {ref} from {silent:.1f} s to {heard_again:.1f} s, and it is not stalled"

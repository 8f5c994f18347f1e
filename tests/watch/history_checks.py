"""Check what the watches, readers and waits of a random history received against the truth."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from math import inf

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.model.status import run_status
from bkjob_async.simulator.world.history import History as WorldHistory
from bkjob_async.testing import Truth, broken_promises, truth_of
from bkjob_async.testing.results import result_errors
from bkjob_async.testing.truth import SLACK
from bkjob_async.watch.subscription.lingering import MAX_SECONDS
from tests.watch.clients import Exchange
from tests.watch.gauge import Gauge, forget, given_of, has_read_all, told_by
from tests.watch.histories import HALF_READABLE, SLOWEST, History, WatchPlan
from tests.watch.history_stalls import Stalls, Told
from tests.watch.history_users import FollowedTargets
from tests.watch.history_waits import Waited, may_hold, must_hold

# The gauge of the reader that reads at once.
PROMPT = "the gauge"
WAITING_USER = 7
# What stood so for so many seconds, undisturbed, was reported.
QUIET = 60.0
# What cannot be read in one way is waited for two minutes, and for what was planned before and behind that. (seconds)
HALF_READ = 150.0
# A watch ends so many seconds after its last target at the latest, beside its linger; and not so long after a restart.
SETTLED = 20.0
# So long after a fault the polls that failed are spread at most.
RECOVERY = 70.0


# A condition that holds for so many seconds, undisturbed, is noticed.
NOTICED = 40.0

# A poll that failed is repeated after this share of an interval, or of a second, at the earliest.
HASTE = 0.45
# With more requests under way none waits. To read a step takes so many requests; what is reported takes so many rounds.
FEW_IN_FLIGHT, REQUESTS_OF_A_STEP, ROUNDS = 3, 1, 3
# So often trouble with a target is told at most while some reads of it fail and others work.
TOLD_AT_MOST = 2
# What comes within so many seconds was under way already.
AT_ONCE = 0.001
# A log of so many events holds all of a history.
WHOLE = 1000

# What was reported last of whether each target is over, and when.
Reports = Mapping[bkjob.Ref, tuple[float, bkjob.Event]]


@define(kw_only=True)
class Cut:
    """What a reader saw before it was left, and what the one after it saw."""

    kind: str
    about: bkjob.Ref | None
    first: list[bkjob.Event]
    rest: list[bkjob.Event]


@define(kw_only=True)
class WatchRecord:
    """A watch, and everything that its readers received."""

    plan: WatchPlan
    watch: bkjob.Watch
    after: str = ""
    followed: FollowedTargets = field(factory=FollowedTargets)
    dropped: list[tuple[float, bkjob.Ref]] = field(factory=list)
    batches: list[bkjob.Batch] = field(factory=list)
    times: list[float] = field(factory=list)
    slowly: list[bkjob.Batch] = field(factory=list)
    whole: list[bkjob.Event] | None = None
    cut: Cut | None = None
    again: list[bkjob.Batch] = field(factory=list)
    results_again: dict[bkjob.Ref, bkjob.JobResult | bkjob.Lost] | None = None
    late: set[bkjob.Ref] | None = None
    gauges: dict[str, Gauge] = field(factory=dict)
    states: dict[str, bkjob.StreamState] = field(factory=dict)
    miscounted: list[str] = field(factory=list)
    left: float | None = None
    ended: float | None = None
    results: dict[bkjob.Ref, bkjob.JobResult | bkjob.Lost] | None = None

    @property
    def is_open(self) -> bool:
        """Whether targets can be added to it, or dropped."""
        return self.ended is None and self.left is None and self.watch._stream.state == "open"

    def count(self, reader: bkjob.Reader[bkjob.Batch], batch: bkjob.Batch, name: str) -> None:
        """Count the hosts that a reader is given, keep the state, and compare with the watch where it has read all.

        A slow reader cannot tell which events of a target are from before it was dropped.
        """
        gauge = self.gauges.setdefault(name, Gauge())
        for event in batch.events:
            gauge.count(event)
        state = self.states.setdefault(name, bkjob.StreamState())
        state.apply(batch)
        is_exact = name == PROMPT or not self.dropped
        if is_exact and has_read_all(reader, self.watch) and self.watch.targets == self.followed.targets:
            counted, truly = gauge.total(self.followed.targets), Counter(self.watch.counts())
            if counted != truly:
                self.miscounted.append(f"{name} counts {counted} at #{batch.sequence}, the watch {truly}")
            given = given_of(state, self.watch, self.followed.targets)
            known, now = (told_by(source, given) for source in (state, self.watch))
            if known != now:
                self.miscounted.append(f"{name} knows {known} at #{batch.sequence}, the watch {now}")

    def drop(self, ref: bkjob.Ref) -> None:
        """Do what the documents ask of whoever drops a target."""
        for gauge in self.gauges.values():
            gauge.drop(ref, self.followed.targets)
        for state in self.states.values():
            forget(state, ref, self.followed.targets)

    def last_reports(self) -> dict[bkjob.Ref, tuple[float, bkjob.Event]]:
        """Return what was reported last of whether each target is over, and when, since it was added.

        A reader that fell behind is given the present in place of what it missed, be it that a target was reopened.
        """
        last: dict[bkjob.Ref, tuple[float, bkjob.Event]] = {}
        for time, batch in zip(self.times, self.batches, strict=True):
            for event in batch.events:
                if isinstance(event, bkjob.Finished | bkjob.Lost | bkjob.Reopened):
                    last[event.ref] = (time, event)
                elif (
                    isinstance(event, bkjob.JobChanged | bkjob.StepChanged)
                    and event.skipped
                    and not event.is_finished
                ):
                    last.pop(event.ref, None)
        added = {ref: times[-1] for ref, times in self.followed.added.items()}
        return {ref: (time, event) for ref, (time, event) in last.items() if time >= added.get(ref, 0.0)}

    def first_end(self, ref: bkjob.Ref) -> float:
        """Return when *ref* was reported as finished first, infinite for never."""
        return next(
            (
                time
                for time, batch in zip(self.times, self.batches, strict=True)
                if any(isinstance(event, bkjob.Finished) and event.ref == ref for event in batch.events)
            ),
            inf,
        )


@define
class Past:
    """All that was done and seen.

    *operations* are (second, job, through the client), *requests* (second, URL, whether an error came back), *launches*
    what was wrong with one.
    """

    watches: list[WatchRecord] = field(factory=list)
    waits: list[Waited] = field(factory=list)
    operations: list[tuple[float, bkjob.JobRef, bool]] = field(factory=list)
    requests: list[tuple[float, str, bool]] = field(factory=list)
    launches: list[str] = field(factory=list)
    exchanges: list[Exchange] = field(factory=list)


def broken(history: History, world: WorldHistory, past: Past) -> list[str]:
    """Return every promise that was broken, in words."""
    checks = Checks(history, truth_of(world), past)
    found = [
        *past.launches,
        *checks.hasty(),
        *(words for seen in past.watches for words in checks.of_watch(seen)),
    ]
    for waited in past.waits:
        found += [*checks.of_wait(waited), *checks.of_lost(waited)]
    return found


def ended_without_hosts(batches: Sequence[bkjob.Batch]) -> set[bkjob.Ref]:
    """Return the steps that were reported as over when no host of them had been, and their jobs."""
    shown: set[bkjob.Ref] = set()
    found: set[bkjob.Ref] = set()
    for event in (event for batch in batches for event in batch.events):
        if isinstance(event, bkjob.HostChanged):
            shown.add(event.ref)
        elif isinstance(event, bkjob.StepChanged) and event.is_finished and event.ref not in shown:
            found |= {event.ref, event.ref.job}
    return found


@define(slots=False)
class Checks:
    """Holds what was seen against the truth."""

    history: History
    truth: Truth
    past: Past

    @cached_property
    def silences(self) -> Stalls:
        """What was heard of jobs."""
        end = max((seen.ended or 0.0 for seen in self.past.watches), default=0.0)
        return Stalls(self.history, self.past.exchanges, end)

    def of_watch(self, seen: WatchRecord) -> Iterator[str]:
        """Yield what is wrong with a watch."""
        yield from self.stream(seen, seen.batches, after=seen.after)
        yield from (f"slowly: {words}" for words in self.stream(seen, seen.slowly))
        yield from (f"again: {words}" for words in self.stream(seen, seen.again))
        if seen.results != seen.results_again:
            yield f"results() were {seen.results}, and are {seen.results_again} at the end"
        yield from self.cut(seen, self.truth)
        yield from self.lost(seen)
        yield from self.trouble(seen)
        yield from self.stalls(seen)
        yield from seen.miscounted
        yield from self.in_sync(seen)
        yield from self.end(seen)
        for batches in (seen.batches, seen.slowly) if seen.plan.slow else (seen.batches,):
            if seen.left is None:
                yield from self.unseen(seen, batches)
        if seen.left is None and seen.plan.detail_level is not bkjob.DetailLevel.END_ONLY:
            yield from self.waits(seen)

    def stream(self, seen: WatchRecord, batches: Sequence[bkjob.Batch], *, after: str = "") -> Sequence[str]:
        """Check what one reader saw behind a cursor."""
        broken = promises_broken_to(seen, batches, self.truth, after=after)
        if not any(window.kind == "internal" for window in self.history.faults):
            return broken
        # A step whose hosts could not be listed while it settled ends without them, and runs again when they are.
        early = tuple(f"{ref} was reported as over too early" for ref in ended_without_hosts(batches))
        return [words for words in broken if not words.startswith(early)]

    def disturbed(self, begin: float, end: float) -> bool:
        """Whether faults may have kept polls from working between two moments; slow responses come all the same."""
        return any(
            w.start <= end and w.start + w.length + RECOVERY >= begin
            for w in self.history.faults
            if not w.is_slow
        )

    def delay(self, begin: float, end: float) -> float:
        """Return by how many seconds polls may be late between two moments: for slow responses, and for want of requests."""
        slow = (
            min(end, w.start + w.length + SLOWEST) - max(begin, w.start)
            for w in self.history.faults
            if w.is_slow
        )
        return self.shortage + sum(max(0.0, seconds) for seconds in slow)

    def before(self, end: float, seconds: float) -> float:
        """Return a moment so many *seconds* before *end*, and as many more as polls may be late."""
        begin = end - seconds
        for _ in range(1 + len(self.history.faults)):
            begin = end - seconds - self.delay(begin, end)
        return begin

    @cached_property
    def shortage(self) -> float:
        """For how many seconds polls wait at most until others have had their turns, several times."""
        history = self.history
        jobs = len(history.plans) + sum(action[1] in ("add", "launch") for action in history.actions)
        requests = jobs * (1 + REQUESTS_OF_A_STEP * max(len(plan.steps) for plan in history.plans))
        seconds = max(
            (history.latency / history.in_flight) if history.in_flight < FEW_IN_FLIGHT else 0.0,
            0.0 if history.rate is None else 1.0 / history.rate,
            0.0 if history.quota is None else history.quota[1] / history.quota[0],
        )
        return ROUNDS * requests * seconds

    def hasty(self) -> Iterator[str]:
        """Yield which polls were repeated at once after an error, with nothing in between that says why."""
        history = self.history
        least = HASTE * min(1.0, history.interval or 1.0)
        reasons = sorted(
            [
                *(watch.opens for watch in history.watches),
                *(action[0] for action in history.actions),
                *(at for at, *_ in self.past.operations),  # such as those that confirm what waits
            ]
        )
        failed: dict[str, float] = {}
        is_slow = history.latency or any(window.is_slow for window in history.faults)
        if is_slow or history.callbacks is not None or any(watch.linger for watch in history.watches):
            return  # a callback may have come, another request may have got through meanwhile, or the end of linger may be due
        for time, url, spoilt in self.past.requests:
            before = failed.get(url)
            if before is not None and AT_ONCE < time - before < least and "get_" in url:
                place = bisect_right(reasons, time)
                if not place or reasons[place - 1] < before:
                    yield f"{url} is asked again {time - before:.3f} s after an error at {before:.1f} s"
            if spoilt:
                failed[url] = time
            else:
                failed.clear()  # where one request gets through, others are tried again at once

    # Readers --------------------------------------------------------------------------------------------------------

    def cut(self, seen: WatchRecord, truth: Truth | None) -> Iterator[str]:
        """Check that nothing is lost, and nothing given twice, behind the cursor of any event.

        *truth* is None where it was not one and the same all the time.
        """
        if seen.cut is None or not seen.cut.rest:
            return
        given = [*seen.cut.first, *seen.cut.rest]
        if seen.whole is not None:
            whole = [event for event in seen.whole if belongs(event, seen.cut)]
            if given != whole:
                n = next((n for n in count() if given[n : n + 1] != whole[n : n + 1]), 0)
                shown = f"{given[n : n + 1]}, not {whole[n : n + 1]}"
                yield f"cut after {len(seen.cut.first)} {seen.cut.kind}: number {n} is {shown}"
        elif seen.cut.kind == "events":
            given = [*seen.cut.first[: known_before(seen.cut.first)], *seen.cut.rest]
            pieces = [bkjob.Batch(n, (event,), event.cursor) for n, event in enumerate(given, 1)]
            yield from (f"cut: {words}" for words in promises_broken_to(seen, pieces, truth))

    def lost(self, seen: WatchRecord) -> Iterator[str]:
        """Check that a target was only lost when it really could not be read after it was added."""
        windows = [w for w in self.history.faults if w.kind in ("forbidden", "another job", "another scope")]
        for time, event in seen.last_reports().values():
            if isinstance(event, bkjob.Lost):
                joined = max(seen.followed.joins.get(event.ref, [0.0]))
                if not any(w.start <= time and w.start + w.length + 1 >= joined for w in windows):
                    yield f"{event}, and could be read ever since it was added at {joined:.0f} s"

    def trouble(self, seen: WatchRecord) -> Iterator[str]:
        """Check that it is not told again and again, nor left open, where some reads fail for good and all others work."""
        faults = self.history.faults
        if not faults or any(w.kind not in HALF_READABLE or w.start + w.length < HALF_READ for w in faults):
            return
        told = Counter(
            event.ref for batch in seen.batches for event in batch.events if isinstance(event, bkjob.Trouble)
        )
        for ref, times in told.items():
            if times > TOLD_AT_MOST:
                yield f"trouble with {ref} was told {times} times"
        state = seen.states.get(PROMPT)
        if state is not None and state.trouble and seen.left is None and seen.late is None:
            yield f"trouble with {[*state.trouble]} was told, and no end of it"

    def stalls(self, seen: WatchRecord) -> Iterator[str]:
        """Check that targets were stalled when nothing was heard of them, and only then, once each time."""
        told = Told.of(zip(seen.times, seen.batches, strict=True))
        for ref, times in told.stalls.items():
            joins = (*seen.followed.joins.get(ref, ()), *seen.followed.added.get(ref, ()))
            yield from self.silences.unfounded(ref, times, joins)
        if seen.after or seen.ended is None or self.history.log_limit < WHOLE:
            return  # what was missed is not repeated
        dropped = {ref.job for _, ref in seen.dropped}
        end = seen.ended if seen.left is None else seen.left
        for ref in seen.followed.targets & told.shown.keys():
            if ref.job not in dropped:
                begin = max(told.shown[ref], *seen.followed.added[ref])
                yield from self.silences.untold(ref, told, begin, end)

    # Ends -----------------------------------------------------------------------------------------------------------

    def end(self, seen: WatchRecord) -> Iterator[str]:
        """Check when a watch ended, and what it said then."""
        if seen.ended is None or seen.left is not None:
            return
        reports = {
            ref: (t, e) for ref, (t, e) in seen.last_reports().items() if not isinstance(e, bkjob.Reopened)
        }
        yield from self.tardy(seen, reports)
        for ref, result in (seen.results or {}).items():
            if ref in reports and isinstance(result, bkjob.JobResult):
                event = reports[ref][1]
                if isinstance(event, bkjob.Finished) and event.result.status != result.status:
                    yield f"results() of {ref} has {result.status}, and {event.result.status} was reported last"
        if seen.late is not None:
            yield from self.deadline(seen, reports)
        else:
            yield from self.running(seen, reports)
        linger = seen.plan.linger
        if linger is None or not seen.followed.targets or not set(reports) >= seen.followed.targets:
            return
        if linger and seen.late is None:
            yield from self.lingering(
                seen, reports, max(reports[ref][0] for ref in seen.followed.targets) + linger
            )
        jobs = {ref.job for ref in seen.followed.targets}
        operated = max((at for at, job, own in self.past.operations if own and job in jobs), default=0.0)
        since = max(
            *(reports[ref][0] for ref in seen.followed.targets),
            *(joined for joins in seen.followed.joins.values() for joined in joins),
            *(at for at, _ in seen.dropped),
            operated,
        )
        # What became of an operation is read once more, as soon as polls work.
        is_in_doubt = operated > self.before(since, SETTLED) and self.disturbed(since, seen.ended)
        # That it stays over is read after the bound, and once more as the linger ends: each time the job, then a step of it.
        late = SETTLED + 4.0 * self.history.latency + self.delay(since, seen.ended)
        if seen.ended > since + linger + late and not is_in_doubt:
            yield f"stays open until {seen.ended:.0f} s although all was over at {since:.0f} s"

    def tardy(self, seen: WatchRecord, reports: Reports) -> Iterator[str]:
        """Yield which ends were reported long after they were, with nothing in between that says why."""
        for ref, (time, event) in reports.items():
            codes, since = self.truth.codes(ref) or (), self.truth.since.get(ref, ())
            place = bisect_right(since, time) - 1
            if not isinstance(event, bkjob.Finished) or place < 0 or not run_status(codes[place]).is_finished:
                continue
            followed = seen.followed
            joined = (*followed.joins.get(ref, [0.0]), *followed.added.get(ref, ()))
            begin = max(since[place], *joined, *self.operated(ref.job, time))
            # What was over once is not polled by time without linger.
            is_left = not seen.plan.linger and seen.first_end(ref) < since[place]
            if begin < self.before(time, QUIET) and not (is_left or self.disturbed(begin, time)):
                yield f"{ref} is over since {since[place]:.0f} s, and that is reported at {time:.0f} s"

    def operated(self, job: bkjob.JobRef, end: float) -> list[float]:
        """Return when somebody operated on a job, until *end*."""
        return [at for at, operated, _ in self.past.operations if operated == job and at <= end]

    def deadline(self, seen: WatchRecord, reports: Reports) -> Iterator[str]:
        """Check that only unfinished targets were called late, or such as were operated on shortly before."""
        assert seen.ended is not None
        for ref in seen.late or ():
            begin = max(0.0, self.before(seen.ended, QUIET))
            own = any(
                job == ref.job and o and at > self.before(seen.ended, SETTLED)
                for at, job, o in self.past.operations
            )
            if ref in reports and not own:
                yield f"the deadline calls {ref} late, and {reports[ref][1]} was reported"
            joined = max(seen.followed.joins.get(ref, [0.0]))
            over = any(self.is_quietly_over(each, begin, seen.ended) for each in (ref, ref.job))
            if over and not own and joined < begin and not self.disturbed(begin, seen.ended):
                yield f"the deadline calls {ref} late, and it was over long before"
            begin = self.before(seen.ended, HALF_READ)
            if (
                joined < begin
                and self.is_quietly_over(ref, begin, seen.ended)
                and self.is_half_readable(begin)
            ):
                yield f"the deadline calls {ref} late, and it was over for long, which could be read"

    def is_half_readable(self, begin: float) -> bool:
        """Whether all that disturbs polls from *begin* on leaves a way to read the ends of jobs."""
        faults = (w for w in self.history.faults if not w.is_slow)
        return all(w.kind in HALF_READABLE for w in faults if w.start + w.length + RECOVERY >= begin)

    def is_quietly_over(self, ref: bkjob.Ref, begin: float, end: float) -> bool:
        """Whether a job or step was over all the time from *begin* to *end*."""
        codes, since = self.truth.codes(ref) or (), self.truth.since.get(ref, ())
        place = bisect_right(since, end) - 1
        return bool(codes) and run_status(codes[place]).is_finished and since[place] < begin

    def running(self, seen: WatchRecord, reports: Reports) -> Iterator[str]:
        """Check that a watch that ended by itself left nothing running, as far as it can know."""
        assert seen.ended is not None
        begin = self.before(seen.ended, SETTLED)
        for ref in seen.followed.targets:
            if ref not in reports:
                yield f"ended by itself before {ref} was reported as over"
                continue
            time, event = reports[ref]
            if isinstance(event, bkjob.Lost) or begin < 0 or self.disturbed(begin, seen.ended):
                continue
            if self.truth.is_over(ref, begin, seen.ended) or self.truth.codes(ref) == (1,):
                continue
            if self.truth.is_over(ref.job, begin, seen.ended):
                continue
            by_others = any(
                job == ref.job and not own and at >= time - 2 for at, job, own in self.past.operations
            )
            if seen.plan.linger or not by_others:
                yield f"ended at {seen.ended:.0f} s while {ref} was running, reported as {event}"

    def lingering(self, seen: WatchRecord, reports: Reports, moment: float) -> Iterator[str]:
        """Check that what ran at the *moment* when a watch had lingered, at the earliest, kept it open."""
        assert seen.ended is not None
        late = self.delay(moment, seen.ended)
        if self.disturbed(moment, seen.ended) or (late and seen.ended >= moment + MAX_SECONDS):
            return  # the last polls are not waited for any longer
        for ref in seen.followed.targets:
            never_began = self.truth.codes(ref) == (1,)
            if isinstance(reports[ref][1], bkjob.Lost) or never_began:
                continue
            read_at = min(seen.ended, moment + late)
            if not any(self.truth.is_over(each, moment, read_at) for each in (ref, ref.job)):
                yield f"ended at {seen.ended:.1f} s, and {ref} ran again at {moment:.1f} s"

    def unseen(self, seen: WatchRecord, batches: Sequence[bkjob.Batch]) -> Iterator[str]:
        """Check that what has been so for long at the end, undisturbed, was reported."""
        begin = self.before(seen.ended or 0.0, QUIET)
        if seen.ended is None or self.disturbed(begin, seen.ended):
            return
        last: dict[bkjob.Ref, int] = {}
        lost: set[bkjob.Ref] = set()
        for batch in batches:
            for event in batch.events:
                if isinstance(event, bkjob.JobChanged | bkjob.StepChanged):
                    last[event.ref] = event.after.code
                elif isinstance(event, bkjob.Lost):
                    lost.add(event.ref)
        for part, joins in seen.followed.joins.items():
            if not {part, part.job} & seen.followed.targets or {part, part.job} & lost:
                continue
            codes, since = self.truth.codes(part), self.truth.since.get(part)
            if not codes or not since or joins[-1] > begin:
                continue
            place = max(0, bisect_right(since, seen.ended) - 1)
            others = [at for at, job, own in self.past.operations if job == part.job and not own]
            excused = seen.plan.linger in (0.0, None) and others and part in last
            moved = since[place] > begin
            if moved or excused or codes[place] == last.get(part, 1):
                continue
            yield f"{part} is {codes[place]} since {since[place]:.0f} s, and was last reported as {last.get(part)}"

    def in_sync(self, seen: WatchRecord) -> Iterator[str]:
        """Check that something was given of every target that ran, before the watch said that it is in sync.

        The end of a target is given once it has settled.
        """
        if seen.after or seen.plan.detail_level is bkjob.DetailLevel.END_ONLY:
            return
        given: set[bkjob.Ref | None] = set()
        for time, batch in zip(seen.times, seen.batches, strict=True):
            for event in batch.events:
                if isinstance(event, bkjob.InSync):
                    dropped = {ref for at, ref in seen.dropped if at <= time}
                    targets = {ref for ref, at in seen.followed.added.items() if min(at) < time} - dropped
                    unknown = {
                        ref for ref in targets - given if self.runs(ref, self.before(time, SETTLED), time)
                    }
                    if unknown and None not in given:
                        yield f"in sync at {time:.0f} s, and nothing was given of {sorted(map(str, unknown))}"
                    return
                given.add(event.ref)

    def runs(self, ref: bkjob.Ref, begin: float, end: float) -> bool:
        """Whether a job or step was not over at any time from *begin* to *end*."""
        codes, since = self.truth.codes(ref) or (), self.truth.since.get(ref, ())
        places = range(max(0, bisect_right(since, begin) - 1), bisect_right(since, end))
        return bool(places) and not any(run_status(codes[place]).is_finished for place in places)

    def waits(self, seen: WatchRecord) -> Iterator[str]:
        """Check that a wait for a user that lasts for long was reported, and ended where it was confirmed."""
        begin = self.before(seen.ended or 0.0, QUIET)
        if seen.ended is None or self.disturbed(begin, seen.ended):
            return
        times: dict[bkjob.Ref, float] = {
            event.ref: time
            for time, batch in zip(seen.times, seen.batches, strict=True)
            for event in batch.events
            if isinstance(event, bkjob.StepWaiting)
        }
        lost = {e.ref for batch in seen.batches for e in batch.events if isinstance(e, bkjob.Lost)}
        by_others = {job for _, job, own in self.past.operations if not own}
        for step, joins in seen.followed.joins.items():
            began = self.waits_since(step, seen.ended)
            if began is None or max(began, joins[-1]) > begin or step.job in by_others:
                continue  # somebody else may have confirmed between two polls
            if {step, step.job}.isdisjoint(seen.followed.targets) or not lost.isdisjoint({step, step.job}):
                continue
            if times.get(step, -SLACK) < began - SLACK:
                yield f"{step} waits since {began:.0f} s, and that was not reported"
            elif seen.plan.confirms and self.history.dialect != "gateway-v4":
                yield f"{step} waits since {began:.0f} s, and each wait was confirmed"

    def waits_since(self, step: bkjob.Ref, at: float) -> float | None:
        """Return since when a step waits for a user at a time, None where it does not."""
        codes, since = self.truth.codes(step) or (), self.truth.since.get(step, ())
        place = bisect_right(since, at) - 1
        waits = isinstance(step, bkjob.StepRef) and place >= 0 and codes[place] == WAITING_USER
        return since[place] if waits else None

    # Waits ----------------------------------------------------------------------------------------------------------

    def of_wait(self, waited: Waited) -> Iterator[str]:
        """Yield what is wrong with the outcome of a wait."""
        ref, result, error = waited.ref, waited.result, waited.error
        if waited.here and any(job == ref.job and not own for _, job, own in self.past.operations):
            return  # that it runs again is not known at once
        if result is not None:
            yield from self.of_result(waited, result)
        elif isinstance(error, bkjob.ConditionUnreachable):
            over = (self.truth.is_over(each, waited.begun - SLACK, waited.ended) for each in (ref, ref.job))
            if not any(over):
                yield f"{error!r} at {waited.ended:.0f} s while {ref} was running"
        elif isinstance(error, bkjob.TargetLost):
            windows = [
                w for w in self.history.faults if w.kind in ("forbidden", "another job", "another scope")
            ]
            # A watch stays without a target that it has lost; a refusal may come late.
            since = 0.0 if waited.here else self.before(waited.begun, 1.0)
            if not any(w.start <= waited.ended and w.start + w.length >= since for w in windows):
                yield f"a wait from {waited.begun:.0f} s on ended with {error!r}"
        elif isinstance(error, bkjob.DeadlineExceeded) and not self.disturbed(waited.begun, waited.ended):
            begin = self.before(waited.ended, NOTICED)
            if waited.begun < begin and self.is_quietly_over(ref, waited.begun, waited.ended):
                yield f"a wait from {waited.begun:.0f} s on did not end, and {ref} was over before"
            if must_hold(self.truth, waited, begin):
                yield f"a wait from {waited.begun:.0f} s until {waited.until} did not end, and it was so for long"

    def of_lost(self, waited: Waited) -> Iterator[str]:
        """Check that a wait in a watch does not go on behind the loss that the watch told."""
        if waited.was_lost:
            yield f"a wait from {waited.begun:.0f} s on did not end, and its watch told that {waited.ref} is lost"

    def of_result(self, waited: Waited, result: bkjob.JobResult) -> Iterator[str]:
        """Yield what is wrong with the result of a wait; one in an open watch may end with what was read before it."""
        ref = waited.ref
        begun = self.before(waited.begun, NOTICED) if waited.here else waited.begun
        codes = (self.truth.codes(ref) or ())[self.truth.index_at(ref, begun) :]
        if result.status.code not in codes:
            yield f"a wait from {waited.begun:.0f} s on had {result.status}, truly {list(codes)}"
        for step in result.steps:
            start = self.truth.index_at(step.ref, begun)
            yield from (f"a wait had {words}" for words in result_errors(step, self.truth, start))
        if not may_hold(self.truth, waited, waited.begun - SLACK):
            yield f"a wait from {waited.begun:.0f} s until {waited.until} ended at {waited.ended:.1f} s too early"


def known_before(first: Sequence[bkjob.Event]) -> int:
    """Return how many of the *first* events lie before the cursor of the last one.

    Within the present that stands for what was missed, cursors are those from before it: it is given again.
    """
    cursors = [event.cursor for event in first]
    if not cursors[-1]:
        return 0
    place = cursors.index(cursors[-1])
    is_from_before = (
        place > 0 and "." not in cursors[place] and batch_of(cursors[place - 1]) == batch_of(cursors[place])
    )
    return place if is_from_before else place + 1


def batch_of(cursor: str) -> str:
    """Return the number of the batch that a cursor names."""
    return cursor.partition("-")[0]


def promises_broken_to(
    seen: WatchRecord, batches: Sequence[bkjob.Batch], truth: Truth | None, *, after: str = ""
) -> Sequence[str]:
    """Return what is wrong with what one reader of a watch saw behind a cursor."""
    return broken_promises(
        batches,
        truth=truth,
        watch_starts=seen.followed.joins,
        target_starts=seen.followed.added,
        require_past_executions=seen.plan.detail_level is not bkjob.DetailLevel.END_ONLY,
        after=after,
    )


def belongs(event: bkjob.Event, cut: Cut) -> bool:
    """Whether a reader of this kind is given an event."""
    if cut.kind == "hosts":
        return isinstance(event, bkjob.HostChanged)
    if cut.kind == "events" or cut.about is None:
        return True
    return event.ref is None or cut.about in (event.ref, event.ref.job)

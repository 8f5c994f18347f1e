"""The promise of the stream, checked by machine over a recorded stream.

`broken_promises` reads what one reader got, batch by batch, and returns every promise that it breaks, in words. Given the
truth as well, it also checks that nothing was invented and that the end is the true end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field, frozen

from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    InSync,
    JobChanged,
    Lost,
    Recovered,
    Reopened,
    StepChanged,
    Trouble,
)
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.status import run_status

HostRun = tuple[StepRef, int, str]
WAITING = 5
NOT_STARTED = 1
IGNORED = 6


@frozen(kw_only=True)
class Truth:
    """What really happened: the codes that each went through, in order, consecutive doubles removed.

    *hosts* is keyed by (step, execute_count, host label); *steps* and *jobs* by their names.
    """

    hosts: Mapping[HostRun, Sequence[int]] = field(factory=dict)
    steps: Mapping[StepRef, Sequence[int]] = field(factory=dict)
    jobs: Mapping[JobRef, Sequence[int]] = field(factory=dict)


def states_of(batches: Iterable[Batch]) -> dict[HostRun, list[int]]:
    """Return the codes that each host was seen in, in order, by (step, execute_count, label)."""
    seen: dict[HostRun, list[int]] = defaultdict(list)
    for batch in batches:
        for event in batch.events:
            if isinstance(event, HostChanged):
                seen[event.ref, event.execute_count, event.host.label].append(event.after.code)
    return dict(seen)


def broken_promises(batches: Iterable[Batch], *, truth: Truth | None = None) -> list[str]:
    """Return every promise that a reader's stream breaks, in words; none is an empty list.

    With *truth* (the whole story, at least as far as the stream goes) also what was invented, and what a finished
    target shows other than its true end.
    """
    checker = _Checker(truth)
    for batch in batches:
        checker.read(batch)
    checker.compare_ends()
    return checker.broken


@define
class _Checker:
    """Reads a stream, remembering just enough to notice a broken promise."""

    truth: Truth | None
    broken: list[str] = field(factory=list)
    _sequence: int = 0
    _cursors: tuple[str, ...] = ("",)
    _synced: bool = False
    _hosts: dict[HostRun, int] = field(factory=dict)
    _runs: dict[StepRef, int] = field(factory=dict)
    _status: dict[Ref, int] = field(factory=dict)
    _over: set[Ref] = field(factory=set)
    _was_over: set[tuple[StepRef, int]] = field(factory=set)
    _ended: set[Ref] = field(factory=set)
    _positions: dict[object, int] = field(factory=dict)
    _troubled: set[Ref | None] = field(factory=set)
    _reopened: Counter[Ref] = field(factory=Counter)
    _by_job: defaultdict[JobRef, dict[StepRef, Sequence[int]]] | None = None

    def read(self, batch: Batch) -> None:
        """Check one batch against all before it."""
        if batch.sequence <= self._sequence:
            self._break(f"batch {batch.sequence} comes after batch {self._sequence}")
        self._sequence = batch.sequence
        if not batch.events:
            self._break(f"batch {batch.sequence} is empty")
        self._check_cursors(batch)
        for event in batch.events:
            self._read_event(event)

    def _check_cursors(self, batch: Batch) -> None:
        """Check that each event's cursor is the batch's, or is in it behind the event before.

        In a present that stands for what was missed, all events but the last have the cursor from before it.
        """
        known, self._cursors = self._cursors, (batch.cursor, *(event.cursor for event in batch.events[-1:]))
        if all(event.cursor in known for event in batch.events[:-1]):
            known = (batch.cursor, *known)
        else:
            known = (batch.cursor,)
        last = 0
        for event in batch.events:
            start, _, index = event.cursor.partition(".")
            if event.cursor in known:
                continue
            if start != batch.cursor:
                self._break(f"{event} has a cursor of another batch")
            elif int(index) <= last:
                self._break(f"{event} has a cursor that is not behind the event before it")
            else:
                last = int(index)

    def _read_event(self, event: Event) -> None:
        match event:
            case HostChanged():
                self._host(event)
            case StepChanged():
                self._step(event)
            case JobChanged():
                self._job(event)
            case Finished() | Reopened() | Lost():
                self._end(event)
            case _:
                self._signal(event)

    def _end(self, event: Finished | Reopened | Lost) -> None:
        ref = event.ref
        if isinstance(event, Reopened):
            if ref not in self._over:
                self._break(f"{event} although it was not over")
            if self._status.get(ref) == IGNORED and isinstance(ref, StepRef):
                self._break(f"{event}: 6 was told as final, and was a state between two batches")
            self._reopened[ref] += 1
            self._over.discard(ref)
            self._ended.discard(ref)
            return
        if isinstance(event, Finished) and ref not in self._over:
            self._break(f"{event} before its last status was told as final")
        if ref in self._ended:
            self._break(f"{event} a second time")
        self._ended.add(ref)

    def _signal(self, event: Event) -> None:
        match event:
            case InSync():
                if self._synced:
                    self._break("in sync a second time")
                self._synced = True
            case Trouble(ref=ref):
                if ref in self._troubled and not event.skipped:
                    self._break(f"{event} a second time")
                self._troubled.add(ref)
            case Recovered(ref=ref):
                if ref not in self._troubled and not event.skipped:
                    self._break(f"{event} from nothing")
                self._troubled.discard(ref)
            case _:
                pass

    def _host(self, event: HostChanged) -> None:
        run = (event.ref, event.execute_count, event.host.label)
        if event.execute_count < self._runs.get(event.ref, 0):
            self._break(f"{event} belongs to an execution that is past")
        self._runs[event.ref] = event.execute_count
        if event.ref in self._over and not event.skipped:
            self._break(f"{event} after its step was over")
        before = event.before.code if event.before else None
        if not event.skipped and before != self._hosts.get(run):
            self._break(f"{event} begins at {before}, the last was {self._hosts.get(run)}")
        if before == event.after.code:
            self._break(f"{event} is no change")
        self._hosts[run] = event.after.code
        if event.before is None and event.after.code == WAITING and run not in self._positions:
            # A step that has not had its turn shows its hosts as waiting, before anything happens to them.
            return
        self._advance(run, event.after.code, self.truth.hosts.get(run) if self.truth else None, event)

    def _step(self, event: StepChanged) -> None:
        self._chain(event)
        if event.ref in self._over and event.is_finished and not event.skipped:
            self._break(f"{event} although it was over already")
        if event.is_finished:
            self._was_over.add((event.ref, event.execute_count))
        self._set_over(event)
        truth = self.truth.steps.get(event.ref) if self.truth else None
        self._advance(event.ref, event.after.code, truth, event)

    def _job(self, event: JobChanged) -> None:
        self._chain(event)
        if event.is_finished and self.truth is not None:
            for step, codes in self._steps_of(event.ref).items():
                # A step that the platform itself left unfinished is waited for only until the bound.
                settled = step in self._over or self._status.get(step, NOT_STARTED) == NOT_STARTED
                if not settled and run_status(codes[-1]).is_finished():
                    self._break(f"{event} before {step} was told as over")
        self._set_over(event)
        truth = self.truth.jobs.get(event.ref) if self.truth else None
        self._advance(event.ref, event.after.code, truth, event)

    def _steps_of(self, job: JobRef) -> Mapping[StepRef, Sequence[int]]:
        """Return the true steps of a job, sorted by job once."""
        if self._by_job is None:
            self._by_job = defaultdict(dict)
            for step, codes in self.truth.steps.items() if self.truth is not None else ():
                self._by_job[step.job][step] = codes
        return self._by_job[job]

    def _chain(self, event: StepChanged | JobChanged) -> None:
        before = event.before.code if event.before else None
        if not event.skipped and before != self._status.get(event.ref):
            self._break(f"{event} begins at {before}, the last was {self._status.get(event.ref)}")
        self._status[event.ref] = event.after.code

    def _set_over(self, event: StepChanged | JobChanged) -> None:
        if event.skipped:
            # What was reopened, and may have ended anew, lies in what was compacted away.
            self._over.discard(event.ref)
            self._ended.discard(event.ref)
        if event.is_finished:
            self._over.add(event.ref)
        elif event.ref in self._over:
            self._break(f"{event} without being reopened")
            self._over.discard(event.ref)

    def _advance(self, key: object, code: int, truth: Sequence[int] | None, event: Event) -> None:
        """Find *code* in the true story, no earlier than what was seen before."""
        if self.truth is None:
            return
        if truth is None:
            self._break(f"{event} of something that does not exist")
            return
        start = self._positions.get(key, -1)
        # Staying at the same place is allowed: a status told as passing and then as final is one status.
        found = next((n for n in range(max(start, 0), len(truth)) if truth[n] == code), None)
        if found is None:
            self._break(f"{event} never happened after what was told before: {list(truth)}")
        else:
            self._positions[key] = found

    def compare_ends(self) -> None:
        """Check that what was told as over shows the true end of every host."""
        if self.truth is None:
            return
        for step, codes in self.truth.steps.items():
            self._compare_reopenings(step, codes)
        for job, codes in self.truth.jobs.items():
            self._compare_reopenings(job, codes)
        for (step, run, label), codes in self.truth.hosts.items():
            past = (step, run) in self._was_over and run < self._runs.get(step, 0)
            told = past or (step in self._over and self._runs.get(step) == run)
            if told and codes and self._hosts.get((step, run, label)) != codes[-1]:
                seen = self._hosts.get((step, run, label))
                self._break(f"{step} #{run} {label} ended {codes[-1]}, and was last told as {seen}")

    def _compare_reopenings(self, ref: Ref, codes: Sequence[int]) -> None:
        """Check that nothing was reopened more often than it truly left a final status."""
        left = sum(run_status(code).is_finished() for code in codes[:-1])
        if self._reopened[ref] > left:
            self._break(
                f"{ref} was told as over too early: reopened {self._reopened[ref]} times, truly {left}"
            )

    def _break(self, words: str) -> None:
        self.broken.append(words)

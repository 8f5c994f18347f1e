"""Check a recorded stream against the promises of `Watch`.

`broken_promises` reads the batches of one reader, and returns each promise that they break as a sentence. With the truth,
it also checks that every reported status occurred and that the last ones are the true ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field

from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    HostCounts,
    InSync,
    JobChanged,
    Lost,
    Recovered,
    Reopened,
    Resumed,
    StepChanged,
    StepWaiting,
    Trouble,
)
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.status import run_status
from bkjob_async.simulator.world.history import HostRun
from bkjob_async.testing.checker_state import Cursors, WatchStarts
from bkjob_async.testing.results import WAITING
from bkjob_async.testing.truth import Truth
from bkjob_async.testing.truth_match import TruthMatcher

NOT_STARTED = 1
# A job's end is reported at the latest so many seconds after it, whatever its steps show. (`engine.responses.step_tracker`)
SETTLE_BOUND = 15.0
IGNORED, WAITING_USER = 6, 7


def broken_promises(
    batches: Iterable[Batch],
    *,
    truth: Truth | None = None,
    watch_starts: Mapping[Ref, Sequence[float]] | None = None,
    target_starts: Mapping[Ref, Sequence[float]] | None = None,
    require_past_executions: bool = True,
    after: str = "",
) -> list[str]:
    """Return every promise that a reader's stream breaks, as sentences; an empty list for none.

    With *truth* (the whole history, at least as far as the stream goes) it also returns statuses that did not occur, and
    results with other than the true ends. *watch_starts* has the seconds at which each job and step came to be watched,
    several where it was dropped in between: what is reported of it must have been true after that. *target_starts* has
    the seconds at which each target was added: the end of a step that is dropped and added again while its job stays a
    target is reported once more, and nothing else. With *require_past_executions* False, hosts of an execution that was
    retried may be missing, as in a watch for ends only. *after* is the cursor from which the reader began.
    """
    starts = WatchStarts(watch_starts or {})
    checker = _Checker(
        None if truth is None else TruthMatcher(truth, starts),
        starts,
        WatchStarts(target_starts or {}),
        require_past_executions,
        Cursors((after,)),
    )
    for batch in batches:
        checker.read(batch)
    checker.compare_ends()
    return checker.violations


@define
class _Checker:
    """Reads a stream, and keeps just enough of it to find a broken promise."""

    matcher: TruthMatcher | None
    watch_starts: WatchStarts
    target_starts: WatchStarts
    require_past_executions: bool
    _cursors: Cursors
    violations: list[str] = field(factory=list)
    # Batch 0 is the present of a journal that its store has lost as a whole.
    _sequence: int = -1
    _last_cursor: str = ""
    _synced: bool = False
    _hosts: dict[HostRun, int] = field(factory=dict)
    _runs: dict[StepRef, int] = field(factory=dict)
    _epochs: dict[StepRef, int] = field(factory=dict)
    _status: dict[Ref, int] = field(factory=dict)
    _finished_refs: set[Ref] = field(factory=set)
    _finished_runs: set[tuple[StepRef, int]] = field(factory=set)
    _ended_refs: set[Ref] = field(factory=set)
    _waits: dict[tuple[StepRef, int], int] = field(factory=dict)
    # Targets, and whether it is the journal that is in trouble.
    _in_trouble: set[tuple[Ref | None, bool]] = field(factory=set)
    _hosts_of_batch: set[HostRun] = field(factory=set)
    _reopened: Counter[Ref] = field(factory=Counter)
    _allowed_reopens: Counter[Ref] = field(factory=Counter)

    def read(self, batch: Batch) -> None:
        """Check one batch against those before it."""
        self._hosts_of_batch.clear()
        # A batch whose cursor does not name its end is followed by the rest of it, or by its next portion.
        is_complete = (
            self._last_cursor.partition("-")[0] == str(self._sequence) and "." not in self._last_cursor
        )
        if batch.sequence < self._sequence or (batch.sequence == self._sequence and is_complete):
            self._report(f"batch {batch.sequence} comes after batch {self._sequence}")
        self._sequence, self._last_cursor = batch.sequence, batch.cursor
        if not batch.events:
            self._report(f"batch {batch.sequence} is empty")
        self.violations += self._cursors.errors_in(batch)
        for event in batch.events:
            self._read_event(event)

    def _read_event(self, event: Event) -> None:
        match event:
            case HostChanged():
                self._host(event)
            case StepChanged():
                self._step(event)
            case StepWaiting():
                self._wait(event)
            case JobChanged():
                self._job(event)
            case Finished() | Lost():
                self._end(event)
            case Reopened():
                self._reopen(event)
            case HostCounts() if self.matcher is None and not event.hosts:
                self._forget_runs(event)
            case _:
                self._signal(event)

    def _reopen(self, event: Reopened) -> None:
        ref = event.ref
        if ref not in self._finished_refs:
            self._report(f"{event} although it was not over")
        if self._status.get(ref) == IGNORED and isinstance(ref, StepRef):
            self._report(f"{event}: 6 was reported as final, and was a status between two batches")
        self._reopened[ref] += 1
        self._finished_refs.discard(ref)
        self._ended_refs.discard(ref)

    def _end(self, event: Finished | Lost) -> None:
        ref = event.ref
        if ref in self._ended_refs:
            # A step whose job is a target, too, is given its end alone when it is added again; so that is asked first.
            is_marked = isinstance(event, Finished) and event.skipped
            was_added_again = not is_marked and self.target_starts.again(ref)
            if not (was_added_again or self._restart_watch(ref) or is_marked):
                self._report(f"{event} a second time")
        if isinstance(event, Finished):
            self._finished(event)
        self._ended_refs.add(ref)

    def _finished(self, event: Finished) -> None:
        if event.ref not in self._finished_refs:
            self._report(f"{event} before its last status was reported as final")
        if event.result.status.code != self._status.get(event.ref, event.result.status.code):
            self._report(f"{event}, and was last reported as {self._status[event.ref]}")
        if self.matcher is not None:
            self.violations += (f"{event}: {error}" for error in self.matcher.result_errors(event))

    def _signal(self, event: Event) -> None:
        match event:
            case InSync():
                if self._synced:
                    self._report("in sync a second time")
                self._synced = True
            case Resumed():
                # Another opening: in sync once more, and the trouble with the store that an earlier one had is not recorded.
                self._synced = False
                self._in_trouble.discard((None, True))
            case Trouble(ref=ref):
                is_new_target = self.watch_starts.is_repeated(ref) or self.target_starts.is_repeated(ref)
                if in_trouble(event) in self._in_trouble and not event.skipped and not is_new_target:
                    self._report(f"{event} a second time")
                self._in_trouble.add(in_trouble(event))
            case Recovered():
                if in_trouble(event) not in self._in_trouble and not event.skipped:
                    self._report(f"{event} without trouble before")
                self._in_trouble.discard(in_trouble(event))
            case _:
                pass

    def _host(self, event: HostChanged) -> None:
        run = (event.ref, event.execute_count, event.host.label)
        known = self._hosts.get(run)
        if (
            event.before is None
            and (known is not None or event.ref in self._finished_refs)
            and not event.skipped
            and self._restart_watch(event.ref)
        ):
            known = None
        if event.execute_count < self._runs.get(event.ref, 0):
            # Without the truth a later epoch may be that of a platform that was restored from a backup.
            if self.matcher is not None or event.epoch <= self._epochs.get(event.ref, 0):
                self._report(f"{event} belongs to an execution that is past")
            self._forget_runs(event)
            known = None
        self._runs[event.ref], self._epochs[event.ref] = event.execute_count, event.epoch
        if event.ref in self._finished_refs and not event.skipped:
            self._report(f"{event} after its step was over")
        before = event.before.code if event.before else None
        if not event.skipped and before != known:
            self._report(f"{event} begins at {before}, the last was {known}")
        if before == event.after.code:
            self._report(f"{event} is no change")
        self._hosts[run] = event.after.code
        self._hosts_of_batch.add(run)
        if self.matcher is None:
            return
        # A step that has not started shows its hosts as waiting, before anything happens to them.
        is_first = event.before is None and not self.matcher.has_matched(run)
        if not (is_first and event.after.code == WAITING):
            self.violations += (f"{event} {error}" for error in self.matcher.host_errors(event))

    def _forget_runs(self, event: HostChanged | HostCounts) -> None:
        """Forget an execution that begins, and those behind it: if it is known, a restored platform shows it anew."""
        for run in [run for run in self._hosts if run[0] == event.ref and run[1] >= event.execute_count]:
            del self._hosts[run]

    def _step(self, event: StepChanged) -> None:
        self._check_before(event)
        if event.ref in self._finished_refs and event.is_finished and not event.skipped:
            self._report(f"{event} although it was over already")
        if event.is_finished:
            if event.after.is_finished:
                self._finished_runs.add((event.ref, event.execute_count))
            else:
                # A step that never started, or was left as it was, is over with its job, and may be reopened with it.
                self._allowed_reopens[event.ref] += 1
        self._update_finished(event)
        self._match_change(event)

    def _wait(self, event: StepWaiting) -> None:
        ref, run = event.ref, (event.ref, event.execute_count)
        if self._status.get(ref, WAITING_USER) != WAITING_USER:
            self._report(f"{event}, and was last reported as {self._status[ref]}")
        known = self._waits.get(run)
        if known is not None and not event.skipped and event.wait != known + 1:
            self._report(f"{event}, and the last wait was number {known}")
        self._waits[run] = event.wait
        error = None if self.matcher is None else self.matcher.wait_error(event)
        if error is not None:
            self._report(f"{event} {error}")

    def _job(self, event: JobChanged) -> None:
        self._check_before(event)
        if event.is_finished and self.matcher is not None:
            truth = self.matcher.truth
            for step, codes in truth.steps_of(event.ref).items():
                # A step that the platform itself left unfinished is waited for only until the bound.
                settled = step in self._finished_refs or self._status.get(step, NOT_STARTED) == NOT_STARTED
                must_end = run_status(codes[-1]).is_finished and not ends_long_after(truth, step, event.ref)
                if not settled and must_end:
                    self._report(f"{event} before {step} was reported as over")
        if event.is_finished and self._has_open_step(event.ref):
            # Nothing is known of the end of this step: what it does later reopens the job.
            self._allowed_reopens[event.ref] += 1
        self._update_finished(event)
        self._match_change(event)

    def _has_open_step(self, job: JobRef) -> bool:
        """Return True if a step of the job began, and was not reported as over."""
        return any(
            isinstance(ref, StepRef)
            and ref.job == job
            and code != NOT_STARTED
            and ref not in self._finished_refs
            for ref, code in self._status.items()
        )

    def _check_before(self, event: StepChanged | JobChanged) -> None:
        ref, before = event.ref, event.before.code if event.before else None
        if before is None and ref in self._status and not event.skipped:
            self._restart_watch(ref)
        if not event.skipped and before != self._status.get(ref):
            self._report(f"{event} begins at {before}, the last was {self._status.get(ref)}")
        self._status[ref] = event.after.code

    def _update_finished(self, event: StepChanged | JobChanged) -> None:
        if event.skipped:
            # It may have been reopened, and have ended again, in the events that were dropped.
            self._finished_refs.discard(event.ref)
            self._ended_refs.discard(event.ref)
        if event.is_finished:
            self._finished_refs.add(event.ref)
        elif event.ref in self._finished_refs:
            self._report(f"{event} without being reopened")
            self._finished_refs.discard(event.ref)

    def _match_change(self, event: StepChanged | JobChanged) -> None:
        error = None if self.matcher is None else self.matcher.change_error(event)
        if error is not None:
            self._report(f"{event} {error}")

    def _restart_watch(self, ref: Ref) -> bool:
        """Forget the events of *ref* if it was dropped and is watched again; return True if so."""
        if not self.watch_starts.again(ref):
            return False
        if self.matcher is not None:
            self.matcher.forget(ref)
        self._status.pop(ref, None)
        self._finished_refs.discard(ref)
        self._ended_refs.discard(ref)
        for step in [step for step in self._runs if step == ref]:
            del self._runs[step]
        # Hosts of a step that is over come before it: those of this batch belong to the new beginning.
        for run in [run for run in self._hosts if run[0] == ref and run not in self._hosts_of_batch]:
            del self._hosts[run]
        self._finished_runs = {(step, run) for step, run in self._finished_runs if step != ref}
        self._waits = {run: wait for run, wait in self._waits.items() if run[0] != ref}
        return True

    def compare_ends(self) -> None:
        """Check that targets which were reported as over have the true end of every host."""
        if self.matcher is None:
            return
        truth = self.matcher.truth
        refs: list[Ref] = [*truth.steps, *truth.jobs]
        for ref in refs:
            # Nothing is reopened more often than it truly left a final status.
            codes = truth.codes(ref) or ()
            left = sum(run_status(code).is_finished for code in codes[:-1]) + self._allowed_reopens[ref]
            times = self._reopened[ref]
            if times > left:
                self._report(f"{ref} was reported as over too early: reopened {times} times, truly {left}")
        for run, codes in truth.hosts.items():
            last = self._hosts.get(run)
            if codes and self._must_be_reported(run) and last not in self._final_codes(run, self.matcher):
                step, number, label = run
                self._report(f"{step} #{number} {label} ended {codes[-1]}, and was last reported as {last}")

    def _must_be_reported(self, run: HostRun) -> bool:
        """Return True if the end of a host must have been reported."""
        step, number, _ = run
        latest = self._runs.get(step, 0)
        past = self.require_past_executions and (step, number) in self._finished_runs and number < latest
        over = step in self._finished_refs and run_status(self._status[step]).is_finished
        return past or (over and self._runs.get(step) == number)

    def _final_codes(self, run: HostRun, matcher: TruthMatcher) -> set[int | None]:
        """Return the codes of which one must be the last that was reported of a host, its step being over."""
        step, number, _ = run
        if number < self._runs.get(step, 0) or step not in matcher.truth.since:
            return {matcher.truth.hosts[run][-1]}
        return matcher.final_codes(run, self._status[step])

    def _report(self, problems: str) -> None:
        self.violations.append(problems)


def in_trouble(event: Trouble | Recovered) -> tuple[Ref | None, bool]:
    """Return what is in trouble: the target, None for all, and whether it is the journal."""
    return event.ref, event.error == "JournalUnavailable"


def ends_long_after(truth: Truth, step: StepRef, job: Ref) -> bool:
    """Return True if a step truly ended so long after its job that nobody waits for it."""
    ends = [truth.since.get(ref, ())[-1:] for ref in (step, job)]
    return all(ends) and ends[0][0] >= ends[1][0] + SETTLE_BOUND

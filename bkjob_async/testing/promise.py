"""The promise of the stream, checked by machine over a recorded stream.

`broken_promises` reads what one reader got, batch by batch, and returns every promise that it breaks, in words. Given the
truth as well, it also checks that nothing was invented and that the end is the true end.
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
    InSync,
    JobChanged,
    Lost,
    Recovered,
    Reopened,
    StepChanged,
    Trouble,
)
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import run_status
from bkjob_async.testing.results import WAITING, details_error, result_errors
from bkjob_async.testing.stream_state import Cursors, WatchStarts
from bkjob_async.testing.truth import HostRun, Truth

NOT_STARTED = 1
IGNORED = 6


def broken_promises(
    batches: Iterable[Batch],
    *,
    truth: Truth | None = None,
    watch_starts: Mapping[Ref, Sequence[float]] | None = None,
    target_starts: Mapping[Ref, Sequence[float]] | None = None,
    require_past_executions: bool = True,
    after: str = "",
) -> list[str]:
    """Return every promise that a reader's stream breaks, in words; none is an empty list.

    With *truth* (the whole story, at least as far as the stream goes) also what was invented, and what a finished
    target shows other than its true end. *watch_starts* has the seconds at which each job and step came to be watched, more
    than one where it was dropped in between: what is told of it must have been true after that. *target_starts* has the
    seconds at which each target was added: a step that is dropped and added again while its job stays a target is told
    how it ended once more, and nothing else. *require_past_executions* False
    allows that hosts of an execution that was retried were never told, as a watch for the end alone does. *after* is
    the cursor that the reader began behind.
    """
    checker = _Checker(
        truth,
        WatchStarts(watch_starts or {}),
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
    """Reads a stream, remembering just enough to notice a broken promise."""

    truth: Truth | None
    watch_starts: WatchStarts
    target_starts: WatchStarts
    require_past_executions: bool
    _cursors: Cursors
    violations: list[str] = field(factory=list)
    _sequence: int = 0
    _synced: bool = False
    _hosts: dict[HostRun, int] = field(factory=dict)
    _runs: dict[StepRef, int] = field(factory=dict)
    _status: dict[Ref, int] = field(factory=dict)
    _finished_refs: set[Ref] = field(factory=set)
    _finished_runs: set[tuple[StepRef, int]] = field(factory=set)
    _ended_refs: set[Ref] = field(factory=set)
    _positions: dict[HostRun | Ref, int] = field(factory=dict)
    _in_trouble: set[Ref | None] = field(factory=set)
    _reopened: Counter[Ref] = field(factory=Counter)
    _finished_with_job: Counter[Ref] = field(factory=Counter)

    def read(self, batch: Batch) -> None:
        """Check one batch against all before it."""
        if batch.sequence <= self._sequence:
            self._report(f"batch {batch.sequence} comes after batch {self._sequence}")
        self._sequence = batch.sequence
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
            case JobChanged():
                self._job(event)
            case Finished() | Lost():
                self._end(event)
            case Reopened():
                self._reopen(event)
            case _:
                self._signal(event)

    def _reopen(self, event: Reopened) -> None:
        ref = event.ref
        if ref not in self._finished_refs:
            self._report(f"{event} although it was not over")
        if self._status.get(ref) == IGNORED and isinstance(ref, StepRef):
            self._report(f"{event}: 6 was told as final, and was a state between two batches")
        self._reopened[ref] += 1
        self._finished_refs.discard(ref)
        self._ended_refs.discard(ref)

    def _end(self, event: Finished | Lost) -> None:
        ref = event.ref
        is_repeated = ref in self._ended_refs and not self._restart_watch(ref)
        if is_repeated and not self.target_starts.again(ref):
            self._report(f"{event} a second time")
        if isinstance(event, Finished):
            self._finished(event)
        self._ended_refs.add(ref)

    def _finished(self, event: Finished) -> None:
        if event.ref not in self._finished_refs:
            self._report(f"{event} before its last status was told as final")
        if event.result.status.code != self._status.get(event.ref, event.result.status.code):
            self._report(f"{event}, and was last told as {self._status[event.ref]}")
        if self.truth is not None:
            for step in event.result.steps:
                index = self._positions.get(step.ref, self._first_index(step.ref, step.ref))
                self.violations += (
                    f"{event}: {problems}" for problems in result_errors(step, self.truth, index)
                )

    def _signal(self, event: Event) -> None:
        match event:
            case InSync():
                if self._synced:
                    self._report("in sync a second time")
                self._synced = True
            case Trouble(ref=ref):
                if ref in self._in_trouble and not event.skipped and not self.watch_starts.is_repeated(ref):
                    self._report(f"{event} a second time")
                self._in_trouble.add(ref)
            case Recovered(ref=ref):
                if ref not in self._in_trouble and not event.skipped:
                    self._report(f"{event} from nothing")
                self._in_trouble.discard(ref)
            case _:
                pass

    def _host(self, event: HostChanged) -> None:
        run = (event.ref, event.execute_count, event.host.label)
        known = self._hosts.get(run)
        if (
            event.before is None
            and known is not None
            and not event.skipped
            and self._restart_watch(event.ref)
        ):
            known = None
        if event.execute_count < self._runs.get(event.ref, 0):
            self._report(f"{event} belongs to an execution that is past")
        self._runs[event.ref] = event.execute_count
        if event.ref in self._finished_refs and not event.skipped:
            self._report(f"{event} after its step was over")
        before = event.before.code if event.before else None
        if not event.skipped and before != known:
            self._report(f"{event} begins at {before}, the last was {known}")
        if before == event.after.code:
            self._report(f"{event} is no change")
        self._hosts[run] = event.after.code
        if event.before is None and event.after.code == WAITING and run not in self._positions:
            # A step that has not had its turn shows its hosts as waiting, before anything happens to them.
            return
        self._compare_host(event, run)

    def _compare_host(self, event: HostChanged, run: HostRun) -> None:
        """Compare a host's change with the truth."""
        if self.truth is None:
            return
        joined = self.watch_starts.at(event.ref)
        if run not in self._positions and joined is not None and self.truth.is_past(*run[:2], joined):
            self._report(f"{event} of an execution that was past when it joined")
        self._match_truth(run, event.after.code, event)
        problems = details_error(self.truth, run, event.after.code, event.tag, event.exit_code)
        if problems:
            self._report(f"{event} {problems}")

    def _step(self, event: StepChanged) -> None:
        self._check_before(event)
        if event.ref in self._finished_refs and event.is_finished and not event.skipped:
            self._report(f"{event} although it was over already")
        if event.is_finished:
            if event.after.is_finished():
                self._finished_runs.add((event.ref, event.execute_count))
            else:
                # What never began, or was left as it was, is over with its job, and may be reopened with it.
                self._finished_with_job[event.ref] += 1
        self._update_finished(event)
        self._match_truth(event.ref, event.after.code, event)

    def _job(self, event: JobChanged) -> None:
        self._check_before(event)
        if event.is_finished and self.truth is not None:
            for step, codes in self.truth.steps_of(event.ref).items():
                # A step that the platform itself left unfinished is waited for only until the bound.
                settled = step in self._finished_refs or self._status.get(step, NOT_STARTED) == NOT_STARTED
                if not settled and run_status(codes[-1]).is_finished():
                    self._report(f"{event} before {step} was told as over")
        self._update_finished(event)
        self._match_truth(event.ref, event.after.code, event)

    def _check_before(self, event: StepChanged | JobChanged) -> None:
        ref, before = event.ref, event.before.code if event.before else None
        if before is None and ref in self._status and not event.skipped:
            self._restart_watch(ref)
        if not event.skipped and before != self._status.get(ref):
            self._report(f"{event} begins at {before}, the last was {self._status.get(ref)}")
        self._status[ref] = event.after.code

    def _update_finished(self, event: StepChanged | JobChanged) -> None:
        if event.skipped:
            # What was reopened, and may have ended anew, lies in what was compacted away.
            self._finished_refs.discard(event.ref)
            self._ended_refs.discard(event.ref)
        if event.is_finished:
            self._finished_refs.add(event.ref)
        elif event.ref in self._finished_refs:
            self._report(f"{event} without being reopened")
            self._finished_refs.discard(event.ref)

    def _restart_watch(self, ref: Ref) -> bool:
        """Forget what was told of *ref*, where it was dropped and watched anew; return whether it was."""
        if not self.watch_starts.again(ref):
            return False
        self._status.pop(ref, None)
        self._finished_refs.discard(ref)
        self._ended_refs.discard(ref)
        for step in [step for step in self._runs if step == ref]:
            del self._runs[step]
        for key in [
            key for key in self._positions if ref in (key, key[0] if isinstance(key, tuple) else key)
        ]:
            del self._positions[key]
        for run in [run for run in self._hosts if run[0] == ref]:
            del self._hosts[run]
        self._finished_runs = {(step, run) for step, run in self._finished_runs if step != ref}
        return True

    def _first_index(self, key: HostRun | Ref, ref: Ref) -> int:
        """Return the first place in the true story that may be told of *ref* or of a host of it."""
        joined = self.watch_starts.at(ref)
        return self.truth.index_at(key, joined) if self.truth is not None and joined is not None else 0

    def _match_truth(
        self, key: HostRun | Ref, code: int, event: HostChanged | StepChanged | JobChanged
    ) -> None:
        """Find *code* in the true story, no earlier than what was seen before."""
        if self.truth is None:
            return
        codes = self.truth.codes(key)
        if codes is None:
            self._report(f"{event} of something that does not exist")
            return
        known = self._positions.get(key)
        start = self._first_index(key, event.ref) if known is None else known
        # Staying at the same place is allowed: a status told as passing and then as final is one status.
        found = next((n for n in range(start, len(codes)) if codes[n] == code), None)
        if found is not None:
            self._positions[key] = found
        elif known is None and code in codes:
            self._report(f"{event} was so no more when it came to be watched: {list(codes)}")
        else:
            self._report(f"{event} never happened after what was told before: {list(codes)}")

    def compare_ends(self) -> None:
        """Check that what was told as over shows the true end of every host."""
        if self.truth is None:
            return
        refs: list[Ref] = [*self.truth.steps, *self.truth.jobs]
        for ref in refs:
            # Nothing is reopened more often than it truly left a final status.
            codes = self.truth.codes(ref) or ()
            left = sum(run_status(code).is_finished() for code in codes[:-1]) + self._finished_with_job[ref]
            if self._reopened[ref] > left:
                times = self._reopened[ref]
                self._report(f"{ref} was told as over too early: reopened {times} times, truly {left}")
        for run, codes in self.truth.hosts.items():
            if (
                codes
                and self._must_be_reported(run)
                and self._hosts.get(run) not in self._allowed_ends(run, self.truth)
            ):
                step, number, label = run
                self._report(
                    f"{step} #{number} {label} ended {codes[-1]}, and was last told as {self._hosts.get(run)}"
                )

    def _must_be_reported(self, run: HostRun) -> bool:
        """Whether the end of a host had to be told."""
        step, number, _ = run
        latest = self._runs.get(step, 0)
        past = self.require_past_executions and (step, number) in self._finished_runs and number < latest
        over = step in self._finished_refs and run_status(self._status[step]).is_finished()
        return past or (over and self._runs.get(step) == number)

    def _allowed_ends(self, run: HostRun, truth: Truth) -> set[int | None]:
        """Return the codes that a host may have been told last, its step being over."""
        step, number, _ = run
        if number < self._runs.get(step, 0) or step not in truth.since:
            return {truth.hosts[run][-1]}
        endings = truth.endings(step, self._status[step], self._positions.get(step, 0))
        return {truth.code_before(run, at) for at in endings} or {truth.hosts[run][-1]}

    def _report(self, problems: str) -> None:
        self.violations.append(problems)

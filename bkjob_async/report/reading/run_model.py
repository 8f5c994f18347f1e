"""The model of a run: its jobs, steps and hosts, updated with what was reported of them, in order."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping

from attrs import define, field

from bkjob_async.model.status import Phase, RunStatus
from bkjob_async.report.reading.rows import (
    NUMBER_OF,
    PHASES,
    HostRow,
    JobRow,
    Outage,
    Series,
    StepRow,
    facts_of,
)

RUNNING = NUMBER_OF[Phase.RUNNING]
# A host that succeeded in the execution before, and did not run again.
LAST_SUCCESS = 3
# How many points the course of the whole run has, and that of one step.
RUN_POINTS, STEP_POINTS = 256, 16
# So many notes of one kind are kept; the others are counted.
MAX_NOTES = 200
# Label, id, code before, code, tag, exit code, start and end (Unix milliseconds) of a host: a tuple, because a report has
# hundreds of thousands.
HostChange = tuple[str, int | None, int | None, int, str | None, int | None, int | None, int | None]
# No host runs for longer than a year: the platform gave something else. (seconds)
LONGEST_RUN = 366 * 86400.0
# Trouble with the journal itself: polling goes on.
JOURNAL_AWAY = "JournalUnavailable"


@define(eq=False)
class RunModel:
    """Jobs, steps and hosts as they were reported last, and how their counts changed as time passed.

    Refs are text as `str` writes them. Times are Unix seconds and never go back; `set_time` comes before what was
    reported then; *has_times* is False until one was known. With *targets*, nothing else is kept. Another execution of
    a step replaces its hosts: a later one, or an earlier one of a platform that was restored from a backup.
    """

    targets: Collection[str] = ()
    jobs: dict[str, JobRow] = field(factory=dict, init=False)
    steps: dict[str, StepRow] = field(factory=dict, init=False)
    counts: list[int] = field(factory=lambda: [0] * len(PHASES), init=False)
    series: Series | None = field(default=None, init=False)
    gaps: list[tuple[float, float]] = field(factory=list, init=False)
    has_times: bool = field(default=False, init=False)
    began: float | None = field(default=None, init=False)
    now: float = field(default=0.0, init=False)
    events: int = field(default=0, init=False)
    durations: array[float] = field(factory=lambda: array("d"), init=False)
    unmeasured: int = field(default=0, init=False)
    lost: dict[str, str] = field(factory=dict, init=False)
    outages: list[Outage] = field(factory=list, init=False)
    outage_count: int = field(default=0, init=False)
    openings: int = field(default=1, init=False)
    _is_catching_up: bool = field(default=False, init=False)
    _open_outages: dict[str | None, int] = field(factory=dict, init=False)

    # Time -----------------------------------------------------------------------------------------------------------

    def set_time(self, at: float | None) -> None:
        """Say when what follows was reported, None where nobody knows; an earlier time than the last counts as the last."""
        self.has_times = self.has_times or at is not None
        if at is None:
            at = self.now
        if self.began is None or self.series is None:
            self.began = self.now = at
            self.series = Series(at, RUN_POINTS)
        elif at > self.now:
            self.series.advance(at, self.counts)
            self.now = at

    def resumed(self, gap: float) -> None:
        """Note that a new process continued the watch, after *gap* seconds without observation."""
        self.openings += 1
        self._is_catching_up = True
        if gap > 0 and self.began is not None:
            self.gaps.append((max(self.began, self.now - gap), self.now))

    def in_sync(self) -> None:
        """Note that the present state of all targets was reported."""
        self._is_catching_up = False

    def trouble(self, ref: str | None, error: str, message: str) -> None:
        """Note that polling of a target, or (None) of all, fails from now on."""
        if ref in self._open_outages or (ref is not None and not self._is_wanted(ref)):
            return
        self.outage_count += 1
        if len(self.outages) < MAX_NOTES or ref is None:
            self._open_outages[ref] = len(self.outages)
            self.outages.append(Outage(ref, error, message, self.now, None))

    def recovered(self, ref: str | None) -> None:
        """Note that polling works again."""
        place = self._open_outages.pop(ref, None)
        if place is None:
            return
        outage = self.outages[place] = self.outages[place]._replace(until=self.now)
        if ref is None and outage.error != JOURNAL_AWAY and self.now > outage.since:
            self.gaps.append((outage.since, self.now))

    # Jobs and steps -------------------------------------------------------------------------------------------------

    def job_changed(self, ref: str, code: int, *, is_finished: bool, name: str) -> None:
        """Note another status of a job."""
        job = self._job(ref)
        if job is None:
            return
        if job.is_finished and not is_finished:
            job.took = None
        job.code, job.is_finished, job.name = code, is_finished, name or job.name

    def step_changed(self, ref: str, execute_count: int, code: int, *, is_finished: bool, name: str) -> None:
        """Note another status of a step, or another execution."""
        step = self._step(ref)
        if step is None:
            return
        if execute_count != step.execute_count:
            self._begin_execution(step, execute_count)
        if step.is_finished and not is_finished:
            step.ended = step.took = None
        step.code, step.is_finished, step.name = code, is_finished, name or step.name
        if is_finished:
            step.ended = self.now
        elif step.began is None and RunStatus(code).phase is Phase.RUNNING:
            step.began = self.now

    def finished(self, ref: str, *, took: float | None) -> None:
        """Note that a target is over."""
        if not self._is_wanted(ref):
            return
        self.lost.pop(ref, None)
        job = self.jobs.get(ref)
        if job is not None:
            job.took = took

    def step_result(self, ref: str, code: int, *, is_finished: bool, name: str, took: float | None) -> None:
        """Note how a step ended, as the result of a target says."""
        step = self._step(ref)
        if step is None:
            return
        step.code, step.is_finished, step.name = code, is_finished, name or step.name
        step.took = took
        if is_finished and step.ended is None:
            step.ended = self.now

    def was_lost(self, ref: str, reason: str) -> None:
        """Note that a target cannot be read any more."""
        if self._is_wanted(ref):
            self.lost[ref] = reason

    # Hosts ----------------------------------------------------------------------------------------------------------

    def host_counts(self, ref: str, execute_count: int, counts: Mapping[Phase, int]) -> None:
        """Note that another execution of a step begins, if it has no hosts yet (*counts* by phase)."""
        step = self._step(ref)
        if step is None:
            return
        if execute_count != step.execute_count or not any(counts.values()):
            self._begin_execution(step, execute_count)

    def hosts_changed(
        self, ref: str, execute_count: int, hosts: Iterable[HostChange], *, skipped: bool
    ) -> None:
        """Note other statuses of hosts of a step, or their first."""
        step = self._step(ref)
        if step is None:
            return
        if execute_count != step.execute_count:
            self._begin_execution(step, execute_count)
        now, rows, counts, all_counts = self.now, step.hosts, step.counts, self.counts
        since = None if skipped or self._is_catching_up else now
        step.series.advance(now, counts)
        for label, host_id, before, code, tag, exit_code, start, end in hosts:
            facts = facts_of(code)
            row, was_finished = rows.get(label), False
            if row is None and before is not None:
                row = step.renamed(label, host_id)
            if row is None:
                row = step.add_host(label, code, host_id)
            else:
                old = facts_of(row.code)
                was_finished = old.is_finished
                counts[old.phase] -= 1
                all_counts[old.phase] -= 1
                step.failed -= old.is_failed
                row.code = code
            counts[facts.phase] += 1
            all_counts[facts.phase] += 1
            step.failed += facts.is_failed
            row.tag, row.exit_code = tag, exit_code
            if not facts.is_finished:
                row.took = None
                row.since = since if facts.phase == RUNNING else None
            elif not was_finished and code != LAST_SUCCESS:
                given = given_duration(start, end)
                if given is not None and end == (row.end or step.earlier_ends.get(label)):
                    row.took, row.since = given, None  # it has not run again since it was measured
                else:
                    self._measure(row, given, skipped=skipped)
                row.end = end if given is not None else row.end

    def failed_host(self, ref: str, label: str, code: int, tag: str | None, exit_code: int | None) -> None:
        """Note what the result of a step says of a host that failed."""
        step = self.steps.get(ref)
        row = None if step is None else step.hosts.get(label)
        if row is not None and row.code == code:
            row.tag = tag if tag is not None else row.tag
            row.exit_code = exit_code if exit_code is not None else row.exit_code

    def _measure(self, row: HostRow, given: float | None, *, skipped: bool) -> None:
        """Record how long a host ran that has finished: as was *given*, else as was observed from beginning to end."""
        since, row.since, row.took = row.since, None, given
        if given is None and since is not None and not skipped and not self._is_catching_up:
            row.took = self.now - since
        if row.took is None:
            self.unmeasured += 1
        else:
            self.durations.append(row.took)

    # Rows -----------------------------------------------------------------------------------------------------------

    def _is_wanted(self, ref: str) -> bool:
        return not self.targets or ref in self.targets or ref.partition("/")[0] in self.targets

    def _job(self, ref: str) -> JobRow | None:
        """Return a job's row, None where neither it nor one of its steps is wanted."""
        row = self.jobs.get(ref)
        if row is None:
            if not self._is_wanted(ref) and not any(each.startswith(f"{ref}/") for each in self.targets):
                return None
            row = self.jobs[ref] = JobRow(ref)
        return row

    def _step(self, ref: str) -> StepRow | None:
        """Return a step's row, None where it is not wanted."""
        row = self.steps.get(ref)
        if row is None and self._is_wanted(ref):
            job = ref.partition("/")[0]
            self._job(job)
            row = self.steps[ref] = StepRow(ref, job=job, series=Series(self.began or 0.0, STEP_POINTS))
        return row

    def _begin_execution(self, step: StepRow, execute_count: int) -> None:
        """Forget the hosts of the execution before; its durations are kept."""
        step.series.advance(self.now, step.counts)
        for number, count in enumerate(step.counts):
            self.counts[number] -= count
            step.counts[number] = 0
        step.forget_hosts()
        if execute_count != step.execute_count:
            step.began = step.ended = step.took = None
        step.execute_count = execute_count


def given_duration(start: int | None, end: int | None) -> float | None:
    """Return the seconds between two times in Unix milliseconds, None where one is missing or no host can run so long."""
    if start is None or end is None:
        return None
    seconds = (end - start) / 1000
    return seconds if 0.0 <= seconds <= LONGEST_RUN else None

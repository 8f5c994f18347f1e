"""The figures of a report: frozen values from the model of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from attrs import frozen

from bkjob_async.model.status import Phase
from bkjob_async.report.durations import Durations, durations_of
from bkjob_async.report.hosts import FailedHost, FailureGroup, failed_hosts, failure_groups
from bkjob_async.report.phases import BAD, OPEN, SHOWN_FIRST, UNSUCCESSFUL
from bkjob_async.report.reading.rows import NUMBER_OF, PHASES, JobRow, Outage, StepRow
from bkjob_async.report.reading.run_model import RunModel
from bkjob_async.report.verdict import Verdict, verdict_of

Counts = tuple[int, ...]


@frozen(kw_only=True)
class Course:
    """How many hosts were in each phase as time passed.

    *points* are (seconds since the begin, counts in the order of `Phase`), each held until the next; *gaps* are the
    times without observation.
    """

    seconds: float
    points: tuple[tuple[float, Counts], ...]
    gaps: tuple[tuple[float, float], ...]

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that any host had, what asks for attention first."""
        seen = [any(column) for column in zip(*(counts for _, counts in self.points), strict=True)]
        return tuple(phase for phase in SHOWN_FIRST if seen[NUMBER_OF[phase]])

    @property
    def most(self) -> int:
        """The largest number of hosts at any time."""
        return max((sum(counts) for _, counts in self.points), default=0)


class StepPoint(NamedTuple):
    """The hosts of a step *at* so many seconds after the begin of the run, and how many were over and had failed."""

    at: float
    hosts: int
    over: int
    failed: int


@frozen(kw_only=True)
class StepFigures:
    """A step: its hosts by phase, when it ran (seconds since the begin of the run), and how it went on.

    *took* is None while it runs, or where its begin was not observed. *is_exact*: *took* is the platform's own.
    """

    row: StepRow
    job: JobRow
    phase: Phase
    hosts: int
    failed: int
    took: float | None
    is_exact: bool
    points: tuple[StepPoint, ...]


@frozen(kw_only=True)
class Figures:
    """What a report says. Counts of hosts count a host once for each step."""

    title: str
    verdict: Verdict
    began: datetime | None
    seconds: float
    events: int
    openings: int
    hosts: Mapping[Phase, int]
    jobs: Mapping[Phase, int]
    course: Course | None
    groups: Sequence[FailureGroup]
    failed: Sequence[FailedHost]
    durations: Durations | None
    unmeasured: int
    steps: Sequence[StepFigures]
    waiting: Sequence[JobRow]
    failed_alone: Sequence[JobRow]
    lost: Mapping[str, str]
    outages: Sequence[Outage]
    outage_count: int
    damaged_lines: int = 0

    @property
    def job_count(self) -> int:
        """How many jobs there are."""
        return sum(self.jobs.values())


def figures_of(run: RunModel, *, title: str, zone: tzinfo | None, damaged_lines: int = 0) -> Figures:
    """Return the figures of a *run*; *zone* is that of its times, None for the machine's own."""
    began = run.began if run.has_times else None
    steps = [step_figures(step, run.jobs[step.job], run) for step in run.steps.values()]
    steps.sort(key=lambda step: (-step.failed, -(step.took or 0.0), step.row.key))
    failed = failed_hosts(run.steps.values())
    hosts = by_phase(run.counts)
    job_phases = phases_of_jobs(run)
    jobs = Counter(job_phases.values())
    with_failed_hosts = {step.job.key for step in steps if step.failed}
    return Figures(
        title=title,
        verdict=verdict_of(hosts, jobs, len(failed), len(run.lost)),
        began=None if began is None else datetime.fromtimestamp(began, zone).astimezone(zone),
        seconds=0.0 if began is None else run.now - began,
        events=run.events,
        openings=run.openings,
        hosts=hosts,
        jobs={phase: jobs[phase] for phase in SHOWN_FIRST if jobs[phase]},
        course=course_of(run) if run.has_times else None,
        groups=failure_groups(failed),
        failed=failed,
        durations=durations_of(run.durations) if run.has_times else None,
        unmeasured=run.unmeasured,
        steps=steps,
        waiting=[run.jobs[key] for key, phase in job_phases.items() if phase is Phase.WAITING],
        failed_alone=[
            run.jobs[key]
            for key, phase in job_phases.items()
            if phase in BAD and key not in with_failed_hosts
        ],
        lost=run.lost,
        outages=run.outages,
        outage_count=run.outage_count,
        damaged_lines=damaged_lines,
    )


OPEN_NUMBERS = tuple(NUMBER_OF[phase] for phase in OPEN)
FAILED_NUMBERS = tuple(NUMBER_OF[phase] for phase in UNSUCCESSFUL)


def by_phase(counts: Iterable[int]) -> Mapping[Phase, int]:
    """Return counts in the order of `Phase` by phase, what asks for attention first, without zeros."""
    found = dict(zip(PHASES, counts, strict=True))
    return {phase: found[phase] for phase in SHOWN_FIRST if found[phase]}


def phases_of_jobs(run: RunModel) -> dict[str, Phase]:
    """Return the phase of each job; that of a job of which only steps were watched follows from them."""
    steps: dict[str, list[Phase]] = {}
    for step in run.steps.values():
        steps.setdefault(step.job, []).append(phase_of_step(step))
    return {key: phase_of_job(job, steps.get(key, ())) for key, job in run.jobs.items()}


def phase_of_job(job: JobRow, steps: Sequence[Phase] = ()) -> Phase:
    """Return the phase of a job, from those of its *steps* where its own was not reported."""
    return worst(steps) if job.status is None else job.status.phase


def worst(phases: Sequence[Phase]) -> Phase:
    """Return the phase that asks for attention most."""
    return min(phases, key=SHOWN_FIRST.index, default=Phase.PENDING)


def phase_of_step(step: StepRow) -> Phase:
    """Return the phase of a step, from its hosts where its own was not reported."""
    if step.status is not None:
        return step.status.phase
    return worst([*by_phase(step.counts)])


def step_figures(step: StepRow, job: JobRow, run: RunModel) -> StepFigures:
    """Return the figures of a step."""
    observed = None if step.began is None or step.ended is None else step.ended - step.began
    return StepFigures(
        row=step,
        job=job,
        phase=phase_of_step(step),
        hosts=sum(step.counts),
        failed=step.failed,
        took=observed if step.took is None else step.took,
        is_exact=step.took is not None,
        points=tuple(
            point_of(step.series.origin + at - (run.began or 0.0), counts)
            for at, counts in step.series.points_with(step.counts)
        ),
    )


def point_of(at: float, counts: Counts) -> StepPoint:
    """Return a point of the course of a step."""
    hosts = sum(counts)
    return StepPoint(
        at,
        hosts,
        hosts - sum(map(counts.__getitem__, OPEN_NUMBERS)),
        sum(map(counts.__getitem__, FAILED_NUMBERS)),
    )


def course_of(run: RunModel) -> Course | None:
    """Return the course of a run, None where it took no time or had no hosts."""
    if run.series is None or run.began is None or run.now - run.began < 1.0:
        return None
    began = run.began
    still = [outage.since for outage in run.outages if outage.ref is None and outage.until is None]
    gaps = [*run.gaps, *((since, run.now) for since in still if since < run.now)]
    course = Course(
        seconds=run.now - began,
        points=tuple(run.series.points_with(run.counts)),
        gaps=tuple(merged([(since - began, until - began) for since, until in gaps])),
    )
    return course if course.most else None


def merged(gaps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return *gaps* in order, those that touch as one."""
    found: list[tuple[float, float]] = []
    for since, until in sorted(gaps):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(until, found[-1][1]))
        else:
            found.append((since, until))
    return found

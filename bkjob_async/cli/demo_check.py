"""Two sets of books: what a watch saw and what the simulator did, and whether they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

from bkjob_async import (
    Event,
    Finished,
    HostChanged,
    HostStatus,
    JobChanged,
    JobRef,
    JobResult,
    Phase,
    Ref,
    RunStatus,
    StepChanged,
    StepRef,
)
from bkjob_async.simulator.world.history import History

HostRun = tuple[StepRef, int, str]


@define
class Seen:
    """What the events of a watch told, in order: codes of hosts, steps and jobs, and the results."""

    hosts: dict[HostRun, list[int]] = field(factory=dict, init=False)
    runs: dict[Ref, list[int]] = field(factory=dict, init=False)
    results: dict[Ref, JobResult] = field(factory=dict, init=False)

    def apply(self, event: Event) -> None:
        """Record one event."""
        if isinstance(event, HostChanged):
            run = (event.ref, event.execute_count, event.host.label)
            self.hosts.setdefault(run, []).append(event.after.code)
        elif isinstance(event, StepChanged | JobChanged):
            self.runs.setdefault(event.ref, []).append(event.after.code)
        elif isinstance(event, Finished):
            self.results[event.ref] = event.result

    @property
    def moves(self) -> int:
        """How many host transitions were told."""
        return sum(map(len, self.hosts.values()))


@frozen(kw_only=True)
class Figures:
    """A whole evening in figures, comparable with `==`."""

    jobs: Mapping[Phase, int]
    steps: int
    executions: int
    hosts: Mapping[Phase, int]


def figures_seen(seen: Seen) -> Figures:
    """Count what a watch of whole jobs told."""
    hosts: Counter[Phase] = Counter()
    for result in seen.results.values():
        hosts.update(result.hosts)
    return Figures(
        jobs=Counter(result.status.phase for result in seen.results.values()),
        steps=sum(isinstance(ref, StepRef) for ref in seen.runs),
        executions=len({(ref, count) for ref, count, _ in seen.hosts}),
        hosts=hosts,
    )


def figures_true(history: History) -> Figures:
    """Count what the simulator did."""
    latest: dict[tuple[StepRef, str], tuple[int, int]] = {}
    for (ref, count, label), moves in history.hosts.items():
        latest[ref, label] = max(latest.get((ref, label), (-1, 0)), (count, moves[-1][1]))
    return Figures(
        jobs=Counter(RunStatus(moves[-1][1]).phase for moves in history.jobs.values()),
        steps=len(history.steps),
        executions=len({(ref, count) for ref, count, _ in history.hosts}),
        hosts=Counter(HostStatus(code).phase for _, code in latest.values()),
    )


def disagreements(seen: Seen, history: History, jobs: Iterable[JobRef]) -> Iterator[str]:
    """Yield, in words, everything that was told and not done, or done at last and not told.

    Watching samples: states between two looks may be missed, the last one never, and nothing is invented.
    """
    for job in jobs:
        told = seen.runs.get(job, [])
        if not is_sampled(told, codes(history.jobs[job])):
            yield f"{job}: told {told}, was {codes(history.jobs[job])}"
    for run in sorted(seen.hosts.keys() | history.hosts.keys(), key=str):
        told, done = seen.hosts.get(run, []), codes(history.hosts.get(run, ()))
        if not is_sampled(told, done):
            yield f"{run[0]} #{run[1]} {run[2]}: told {told}, was {done}"
    for ref, moves in history.steps.items():
        told = seen.runs.get(ref, [])
        if told[-1:] != codes(moves)[-1:]:
            yield f"{ref}: told {told}, was {codes(moves)}"


def codes(moves: Sequence[tuple[float, int]]) -> list[int]:
    """Return the codes alone."""
    return [code for _, code in moves]


def is_sampled(told: Sequence[int], done: Sequence[int]) -> bool:
    """Whether *told* is *done* with some states left out, but not the last."""
    rest = iter(done)
    return told[-1:] == done[-1:] and all(code in rest for code in told)

"""Compare what a watch saw with what the simulator did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

import bkjob_async as bkjob
from bkjob_async.simulator.world.history import History

HostRun = tuple[bkjob.StepRef, int, str]


@define
class Seen:
    """What the events of a watch reported, in order: codes of hosts, steps and jobs, and the results."""

    hosts: dict[HostRun, list[int]] = field(factory=dict, init=False)
    runs: dict[bkjob.Ref, list[int]] = field(factory=dict, init=False)
    results: dict[bkjob.Ref, bkjob.JobResult] = field(factory=dict, init=False)

    def apply(self, event: bkjob.Event) -> None:
        """Record one event."""
        if isinstance(event, bkjob.HostChanged):
            run = (event.ref, event.execute_count, event.host.label)
            self.hosts.setdefault(run, []).append(event.after.code)
        elif isinstance(event, bkjob.StepChanged | bkjob.JobChanged):
            self.runs.setdefault(event.ref, []).append(event.after.code)
        elif isinstance(event, bkjob.Finished):
            self.results[event.ref] = event.result

    @property
    def moves(self) -> int:
        """How many host transitions were reported."""
        return sum(map(len, self.hosts.values()))


@frozen(kw_only=True)
class DemoFigures:
    """The counts of a whole demo, comparable with `==`."""

    jobs: Mapping[bkjob.Phase, int]
    steps: int
    executions: int
    hosts: Mapping[bkjob.Phase, int]


def figures_seen(seen: Seen) -> DemoFigures:
    """Count what a watch of whole jobs reported."""
    hosts: Counter[bkjob.Phase] = Counter()
    for result in seen.results.values():
        hosts.update(result.hosts)
    return DemoFigures(
        jobs=Counter(result.status.phase for result in seen.results.values()),
        steps=sum(isinstance(ref, bkjob.StepRef) for ref in seen.runs),
        executions=len({(ref, count) for ref, count, _ in seen.hosts}),
        hosts=hosts,
    )


def figures_true(history: History) -> DemoFigures:
    """Count what the simulator did."""
    latest: dict[tuple[bkjob.StepRef, str], tuple[int, int]] = {}
    for (ref, count, label), moves in history.hosts.items():
        latest[ref, label] = max(latest.get((ref, label), (-1, 0)), (count, moves[-1][1]))
    return DemoFigures(
        jobs=Counter(bkjob.RunStatus(moves[-1][1]).phase for moves in history.jobs.values()),
        steps=len(history.steps),
        executions=len({(ref, count) for ref, count, _ in history.hosts}),
        hosts=Counter(bkjob.HostStatus(code).phase for _, code in latest.values()),
    )


def disagreements(seen: Seen, history: History, jobs: Iterable[bkjob.JobRef]) -> Iterator[str]:
    """Yield a sentence for each status that was reported and never reached, or reached last and not reported.

    A watch takes samples: it may miss statuses between two polls, but not the last one, and reports none that
    did not occur.
    """
    for job in jobs:
        reported = seen.runs.get(job, [])
        if not is_sampled(reported, codes(history.jobs[job])):
            yield f"{job}: reported {reported}, was {codes(history.jobs[job])}"
    for run in sorted(seen.hosts.keys() | history.hosts.keys(), key=str):
        reported, actual = seen.hosts.get(run, []), codes(history.hosts.get(run, ()))
        if not is_sampled(reported, actual):
            yield f"{run[0]} #{run[1]} {run[2]}: reported {reported}, was {actual}"
    for ref, moves in history.steps.items():
        reported = seen.runs.get(ref, [])
        if reported[-1:] != codes(moves)[-1:]:
            yield f"{ref}: reported {reported}, was {codes(moves)}"


def codes(moves: Sequence[tuple[float, int]]) -> list[int]:
    """Return the codes without their times."""
    return [code for _, code in moves]


def is_sampled(reported: Sequence[int], actual: Sequence[int]) -> bool:
    """Return True when *reported* is *actual* with some codes left out, but not the last."""
    rest = iter(actual)
    return reported[-1:] == actual[-1:] and all(code in rest for code in reported)

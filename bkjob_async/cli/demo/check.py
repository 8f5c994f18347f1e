"""Count what a watch saw, and what the simulator did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.simulator.world.history import History
from bkjob_async.testing.results import observed_codes


@frozen(kw_only=True)
class DemoFigures:
    """The counts of a whole demo, comparable with `==`."""

    jobs: Mapping[bkjob.Phase, int]
    steps: int
    executions: int
    hosts: Mapping[bkjob.Phase, int]


def figures_seen(batches: Sequence[bkjob.Batch], results: Collection[bkjob.JobResult]) -> DemoFigures:
    """Count what a watch of whole jobs reported."""
    events = [event for batch in batches for event in batch.events]
    hosts: Counter[bkjob.Phase] = Counter()
    for result in results:
        hosts.update(result.hosts)
    return DemoFigures(
        jobs=Counter(result.status.phase for result in results),
        steps=len({event.ref for event in events if isinstance(event, bkjob.StepChanged)}),
        executions=len({(ref, count) for ref, count, _ in observed_codes(batches)}),
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

"""Read from the platform's job lists how long earlier runs took; nothing is stored between commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bkjob_async.client.caller import Caller
from bkjob_async.client.operations.queries import get_job_instance_list
from bkjob_async.engine.scheduling.duration_stats import DurationTable, normalize_name
from bkjob_async.errors import BkJobError
from bkjob_async.model.refs import Scope
from bkjob_async.model.snapshot import JobSnapshot

# The platform lists so many days at a time. Of so many names, so many runs are looked at.
DAYS, MOST_NAMES, MOST_RUNS = timedelta(days=30), 5, 20
FEWEST_RUNS = 3
SUCCEEDED = 3


async def earlier_runs(client: Caller, jobs: Iterable[JobSnapshot], now: datetime) -> DurationTable:
    """Return how long runs before *now* took that have the names of *jobs* and succeeded; nothing where none are listed."""
    known = DurationTable()
    names = [*dict.fromkeys((job.ref.scope, job.name) for job in jobs if job.name)]
    for scope, name in names[:MOST_NAMES]:
        try:
            runs = await runs_of(client, scope, name, now)
        except BkJobError:
            break  # such a list is not there, or not allowed: what was asked for is said without it
        for seconds in reversed(runs):
            known.learn(scope, name, None, seconds)
    return known


async def runs_of(client: Caller, scope: Scope, name: str, now: datetime) -> list[float]:
    """Return how long the last runs of a name took, the newest first."""
    found = list[float]()
    listed = get_job_instance_list(
        client, now - DAYS, now, name=name, status=SUCCEEDED, length=MOST_RUNS, scope=scope
    )
    looked_at = 0
    async for job in listed:
        looked_at += 1
        if normalize_name(job.name) == normalize_name(name) and job.times.total_time is not None:
            found.append(job.times.total_time)
        if looked_at >= MOST_RUNS:
            break
    return found


def time_left(known: DurationTable, job: JobSnapshot, age: float) -> tuple[float, float] | None:
    """Return in how many seconds half and 90 % of the runs of a name are over, None where fewer than three are known."""
    runs = known.expectation(job.ref.scope, job.name, None)
    if runs is None or known.runs(job.ref.scope, job.name, None) < FEWEST_RUNS:
        return None
    return runs.time_left(age, 0.5), runs.time_left(age, 0.9)

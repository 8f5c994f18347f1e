"""What is said of how a target is polled."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.snapshot import Times
from bkjob_async.watch.stats import explanation_of, started_ago
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, at, job, step


@pytest.mark.parametrize(
    ("started", "shown"),
    [(-22.0, "22 s"), (None, "at least 3 s"), (5.0, "at least 3 s"), (-4e6, "at least 3 s")],
)
def test_explain_says_how_long_a_job_runs_by_the_clock_of_the_platform(
    started: float | None, shown: str
) -> None:
    """Where that is the clock of this machine, else how long it was seen running."""
    now = 1_000_000_000.0
    start = None if started is None else datetime.fromtimestamp(now + started, UTC)
    state = JobState(JOB)
    state.add_target(JOB)
    for second in (0, 3):
        apply_job(state, replace(job(2, step(2)), times=Times(start_time=start)), at(second))

    ago = started_ago(state, JOB, now)
    said = explanation_of(
        state,
        JOB,
        3.0,
        due=10.0,
        is_polled=False,
        is_unreachable=False,
        limit=None,
        expected_duration="",
        running_for=None,
        ends_in=None,
        started_ago=ago,
    )
    assert said.because == f"it has been running for {shown}"

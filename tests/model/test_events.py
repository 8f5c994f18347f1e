"""Events as text."""

import pytest

from bkjob_async.model.events import HostChanged, JobChanged, StepChanged
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.status import host_status, run_status

JOB = JobRef(Scope.biz(2), 100)
STEP = JOB.step(200)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, 7, "∅ → WAITING"),
        (2, 7, "RUNNING → WAITING"),
        (15, 7, "ROLLING_WAITING → WAITING_USER"),
        (8, 11, "TERMINATED → STOP_SUCCESS"),
    ],
)
def test_a_change_within_a_phase_is_printed_by_the_names_of_its_statuses(
    before: int | None, after: int, text: str
) -> None:
    """By its phases it would seem to be none."""
    old = None if before is None else run_status(before)
    step = StepChanged(ref=STEP, execute_count=0, before=old, after=run_status(after), is_finished=False)
    job = JobChanged(ref=JOB, before=old, after=run_status(after), is_finished=False)

    assert (str(step), str(job)) == (f"{STEP} step {text}", f"{JOB} job {text}")


def test_a_host_that_fails_otherwise_is_printed_by_both_names() -> None:
    """And one that fails by its phases, with the name of the new status."""
    printed = [
        str(
            HostChanged(
                ref=STEP,
                host=HostKey.parse("0:10.0.0.1"),
                execute_count=0,
                before=host_status(before),
                after=host_status(104),
            )
        )
        for before in (7, 102)
    ]

    assert printed == [
        f"{STEP} 0:10.0.0.1 RUNNING → FAILED (SCRIPT_NOT_ZERO_EXIT_CODE)",
        f"{STEP} 0:10.0.0.1 SCRIPT_TIMEOUT → SCRIPT_NOT_ZERO_EXIT_CODE",
    ]

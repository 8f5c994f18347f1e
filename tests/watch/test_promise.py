"""The promise of the stream, held against thousands of random histories.

They are the same ones every time when `CI` is set; `BKJOB_HISTORIES` runs more.
"""

import os

from attrs import evolve
from hypothesis import HealthCheck, given, note, settings

from bkjob_async.model.grade import Grade
from tests.watch.histories import History, histories, run

HISTORIES = int(os.environ.get("BKJOB_HISTORIES", "2000"))
settle_for = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def keeps_its_promises(history: History, dialect: str) -> None:
    """Run a history through *dialect*; every promise that it breaks is told."""
    broken = run(evolve(history, dialect=dialect))

    note("\n".join(broken))
    assert broken == []


exact = histories.filter(lambda history: history.grade is Grade.EXACT)
coarse = histories.filter(lambda history: history.grade is not Grade.EXACT)
a_quarter = settings(settle_for, max_examples=HISTORIES // 4)


@a_quarter
@given(exact)
def test_every_history_is_told_exactly_as_it_happened_through_the_gateway(history: History) -> None:
    """Nothing invented, nothing lost, nothing twice, everything in order; and no task left behind."""
    keeps_its_promises(history, "gateway-v3")


@a_quarter
@given(exact)
def test_every_history_is_told_exactly_as_it_happened_through_the_esb(history: History) -> None:
    """The same promise where every answer brings all hosts of a job."""
    keeps_its_promises(history, "esb-job")


@a_quarter
@given(coarse)
def test_every_history_is_told_to_its_end_through_the_gateway(history: History) -> None:
    """The same promise where small moves may collect, or hosts are read at the end only."""
    keeps_its_promises(history, "gateway-v3")


@a_quarter
@given(coarse)
def test_every_history_is_told_to_its_end_through_the_esb(history: History) -> None:
    """Whatever its watchers ask for, the platform sends all hosts: the promise is the same."""
    keeps_its_promises(history, "esb-job")

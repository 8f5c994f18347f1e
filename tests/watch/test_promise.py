"""The promise of the stream, held against thousands of random histories.

They are the same ones every time when `CI` is set; `BKJOB_HISTORIES` runs more.
"""

import os

from attrs import evolve
from hypothesis import HealthCheck, given, note, settings

from tests.watch.histories import History, histories, run

thousands = settings(
    max_examples=int(os.environ.get("BKJOB_HISTORIES", "2000")) // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@thousands
@given(histories)
def test_every_history_is_told_as_it_happened_through_the_gateway(history: History) -> None:
    """Nothing invented, nothing lost, nothing twice, everything in order; and no task left behind."""
    broken = run(evolve(history, dialect="gateway-v3"))

    note("\n".join(broken))
    assert broken == []


@thousands
@given(histories)
def test_every_history_is_told_as_it_happened_through_the_esb(history: History) -> None:
    """The same promise where every answer brings all hosts of a job."""
    broken = run(evolve(history, dialect="esb-job"))

    note("\n".join(broken))
    assert broken == []

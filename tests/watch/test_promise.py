"""The promise of the stream, held against thousands of random histories."""

import os

from hypothesis import HealthCheck, given, note, settings

from tests.watch.histories import History, histories, run

EXAMPLES = int(os.environ.get("BKJOB_HISTORIES", "2000"))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories)
def test_every_history_is_told_as_it_happened(history: History) -> None:
    """Nothing invented, nothing lost, nothing twice, everything in order; and no task left behind."""
    broken = run(history)

    note("\n".join(broken))
    assert broken == []

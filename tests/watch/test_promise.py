"""The promise of the stream, held against thousands of random histories."""

import os

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.watch.histories import History, histories, run

# Half of them in each of two tests, so that two processes share the work.
EXAMPLES = int(os.environ.get("BKJOB_HISTORIES", "2000")) // 2


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories)
@pytest.mark.parametrize("half", [1, 2])
def test_every_history_is_told_as_it_happened(half: int, history: History) -> None:
    """Nothing invented, nothing lost, nothing twice, everything in order; and no task left behind."""
    broken = run(history)

    note("\n".join(broken))
    assert broken == []

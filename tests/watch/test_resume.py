"""A fleet that is watched by many processes, one after the other, held against what really happened.

The histories are the same ones every time when `CI` is set; `BKJOB_HISTORIES` says how many, half of it here.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, note, seed, settings

from tests.watch.resume_histories import Resumption, resumptions
from tests.watch.resume_run import run

pytestmark = pytest.mark.slow

HISTORIES = int(os.environ.get("BKJOB_HISTORIES", "4000")) // 2
QUARTERS = 4


@pytest.mark.parametrize("quarter", range(QUARTERS))
def test_all_processes_together_deliver_each_event_once(quarter: int) -> None:
    """Nothing lost, nothing twice, nothing invented, behind every cursor and through every kind of death."""

    @settings(
        max_examples=HISTORIES // QUARTERS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(history=resumptions)
    def keep_the_promise(history: Resumption) -> None:
        broken = run(history)

        note("\n".join(broken))
        assert broken == []

    # Without a seed of its own each quarter would draw the same histories.
    (seed(quarter)(keep_the_promise) if "CI" in os.environ else keep_the_promise)()

"""A fleet that is watched in many lives, held against what really happened.

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
def test_lives_together_tell_one_story(quarter: int) -> None:
    """Nothing lost, nothing twice, nothing invented, behind every cursor and through every kind of death."""

    @settings(
        max_examples=HISTORIES // QUARTERS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(history=resumptions)
    def tell_one_story(history: Resumption) -> None:
        broken = run(history)

        note("\n".join(broken))
        assert broken == []

    # Without a seed of its own each quarter would draw the same histories.
    (seed(quarter)(tell_one_story) if "CI" in os.environ else tell_one_story)()

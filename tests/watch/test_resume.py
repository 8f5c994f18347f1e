"""A fleet that is watched in many lives, held against what really happened.

The histories are the same ones every time when `CI` is set; `BKJOB_HISTORIES` says how many, an eighth of it here.
"""

import os

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.watch.resume_histories import Resumption, resumptions
from tests.watch.resume_run import run

pytestmark = pytest.mark.slow

HISTORIES = int(os.environ.get("BKJOB_HISTORIES", "4000")) // 8


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=resumptions)
def test_lives_together_tell_one_story(history: Resumption) -> None:
    """Nothing lost, nothing twice, nothing invented, behind every cursor and through every kind of death."""
    broken = run(history)

    note("\n".join(broken))
    assert broken == []

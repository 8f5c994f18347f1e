"""The promise of the stream, held against thousands of random histories.

They are the same ones every time when `CI` is set; `BKJOB_HISTORIES` says how many.
"""

import os

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, note, settings

from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import History, histories
from tests.watch.history_kinds import restored
from tests.watch.history_run import run

pytestmark = pytest.mark.slow

HISTORIES = int(os.environ.get("BKJOB_HISTORIES", "4000"))
a_quarter = settings(
    max_examples=HISTORIES // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@a_quarter
@given(history=histories)
def test_every_random_history_keeps_the_promise(dialect: str, history: History) -> None:
    """Nothing invented, nothing lost, nothing twice, all in order, through every watch and reader; no task left behind."""
    broken = run(evolve(history, dialect=dialect))

    note("\n".join(broken))
    assert broken == []


@settings(
    max_examples=HISTORIES // 8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=restored)
def test_a_platform_that_is_restored_is_followed_on(history: History) -> None:
    """What was done since the backup is undone in a new epoch; the order of events is as ever."""
    broken = run(history)

    note("\n".join(broken))
    assert broken == []

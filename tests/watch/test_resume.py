"""A fleet that is watched by many processes, one after the other, held against what really happened."""

from __future__ import annotations

import pytest

from tests.watch.random_histories import keep_the_promise, regressions
from tests.watch.resume_histories import Resumption, resumptions
from tests.watch.resume_run import run

pytestmark = pytest.mark.slow

QUARTERS = 4
FOUND = regressions(Resumption)


def test_histories_that_once_broke_a_promise_keep_it() -> None:
    """Whatever seed found them."""
    assert {name: broken for name, history in FOUND.items() if (broken := run(history))} == {}


@pytest.mark.parametrize("quarter", range(QUARTERS))
def test_all_processes_together_deliver_each_event_once(quarter: int) -> None:
    """Nothing lost, nothing twice, nothing invented, behind every cursor and through every kind of death."""
    keep_the_promise(resumptions, run, share=1 / 16, part=quarter)

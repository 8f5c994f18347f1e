"""A fleet that several clients open at the same time: one of them has it, and all readers are given the same events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st

from bkjob_async.errors import JournalDamaged, UsageError
from bkjob_async.journal.fleet_row import FleetRow
from bkjob_async.journal.follow import Follower
from bkjob_async.watch.journaling import fleet_journal
from bkjob_async.watch.stream.stored_history import StoredHistory
from bkjob_async.watch.subscription.subscription import Subscription
from tests.watch.planted_faults import Patch, forget_hosts, is_found, show_before_storing
from tests.watch.random_histories import keep_the_promise, regressions
from tests.watch.rival_histories import (
    LATE_AND_AGAIN,
    ONE_AFTER_THE_OTHER,
    Rivalry,
    early_losses,
    losses,
    rivalries,
)
from tests.watch.rival_run import run

pytestmark = pytest.mark.slow

FOUND = regressions(Rivalry)
HALVES = 2


def test_histories_that_once_broke_a_promise_keep_it() -> None:
    """Whatever seed found them."""
    assert {name: broken for name, history in FOUND.items() if (broken := run(history))} == {}


@pytest.mark.parametrize("half", range(HALVES))
def test_what_is_stored_is_delivered(half: int) -> None:
    """In the order of terms, nothing twice, nothing lost; who lost the fleet is refused, and reads nothing else."""
    keep_the_promise(rivalries, run, share=1 / 16, part=half)


def append_again(patch: Patch) -> None:
    """Append once more what was appended without an answer."""
    patch.setattr(FleetRow, "has_all", lambda *_: False)


def stay_open(patch: Patch) -> None:
    """Go on in a watch whose fleet was taken over."""
    patch.setattr(Subscription, "refuse", lambda *_: None)


def lose_what_a_cancelled_read_took(patch: Patch) -> None:
    """Take a batch from a follower before the last await of its read."""
    next_batch = Follower._next_batch

    async def then_wait(self: Follower) -> Any:
        batch = await next_batch(self)
        await asyncio.sleep(0)
        return batch

    patch.setattr(Follower, "_next_batch", then_wait)


def hide_what_was_lost(patch: Patch) -> None:
    """Let readers of a watch go on behind records that its store has lost as if there had been none."""

    async def nothing(*_: Any) -> bool:
        return False

    patch.setattr(StoredHistory, "_replace_lost", nothing)


def number_alike(patch: Patch) -> None:
    """Let all clients number their records alike, so that two of them with one term are not told apart."""
    patch.setattr(fleet_journal, "FARTHEST", 1)


KINDS: dict[Callable[[Patch], None], Any] = {
    hide_what_was_lost: st.builds(
        evolve, rivalries, openings=st.just(LATE_AND_AGAIN), goes_back=losses, log_limit=st.just(8)
    ),
    number_alike: st.builds(evolve, rivalries, openings=st.just(ONE_AFTER_THE_OTHER), goes_back=early_losses),
}
PLANTED = (
    append_again,
    stay_open,
    forget_hosts,
    show_before_storing,
    lose_what_a_cancelled_read_took,
    hide_what_was_lost,
    number_alike,
)


@pytest.mark.deep
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_histories_find(
    plant: Callable[[Patch], None], monkeypatch: Patch, loop_errors: list[Any]
) -> None:
    """Every planted bug breaks a promise in some history."""
    plant(monkeypatch)

    # A reader's cursor may be refused, or records be out of order.
    assert is_found(KINDS.get(plant, rivalries), run, most=3000, errors=(UsageError, JournalDamaged))
    loop_errors.clear()

"""The promise of the stream, held against random histories."""

import pytest
from attrs import evolve
from hypothesis.strategies import SearchStrategy

from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import History, histories
from tests.watch.history_kinds import (
    added_in_slow_stop,
    ends_without_rows,
    half_readable,
    launched_in_trouble,
    launched_unseen,
    lost_for_some,
    restored,
    sent_in_batches,
)
from tests.watch.history_run import run
from tests.watch.random_histories import keep_the_promise, regressions
from tests.watch.slow_histories import operated_meanwhile, scarce, silent, silent_again, slow, unanswered

pytestmark = pytest.mark.slow

FOUND = regressions(History)


def test_histories_that_once_broke_a_promise_keep_it() -> None:
    """Whatever seed found them."""
    assert {name: broken for name, history in FOUND.items() if (broken := run(history))} == {}


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_every_random_history_keeps_the_promise(dialect: str) -> None:
    """Nothing invented, nothing lost, nothing twice, all in order, through every watch and reader; no task left behind."""
    part = ALL_DIALECTS.index(dialect)
    of_dialect = histories.map(lambda history: evolve(history, dialect=dialect))

    keep_the_promise(of_dialect, run, share=1 / 8, part=part)


def test_a_platform_that_is_restored_is_followed_on() -> None:
    """What was done since the backup is undone in a new epoch; the order of events is as ever."""
    keep_the_promise(restored, run, share=1 / 16)


@pytest.mark.parametrize("kind", [ends_without_rows, sent_in_batches, launched_in_trouble, launched_unseen])
def test_what_the_platforms_own_classes_do_is_followed(kind: SearchStrategy[History]) -> None:
    """Steps without rows, a row for each batch of files, launches that a backing service lets fail after they began."""
    keep_the_promise(kind, run, share=1 / 32)


def test_what_is_lost_for_one_watch_is_followed_by_others() -> None:
    """It stays lost for who was told so: a wait for it ends, and nothing of it is told."""
    keep_the_promise(lost_for_some, run, share=1 / 32)


@pytest.mark.parametrize("kind", [slow, silent, silent_again, scarce, operated_meanwhile])
def test_late_responses_change_nothing(kind: SearchStrategy[History]) -> None:
    """Responses that take seconds, in which much happens, silences, and fewer requests than are due."""
    keep_the_promise(kind, run, share=1 / 64)


@pytest.mark.parametrize("kind", [half_readable, unanswered])
def test_what_can_be_read_is_read_where_other_reads_fail(kind: SearchStrategy[History]) -> None:
    """All watches end, be it with what was known of the rest, and trouble is told once, and its end."""

    def open_for_ever(history: History) -> list[str]:
        # What cannot be read is missing in results.
        return [
            words for words in run(history) if "the deadline calls" in words or words.startswith("trouble")
        ]

    keep_the_promise(kind, open_for_ever, share=1 / 32)


def test_targets_that_are_added_again_are_reported_as_they_are() -> None:
    """Their hosts, too, be they those of a step that is over; no older state is reported as the present."""

    def outdated(history: History) -> list[str]:
        # That hosts are seen to end so long after their step is not promised.
        return [words for words in run(history) if "when it came to be watched" in words]

    keep_the_promise(added_in_slow_stop, outdated, share=1 / 32)

"""Cursors are issued in order, and only those that were issued are accepted."""

from __future__ import annotations

import pytest

from bkjob_async.engine.stream.cursor import CursorPosition, CursorSequence
from bkjob_async.errors import UsageError


def issued(batches: int) -> CursorSequence:
    """Return what has issued the numbers of so many batches."""
    sequence = CursorSequence("0a1b2c3d")
    for _ in range(batches):
        sequence.next_stamp(0.0, 0.0)
    return sequence


def test_batches_are_numbered_from_1() -> None:
    """Their cursors name the number and the client."""
    sequence = CursorSequence("0a1b2c3d")

    stamps = [sequence.next_stamp(now, 1e9 + now) for now in (5.0, 6.0)]

    assert [(stamp.now, stamp.sequence, stamp.cursor) for stamp in stamps] == [
        (5.0, 1, "1-0a1b2c3d"),
        (6.0, 2, "2-0a1b2c3d"),
    ]
    assert [stamp.at.timestamp() for stamp in stamps] == [1e9 + 5.0, 1e9 + 6.0]


def test_a_cursor_names_the_place_behind_a_batch_or_an_event() -> None:
    """Behind an event, the batch before is the last whole one."""
    behind_batch, behind_event = issued(3).parse("3-0a1b2c3d"), issued(3).parse("3-0a1b2c3d.2")

    assert (behind_batch, behind_batch.last_whole_batch) == (CursorPosition(3, None), 3)
    assert (behind_event, behind_event.last_whole_batch) == (CursorPosition(3, 2), 2)


@pytest.mark.parametrize("batches", [0, 3])
def test_what_was_not_issued_is_refused(batches: int) -> None:
    """No batch has number 0, and none has a number that comes later."""
    for number in (0, batches + 1):
        with pytest.raises(UsageError, match="never given out"):
            issued(batches).parse(f"{number}-0a1b2c3d")


@pytest.mark.parametrize(
    "text", ["", "1", "x-0a1b2c3d", "1-0a1b2c3d.", "1-0a1b2c3d.0", "1-0a1b2c3d.x", "+1-0a1b2c3d"]
)
def test_other_text_is_refused(text: str) -> None:
    """Events are numbered from 1."""
    with pytest.raises(UsageError, match=r"not a cursor|another client"):
        issued(1).parse(text)


def test_numbers_of_another_client_mean_other_batches() -> None:
    """The name tells."""
    with pytest.raises(UsageError, match="another client"):
        issued(1).parse("1-ffffffff")


def test_no_number_is_longer_than_any_batch_has() -> None:
    """Python would read any number of digits, for as long as that takes."""
    with pytest.raises(UsageError, match="never given out"):
        issued(1).parse(f"{'9' * 20}-0a1b2c3d")
    with pytest.raises(UsageError, match="not a cursor"):
        issued(1).parse(f"{'9' * 21}-0a1b2c3d")

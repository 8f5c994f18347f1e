"""How connections share the time of a turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable

from bkjob_async.wire.clean_connections import MAX_READ, MAX_TURN, MIN_READ, ReadTurn


def test_a_turn_that_lasts_long_reads_few_bytes() -> None:
    """Only until the next one begins."""
    now, soon = 0.0, list[Callable[[], None]]()
    turn = ReadTurn(lambda: now, soon.append)
    sizes = []
    for _ in range(2):
        for now in (now, now + 0.6 * MAX_TURN, now + 1.2 * MAX_TURN, now + 2 * MAX_TURN):  # noqa: B007, B020 - the clock
            sizes.append(turn.read_size())
        soon.pop()()

    assert sizes == [MAX_READ, MAX_READ, MIN_READ, MIN_READ] * 2
    assert soon == []

"""From which other shards a runner takes durations."""

from __future__ import annotations

from collections.abc import Sequence

# A round asks so many other shards at most; the next one goes on behind them.
ASKED_AT_ONCE = 16


def shards_to_ask(own: int, shards: int, round_number: int) -> Sequence[int]:
    """Return which shards are asked in a round, so that in some rounds all others are."""
    others = [(own + distance) % shards for distance in range(1, shards)]
    if len(others) <= ASKED_AT_ONCE:
        return others
    start = round_number * ASKED_AT_ONCE % len(others)
    return [others[(start + number) % len(others)] for number in range(ASKED_AT_ONCE)]

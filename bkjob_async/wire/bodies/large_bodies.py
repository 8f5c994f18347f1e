"""Spread the work on large responses over turns of the event loop: one response in each."""

from __future__ import annotations

import asyncio

# Decoding a body of this size takes about a millisecond.
LARGE_BODY = 512 * 1024


class LargeBodyTurns:
    """Spreads the work on large responses that came at the same time: one piece in each turn of the event loop."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def next_turn(self) -> None:
        """Wait for a turn of the event loop without work on another large response."""
        async with self._lock:
            await asyncio.sleep(0)

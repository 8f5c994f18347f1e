"""What was announced of a job or a step."""

from __future__ import annotations

from functools import lru_cache

AnnouncedState = tuple[int, int, bool]


@lru_cache(maxsize=4096)
def announced_state(code: int, execute_count: int, *, finished: bool) -> AnnouncedState:
    """Return the state of a step or job that readers were given, as one object shared by all in the same state."""
    return code, execute_count, finished

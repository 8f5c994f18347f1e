"""What watches have learnt of how long things take."""

from __future__ import annotations

from typing import Any

from bkjob_async.client.calling import Calling
from bkjob_async.engine.scheduling.duration_stats import DurationStats


class Learning(Calling):
    """Durations of earlier runs, to look at and to keep."""

    def durations(self) -> tuple[DurationStats, ...]:
        """Return how long runs took, per job name and per step name: how many, median, spread."""
        return tuple(self._watcher.poll_planner.durations)

    def learnt(self) -> dict[str, Any]:
        """Return the same as plain data that JSON can carry, for `connect(learnt=...)` of a later process."""
        return self._watcher.poll_planner.durations.exported()

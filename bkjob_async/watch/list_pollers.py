"""The lists that are asked for in place of many jobs, one for each scope."""

from __future__ import annotations

from collections.abc import Iterable

from bkjob_async.engine.scheduling.list_polling import LONGEST_UNSEEN, ListPoller
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import BEFORE_END
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.refs import Scope
from bkjob_async.watch.subscribers import PollTarget, Subscriber


class ListPollers:
    """The sweeps of one client; there are none where a dialect has no list, or looks are at a rhythm of one's own."""

    def __init__(self, capabilities: Capabilities, cadence: PollIntervals) -> None:
        """Hold none yet."""
        self.page = capabilities.list_length if capabilities.job_list else 0
        self._is_free = cadence.interval is None and cadence.target_lag is None
        self._sweeps: dict[Scope, ListPoller[PollTarget]] = {}

    def note(self, story: PollTarget) -> ListPoller[PollTarget] | None:
        """Take note of how a story stands after a look; return the sweep that it may belong to."""
        if not self.page or not self._is_free:
            return None
        scope = story.ref.scope
        sweep = self._sweeps.get(scope)
        if sweep is None:
            sweep = self._sweeps[scope] = ListPoller(scope)
        sweep.note(story)
        return sweep

    def forget(self, story: PollTarget) -> None:
        """Let go of a story that nobody watches."""
        sweep = self._sweeps.get(story.ref.scope)
        if sweep is not None:
            sweep.forget(story)


def unseen_until(story: PollTarget, audience: Iterable[Subscriber], next_word: float) -> float:
    """Return when a story that was listed is looked at itself, unless it is listed again by *next_word*."""
    ends = [s.ends_at - BEFORE_END for s in audience if s.ends_at is not None]
    return min([next_word, (story.seen_at or 0.0) + LONGEST_UNSEEN, *ends])

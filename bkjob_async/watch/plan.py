"""The arguments of a watch: its poller, its targets, and where it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from bkjob_async.journal.journal import Journal
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.watch.polling.poller import Poller


class Recording(Struct, frozen=True, kw_only=True):
    """Where a watch is recorded: a journal, and a name in it.

    *take_over*: open it even if another process holds it. A journal that *is_own* ends with the watch.
    """

    journal: Journal
    name: str
    take_over: bool = True
    is_own: bool = False

    async def aclose(self) -> None:
        """Close the journal if it is not shared."""
        if self.is_own:
            await self.journal.aclose()


class WatchPlan(Struct, frozen=True, kw_only=True):
    """What a watch begins with: targets, and those of *fleet*; bare ids are in *scope*.

    *check_client* raises `UsageError` where the client is closed, or belongs to another event loop or process. It is one argument, so that `help(Watch)` shows nothing of the inside of a client.
    """

    poller: Poller
    check_client: Callable[[], None]
    refs: Sequence[Ref] = ()
    deadline: float | None = None
    linger: float | None = 0.0
    detail_level: DetailLevel = DetailLevel.EVERY_CHANGE
    scope: Scope | None = None
    fleet: Recording | None = None

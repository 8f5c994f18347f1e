"""A journal: the fleets in one store, for the watches that write it and for those who read it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bkjob_async.journal.follow import Follower
from bkjob_async.journal.keep import KEEP, Keep
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.shards import ShardStore, no_such_log
from bkjob_async.journal.store import FleetEntry, Store
from bkjob_async.journal.stores import store_at
from bkjob_async.journal.urls import check_fleet_name, parse_journal_url
from bkjob_async.model.base_error import check_type
from bkjob_async.model.ref_input import RefLike, as_ref
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot


class Journal:
    """What watches reported, fleet by fleet; `open_journal` makes one.

    A fleet is the targets of a watch that has this journal and a name. Leave the journal with `aclose`, or open it with
    `async with`.
    """

    def __init__(self, store: Store) -> None:
        """Use *store*, which is closed with the journal."""
        self.store = store
        self.shards = ShardStore(store)

    def __repr__(self) -> str:
        return f"<Journal {self.store!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the file or the connections; harmless when repeated."""
        await self.store.aclose()

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return the fleets by name: targets, term, who holds each, and its last sign of life."""
        return await self.store.fleets()

    def follow(self, name: str, *, after: str | None = None, live: bool = True) -> Follower:
        """Iterate over the batches that the watch of the fleet *name* reported, and goes on reporting.

        *after* is the cursor of an event, a batch or a reader, of any process that watched the fleet; None or empty text
        means the beginning, and `now` the place behind all that was reported. What follows it comes once, in order. In place
        of what is not kept any more come the newest change of each host, step and job, `skipped`, or for a reader without a
        cursor the present state and `InSync`. With *live* it waits for more, and tries again where the journal cannot be
        reached any more; without it, it stops at the end. Raises `FleetNotFound`, `JournalUnavailable` where the journal
        cannot be reached at first, and `UsageError` for a cursor of another fleet.
        """
        return Follower(self.store, check_fleet_name(name), after=after, live=live)

    async def snapshot(self, name: str, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return a target of the fleet *name* as it was last reported, None before anything was; raise `FleetNotFound`.

        The store gives what names the job, of its last checkpoint and the records behind that; the rest stays there.
        """
        target = as_ref(ref)
        if await self.store.fleet(check_fleet_name(name)) is None:
            raise await no_such_log(self.store, name)
        return (await load_fleet(self.store, name, job=target.job)).fold.snapshot(target)

    async def forget(self, name: str) -> None:
        """Remove a fleet with everything reported of it; a watch that still writes it ends with `Superseded`."""
        await self.store.forget(check_fleet_name(name))


def open_journal(url: str, *, keep: Keep = KEEP) -> Journal:
    """Return the journal at *url*; it is opened when it is first used.

    *url* is `memory:`, `sqlite:///path[?synchronous=full]`, `redis://host[,host...]`, `rediss://host`,
    `redis+unix:///socket` or `redis+sentinel://host,host/service`; raises `UsageError` at once for any other. *keep*
    says how much of the past is kept; the journal's writer decides.
    """
    try:
        place = parse_journal_url(url)
    finally:
        del url  # it may contain a password, and the frames of an error are kept by error trackers
    check_type("keep", keep, Keep, "Keep(age=timedelta(days=7))")
    return Journal(store_at(place, keep))

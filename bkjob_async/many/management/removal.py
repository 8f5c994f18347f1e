"""Remove a fleet in shards with all that a store keeps of it."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async.errors import FleetBusy
from bkjob_async.journal.shards import ShardStore, no_such_fleet, shard_name
from bkjob_async.journal.store import ALIVE_SECONDS, Store
from bkjob_async.many.concurrently import run_concurrently
from bkjob_async.many.settings import FleetSettings


async def remove_fleet(store: Store, fleet: str) -> None:
    """Remove settings, journals and inboxes; raise `FleetNotFound`, and `FleetBusy` where a shard has a runner.

    First the fleet is marked, so that nobody begins with it any more, and last its settings go: what was interrupted can be
    repeated.
    """
    in_shards = ShardStore(store)
    record = await in_shards.record(fleet)
    if record is None:
        raise no_such_fleet(fleet)
    shards = FleetSettings.decode(record.settings).placement.shards
    if not record.is_being_removed:
        await check_nobody_runs(store, [shard_name(fleet, shard) for shard in range(shards)], record.now)
    await in_shards.begin_removal(fleet)
    await in_shards.remove(fleet, shards)


async def check_nobody_runs(store: Store, names: Sequence[str], now: float) -> None:
    """Raise `FleetBusy` where one of the shards with these *names* has a runner that lives at the store's time *now*."""
    entries = [entry for entry in await run_concurrently(map(store.fleet, names)) if entry is not None]
    # A sign of life from the future is one from before the clock was set back; who lives gives another soon.
    running = [entry for entry in entries if entry.is_held and abs(now - entry.last_seen) < ALIVE_SECONDS]
    if running:
        first, *others = running
        raise FleetBusy(
            first.name,
            host=first.holder.host,
            pid=first.holder.pid,
            seconds=max(0.0, now - first.last_seen),
            others=[entry.name for entry in others],
        )

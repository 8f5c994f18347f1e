"""The status of a fleet in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bkjob_async.many.status import FleetStatus, ShardStatus

# Name: help, and the value of one shard, None for none.
GAUGES: Mapping[str, tuple[str, Callable[[ShardStatus], float | None]]] = {
    "has_runner": ("1 where a runner gave a sign of life within ten seconds.", lambda each: each.has_runner),
    "silence_seconds": ("Seconds since the last sign of life.", lambda each: each.silence),
    "failing": ("1 where the last runner ended with an error.", lambda each: bool(each.failure)),
    "store_trouble": ("1 while nothing can be stored.", lambda each: bool(each.store_trouble)),
    "platform_trouble": ("1 while no target can be polled.", lambda each: bool(each.platform_trouble)),
    "unstored_events": ("Events that wait for the store; 0 while it keeps up.", lambda each: each.unstored),
    "append_age_seconds": ("Seconds since the newest record was made.", lambda each: each.appended),
    "targets": ("Targets.", lambda each: each.targets),
    "active_targets": ("Targets that are not over.", lambda each: each.active),
    "stored_bytes": ("Bytes of the records in the store.", lambda each: each.size),
    "inbox_entries": ("Entries of the inbox, not taken up yet.", lambda each: each.waiting),
    "refused_writes": ("Writes of runners that were superseded.", lambda each: each.refused),
}


def fleet_metrics(status: FleetStatus) -> str:
    """Return gauges `bkjob_fleet_...` with the labels `fleet` and `shard`; they end with a line break.

    A fleet that was stopped has `bkjob_fleet_stopped` 1 and no others, so that no rule fires.
    """
    fleet = f'fleet="{status.name}"'  # a name has neither quotes nor backslashes
    lines = [
        *head_of("bkjob_fleet_stopped", "1 where the fleet was stopped."),
        f"bkjob_fleet_stopped{{{fleet}}} {status.is_stopped:d}",
    ]
    for name, (text, value_of) in GAUGES.items() if not status.is_stopped else ():
        lines += head_of(f"bkjob_fleet_{name}", text)
        values = ((each.shard, value_of(each)) for each in status.shards)
        lines += [
            f'bkjob_fleet_{name}{{{fleet},shard="{shard}"}} {value:.12g}'
            for shard, value in values
            if value is not None
        ]
    return "\n".join(lines) + "\n"


def head_of(name: str, text: str) -> tuple[str, str]:
    """Return the lines before the samples of a gauge."""
    return f"# HELP {name} {text}", f"# TYPE {name} gauge"

"""A fleet in shards as lines of text: its sentence, its table, and an object of JSON for each shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import bkjob_async as bkjob
from bkjob_async.cli.lines import json_text
from bkjob_async.cli.tables import table_lines
from bkjob_async.model.text.printing import counted

# So many shards at most are named with how they failed.
NAMED = 10


def summary(found: bkjob.FleetStatus) -> Iterator[str]:
    """Yield the fleet in a sentence, and what is wrong with its shards."""
    stopped = ", stopped" if found.is_stopped else ""
    text = (
        f"{counted(len(found.shards), 'shard')}, {counted(found.targets, 'target')}, {found.active} not over"
    )
    days = found.keep.age / timedelta(days=1)
    kept = f"at most {found.keep.bytes / (1 << 20):.6g} MiB and {days:.3g} day{'' if days == 1 else 's'}"
    text += f", {found.size / (1 << 20):.1f} MiB of records ({kept}){stopped}"
    if found.unplaced:
        text += f"; without a runner for more than 30 s: {numbers_of(found.unplaced)}"
    yield text
    for shard in found.ill[:NAMED]:
        for said, error in (
            ("failed", shard.failure),
            ("stores nothing", shard.store_trouble),
            ("sees nothing", shard.platform_trouble),
        ):
            if error:
                yield f"shard {shard.shard} {said}: {error}"


def numbers_of(shards: Sequence[bkjob.ShardStatus]) -> str:
    """Return the numbers of shards as text."""
    return ", ".join(str(each.shard) for each in shards)


def shard_lines(found: bkjob.FleetStatus) -> list[str]:
    """Return the shards as a table of text."""
    rows = [
        (
            "SHARD",
            "TARGETS",
            "NOT OVER",
            "INBOX",
            "TERM",
            "RUN BY",
            "LAST SEEN",
            "STORED",
            "UNSTORED",
            "REFUSED",
        )
    ]
    rows += [
        (
            str(each.shard),
            str(each.targets),
            str(each.active),
            str(each.waiting),
            str(each.term),
            f"{each.holder.host}:{each.holder.pid}" if each.holder is not None and each.is_held else "nobody",
            f"{each.silence:.0f} s ago",
            "-" if each.appended is None else f"{each.appended:.0f} s ago",
            str(each.unstored),
            str(each.refused),
        )
        for each in found.shards
    ]
    return table_lines(rows)


def shards_json(found: bkjob.FleetStatus) -> Iterator[str]:
    """Yield each shard as one JSON object; of a fleet that was stopped nobody must look after any."""
    return (shard_json(shard, is_stopped=found.is_stopped) for shard in found.shards)


def shard_json(shard: bkjob.ShardStatus, *, is_stopped: bool) -> str:
    """Return a shard as one JSON object."""
    holder = shard.holder
    return json_text(
        {
            "shard": shard.shard,
            "targets": shard.targets,
            "active": shard.active,
            "waiting": shard.waiting,
            "term": shard.term,
            "host": None if holder is None else holder.host,
            "pid": None if holder is None else holder.pid,
            "is_held": shard.is_held,
            "silence": round(shard.silence, 3),
            "refused": shard.refused,
            "is_unplaced": shard.is_unplaced and not is_stopped,
            "failure": shard.failure,
            "appended": None if shard.appended is None else round(shard.appended, 3),
            "unstored": shard.unstored,
            "store_trouble": shard.store_trouble,
            "platform_trouble": shard.platform_trouble,
            "size": shard.size,
            "is_ill": shard.is_ill and not is_stopped,
            "is_stopped": is_stopped,
        }
    )

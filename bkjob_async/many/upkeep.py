"""Decisions about shards that run as tasks: names of tasks, places on workers, when to submit one again."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from bkjob_async.errors import UsageError

RESOURCE = "bkjob"
# A task that failed is submitted again after so many seconds, twice as many each time.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# After so many seconds a task counts as one that works.
WORKS_SECONDS = 60.0


def task_key(fleet: str, shard: int, attempt: int = 0) -> str:
    """Return the key of a shard's task: `bkjob-night-3`, and `bkjob-night-3~1` for the first one after it."""
    return f"bkjob-{fleet}-{shard}" + (f"~{attempt}" if attempt else "")


def attempts_of(keys: Collection[str], fleet: str, shard: int) -> list[int]:
    """Return the attempts among *keys* that are tasks of this shard, in order."""
    pattern = re.compile(re.escape(task_key(fleet, shard)) + r"(?:~([1-9]\d{0,8}))?")
    return sorted(int(found[1] or 0) for key in keys if (found := pattern.fullmatch(key)))


def next_attempt(last: int | None, known: Collection[int]) -> int:
    """Return the number of the next attempt behind the *last* one that ended here, and behind those that are *known*.

    Two launchers that see the same task end submit the same key, of which the engine makes one task.
    """
    return max([-1 if last is None else last, *known]) + 1


def pause_before(failures: int) -> float:
    """Return the seconds before a task is submitted again that failed so many times in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10)))


def slots_of(threads: int, resources: Mapping[str, float]) -> int:
    """Return how many shards a worker runs at most: each takes a thread and a unit of the resource."""
    return max(0, min(threads, int(resources.get(RESOURCE, 0))))


def check_slots(slots: Mapping[str, int], shards: int) -> str | None:
    """Return a warning where the *slots* of workers do not suffice without one of them; raise `UsageError` where they never do."""
    total, largest = sum(slots.values()), max(slots.values(), default=0)
    if total < shards:
        raise UsageError(
            f"{len(slots)} worker(s) have {total} slot(s) for {shards} shard(s), each of which takes a thread and a unit of"
            f' the resource: start workers with --nthreads N --resources "{RESOURCE}=N"'
        )
    if total - largest < shards:
        return (
            f"{total} slot(s) on {len(slots)} worker(s) suffice for {shards} shard(s), but not without the largest worker,"
            f" which has {largest}"
        )
    return None


def check_versions(own: Mapping[str, str | None], workers: Mapping[str, Mapping[str, str | None]]) -> None:
    """Raise `UsageError` that names each worker with other versions than our *own*."""
    different = [
        f"{worker} has {name} {versions.get(name) or 'not installed'}"
        for worker, versions in sorted(workers.items())
        for name, version in own.items()
        if versions.get(name) != version
    ]
    if different:
        here = ", ".join(f"{name} {version}" for name, version in own.items())
        raise UsageError(f"here are {here}, but {'; '.join(different[:10])}: install the same everywhere")

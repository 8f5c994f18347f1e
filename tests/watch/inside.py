"""What tests reach inside a client, a watch or a store in memory: each of it in one place.

A test that needs this sets up a situation that takes weeks or a crash: a full log, a store that lost what it had. What it
asserts is what a watch is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import bkjob_async as bkjob
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.wire.session import nothing_known


def limit_log(watch: bkjob.Watch, events: int) -> None:
    """Let the log of a watch hold no more than so many events."""
    watch._stream.log._limit = events


def log_of(watch: bkjob.Watch) -> Any:
    """Return the log of a watch."""
    return watch._stream.log


def takes_targets(watch: bkjob.Watch) -> bool:
    """Return whether targets may still be added to a watch and dropped from it."""
    return watch._subscription.is_open


def nudged_in(client: bkjob.JobClient) -> set[bkjob.JobRef]:
    """Return the jobs of which a client knows when they were nudged."""
    return set(client._poller._nudged_at)


def end_of(watch: bkjob.Watch) -> BaseException | None:
    """Return the error that a watch has ended with."""
    return watch._subscription.end


def unsettled_in(watch: bkjob.Watch) -> set[bkjob.Ref]:
    """Return the targets of a watch that are not over."""
    return set(watch._subscription.targets.unsettled())


def journal_of(watch: bkjob.Watch) -> Any:
    """Return the writer of a watch's journal; None without one."""
    return watch._subscription.journal


def has_stored_all(watch: bkjob.Watch) -> bool:
    """Return whether a recorded watch has given its readers all that it knows, as that is stored."""
    return bool(journal_of(watch).records.waiting_events == 0)


def polled_by(client: bkjob.JobClient) -> Collection[Any]:
    """Return the states of the jobs that a client polls."""
    return client._poller._registry.targets.values()


async def poll_once(client: bkjob.JobClient, job: bkjob.JobRef) -> None:
    """Poll a job as a watch does, over an idle connection where there is one; raise the error."""
    session, done = client._session, asyncio.get_running_loop().create_future()
    request = GetJobInstanceStatus(ref=job, return_ip_result=True)
    permit = await session.limiter.acquire(job.scope, request.name)
    try:
        if session.begin_poll(request, permit, nothing_known, done.set_result):
            view = await done
            if callable(view):
                await view()
        else:
            await session.poll(request, permit)
    finally:
        session.limiter.release(permit)


def cursors_of(client: bkjob.JobClient) -> Any:
    """Return where a client's cursors come from."""
    return client._poller.cursors


def note_operation(client: bkjob.JobClient, job: bkjob.JobRef) -> None:
    """Let a client know that it has operated on *job*."""
    client._poller.on_operation(job)


def noted_operations(client: bkjob.JobClient) -> list[bkjob.JobRef]:
    """Return the jobs that a client remembers to have operated on."""
    return [*client._poller._operations]


def fleets_in(store: Any) -> dict[str, Any]:
    """Return the fleets of a store in memory."""
    fleets: dict[str, Any] = store._fleets
    return fleets


def jobs_to_count(watch: bkjob.Watch) -> int:
    """Return how many jobs of a watch are noted to be counted again."""
    return len(watch._subscription.states._changed)


def pending_runs(watch: bkjob.Watch) -> int:
    """Return how many calls that added or dropped targets a watch has noted."""
    return len(watch._subscription._pending._runs)

"""The result of `client.stats()`: the polls, requests and limits of a client in numbers."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOut

from bkjob_async.client.caller import Caller
from bkjob_async.journal.event_loops import is_here
from bkjob_async.observe.client_stats import ClientStats
from bkjob_async.observe.counters import MOST_JOURNALS, OTHER

# A thread waits for so many seconds until the event loop has time for it.
LONGEST_WAIT = 2.0


def stats(client: Caller, *, count: bool = False) -> ClientStats:
    """Return the client in figures: polls, requests, limits and, if *count* was ever given, what it has counted.

    With *count*, requests, polls, events, targets and hosts are counted from now on; this costs one to two
    percent of a poll. May be called from any thread, before the client is opened and after it is closed, too.

    >>> stats = client.stats()
    >>> stats.name, stats.max_in_flight, stats.breaker_open
    ('gateway-v3', 32, False)
    """
    loop = client._lifetime.loop
    if loop is None or not loop.is_running() or is_here(loop):
        return current(client, loop, count=count)
    done: Future[ClientStats] = Future()

    def answer() -> None:
        if done.set_running_or_notify_cancel():
            done.set_result(current(client, loop, count=count))

    loop.call_soon_threadsafe(answer)
    try:
        return done.result(LONGEST_WAIT)
    except TimedOut:
        done.cancel()
        return current(client, loop, count=False, is_elsewhere=True)


def current(
    client: Caller, loop: asyncio.AbstractEventLoop | None, *, count: bool, is_elsewhere: bool = False
) -> ClientStats:
    """Return the figures as they are; in a thread where the loop is not (*is_elsewhere*), nothing is counted again."""
    poller, session = client._poller, client._session
    observe, limiter, phases = session.observe, session.limiter, poller.phases
    if count:
        observe.start_counting()
    if observe.counters is not None and not is_elsewhere and (loop is None or is_here(loop)):
        phases.start()
        phases.update()
    load = poller.load(0.0 if loop is None else loop.time())
    quota = limiter.quota
    return ClientStats(
        name=observe.client,
        watches=len(poller.subscribers),
        targets=poller.target_count,
        polls=poller.polls,
        polls_due=load.due,
        polls_in_flight=load.in_flight,
        oldest_unseen=load.oldest_unseen,
        in_trouble=load.in_trouble,
        queue=limiter.waiting,
        in_flight=limiter.limit.in_flight,
        max_in_flight=limiter.limit.concurrency.allowed,
        requests_per_second=limiter.requests_per_second,
        remaining=None if quota.limit is None else max(0, int(quota.remaining)),
        breaker_open=poller.errors.health.is_closed,
        log_events=sum(subscriber.log_events for subscriber in poller.subscribers),
        fallen_behind=poller.fallen_behind
        + sum(subscriber.fallen_behind for subscriber in poller.subscribers),
        longest_block=poller.longest_block,
        target_phases=dict(phases.targets.total),
        host_phases=dict(phases.hosts.total),
        journal_waiting=waiting_by_journal(client),
        counters=observe.counters,
    )


def waiting_by_journal(client: Caller) -> dict[str, int]:
    """Return how many events of each recorded watch are not stored yet."""
    waiting: dict[str, int] = {}
    for subscriber in client._poller.subscribers:
        if subscriber.journal_waiting is not None:
            name, events = subscriber.journal_waiting
            label = name if name in waiting or len(waiting) < MOST_JOURNALS else OTHER
            waiting[label] = waiting.get(label, 0) + events
    return waiting

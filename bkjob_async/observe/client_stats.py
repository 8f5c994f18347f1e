"""The figures of a client: what it watches, polls, queues and holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from bkjob_async.model.status import Phase
from bkjob_async.observe.counters import Counters

NO_PHASES: Mapping[Phase, int] = MappingProxyType({})
NOTHING_WAITS: Mapping[str, int] = MappingProxyType({})


class ClientStats(Struct, frozen=True, kw_only=True):
    """A client in figures, as they are now.

    *name* is that of the client. *targets* are jobs that are watched; *polls* counts all polls. Polls that
    are late wait in *polls_due*; *polls_in_flight* are under way. *oldest_unseen* is the seconds since the
    job that was seen longest ago, of those that are followed; None without any. *in_trouble* counts jobs
    whose last polls failed.

    *queue* requests wait for permission; *in_flight* are under way, of *max_in_flight*. *requests_per_second*
    is the limit that holds, *remaining* what the gateway says is left of its own; None where unknown.
    *breaker_open*: the platform does not respond, and only single probes go out.

    *log_events* are held for readers; *fallen_behind* counts readers that were so slow that the newest
    changes replaced what they missed. *longest_block* is the longest time in seconds that one poll occupied
    the event loop. *counters* and the numbers by phase, *target_phases* and *host_phases*, are kept from the
    first call with `count=True` on.

    *watches* are open. *journal_waiting* has the events that are not stored yet, by the name under which a watch is
    recorded: the first 64 names, and `other`.
    """

    name: str
    watches: int = 0
    targets: int = 0
    polls: int = 0
    polls_due: int = 0
    polls_in_flight: int = 0
    oldest_unseen: float | None = None
    in_trouble: int = 0
    queue: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    requests_per_second: float | None = None
    remaining: int | None = None
    breaker_open: bool = False
    log_events: int = 0
    fallen_behind: int = 0
    longest_block: float = 0.0
    target_phases: Mapping[Phase, int] = NO_PHASES
    host_phases: Mapping[Phase, int] = NO_PHASES
    journal_waiting: Mapping[str, int] = NOTHING_WAITS
    counters: Counters | None = None


class HasStats(Protocol):
    """A client, or whatever else has figures like one."""

    def stats(self, *, count: bool = False) -> ClientStats:
        """Return the figures; with *count*, count requests and polls from now on."""
        ...

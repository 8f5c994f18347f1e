"""Access to the inner parts of a client, for the runner of a shard; users of a client do not need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.client.caller import Caller
from bkjob_async.model.events import Trouble


def set_requests_per_second(client: Caller, rate: float) -> None:
    """Change the limit of the requests of *client*."""
    client._session.limiter.set_rate(rate)


def take_durations(client: Caller, exported: Mapping[str, Any]) -> int:
    """Take over the durations of names of which another client saw more runs; return how many, raise `UsageError`."""
    return client._poller.planner.take_durations(exported)


def outage_of(client: Caller) -> Trouble | None:
    """Return why no target of *client* can be polled, None while the platform responds."""
    return client._poller.errors.outage

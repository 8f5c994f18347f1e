"""Access to the inner parts of a client, for the runner of a shard; users of a client do not need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkjob_async.client.caller import Caller


def set_requests_per_second(client: Caller, rate: float) -> None:
    """Change the limit of the requests of *client*."""
    client._session.limiter.set_rate(rate)


def take_durations(client: Caller, exported: Mapping[str, Any]) -> int:
    """Take over the durations of names of which another client saw more runs; return how many, raise `UsageError`."""
    return client._poller.planner.take_durations(exported)

"""What an `Observer` is told: a frozen class for each kind of observation, and their union."""

from bkjob_async.observe.observer import (
    BreakerChanged,
    Observation,
    OperationSent,
    PollCompleted,
    PollingFailed,
    PollingRecovered,
    RateLimitHit,
    RequestSent,
    WatchClosed,
    WatchOpened,
)

__all__ = [
    "BreakerChanged",
    "Observation",
    "OperationSent",
    "PollCompleted",
    "PollingFailed",
    "PollingRecovered",
    "RateLimitHit",
    "RequestSent",
    "WatchClosed",
    "WatchOpened",
]

"""The limit of a client's requests, changed while the client is open."""

from __future__ import annotations

from math import inf
from typing import Final

from bkjob_async.client.caller import Caller
from bkjob_async.model.base_error import WrongType, WrongValue

# Seconds for one attempt where nothing is given; an object of its own, so that a 30.0 that is given is told from it.
USUAL_TIMEOUT: Final = float("30")


def check_positive(**numbers: object) -> None:
    """Raise `UsageError` for an option that is given and no positive number."""
    for name, number in numbers.items():
        if number is None and name in ("request_timeout", "max_in_flight"):
            raise WrongType(f"{name} must be a positive number, not None")
        if number is None:
            continue
        kinds = (int,) if name == "max_in_flight" else (int, float)
        if isinstance(number, bool) or not isinstance(number, kinds):
            what = "a whole number" if kinds == (int,) else "a number"
            raise WrongType(f"{name} must be {what}, not {number!r:.60}")
        if not 0 < number < inf:
            raise WrongValue(f"{name} must be positive, not {number}")


def set_requests_per_second(client: Caller, rate: float | None) -> None:
    """Change how many requests the client sends in a second; None is no limit.

    It holds at once, also for requests that wait, and for all views of the client. Polls that are planned already are sooner
    where the rate is at least doubled. Raises `UsageError` unless *rate* is positive.

    >>> client.set_requests_per_second(20)
    >>> client.stats().requests_per_second
    20
    >>> client.set_requests_per_second(None)
    """
    check_positive(requests_per_second=rate)
    client._lifetime.check()
    client._poller.set_rate(rate)

"""The cost of a request in seconds of detection lag, at which the requests of all targets fit the limit.

Where ends come evenly, the best wait grows with the root of the cost: each target sends weight / √cost
requests a second, and its weight, √cost times requests / wait, hardly depends on the cost. The cost at which
all of them together send what the limit allows is therefore (sum of weights / limit)².
"""

from __future__ import annotations

from math import sqrt

from msgspec import Struct

# The lowest cost, where there is no limit. At this cost a run of which nothing is known is polled at the
# platform's own rhythm; one that is known not to end soon is polled less often.
AT_REST = 0.01
DEAREST = 1e6
# The share of the limit that is planned; the rest is for nudges, follow-ups and calls.
PLANNED = 0.95

# Late polls show that more was planned than fits: another limit, a slow platform, calls. When none is late,
# more is planned.
TOLERANCE, TOLERANCE_BY_STEP = 0.1, 0.02
STRAIN_GAIN = 0.1
LEAST_STRAIN, MOST_STRAIN = 0.3, 1e4


class RequestCost(Struct, kw_only=True):
    """The cost of a request, such that the requests of all targets fit the limit.

    *at_rest* is the lowest cost, *unseen* how many targets wait for their first poll.
    """

    at_rest: float = AT_REST
    strain: float = 1.0
    unseen: int = 0
    _weights: float = 0.0
    _weighed: int = 0

    @property
    def live(self) -> int:
        """How many targets need polls, those that had none yet among them."""
        return self._weighed + self.unseen

    def value(self, limit: float | None) -> float:
        """Return the cost of a request, in seconds; *limit* is requests a second, None for no limit."""
        cost = self.at_rest
        if limit is not None:
            # Targets that were not polled yet are assumed to be like the others.
            weights = self._weights * self.live / max(1, self._weighed)
            cost = (weights / (PLANNED * limit)) ** 2
        return min(DEAREST, max(self.at_rest, cost * self.strain))

    @staticmethod
    def weight(cost: float, step: float, requests: float) -> float:
        """Return the weight of a target that sends so many *requests* every *step* seconds at this *cost*."""
        return sqrt(cost) * requests / step

    def replace(self, before: float, after: float) -> None:
        """Record that a target's weight changed; 0 for one that is not live."""
        self._weights = max(0.0, self._weights + after - before)
        self._weighed += (after > 0.0) - (before > 0.0)
        if self._weighed == 0:
            self._weights, self.strain = 0.0, 1.0

    def on_late_poll(self, late: float, step: float) -> None:
        """Record that a poll, planned *step* seconds after the last one, came *late* seconds late."""
        excess = min(1.0, max(-1.0, late / (TOLERANCE + TOLERANCE_BY_STEP * step) - 1.0))
        strain = self.strain * (1.0 + STRAIN_GAIN * excess / max(self.live, 8))
        self.strain = min(MOST_STRAIN, max(LEAST_STRAIN, strain))

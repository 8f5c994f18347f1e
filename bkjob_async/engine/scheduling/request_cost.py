"""What a request costs, in seconds of unseen lag: one price for the whole fleet, so that its requests fit the limit.

Where ends come evenly, the best step grows with the root of the price: each target asks for weight / √price requests a
second, and its weight, √price times cost / step, hardly depends on the price. The price at which all of them together
ask for what the limit lets through is therefore (sum of weights / limit)².
"""

from __future__ import annotations

from math import sqrt

from attrs import define, field, setters, validators

# A request is worth this much unseen lag even when requests cost nothing. Looking at the platform's own rhythm pays at
# this price as long as nothing is known of a run; a run that is known not to end soon is looked at less often.
AT_REST = 0.01
DEAREST = 1e6
# What is planned is this share of the limit; the rest is for nudges, follow-ups and calls.
PLANNED = 0.95

# Looks that come later than they were due show that more was planned than fits: another limit, a slow platform, calls.
# When none is late, more is planned.
TOLERANCE, TOLERANCE_BY_STEP = 0.1, 0.02
STRAIN_GAIN = 0.1
LEAST_STRAIN, MOST_STRAIN = 0.3, 1e4


@define(kw_only=True, on_setattr=setters.NO_OP)
class RequestCost:
    """The price of a request; *fixed* holds it, otherwise it fits the fleet's requests to the limit.

    *at_rest* is the lowest price, *unseen* how many targets wait for their first look.
    """

    at_rest: float = field(default=AT_REST, validator=validators.gt(0.0))
    fixed: float | None = None
    strain: float = field(default=1.0, init=False)
    unseen: int = 0
    _weights: float = field(default=0.0, init=False)
    _weighed: int = field(default=0, init=False)

    @property
    def live(self) -> int:
        """How many targets need looks, those that had none yet among them."""
        return self._weighed + self.unseen

    def value(self, limit: float | None) -> float:
        """Return the seconds of unseen lag that a request is worth, *limit* being requests a second, None for any."""
        if self.fixed is not None:
            return self.fixed
        price = self.at_rest
        if limit is not None:
            # Those that were not looked at yet are taken to be like the others.
            everybody = self._weights * self.live / max(1, self._weighed)
            asked = everybody / (PLANNED * limit)
            price = asked * asked
        return min(DEAREST, max(self.at_rest, price * self.strain))

    @staticmethod
    def weight(price: float, step: float, cost: float) -> float:
        """Return what a target weighs that asks *cost* requests every *step* seconds at *price*."""
        return sqrt(price) * cost / step

    def replace(self, before: float, after: float) -> None:
        """Take note that a target's weight changed; 0 for one that is not live."""
        self._weights = max(0.0, self._weights + after - before)
        self._weighed += (after > 0.0) - (before > 0.0)
        if self._weighed == 0:
            self._weights, self.strain = 0.0, 1.0

    def on_late_poll(self, late: float, step: float) -> None:
        """Take note that a look, planned *step* seconds after the one before, came *late* seconds late."""
        excess = min(1.0, max(-1.0, late / (TOLERANCE + TOLERANCE_BY_STEP * step) - 1.0))
        strain = self.strain * (1.0 + STRAIN_GAIN * excess / max(self.live, 8))
        self.strain = min(MOST_STRAIN, max(LEAST_STRAIN, strain))

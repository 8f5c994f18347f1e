"""When a run is expected to end, and when a poll for its end is worth a request.

Durations are modelled by a mixture of log-normal distributions: mostly that of earlier runs of the same name,
a little that of all runs, for runs that differ from those of their name. With S the share of runs still going
on at an age and J the integral of S from there to infinity, the mean lag with which an end is detected when
the next poll comes *step* seconds after the one at *age* is (S(age)·step − J(age) + J(age + step)) / S(age).
It is zero at first, convex, and never stops rising.
"""

from __future__ import annotations

from math import erfc, exp, log, sqrt

from msgspec import Struct

SQRT_2 = sqrt(2.0)
# Below this share of survivors, sums of tails are rounding errors: a run of that age is polled as one of half its age.
NOBODY_LEFT = 1e-9
PRECISION = 0.01
# The time that is left is computed so exactly: relative, and in seconds.
TIME_LEFT_PRECISION, SHORTEST_LEFT = 0.01, 0.01
FOREVER = 1e9
CHORDS, TRIES = 6, 40
# The end of a chord that stays where it is counts so much less, so that it moves as well. (the Illinois method)
STAYING_END = 0.5


class LogNormal(Struct, frozen=True):
    """A distribution of durations: *mu* and *sigma* are mean and spread of the logarithm of seconds."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """The duration, in seconds, that half of all runs exceed."""
        return exp(self.mu)


class EndPrediction:
    """A mixture of two distributions of durations, from which the next poll is computed.

    *own* is the distribution of runs of the same name, *others* that of all runs; its share is *doubt* (0 to
    1).
    """

    __slots__ = ("_mean", "_parts", "own")

    def __init__(self, own: LogNormal, others: LogNormal, doubt: float) -> None:
        self.own = own
        first, second = part_of(own, (1.0 - doubt) / 2.0), part_of(others, doubt / 2.0)
        self._parts = (*first, *second)
        self._mean = 2.0 * (first[3] + second[3])

    def tail(self, age: float) -> tuple[float, float]:
        """Return the share of runs still going on at *age*, and the integral of that share from there on."""
        if age <= 0.0:
            return 1.0, self._mean - age
        scale, shift, half, mean, width, scale_2, shift_2, half_2, mean_2, width_2 = self._parts
        moment = log(age)
        place = moment * scale - shift
        place_2 = moment * scale_2 - shift_2
        share = half * erfc(place) + half_2 * erfc(place_2)
        return share, mean * erfc(place - width) + mean_2 * erfc(place_2 - width_2) - age * share

    def time_left(self, age: float, share: float) -> float:
        """Return in how many seconds a *share* of the runs that last for *age* now will be over."""
        going_on = self.tail(age)[0]
        if going_on < NOBODY_LEFT:
            return 0.0
        goal, low, high = (1.0 - share) * going_on, 0.0, max(1.0, self.own.median)
        while self.tail(age + high)[0] > goal and high < FOREVER:
            low, high = high, 2.0 * high
        while high - low > TIME_LEFT_PRECISION * high + SHORTEST_LEFT:
            middle = 0.5 * (low + high)
            if self.tail(age + middle)[0] > goal:
                low = middle
            else:
                high = middle
        return high

    def lag_when_found(self, age: float, step: float) -> float:
        """Return the mean seconds since the end of a run that ended within *step* seconds after *age*."""
        share, rest = self.tail(age)
        later, later_rest = self.tail(age + step)
        if share - later < NOBODY_LEFT:
            return step / 2.0
        return min(step, max(0.0, (share * step - rest + later_rest) / (share - later)))

    def wait(self, age: float, cost: float, shortest: float, longest: float) -> float:
        """Return when the mean detection lag reaches *cost*: seconds between *shortest* and *longest*."""
        share, rest = self.tail(age)
        if share < NOBODY_LEFT:
            return self.wait(age / 2.0, cost, shortest, longest)
        wanted = cost * share

        def lag(step: float) -> float:
            return share * step - rest + self.tail(age + step)[1]

        low, high = shortest, max(shortest, longest)
        lag_low = lag(low)
        if lag_low >= wanted:
            return low
        lag_high = lag(high)
        if lag_high <= wanted:
            return high
        # The lag grows about with the square of the step: its root is nearly linear, and a few steps of the
        # secant method suffice.
        goal = sqrt(wanted)
        below, above = sqrt(max(lag_low, 0.0)) - goal, sqrt(lag_high) - goal
        side, step = 0, low
        for tried in range(TRIES):
            # The secant method is slow where the lag is flat and then steep; bisection is not.
            step = low - below * (high - low) / (above - below) if tried < CHORDS else sqrt(low * high)
            off = sqrt(max(lag(step), 0.0)) - goal
            if abs(off) <= PRECISION * goal:
                return step
            if off > 0.0:
                high, above = step, off
                if side > 0:
                    below *= STAYING_END
                side = 1
            else:
                low, below = step, off
                if side < 0:
                    above *= STAYING_END
                side = -1
        return step


def part_of(law: LogNormal, half: float) -> tuple[float, float, float, float, float]:
    """Return the terms of one distribution: scale, shift, half its weight, its share of the mean, width."""
    scale = 1.0 / (law.sigma * SQRT_2)
    mean = exp(law.mu + law.sigma * law.sigma / 2.0)
    return scale, law.mu * scale, half, half * mean, law.sigma / SQRT_2

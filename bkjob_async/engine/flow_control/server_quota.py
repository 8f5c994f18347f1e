"""How many requests a gateway still lets through, as it announces it or as its refusals teach.

A gateway counts requests in windows and says with every answer how many are left and when the window ends. What is left
is spread over the rest of the window, so that nothing is refused and something is always left for what is urgent. A
gateway that announces nothing teaches its rate by refusing: down by a fifth at once, up again in small steps. As long as
nothing at all gets through, single requests try whether it is over; such refusals teach no rate.
"""

from __future__ import annotations

from math import inf

from attrs import define, field

LONGEST_WINDOW = 3600.0
# An unexplained refusal waits so long for a window to end, then twice as long each time.
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 5.0
# What would close everything for longer is not believed: single requests try it, so far apart at most, the first sooner.
LONGEST_BELIEVED, FIRST_TRIED = 60.0, 5.0
# A single request that tries is waited for so long before the next.
TRYING = 5.0
# One refusal is an accident; another one within so many seconds teaches a rate. A rate that has grown to so many times
# what was refused last teaches nothing any more.
AGAIN, FORGOTTEN = 10.0, 6.0
# A rate learnt from refusals: what a refusal leaves of it, and how it grows by the second while it is used; it grows
# faster once it is well beyond the rate that was refused last.
CUT, CREEP, STRIDE, BEYOND = 0.8, 1.005, 1.05, 1.2
SLOWEST_RATE = 0.2
# An answer that took so much of the rest of its window does not tell where the window ends.
STALE = 0.3


@define(kw_only=True)
class ServerQuota:
    """The requests left to one group of calls; times are the caller's clock.

    `opens` is when the next background request may go, `opens_urgent` when an urgent one may, `accepted_at` when the
    last one was let through. Nothing is known at first, and everything is open.
    """

    opens: float = field(default=0.0, init=False)
    opens_urgent: float = field(default=0.0, init=False)
    rate: float | None = field(default=None, init=False)
    limit: int | None = field(default=None, init=False)
    left: float = field(default=0.0, init=False)
    ends: float = field(default=0.0, init=False)
    _length: float = field(default=1.0, init=False)
    accepted_at: float = field(default=-inf, init=False)
    _taken_at: float = field(default=0.0, init=False)
    _announced_at: float = field(default=0.0, init=False)
    _paused_until: float = field(default=0.0, init=False)
    _careful_until: float = field(default=0.0, init=False)
    _refused_at: float = field(default=-inf, init=False)
    _said_until: float = field(default=0.0, init=False)
    _refusals: int = field(default=0, init=False)
    _refused_rate: float = field(default=0.0, init=False)
    _grown_at: float = field(default=0.0, init=False)
    _second: int = field(default=0, init=False)
    _accepted: int = field(default=0, init=False)
    _accepted_before: int = field(default=0, init=False)

    @property
    def pace(self) -> float | None:
        """Requests a second that the gateway seems to allow, None while nothing is known."""
        return self.limit / self._length if self.limit is not None else self.rate

    @property
    def is_closed(self) -> bool:
        """Whether nothing gets through: everything was refused since, or nothing is left of what was announced."""
        return self._refusals > 0 or (self.limit is not None and self.left <= 0)

    def take(self, now: float) -> None:
        """Count a request that goes out at *now*."""
        if self.limit is not None:
            if now >= self.ends:  # the first answer of the next window will say more
                self.left, self.ends = self.limit, now + self._length
            self.left -= 1
            self._taken_at = now
            self._spread()
        elif self.rate is not None:
            self._grow(now)
        if self.rate is not None:
            self.opens = self.opens_urgent = max(self.opens_urgent, now) + 1.0 / self.rate
        if self._refusals and self.limit is None:
            self.opens = self.opens_urgent = now + TRYING

    def announce(
        self, now: float, *, limit: int | None, remaining: int, reset: float, sent: float, under_way: int
    ) -> None:
        """Take in what the answer to a request *sent* then says: *remaining* of *limit* in the next *reset* seconds.

        *under_way* is how many others are: nobody knows whether the answer counts them already.
        """
        if not 0.0 < reset <= LONGEST_WINDOW or remaining < 0:
            return
        self.limit = max(limit or self.limit or 0, remaining + 1)
        self._length = max(self._length, reset)
        self._said_until = max(self._said_until, now + reset)
        self._announced_at = now
        self.rate = None
        if remaining:
            self._refusals = 0
        if now - sent > STALE * reset:
            self._careful_until = max(self._careful_until, now + self._length)
        if now - sent < reset:  # else it speaks of a window that is over
            if now >= self.ends or remaining - under_way > self.left:
                self.left, self.ends = remaining - under_way, now + reset  # the next window has begun
            else:
                # Requests overtake each other, and whole seconds are rounded up: the least is nearest to the truth.
                self.left, self.ends = min(self.left, remaining), min(self.ends, now + reset)
        self._spread()

    def accept(self, now: float, *, sent: float) -> None:
        """Count a request *sent* then that was let through."""
        self.accepted_at = now
        second = int(now)
        if second != self._second:
            self._accepted_before = self._accepted if second == self._second + 1 else 0
            self._second, self._accepted = second, 0
        self._accepted += 1
        if self.limit is not None and sent >= self._said_until:
            self.limit = None  # whoever announced it does so no longer
            self.opens = self.opens_urgent = self._paused_until
        if self._refusals and sent > self._refused_at:
            self._refusals = 0
            if self.limit is None:
                self.opens = self.opens_urgent = now

    def refuse(self, now: float, *, told: float | None, sent: float) -> None:
        """Take in a refusal of a request *sent* then; *told* is for how many seconds the gateway wants peace.

        Those that were under way together count as one.
        """
        of_one_moment = sent <= self._refused_at
        is_closed = self._refusals > 0  # nothing got through since the last refusal
        again = now - self._refused_at < AGAIN
        if not of_one_moment:
            self._refused_at = now
            self._refusals += 1
        tries = max(0, min(self._refusals - 1, 10))
        if told is not None:
            self._pause(
                now,
                min(told, LONGEST_BELIEVED, FIRST_TRIED * 2.0**tries) if told > LONGEST_BELIEVED else told,
            )
        elif not of_one_moment:
            self._pause(now, min(SHORTEST_PAUSE * 2.0**tries, LONGEST_PAUSE))
        if is_closed and not of_one_moment and self.rate is not None:
            # The first of these refusals was none of a rate either: what it seemed to teach is outgrown fast.
            self._refused_rate = min(self._refused_rate, self.rate / (2.0 * BEYOND))
        if of_one_moment or is_closed:
            return
        if self.limit is None:
            recent = float(max(self._accepted, self._accepted_before, 1))
            if again or self.rate is not None:
                self._refused_rate = recent if self.rate is None else min(self.rate, recent)
                self.rate = max(SLOWEST_RATE, CUT * self._refused_rate)
            else:  # it goes on as before, and grows out of it
                self.rate = self._refused_rate = recent
            self._grown_at = now

    def _pause(self, now: float, seconds: float) -> None:
        """Let nothing out for so long, and little after it: whoever waited comes back one by one."""
        until = now + max(seconds, SHORTEST_PAUSE)
        if until > self._paused_until:
            self._paused_until = self.ends = until
            self._careful_until = until + self._length
            self.left = 0.0
            if self.limit is None:
                self.opens = self.opens_urgent = until
            else:
                self.opens, self.opens_urgent = max(self.opens, until), max(self.opens_urgent, until)

    def _grow(self, now: float) -> None:
        """Raise a learnt rate, once a second, as long as it is used."""
        assert self.rate is not None  # noqa: S101 - the caller looked
        since = now - self._grown_at
        if since < 1.0 or now < self._paused_until + 1.0:
            return
        self._grown_at = now
        if since < 2.0 + 2.0 / self.rate:
            self.rate *= STRIDE if self.rate > BEYOND * self._refused_rate else CREEP
        if self.rate > FORGOTTEN * self._refused_rate:
            self.rate = None
            self.opens = self.opens_urgent = self._paused_until

    def _spread(self) -> None:
        """Say when the next may go: at once while plenty is left, else in even steps until the window ends."""
        if self.left <= 0:
            closed = min(self.ends, max(self._taken_at, self._announced_at) + LONGEST_BELIEVED)
            self.opens = self.opens_urgent = max(closed, self._paused_until)
            return
        self.opens = self.opens_urgent = self._paused_until
        since = max(self._taken_at, self._paused_until)
        if (self.limit is not None and self.left <= self.limit / 2) or since < self._careful_until:
            self.opens = since + min(LONGEST_BELIEVED, max(0.0, self.ends - since) / (self.left + 1))

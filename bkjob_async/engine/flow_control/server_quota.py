"""How many requests a gateway still lets through, from its headers or from its refusals.

A gateway counts requests in windows. With every response it says how many remain and when the window ends. What remains
is spread over the rest of the window, so that nothing is refused and urgent requests always find some left. A gateway
without such headers teaches its rate by refusing requests: the rate falls by a fifth at once and grows again in small
steps. While everything is refused, single requests probe the gateway; their refusals teach no rate.
"""

from __future__ import annotations

from math import inf

from msgspec import Struct

LONGEST_WINDOW = 3600.0
# The pause after each refusal, where no longer waiting time comes with it: requests flow within a second and the time of
# a response once the gateway accepts them again. (seconds)
SHORTEST_PAUSE = 1.0
# No longer pause is believed: single requests probe after this many seconds at most, the first one earlier.
LONGEST_CLOSED, FIRST_PROBE_WAIT = 60.0, 5.0
# The next probe does not wait longer than this for the response to the one before. (seconds)
PROBE_TIMEOUT = 5.0
# One refusal may be chance; a second one within so many seconds teaches a rate. A learned rate is forgotten when it has
# grown to so many times the rate that was refused last.
LEARN_WITHIN, FORGET_FACTOR = 10.0, 6.0
# A learned rate: its decrease after a refusal, and its growth per second of use: slow up to FAST_GROWTH_FROM times the
# rate that was refused last, fast beyond it.
DECREASE, SLOW_GROWTH, FAST_GROWTH, FAST_GROWTH_FROM = 0.8, 1.005, 1.05, 1.2
# A first refusal after which nothing was let through for a while was not about a rate. Requests that waited meanwhile
# catch up at these factors of the rate before it, with moderate growth in between.
CATCH_UP_FROM, CATCH_UP_TO, CATCH_UP_GROWTH = 1.1, 1.25, 1.02
SLOWEST_LEARNED_RATE = 0.2
# A timer lets a request go later than it may, the later the busier the process is. So much is made up for. (seconds)
LATENESS = 0.1
# A response that took this share of the rest of its window does not tell exactly when the window ends.
LATE_SHARE = 0.3
# Announced seconds are whole ones: a window ends up to so much earlier.
ROUNDED = 1.0


class ServerQuota(Struct, kw_only=True):
    """The quota that a gateway gives one group of calls; times are the caller's clock.

    `next_allowed_at` is when the next background request may go, `next_allowed_urgent_at` when an urgent one may.
    At first nothing is known and every request may go, until the gateway announces something or refuses a request: only then
    requests are counted.
    """

    is_known: bool = False
    next_allowed_at: float = 0.0
    next_allowed_urgent_at: float = 0.0
    learned_rate: float | None = None
    limit: int | None = None
    remaining: float = 0.0
    window_ends_at: float = 0.0
    # The length of a window: the longest rest that was announced of this one and of the last one.
    _window_seconds: float = 1.0
    _longest_rest: float = 0.0
    # The window that was announced last ends between these two times.
    _ends_after: float = inf
    _ends_before: float = inf
    _sent_at: float = 0.0
    # When the next request was allowed before and after the last one was counted, and when the one before was sent.
    _before_last: tuple[float, float, float] = (0.0, 0.0, 0.0)
    _after_last: tuple[float, float] | None = None
    _headers_at: float = 0.0
    _paused_until: float = 0.0
    _spread_until: float = 0.0
    _throttled_at: float = -inf
    _headers_valid_until: float = 0.0
    _throttled_in_a_row: int = 0
    _throttled_rate: float = 0.0
    # The rate before the refusal that taught the present one, 0 after further refusals.
    _rate_before: float = 0.0
    _grown_at: float = 0.0

    @property
    def estimated_rate(self) -> float | None:
        """Requests per second that the gateway seems to allow, None while unknown."""
        return self.limit / self._window_seconds if self.limit is not None else self.learned_rate

    @property
    def is_closed(self) -> bool:
        """Whether nothing gets through: the last request was refused, or none remain in this window."""
        return self._throttled_in_a_row > 0 or (self.limit is not None and self.remaining <= 0)

    def has_refused(self, since: float) -> bool:
        """Return whether the last request was refused, at *since* or later."""
        return self._throttled_in_a_row > 0 and self._throttled_at >= since

    def acquire(self, now: float) -> None:
        """Count a request that goes out at *now*."""
        before = self.next_allowed_at, self.next_allowed_urgent_at, self._sent_at
        if self.limit is not None:
            if now >= self.window_ends_at:  # assume a full window until its first response
                self.remaining, self.window_ends_at = self.limit, now + self._window_seconds
            self.remaining -= 1
            self._sent_at = now
            self._spread_remaining()
        elif self.learned_rate is not None:
            self._grow_learned_rate(now)
        if self.learned_rate is not None:
            self.next_allowed_at = self.next_allowed_urgent_at = (
                max(self.next_allowed_urgent_at, now - LATENESS) + 1.0 / self.learned_rate
            )
        if self._throttled_in_a_row and self.limit is None:
            self.next_allowed_at = self.next_allowed_urgent_at = now + PROBE_TIMEOUT
        self._before_last, self._after_last = before, (self.next_allowed_at, self.next_allowed_urgent_at)

    def uncount(self) -> None:
        """Let the next request go as if the one that was acquired last had not, which did not go out."""
        if self.limit is not None:
            self.remaining = min(self.remaining + 1, self.limit)
        if (
            self.next_allowed_at,
            self.next_allowed_urgent_at,
        ) == self._after_last:  # nothing was learnt since
            self.next_allowed_at, self.next_allowed_urgent_at, self._sent_at = self._before_last

    def on_headers(
        self, now: float, *, limit: int | None, remaining: int, reset: float, sent: float, in_flight: int
    ) -> None:
        """Apply the headers of a response to a request *sent* then.

        They say that *remaining* of *limit* requests may go in the next *reset* seconds. *in_flight* is the number of
        other requests in flight: the headers may count them already or not.
        """
        if not 0.0 < reset <= LONGEST_WINDOW or remaining < 0:
            return
        self.is_known = True
        self.limit = max(limit or self.limit or 0, remaining + 1)
        self._note_window(now, reset, sent)
        self._headers_valid_until = max(self._headers_valid_until, now + reset)
        self._headers_at = now
        self.learned_rate = None
        if remaining:
            self._throttled_in_a_row = 0
        if now - sent > LATE_SHARE * reset:
            self._spread_until = max(self._spread_until, now + self._window_seconds)
        if now - sent < reset:  # else the headers are of a window that is over
            if now >= self.window_ends_at or remaining - in_flight > self.remaining:
                self.remaining, self.window_ends_at = (
                    remaining - in_flight,
                    now + reset,
                )  # the next window has begun
            else:
                # Responses overtake each other, and seconds are rounded up: the minimum is nearest to the truth.
                self.remaining, self.window_ends_at = (
                    min(self.remaining, remaining),
                    min(self.window_ends_at, now + reset),
                )
        self._spread_remaining()

    def _note_window(self, now: float, reset: float, sent: float) -> None:
        """Learn how long windows are; one that cannot be the announced one, as it ends sooner, replaces what was known."""
        after, before = sent + reset - ROUNDED, now + reset
        if before < self._ends_after:
            self._window_seconds = self._longest_rest = reset
            self._headers_valid_until = before
        elif after > self._ends_before:  # the next window
            self._window_seconds, self._longest_rest = max(self._longest_rest, reset), reset
        else:
            self._longest_rest = max(self._longest_rest, reset)
            self._window_seconds = max(self._window_seconds, reset)
            after, before = max(after, self._ends_after), min(before, self._ends_before)
        self._ends_after, self._ends_before = after, before

    def on_success(self, now: float, *, sent: float) -> None:
        """Count a request *sent* then that the gateway let through."""
        if self.limit is not None and sent >= self._headers_valid_until:
            self.limit = None  # the gateway sends no headers any more
            self.next_allowed_at = self.next_allowed_urgent_at = self._paused_until
        if self._throttled_in_a_row and sent > self._throttled_at:
            self._throttled_in_a_row = 0
            if self.limit is None:
                self.next_allowed_at = self.next_allowed_urgent_at = now

    def on_throttled(
        self, now: float, *, retry_after: float | None, sent: float, accepted_per_second: int = 0
    ) -> None:
        """Count a refusal of a request *sent* then; *retry_after* is the wait that the gateway asks for, in seconds.

        *accepted_per_second* is how many it let through in a second before. Refusals of requests that were in flight together
        count as one.
        """
        self.is_known = True
        is_same_burst = sent <= self._throttled_at
        was_closed = self._throttled_in_a_row > 0  # nothing was let through since the last refusal
        is_repeated = now - self._throttled_at < LEARN_WITHIN
        if not is_same_burst:
            self._throttled_at = now
            self._throttled_in_a_row += 1
        doublings = max(0, min(self._throttled_in_a_row - 1, 10))
        if retry_after is not None:
            self._pause(
                now,
                min(retry_after, LONGEST_CLOSED, FIRST_PROBE_WAIT * 2.0**doublings)
                if retry_after > LONGEST_CLOSED
                else retry_after,
            )
        elif not is_same_burst:
            self._pause(now, SHORTEST_PAUSE)
        if was_closed and not is_same_burst and self.learned_rate is not None:
            # The first of these refusals was not about a rate either: let the rate that it taught grow fast.
            self.learned_rate = max(self.learned_rate, CATCH_UP_FROM * self._rate_before)
            self._throttled_rate = min(self._throttled_rate, self.learned_rate / (2.0 * FAST_GROWTH_FROM))
        if is_same_burst or was_closed:
            return
        if self.limit is None:
            recent = float(max(accepted_per_second, 1))
            if is_repeated or self.learned_rate is not None:
                self._rate_before = 0.0
                self._throttled_rate = recent if self.learned_rate is None else min(self.learned_rate, recent)
                self.learned_rate = max(SLOWEST_LEARNED_RATE, DECREASE * self._throttled_rate)
            else:  # keep the present rate, and let it grow
                self.learned_rate = self._throttled_rate = self._rate_before = recent
            self._grown_at = now

    def _pause(self, now: float, seconds: float) -> None:
        """Allow nothing for so many *seconds*, and spread requests for one window after that."""
        until = now + max(seconds, SHORTEST_PAUSE)
        if until > self._paused_until:
            self._paused_until = self.window_ends_at = until
            self._spread_until = until + self._window_seconds
            self.remaining = 0.0
            if self.limit is None:
                self.next_allowed_at = self.next_allowed_urgent_at = until
            else:
                self.next_allowed_at, self.next_allowed_urgent_at = (
                    max(self.next_allowed_at, until),
                    max(self.next_allowed_urgent_at, until),
                )

    def _grow_learned_rate(self, now: float) -> None:
        """Raise the learned rate, once per second while it is used."""
        assert self.learned_rate is not None  # noqa: S101 - checked by the caller
        since = now - self._grown_at
        if since < 1.0 or now < self._paused_until + 1.0:
            return
        self._grown_at = now
        if since < 2.0 + 2.0 / self.learned_rate:
            self.learned_rate *= self._growth(self.learned_rate)
        if self.learned_rate > FORGET_FACTOR * self._throttled_rate:
            self.learned_rate = None
            self.next_allowed_at = self.next_allowed_urgent_at = self._paused_until

    def _growth(self, rate: float) -> float:
        """Return the factor by which *rate* grows in one second."""
        if rate <= FAST_GROWTH_FROM * self._throttled_rate:
            return SLOW_GROWTH
        return CATCH_UP_GROWTH if self._rate_before <= rate < CATCH_UP_TO * self._rate_before else FAST_GROWTH

    def _spread_remaining(self) -> None:
        """Set when the next request may go: at once while plenty remain, else evenly until the window ends."""
        if self.remaining <= 0:
            opens_at = min(self.window_ends_at, max(self._sent_at, self._headers_at) + LONGEST_CLOSED)
            self.next_allowed_at = self.next_allowed_urgent_at = max(opens_at, self._paused_until)
            return
        self.next_allowed_at = self.next_allowed_urgent_at = self._paused_until
        since = max(self._sent_at, self._paused_until)
        if (self.limit is not None and self.remaining <= self.limit / 2) or since < self._spread_until:
            self.next_allowed_at = since + min(
                LONGEST_CLOSED, max(0.0, self.window_ends_at - since) / (self.remaining + 1)
            )

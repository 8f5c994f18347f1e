"""How the platform is: its state after each event, by which polls, probes and retries go.

                        open        limited     closed
response                open        limited     limited     the platform answered
response, early         open        limited     closed      to a request from before it closed, within FIRST_PROBE_WAIT
response, late          limited     limited     limited     the first one after a silence, and far slower than usual
time                    open        open        closed      the last target has had its turn
error of one            open        limited     closed      no connection, no response in time, HTTP 502 to 504
errors of many          closed      closed      closed      of different targets, one after another
refusal                 open        limited     closed      too many requests
refusal of all          closed      closed      closed      credentials, the application or the URL

Open: every request goes when it is due. Limited: all targets are polled again, at `rate` a second until `until`. Closed:
single probes go, the next one at `probe_at`; other polls wait, and so do retries of calls. How many requests may go at
once and in a second is another matter, which the permit of each decides: the closed state, the quota that the gateway
announces or teaches by refusals, the rate of the client and its concurrency all have to allow it, so that the strictest wins.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from math import inf

from msgspec import Struct, field


class PlatformState(Enum):
    """How the platform is."""

    OPEN = "open"
    LIMITED = "limited"
    CLOSED = "closed"


class PlatformEvent(Enum):
    """What a failed poll says of the platform."""

    RESPONSE = "response"
    ERROR = "error of one"
    REFUSAL = "refusal"
    REFUSAL_OF_ALL = "refusal of all"


OPEN, LIMITED, CLOSED = PlatformState.OPEN, PlatformState.LIMITED, PlatformState.CLOSED
# So many errors in a row, of so many different targets, close it (of all targets, where there are fewer).
THRESHOLD, DISTINCT_TARGETS = 5, 3
# While closed, the first probe goes after FIRST_PROBE_WAIT seconds. The wait doubles with each probe, up to
# LONGEST_PROBE_WAIT after errors, LONGEST_PROBE_WAIT_REFUSED after a refusal of all.
FIRST_PROBE_WAIT, LONGEST_PROBE_WAIT, LONGEST_PROBE_WAIT_REFUSED = 0.5, 1.5, 5.0
# A failed poll is repeated after the interval of polls, then after twice as long each time, up to so many seconds: where
# the platform answered for this target alone, it may take longer. How long requests are refused the permit knows.
LONGEST_WAITS = {
    PlatformEvent.RESPONSE: 60.0,
    PlatformEvent.ERROR: 15.0,
    PlatformEvent.REFUSAL: 0.0,
    PlatformEvent.REFUSAL_OF_ALL: 60.0,
}
# A failure is slow after so many seconds: requests like it may keep others waiting.
SLOW_FAILURE = 1.0
# While only probes go, other targets are considered again after so many seconds.
CLOSED_DELAY = 10.0
# Another target is the next probe where the one that was to be has not asked for so many seconds.
PROBE_PATIENCE = 1.0

# There was a silence when no response came for the usual response time plus this many seconds plus this many usual gaps
# between responses, and the first one then took this many seconds longer than usual. Polls may all go out in the same
# moment: the time until the next one is no silence.
MINIMUM_SILENCE, SILENT_GAPS = 0.5, 4.0
# Weight of the newest sample, and how many seconds one sample of the response rate spans.
NEWEST_WEIGHT, SAMPLE_SECONDS = 0.2, 1.0
# Polls per second while limited, where fewer are usual.
SLOWEST_RATE = 1.0


class PlatformHealth(Struct, kw_only=True):
    """The state of the platform; times are the caller's clock, in seconds.

    A probe without a response does not delay the next one. Errors of requests that were in flight when it closed do not
    count.

    `errors` is how many errors counted since the last response. `usual_rate` is the usual number of responses to polls per
    second, None before it is known. Polls sent before `silence_ended_at` were in flight during the last silence.
    """

    state: PlatformState = PlatformState.OPEN
    probe_at: float = 0.0
    rate: float = inf
    until: float = -inf
    errors: int = 0
    usual_rate: float | None = None
    silence_ended_at: float = -inf
    _failed_targets: set[Hashable] = field(default_factory=set)
    _closed_at: float = -inf
    _wait: float = 0.0
    _wait_bound: float = 0.0
    _usual_seconds: float = 0.0
    _last_response_at: float | None = None
    _sample_began_at: float = 0.0
    _sample_count: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether only single probes go."""
        return self.state is CLOSED

    def has_responded(self, since: float) -> bool:
        """Return whether a response has come *since* then, and it was not closed after that."""
        last = self._last_response_at
        return last is not None and last >= since

    # Events ---------------------------------------------------------------------------------------------------------

    def on_response(self, now: float, *, sent: float, targets: int) -> PlatformState | None:
        """Count the response to a poll *sent* then, of one of *targets*; return the state before if all are polled again.

        A response to a request from before the closing proves nothing if it comes within FIRST_PROBE_WAIT seconds of it.
        """
        last, before = self._last_response_at, self.state
        if before is CLOSED and sent <= self._closed_at and now < self._closed_at + FIRST_PROBE_WAIT:
            return None
        self._last_response_at = now
        if self.errors:
            self.errors = 0
            self._failed_targets.clear()
        is_late = last is not None and self._is_late(last, now, sent)
        if last is None:  # the first one, or the first one since the platform was closed
            self._sample_began_at = now
            if self.usual_rate is None:
                self._usual_seconds = now - sent
        elif is_late:
            # The rate is kept: it was measured before the silence.
            self._sample_began_at, self._sample_count, self.silence_ended_at = now, 0, now
        elif sent >= self.silence_ended_at:
            self._measure(now, now - sent)
        if not is_late and before is not CLOSED:
            if before is LIMITED and now >= self.until:
                self.state = OPEN
            return None
        self.state = LIMITED
        self.rate = max(SLOWEST_RATE, self.usual_rate or targets)
        self.until = now + targets / self.rate
        return before

    def fails_alone(self, sent: float, now: float, *, failed_at: float) -> bool:
        """Return True if a request *sent* then failed *now*, while others were answered: it says nothing of the platform.

        They were after *failed_at*, when the same target failed before, if it did, or in the later half of a long wait.
        """
        last, waited = self._last_response_at, now - sent
        half = now - waited / 2.0 if waited >= SLOW_FAILURE else inf
        return last is not None and last > min(failed_at, half)

    def on_error(self, event: PlatformEvent, target: Hashable, now: float, *, targets: int) -> bool:
        """Count an error of *target*, one of *targets*; return True if it closed the platform."""
        if self.state is CLOSED:
            return False
        if event is PlatformEvent.ERROR:
            self.errors += 1
            if len(self._failed_targets) < DISTINCT_TARGETS:
                self._failed_targets.add(target)
            is_of_many = (
                targets >= 2
                and self.errors >= min(THRESHOLD, targets)
                and len(self._failed_targets) >= min(DISTINCT_TARGETS, targets)
            )
            if not is_of_many:
                return False
        elif event is not PlatformEvent.REFUSAL_OF_ALL:
            return False
        self.state, self._closed_at = CLOSED, now
        self._wait_bound = LONGEST_PROBE_WAIT if event is PlatformEvent.ERROR else LONGEST_PROBE_WAIT_REFUSED
        self._wait = FIRST_PROBE_WAIT
        self.probe_at = now + FIRST_PROBE_WAIT
        # Polling stops, so that the present sample says nothing about the usual rate.
        self._last_response_at = None
        self._sample_count = 0
        return True

    # Decisions ------------------------------------------------------------------------------------------------------

    def try_probe(self, now: float) -> bool:
        """Return True if a probe may go out at *now*, and count it."""
        if now < self.probe_at:
            return False
        self._wait = min(2.0 * self._wait, self._wait_bound)
        self.probe_at = now + self._wait
        return True

    def poll_again_at(
        self, event: PlatformEvent, now: float, *, failures: int, interval: float | None, targets: int
    ) -> float:
        """Return when a poll is repeated that failed for the *failures*-th time in a row, one of *targets*.

        That is with the next probe while only probes go. The last error was an *event*; *interval* is that of polls.
        """
        if self.is_closed:
            return self.probe_at
        if event is PlatformEvent.ERROR and targets < 2:
            return now + LONGEST_PROBE_WAIT  # no other target finds out that the platform is back
        return now + wait_after(event, failures, interval)

    def retry_wait(self, wait: float, now: float) -> float:
        """Return the seconds until a call is retried that should be after *wait*: not before the next probe."""
        return max(wait, self.probe_at - now) if self.is_closed else wait

    # The silence, and the usual rate ----------------------------------------------------------------------------------

    def _is_late(self, last: float, now: float, sent: float) -> bool:
        """Return True if a response ends a silence that began at *last*."""
        usual = self._usual_seconds + MINIMUM_SILENCE
        return now - sent > usual and now - last > usual + SILENT_GAPS / (self.usual_rate or SLOWEST_RATE)

    def _measure(self, now: float, seconds: float) -> None:
        """Count a response that took so many *seconds*."""
        self._usual_seconds += NEWEST_WEIGHT * (seconds - self._usual_seconds)
        self._sample_count += 1
        if now - self._sample_began_at >= SAMPLE_SECONDS:
            sample, known = self._sample_count / (now - self._sample_began_at), self.usual_rate
            self.usual_rate = sample if known is None else known + NEWEST_WEIGHT * (sample - known)
            self._sample_began_at, self._sample_count = now, 0


def wait_after(event: PlatformEvent, failures: int, interval: float | None) -> float:
    """Return the seconds until a poll is repeated that failed so many times in a row, the last time with *event*."""
    first = interval or 1.0
    return min(first * 2.0 ** min(failures - 1, 10), max(LONGEST_WAITS[event], first))

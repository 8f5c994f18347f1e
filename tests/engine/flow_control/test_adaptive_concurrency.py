"""The number of requests in flight, by response times."""

import pytest

from bkjob_async.engine.flow_control.adaptive_concurrency import AIMDConcurrency


def respond(concurrency: AIMDConcurrency, now: float, seconds: float, size: int, in_flight: int) -> None:
    """Add a response to the round, as whoever gets it does."""
    if now - seconds > concurrency.decreased_at:
        concurrency.round.append((seconds, size, in_flight))
        if len(concurrency.round) >= concurrency.round_size:
            concurrency.end_round(now)


class Platform:
    """Responds one after another, each time after so many seconds, with so many requests in flight."""

    def __init__(self, concurrency: AIMDConcurrency) -> None:
        self.concurrency = concurrency
        self.now = 1000.0

    def answer(self, seconds: float, times: int = 1, *, size: int = 600, in_flight: int | None = None) -> int:
        """Send some responses; return how many requests may be in flight then."""
        for _ in range(times):
            self.now += seconds
            busy = self.concurrency.allowed if in_flight is None else in_flight
            respond(self.concurrency, self.now, seconds, size, busy)
        return self.concurrency.allowed


def test_a_platform_that_keeps_up_is_left_alone() -> None:
    """Nothing changes while responses take as long as before, however long that is."""
    for seconds in (0.001, 0.1, 20.0):
        assert Platform(AIMDConcurrency(maximum=32)).answer(seconds, 1000) == 32


def test_a_platform_that_cannot_keep_up_gets_fewer_requests() -> None:
    """Responses that take five times as long for two rounds: a fifth fewer requests; for longer: still fewer."""
    platform = Platform(AIMDConcurrency(maximum=32))
    platform.answer(0.1, 200)

    assert platform.answer(0.5, 32) == 32
    assert platform.answer(0.5, 32) == 25
    assert 1 <= platform.answer(0.5, 60) < 25


def test_a_short_spike_is_no_reason() -> None:
    """One slow round between others, or some slow responses in every round, change nothing."""
    platform = Platform(AIMDConcurrency(maximum=32))
    platform.answer(0.1, 200)
    for _ in range(20):
        platform.answer(2.0, 32)
        platform.answer(0.1, 64)
    for _ in range(200):
        platform.answer(2.0, 3)
        platform.answer(0.1, 7)

    assert platform.concurrency.allowed == 32


def test_large_responses_are_not_slow_responses() -> None:
    """They are compared with others of their size."""
    platform = Platform(AIMDConcurrency(maximum=32))
    for _ in range(500):
        platform.answer(0.05, 1, size=600)
        platform.answer(3.0, 3, size=9_000_000)

    assert platform.concurrency.allowed == 32


def test_it_grows_by_one_a_round_only_while_it_is_fully_used() -> None:
    """An idle client proves nothing about what the platform could do."""
    platform = Platform(AIMDConcurrency(maximum=32))
    platform.concurrency.on_throttled(platform.now, sent=platform.now - 1)
    assert platform.concurrency.allowed == 16
    assert platform.answer(0.1, 1000, in_flight=15) == 16

    assert platform.answer(0.1, 16) == 17
    assert platform.answer(0.1, 2000) == 32


def test_refusals_of_one_moment_count_once_and_one_is_always_allowed() -> None:
    """A burst that is refused as a whole halves what is allowed, and does not end it."""
    concurrency = AIMDConcurrency(maximum=32)
    for _ in range(31):
        concurrency.on_throttled(10.0, sent=9.0)
    assert concurrency.allowed == 16

    for second in range(20, 60):
        concurrency.on_throttled(second + 0.5, sent=float(second))
    assert concurrency.allowed == 1


def test_responses_that_never_come_are_slow_ones() -> None:
    """Two rounds of timeouts reduce the number."""
    concurrency = AIMDConcurrency(maximum=10)
    for _ in range(20):
        concurrency.on_timeout(100.0, sent=70.0)

    assert concurrency.allowed == 8


@pytest.mark.parametrize(("slow", "allowed"), [(16, 32), (17, 25)])
def test_a_round_is_slow_when_most_of_its_responses_are(slow: int, allowed: int) -> None:
    """Half of them are not most."""
    concurrency = AIMDConcurrency(maximum=32)
    for n in range(2 * 32):
        now = 100.0 + n / 100.0
        if n % 32 < slow:
            concurrency.on_timeout(now, sent=now - 0.1)
        else:
            respond(concurrency, now, 0.1, 100, 32)

    assert concurrency.allowed == allowed


def test_what_takes_longer_for_good_becomes_usual() -> None:
    """A platform that is slower from some day on gets as many requests as before, after a while."""
    platform = Platform(AIMDConcurrency(maximum=32))
    platform.answer(0.1, 200)
    least = platform.answer(1.0, 200)

    assert least < 32
    assert platform.answer(1.0, 5000) == 32

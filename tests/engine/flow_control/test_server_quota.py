"""The quota of a gateway, learnt from its headers and its 429 responses."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.flow_control.server_quota import CATCH_UP_FROM, LATENESS, ServerQuota
from bkjob_async.simulator.faults.rate_limit import RateLimit
from tests.examples import examples

MOST_AT_ONCE = 32


class Client:
    """Sends requests as often as the quota allows, with responses that take *latency* seconds."""

    def __init__(
        self, limit: RateLimit, *, says: bool = True, latency: float = 0.0, start: float = 0.0
    ) -> None:
        self.quota = ServerQuota()
        self.limit = limit
        self.says = says
        self.latency = latency
        self.now = start
        self.sent: list[float] = []
        self.refused: list[float] = []
        self.accepted = Counter[int]()
        self.under_way: list[tuple[float, float, bool, dict[str, str]]] = []

    def run(self, until: float) -> None:
        """Send a request whenever it may, and apply responses when they come."""
        while True:
            heard_at = self.under_way[0][0] if self.under_way else until
            next_allowed_at = self.quota.next_allowed_at if len(self.under_way) < MOST_AT_ONCE else until
            at = max(self.now, min(next_allowed_at, heard_at))
            if at >= until:
                return
            self.now = at
            if heard_at <= at:
                self.apply(*self.under_way.pop(0))
                continue
            self.now += 0.002  # a client has other things to do, too
            self.quota.acquire(self.now)
            self.sent.append(self.now)
            let_through = self.limit.take(self.now)
            said = self.limit.headers(self.now)
            self.under_way.append((self.now + self.latency, self.now, let_through, said))

    def apply(self, now: float, sent: float, let_through: bool, said: dict[str, str]) -> None:  # noqa: FBT001
        """Apply a response."""
        if self.says:
            self.quota.on_headers(
                now,
                limit=int(said["x-bkapi-ratelimit-limit"]),
                remaining=int(said["x-bkapi-ratelimit-remaining"]),
                reset=float(said["x-bkapi-ratelimit-reset"]),
                sent=sent,
                in_flight=len(self.under_way),
            )
        elif let_through:
            self.accepted[int(now)] += 1
            self.quota.on_success(now, sent=sent)
        if not let_through:
            retry_after = float(said["x-bkapi-ratelimit-reset"]) if self.says else None
            accepted = max(self.accepted[int(now)], self.accepted[int(now) - 1])
            self.quota.on_throttled(now, retry_after=retry_after, sent=sent, accepted_per_second=accepted)
            self.refused.append(sent)


@settings(deadline=None, max_examples=examples(40))
@given(
    st.sampled_from([(10, 1), (50, 1), (100, 5), (300, 60), (3, 1), (600, 10)]),
    st.floats(0.0, 0.9),
    st.floats(0.0, 1.0),
)
def test_an_announced_limit_is_kept_and_used(limit: tuple[int, int], latency: float, start: float) -> None:
    """Whatever the window, the latency and the moment: next to no refusal after the first window."""
    gateway = RateLimit(*limit)
    client = Client(gateway, latency=latency, start=start)
    first = 2.0 * gateway.window + 2.0
    client.run(first + 10 * gateway.window)

    late = [time for time in client.sent if time >= first]
    assert sum(time >= first for time in client.refused) <= 0.01 * len(late)
    possible = min(limit[0], MOST_AT_ONCE / max(latency, 0.001) * gateway.window)
    assert len(late) >= 0.7 * 10 * possible / (1 + latency / gateway.window)


@settings(deadline=None, max_examples=examples(20))
@given(st.sampled_from([5, 20, 80]), st.floats(0.0, 0.2))
def test_a_limit_that_is_not_announced_is_learnt(limit: int, latency: float) -> None:
    """By refusals alone: after the first ten seconds next to none, and most of what is allowed is used."""
    client = Client(RateLimit(limit), says=False, latency=latency)
    client.run(120.0)

    late = [time for time in client.sent if time >= 20.0]
    assert sum(time >= 20.0 for time in client.refused) <= 0.02 * len(late)
    assert len(late) >= 0.6 * 100 * limit


def test_plenty_is_not_spread() -> None:
    """While more than half is left, everything may go at once."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=100, remaining=99, reset=60.0, sent=9.9, in_flight=0)
    for _ in range(40):
        quota.acquire(10.0)
    assert quota.next_allowed_at <= 10.0

    for _ in range(30):
        quota.acquire(10.0)
    assert quota.next_allowed_at > 10.5
    assert quota.next_allowed_urgent_at <= 10.0


def test_nothing_left_holds_what_is_urgent_too() -> None:
    """Until the window ends."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=100, remaining=0, reset=5.0, sent=9.9, in_flight=0)

    assert (quota.next_allowed_at, quota.next_allowed_urgent_at) == (15.0, 15.0)


def test_a_refusal_is_obeyed_and_followed_by_no_burst() -> None:
    """After the pause one request is sent at once, and the next half a second later."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=2, remaining=1, reset=1.0, sent=9.9, in_flight=0)
    quota.on_throttled(10.5, retry_after=30.0, sent=10.4)
    assert quota.next_allowed_urgent_at == 40.5

    quota.acquire(40.5)
    assert quota.next_allowed_at >= 40.9


def test_the_longer_of_two_waits_counts() -> None:
    """Responses overtake each other; a pause is never shortened."""
    quota = ServerQuota()
    quota.on_throttled(0.0, retry_after=30.0, sent=-0.1)
    quota.on_throttled(0.1, retry_after=2.0, sent=-0.1)
    quota.on_headers(0.2, limit=10, remaining=9, reset=1.0, sent=-0.1, in_flight=0)

    assert quota.next_allowed_at == 30.0
    assert quota.next_allowed_urgent_at == 30.0


def test_each_refusal_without_a_time_is_a_second() -> None:
    """However many there were: a longer pause would outlast the window of the gateway, whose length is not known."""
    quota, now, waits = ServerQuota(), 100.0, []
    for _ in range(4):
        quota.on_throttled(now, retry_after=None, sent=now - 0.1)
        waits.append(quota.next_allowed_at - now)
        now = quota.next_allowed_at + 1.0

    assert waits == [1.0, 1.0, 1.0, 1.0]


def test_one_refusal_is_an_accident() -> None:
    """After the wait, requests continue at the last rate, and faster from second to second."""
    quota = ServerQuota()
    quota.on_throttled(102.0, retry_after=None, sent=101.9, accepted_per_second=20)
    assert (quota.next_allowed_at, quota.estimated_rate) == (103.0, 20.0)

    now = 103.0
    while quota.estimated_rate is not None:
        now = max(now + 0.01, quota.next_allowed_at)
        quota.acquire(now)
        quota.on_success(now, sent=now)
    assert 60.0 < now - 103.0 < 90.0


def test_a_second_refusal_within_seconds_teaches_a_rate() -> None:
    """A fifth less than the accepted rate, and slow growth."""
    quota = ServerQuota()
    quota.on_throttled(100.1, retry_after=None, sent=100.0, accepted_per_second=20)
    quota.on_success(101.5, sent=101.5)
    quota.on_throttled(101.6, retry_after=None, sent=101.5, accepted_per_second=20)

    assert quota.estimated_rate == 16.0


def test_a_limit_that_is_not_announced_any_more_is_forgotten() -> None:
    """One response with a limit, then responses without: requests are not spread any more."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=10, remaining=0, reset=2.0, sent=9.9, in_flight=0)
    quota.on_throttled(10.0, retry_after=2.0, sent=9.9)
    quota.acquire(12.0)
    assert quota.next_allowed_at > 12.0

    quota.on_success(15.5, sent=15.0)
    quota.acquire(15.5)
    assert quota.next_allowed_at <= 15.5
    assert quota.estimated_rate is None


def test_others_who_use_the_same_quota_are_seen() -> None:
    """Each response says what is left for all."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=100, remaining=90, reset=60.0, sent=9.9, in_flight=0)
    quota.on_headers(11.0, limit=100, remaining=20, reset=59.0, sent=10.9, in_flight=0)

    assert quota.remaining == 20


@given(st.integers(-5, 10**9), st.integers(-5, 10**9), st.floats(-10, 10**9), st.integers(0, 50))
def test_garbage_never_blocks_requests_for_long(
    limit: int, remaining: int, reset: float, under_way: int
) -> None:
    """A minute at most: a longer pause is probed."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=limit, remaining=remaining, reset=reset, sent=9.0, in_flight=under_way)
    quota.acquire(10.0)

    assert quota.next_allowed_at <= 10.0 + 60.0


def test_while_everything_is_refused_single_requests_try() -> None:
    """The next is sent after the response to the last, or after seconds; these refusals do not lower the rate."""
    quota = ServerQuota()
    quota.on_throttled(102.0, retry_after=None, sent=101.9, accepted_per_second=50)
    rate = quota.estimated_rate
    quota.acquire(103.0)
    assert quota.next_allowed_urgent_at == 108.0

    quota.on_throttled(103.1, retry_after=None, sent=103.0)
    assert quota.next_allowed_at == 104.1
    quota.acquire(104.1)
    quota.on_success(104.2, sent=104.1)
    assert quota.next_allowed_at == 104.2
    assert (rate, quota.estimated_rate) == (50.0, CATCH_UP_FROM * 50.0)


def test_late_timers_cost_no_rate() -> None:
    """A request that goes a little later than it may lets the next go the sooner; a pause is not made up for."""
    quota = ServerQuota()
    quota.on_throttled(102.0, retry_after=None, sent=101.9, accepted_per_second=100)
    assert quota.estimated_rate == 100.0

    now, sent = quota.next_allowed_at, 0
    while now < 113.0:
        quota.acquire(now)
        quota.on_success(now, sent=now)
        sent += 1
        now = max(now, quota.next_allowed_at) + 0.003
    assert 990 <= sent <= 1100

    quota.acquire(now + 5.0)
    quota.acquire(now + 5.0)
    assert quota.next_allowed_at > now + 5.0 - LATENESS


def test_a_long_pause_is_probed() -> None:
    """Single requests try it, the first soon, and never more than a minute apart."""
    quota, now, waits = ServerQuota(), 100.0, []
    for _ in range(6):
        quota.on_throttled(now, retry_after=3000.0, sent=now - 0.1)
        waits.append(quota.next_allowed_urgent_at - now)
        now = quota.next_allowed_at + 1.0

    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_what_is_announced_during_a_pause_is_the_next_window() -> None:
    """A pause leaves nothing of the window before it: the first headers say what may go, and until when."""
    quota = ServerQuota()
    quota.on_throttled(100.0, retry_after=2.0, sent=99.9)
    quota.on_headers(100.1, limit=10, remaining=1, reset=5.0, sent=99.95, in_flight=0)

    assert (quota.remaining, quota.window_ends_at) == (1, 105.1)
    assert quota.next_allowed_at >= 102.0


def test_nothing_gets_through_where_none_remain() -> None:
    """Nothing was refused yet; the next window opens it again."""
    quota = ServerQuota()
    quota.on_headers(100.0, limit=10, remaining=0, reset=5.0, sent=99.9, in_flight=0)
    closed = quota.is_closed
    quota.on_headers(106.0, limit=10, remaining=1, reset=5.0, sent=105.9, in_flight=0)

    assert closed
    assert not quota.is_closed


def test_a_window_that_is_not_announced_any_more_is_forgotten() -> None:
    """One response announced an hour; what the later ones announce holds at once, by each of them."""
    quota = ServerQuota()
    quota.on_headers(10.0, limit=100, remaining=99, reset=3600.0, sent=9.9, in_flight=1)
    quota.on_headers(10.1, limit=100, remaining=98, reset=1.0, sent=9.9, in_flight=0)
    assert quota.estimated_rate == 100.0

    quota.acquire(20.0)
    assert quota.window_ends_at == 21.0
    quota.on_success(20.1, sent=20.0)
    assert quota.estimated_rate is None


def test_the_window_is_the_longest_rest_of_the_last_two() -> None:
    """What is left in the middle of a window tells nothing of its length; after two shorter ones the length is new."""
    quota, rates = ServerQuota(), []
    for sent, reset in (
        (0.0, 60.0),
        (59.5, 1.0),
        (60.1, 60.0),
        (119.5, 1.0),
        (130.0, 50.0),
        (180.0, 5.0),
        (190.0, 5.0),
    ):
        quota.on_headers(sent + 0.1, limit=60, remaining=50, reset=reset, sent=sent, in_flight=0)
        rates.append(quota.estimated_rate)

    assert rates == [1.0, 1.0, 1.0, 1.0, 1.0, 60 / 50, 12.0]

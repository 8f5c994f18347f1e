"""Waiting for a permit, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.errors import ClientClosed, Throttled
from bkjob_async.http_messages import HttpResponse
from bkjob_async.wire.limits.permits import URGENT_CALL
from bkjob_async.wire.limits.request_limiter import BYTES_PER_TURN, RequestLimiter

pytestmark = pytest.mark.looptime


def announcing(**said: int) -> HttpResponse:
    """Return a response that announces how many requests may still be sent."""
    headers = {f"x-bkapi-ratelimit-{name}": str(value) for name, value in said.items()}
    return HttpResponse(status=200, headers=headers)


async def pass_through(
    limiter: RequestLimiter,
    done: list[str],
    name: str,
    *,
    scope: int = 0,
    resource: str = "",
    urgent: bool = False,
) -> None:
    """Acquire a permit, hold it for a second, release it."""
    permit = await limiter.acquire(scope, resource, urgent=urgent)
    await asyncio.sleep(1)
    done.append(name)
    limiter.release(permit)


async def test_first_come_first_served_and_urgent_before_both() -> None:
    """A user's own call does not queue behind a thousand polls."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    done: list[str] = []

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(pass_through(limiter, done, name))
        await asyncio.sleep(0.5)
        group.create_task(pass_through(limiter, done, "user", urgent=True))

    assert done == ["a", "user", "b", "c"]
    assert (limiter.limit.in_flight, limiter.waiting) == (0, 0)


async def test_a_rate_spreads_requests_over_time() -> None:
    """Ten requests at five a second take two seconds, not one burst."""
    limiter = RequestLimiter(RateLimiter(rate=5.0, max_in_flight=100))
    times = []
    for _ in range(11):
        permit = await limiter.acquire()
        times.append(asyncio.get_running_loop().time())
        limiter.release(permit)

    assert times[-1] - times[0] == pytest.approx(2.0)


async def times_with_late_timers(
    monkeypatch: pytest.MonkeyPatch, rate: float, late: float, count: int, *, held: float = 0.0
) -> list[float]:
    """Return when each of *count* requests went, while each timer fires *late* seconds after its time."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def call_late(
        when: float, function: Callable[..., object], *given: Any, **options: Any
    ) -> asyncio.TimerHandle:
        return call_at(when + late, function, *given, **options)

    monkeypatch.setattr(loop, "call_at", call_late)
    limiter = RequestLimiter(RateLimiter(rate=rate, max_in_flight=1000))
    times: list[float] = []

    async def ask() -> None:
        permit = await limiter.acquire()
        times.append(loop.time())
        await asyncio.sleep(held)
        limiter.release(permit)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(ask())
    return times


@pytest.mark.parametrize(("rate", "late"), [(5.0, 0.05), (100.0, 0.004), (100.0, 0.03), (1000.0, 0.0021)])
@pytest.mark.parametrize("held", [0.0, 0.2])
async def test_late_timers_take_nothing_from_a_rate(
    monkeypatch: pytest.MonkeyPatch, rate: float, late: float, held: float
) -> None:
    """What could not go in time goes at once; what responses release meanwhile changes nothing."""
    count = int(4 * rate)
    times = await times_with_late_timers(monkeypatch, rate, late, count, held=held)

    assert (count - 1) / (times[-1] - times[0]) == pytest.approx(rate, rel=0.02)
    for start in times:
        assert sum(start <= time < start + 0.999 for time in times) <= rate + 1 + late * rate


async def test_a_process_that_stood_still_does_not_catch_up_in_one_burst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tenth of a second is made up for, no more."""
    times = await times_with_late_timers(monkeypatch, 100.0, 3.0, 40)

    assert max(sum(start <= time < start + 0.5 for time in times) for start in times) <= 12


async def test_a_throttled_request_holds_up_all_others_for_a_while() -> None:
    """The pause ends by itself."""
    limiter = RequestLimiter(RateLimiter())
    refused = await limiter.acquire()
    limiter.on_throttled(refused, retry_after=30.0, per_resource=False, too_concurrent=False)
    limiter.release(refused)
    start = asyncio.get_running_loop().time()
    await limiter.acquire(urgent=True)

    assert asyncio.get_running_loop().time() - start == pytest.approx(30.0)


async def test_a_throttled_resource_holds_up_no_other() -> None:
    """Requests for other resources go at once, before those that came earlier."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    done: list[str] = []
    permit = await limiter.acquire(resource="steps")
    waiting = [asyncio.create_task(pass_through(limiter, done, "early", resource="steps"))]
    await asyncio.sleep(0)
    limiter.on_throttled(permit, retry_after=30.0, per_resource=True, too_concurrent=False)
    limiter.release(permit)
    waiting += [
        asyncio.create_task(pass_through(limiter, done, name, resource=name)) for name in ("steps", "jobs")
    ]
    await asyncio.sleep(29)
    before = list(done)
    await asyncio.wait(waiting)

    assert before == ["jobs"]
    assert done == ["jobs", "early", "steps"]


async def test_a_small_scope_does_not_wait_behind_a_large_one() -> None:
    """A hundred requests of one scope and two of another: turn by turn."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    done: list[str] = []
    large = [asyncio.create_task(pass_through(limiter, done, "large", scope=1)) for _ in range(100)]
    await asyncio.sleep(0)
    small = [asyncio.create_task(pass_through(limiter, done, "small", scope=2)) for _ in range(2)]
    await asyncio.wait([*large, *small])

    assert [n for n, name in enumerate(done) if name == "small"] == [2, 4]


async def test_the_background_is_never_starved() -> None:
    """However much is urgent, what is not gets its turn now and then."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    done: list[str] = []
    tasks = [asyncio.create_task(pass_through(limiter, done, "urgent", urgent=True)) for _ in range(100)]
    tasks += [asyncio.create_task(pass_through(limiter, done, "other")) for _ in range(20)]
    await asyncio.sleep(40.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert 3 <= done.count("other") <= 8
    assert done.count("urgent") >= 30


async def test_large_responses_cost_their_scope_turns() -> None:
    """Two scopes ask for as much, but the responses to one are forty times as long: it gets fewer turns."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    done: list[str] = []

    async def ask(scope: str, size: int) -> None:
        permit = await limiter.acquire(scope)
        await asyncio.sleep(1)
        done.append(scope)
        limiter.on_response(
            permit, HttpResponse(status=200, body=bytes(size)), asyncio.get_running_loop().time()
        )
        limiter.release(permit)

    tasks = [asyncio.create_task(ask("long", 10 * BYTES_PER_TURN)) for _ in range(50)]
    tasks += [asyncio.create_task(ask("short", 1000)) for _ in range(50)]
    await asyncio.sleep(50.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert 3 <= done.count("long") <= 7


async def test_the_announced_rest_is_spread_over_the_window() -> None:
    """Ten of a hundred are left for ten seconds: one a second, and what is urgent goes at once."""
    limiter = RequestLimiter(RateLimiter())
    permit = await limiter.acquire()
    limiter.on_response(
        permit, announcing(limit=100, remaining=10, reset=10), asyncio.get_running_loop().time()
    )
    limiter.release(permit)
    start = asyncio.get_running_loop().time()
    times: list[float] = []
    for urgent in (False, False, True, False):
        permit = await limiter.acquire(urgent=urgent)
        times.append(asyncio.get_running_loop().time() - start)
        limiter.release(permit)

    assert times[2] == times[1]
    assert times[0] == pytest.approx(0.9, abs=0.15)
    assert times[1] - times[0] == pytest.approx(0.9, abs=0.15)
    assert times[3] - times[2] == pytest.approx(0.9, abs=0.15)


async def test_a_cancelled_waiter_leaves_no_gap() -> None:
    """A cancelled waiter neither keeps a permit nor blocks those behind it."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    permit = await limiter.acquire()
    waiters = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    limiter.release(permit)
    waiters[1].cancel()  # its turn came just now
    await asyncio.wait(waiters)

    assert [task.cancelled() for task in waiters] == [True, True, False]
    assert limiter.limit.in_flight == 1


async def test_the_known_rate_is_the_lower_one() -> None:
    """The client's own, or what the gateway seems to allow; None while neither is known."""
    assert RequestLimiter(RateLimiter()).requests_per_second is None
    limiter = RequestLimiter(RateLimiter(rate=5.0))
    assert limiter.requests_per_second == 5.0

    permit = await limiter.acquire()
    limiter.on_response(
        permit, announcing(limit=60, remaining=50, reset=60), asyncio.get_running_loop().time()
    )
    assert limiter.requests_per_second == 1.0


async def test_a_permit_for_a_cancelled_request_goes_to_the_next() -> None:
    """It was granted at the time of the cancellation."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    permit = await limiter.acquire()
    first, second = (asyncio.ensure_future(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    limiter.release(permit)
    first.cancel()
    await second

    assert first.cancelled()
    assert (limiter.limit.in_flight, limiter.waiting) == (1, 0)


async def test_whoever_waits_for_responses_that_do_not_come_gives_up() -> None:
    """After its patience; nothing was sent."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    await limiter.acquire()

    with pytest.raises(Throttled, match="get no responses") as refused:
        await limiter.acquire(urgent=True, patience=10.0)
    assert not refused.value.details.sent
    assert limiter.waiting == 0


async def test_whoever_waits_for_the_rate_of_the_client_is_told_so() -> None:
    """The gateway has nothing to do with it: who set the rate has to act."""
    limiter = RequestLimiter(RateLimiter(rate=0.2))
    limiter.release(await limiter.acquire())

    with pytest.raises(Throttled, match=r"requests_per_second of this client is 0\.2, .* in 3 s") as refused:
        await limiter.acquire(urgent=True, patience=2.0)
    assert "gateway" not in str(refused.value)
    assert refused.value.retry_after == pytest.approx(3.0, abs=0.01)


async def test_whoever_waits_behind_others_that_succeed_waits_on() -> None:
    """Patience counts from the last success."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=1))
    permit = await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire(urgent=True, patience=10.0))
    for _ in range(5):
        await asyncio.sleep(6)
        limiter.on_response(permit, HttpResponse(status=200), asyncio.get_running_loop().time())
        limiter.on_success(permit)
    assert not waiting.done()

    limiter.release(permit)
    assert (await waiting).priority == URGENT_CALL


async def test_after_the_end_nobody_gets_a_permit() -> None:
    """Neither those that wait nor those that come later; a timer that was set is gone."""
    limiter = RequestLimiter(RateLimiter(rate=0.1))
    await limiter.acquire()
    waiting = [asyncio.ensure_future(limiter.acquire(urgent=urgent)) for urgent in (True, False)]
    await asyncio.sleep(1)
    limiter.close()
    await asyncio.wait(waiting)

    assert [type(each.exception()) for each in waiting] == [ClientClosed, ClientClosed]
    with pytest.raises(ClientClosed):
        await limiter.acquire()


async def test_a_higher_rate_counts_for_those_that_wait() -> None:
    """Nobody waits for the time that the old rate had set."""
    limiter = RequestLimiter(RateLimiter(rate=0.01, max_in_flight=100))
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(1)
    limiter.set_rate(10.0)
    began = asyncio.get_running_loop().time()
    await waiting

    assert asyncio.get_running_loop().time() - began == pytest.approx(0.1)
    limiter.set_rate(None)
    await limiter.acquire()
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.1)


async def test_a_permit_that_sends_nothing_costs_nothing() -> None:
    """Neither a place nor a turn of the rate; it is given back once, however often that is said."""
    limiter = RequestLimiter(RateLimiter(rate=0.1, max_in_flight=1))
    start = asyncio.get_running_loop().time()
    unused = await limiter.acquire()
    waiting = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(1)
    for _ in range(2):
        limiter.return_unused(unused)
    limiter.release(unused)
    permit = await waiting
    taken = asyncio.get_running_loop().time()
    limiter.release(permit)
    await limiter.acquire()

    assert taken - start == pytest.approx(1.0)
    assert asyncio.get_running_loop().time() - taken == pytest.approx(10.0)
    assert limiter.limit.in_flight == 1


@pytest.mark.parametrize("kind", ["announced", "announced for the resource", "learnt", "refused"])
async def test_a_permit_that_is_not_used_takes_none_of_the_gateways_quota(kind: str) -> None:
    """Polls that wait for a journal, or for the platform, hold up nobody else."""
    limiter = RequestLimiter(RateLimiter(max_in_flight=100))
    sent = await limiter.acquire(resource="poll")
    sent.resource = "poll"
    now = asyncio.get_running_loop().time()
    if kind.startswith("announced"):
        plugin = {"x-bkapi-ratelimit-plugin": "bk-resource-rate-limit"} if kind != "announced" else {}
        said = announcing(limit=10, remaining=4, reset=60)
        limiter.on_response(sent, HttpResponse(status=200, headers={**said.headers, **plugin}), now)
    else:
        limiter.on_throttled(sent, retry_after=None, per_resource=False, too_concurrent=False)
    limiter.release(sent)
    if kind == "learnt":
        await asyncio.sleep(1.1)
        limiter.on_success(await limiter.acquire(resource="poll"))
        limiter.quota.learned_rate = 0.2
    for _ in range(20):
        limiter.return_unused(await limiter.acquire(resource="poll"))
    begun = asyncio.get_running_loop().time()
    limiter.release(await limiter.acquire(resource="poll"))

    assert asyncio.get_running_loop().time() == pytest.approx(begun, abs=0.01)
    assert begun - now < 20.0

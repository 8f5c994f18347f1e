"""What is due is polled in time, and no poll outlives its event loop."""

import asyncio
import gc
import random
import warnings

import pytest
from yarl import URL

from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.http_messages import HttpRequest
from bkjob_async.watch.polling.poll_runner import COALESCE_SECONDS, MAX_BEGUN_AT_ONCE, PollRunner
from bkjob_async.wire.limits.permits import Permit
from bkjob_async.wire.limits.request_limiter import RequestLimiter

Polls = list[tuple[float, str]]


class Key(str):  # noqa: SLOT000 - its due time is set on it
    """Something to be polled, by its name."""

    due: float | None = None
    urgent: bool | None = None


def pool_of(
    polls: Polls, *, workers: int = 2, takes: float = 0.0, rate: float | None = None
) -> PollRunner[Key]:
    """Return a pool that records what it polls; the group of a key is its first letter."""

    async def poll(key: Key, _permit: Permit) -> None:
        polls.append((asyncio.get_running_loop().time(), key))
        await asyncio.sleep(takes)

    def on_crash(error: BaseException) -> None:
        raise error

    limiter = RequestLimiter(RateLimiter(rate=rate, max_in_flight=workers))
    pool = PollRunner[Key](on_crash=on_crash, limiter=limiter, group=lambda key: key[0])
    pool.poll = poll
    return pool


@pytest.mark.looptime
async def test_what_is_due_at_nearly_the_same_time_is_polled_together() -> None:
    """One waking up serves them all, and none is polled earlier than that."""
    polls: Polls = []
    poll_runner = pool_of(polls, workers=8)
    for key in ("x", "y", "z"):
        poll_runner.schedule(Key(key), 0.5)  # so that there are workers
    await asyncio.sleep(0.6)
    polls.clear()
    for key, at in {"a": 1.0, "b": 1.0 + COALESCE_SECONDS / 2, "c": 1.0 + COALESCE_SECONDS * 2}.items():
        poll_runner.schedule(Key(key), at)
    await asyncio.sleep(2.0)
    await poll_runner.aclose()

    assert [key for _, key in polls] == ["a", "b", "c"]
    assert [at for at, _ in polls] == pytest.approx([1.0, 1.0, 1.0 + COALESCE_SECONDS * 2])


@pytest.mark.looptime
async def test_what_comes_due_together_goes_by_turns_when_there_are_too_few_workers() -> None:
    """A group of many does not keep one of few waiting until it has been served."""
    polls: Polls = []
    poll_runner = pool_of(polls, workers=2, takes=1.0)
    for key in ("a1", "a2", "a3", "a4", "a5", "b1", "b2"):
        poll_runner.schedule(Key(key), 1.0)
    await asyncio.sleep(10.0)
    await poll_runner.aclose()

    assert len(polls) == 7
    assert {key for at, key in polls if at < 3.5} >= {"b1", "b2"}


@pytest.mark.looptime
async def test_no_key_is_forgotten_however_polls_end() -> None:
    """What is due while every worker is busy, or while itself is polled, is polled when there is room."""
    polls: Polls = []
    poll_runner = pool_of(polls, workers=2, takes=0.5)
    keys = [Key(f"a{number}") for number in range(20)]
    for number, key in enumerate(keys):
        poll_runner.schedule(key, 1.0 + 0.01 * number)
    await asyncio.sleep(1.1)
    poll_runner.schedule(keys[0], 1.2)
    poll_runner.schedule(Key("late"), 1.15, urgent=True)
    await asyncio.sleep(60.0)
    await poll_runner.aclose()

    assert sorted(key for _, key in polls) == sorted([*keys, "a0", "late"])
    assert next(at for at, key in polls if key == "late") <= 2.0


@pytest.mark.looptime
async def test_a_key_that_becomes_urgent_during_its_poll_goes_before_late_ones() -> None:
    """The further requests of a round do not wait for the first ones of others."""
    polls: Polls = []
    poll_runner = pool_of(polls, workers=1, takes=1.0)
    keys = [Key(name) for name in ("a", "b", "c")]
    for key in keys:
        poll_runner.schedule(key, 1.0)
    await asyncio.sleep(1.5)
    poll_runner.schedule(keys[0], 1.5, urgent=True)
    await asyncio.sleep(10.0)
    await poll_runner.aclose()

    assert [key for _, key in polls] == ["a", "a", "b", "c"]


@pytest.mark.looptime
@pytest.mark.parametrize("rate", [None, 100.0])
@pytest.mark.parametrize(("workers", "share"), [(1, 1), (2, 1), (4, 2), (5, 3), (32, 16)])
async def test_slow_retries_take_turns_with_half_of_the_permits(
    workers: int, share: int, rate: float | None
) -> None:
    """Others go at once, with the rest of them; all slow ones are polled in the end."""
    polls: Polls = []
    under_way, most = 0, 0

    async def poll(key: Key, _permit: Permit) -> None:
        nonlocal under_way, most
        polls.append((asyncio.get_running_loop().time(), key))
        if key.startswith("slow"):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(30.0)
            under_way -= 1

    poll_runner = pool_of(polls, workers=workers, rate=rate)
    poll_runner.poll = poll
    for number in range(40):
        slow = Key(f"slow {number}")
        poll_runner.note_failure(slow, is_slow=True)
        poll_runner.schedule(slow, 1.0)
    for number in range(100):
        poll_runner.schedule(Key(f"quick {number}"), 5.0 + number)
    await asyncio.sleep(40 * 30.0 / share + 60.0)
    await poll_runner.aclose()

    waits = [at - 5.0 - int(key.split()[1]) for at, key in polls if key.startswith("quick")]
    assert most == share
    assert len(polls) == 140
    assert workers == 1 or max(waits) <= 0.1


class Request:
    """A request that is under way until it is cancelled."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        """Note it."""
        self.is_cancelled = True


@pytest.mark.looptime
async def test_the_end_cancels_what_is_under_way_and_begins_nothing() -> None:
    """Whoever waits for a permit gets none, although all come back."""
    under_way: list[Request] = []

    def poll(_key: Key, permit: Permit) -> None:
        permit.under_way = Request()
        permit.request = HttpRequest(method="GET", url=URL("/"))
        under_way.append(permit.under_way)

    limiter = RequestLimiter(RateLimiter(max_in_flight=2))
    poll_runner = PollRunner[Key](on_crash=print, limiter=limiter)
    poll_runner.poll = poll
    for number in range(6):
        poll_runner.schedule(Key(number), 1.0)
    await asyncio.sleep(2.0)
    busy, late = len(poll_runner.busy), poll_runner.overdue
    await poll_runner.aclose()
    await asyncio.sleep(2.0)

    assert (busy, late) == (2, 4)
    assert [each.is_cancelled for each in under_way] == [True, True]
    assert (limiter.limit.in_flight, limiter.waiting) == (0, 0)


@pytest.mark.looptime
async def test_a_poll_that_fails_in_a_callback_ends_all_others() -> None:
    """And keys that are scheduled afterwards are polled again."""
    crashes: list[BaseException] = []
    under_way: dict[Key, Permit] = {}

    def poll(key: Key, permit: Permit) -> None:
        permit.under_way = Request()
        under_way[key] = permit

    limiter = RequestLimiter(RateLimiter(max_in_flight=8))
    poll_runner = PollRunner[Key](on_crash=crashes.append, limiter=limiter)
    poll_runner.poll = poll
    keys = [Key(name) for name in "abc"]
    for key in keys:
        poll_runner.schedule(key, 1.0)
    await asyncio.sleep(2.0)
    first = dict(under_way)
    poll_runner.fail(ZeroDivisionError("broken"))
    await asyncio.sleep(0.1)
    poll_runner.schedule(keys[0], 3.0)
    await asyncio.sleep(2.0)

    assert [str(each) for each in crashes] == ["broken"]
    assert [permit.under_way for permit in first.values()] == [None] * 3
    assert limiter.limit.in_flight == 1
    assert poll_runner.busy == {keys[0]}
    await poll_runner.aclose()


def test_a_loop_may_end_at_any_moment() -> None:
    """Whatever is about to be polled then, every task ends, and nothing is complained about."""

    async def leave_early(dice: random.Random, *, close: bool) -> None:
        loop = asyncio.get_running_loop()

        async def poll(key: Key, _permit: Permit) -> None:
            await asyncio.sleep(0)
            poll_runner.schedule(key, loop.time() + 0.01 * dice.random())

        limiter = RequestLimiter(RateLimiter(max_in_flight=8))
        poll_runner = PollRunner[Key](on_crash=complaints.append, limiter=limiter)
        poll_runner.poll = poll
        for key in [Key(number) for number in range(50)]:
            poll_runner.schedule(key, loop.time() + 0.01 * dice.random())
        await asyncio.sleep(0.01)
        if close:
            await (
                poll_runner.aclose()
            )  # a poll that ends meanwhile makes its key due, and so others begin to work

    complaints: list[object] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for seed in range(80):
            with asyncio.Runner() as runner:
                runner.get_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
                runner.run(leave_early(random.Random(seed), close=seed % 2 > 0))
        gc.collect()

    assert complaints == []
    assert [str(each.message) for each in warned] == []


def test_keys_that_are_due_almost_at_once_are_polled_in_uvloop() -> None:
    """Its timers for less than half a millisecond are handles that have no time."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed: python -m pip install uvloop")
    polls: Polls = []

    async def schedule() -> None:
        poll_runner = pool_of(polls)
        soon = asyncio.get_running_loop().time() + COALESCE_SECONDS
        for key in ("a", "b", "c"):
            poll_runner.schedule(Key(key), soon + 0.1)
        await asyncio.sleep(0.01)
        for number, key in enumerate(("d", "e", "f")):
            at = asyncio.get_running_loop().time() + 0.0004 - number / 10_000
            poll_runner.schedule(Key(key), at)
        await asyncio.sleep(0.2)
        await poll_runner.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(schedule())

    assert sorted(key for _, key in polls) == ["a", "b", "c", "d", "e", "f"]


async def test_polls_that_need_not_go_out_do_not_block_the_event_loop() -> None:
    """However many are late, only some of them end in each turn of the event loop."""
    poll_runner, at = pool_of([], workers=1), asyncio.get_running_loop().time()
    turn, turns = 0, list[int]()

    def hang(_key: Key, _permit: Permit) -> None:
        """Keep the only permit."""

    def end(key: Key, _permit: Permit) -> None:
        turns.append(turn)
        poll_runner.end(key)

    poll_runner.poll, first = hang, Key("first")
    poll_runner.schedule(first, at)
    for number in range(2000):
        poll_runner.schedule(Key(f"a{number}"), at)
    await asyncio.sleep(0.01)
    assert poll_runner.overdue == 2000
    poll_runner.poll = end
    poll_runner.end(first)
    while len(turns) < 2000:
        await asyncio.sleep(0)
        turn += 1
    await poll_runner.aclose()

    assert max(map(turns.count, turns)) <= 2 * MAX_BEGUN_AT_ONCE


@pytest.mark.looptime
async def test_a_poll_that_is_cancelled_by_what_it_awaits_is_no_silent_end() -> None:
    """It is an error like any other: else its key would never be polled again."""
    crashes: list[BaseException] = []
    poll_runner = PollRunner[Key](on_crash=crashes.append, limiter=RequestLimiter(RateLimiter()))

    async def poll(_key: Key, _permit: Permit) -> None:
        raise asyncio.CancelledError

    poll_runner.poll = poll
    poll_runner.schedule(Key("a"), 1.0)
    await asyncio.sleep(2.0)
    await poll_runner.aclose()

    assert [str(error) for error in crashes] == ["a poll was cancelled by what it awaited"]

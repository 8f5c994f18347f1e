"""Whatever hands out permits: they are conserved, waiters are counted, and nobody is forgotten.

The machine knows four verbs and no class: ask, give back, cancel, let time pass. Several of them fall into one turn of the
event loop, as a time-out and the end of a waiter's patience do. An adapter stands between the verbs and each gate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol

import looptime
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.errors import Throttled
from bkjob_async.watch.polling.poll_runner import PollRunner
from bkjob_async.wire.bodies.budget import UNCOUNTED_BYTES, BodyBudget, Reservation
from bkjob_async.wire.limits.permits import DUE, Permit
from bkjob_async.wire.limits.request_limiter import RequestLimiter
from tests.examples import examples

PLACES = 2
# Patience, pauses and time-outs come from the same few lengths, so that they often end at the same moment.
SECONDS = st.sampled_from([0.0, 1.0, 2.0])


class Gate(Protocol):
    """What hands out permits."""

    async def pass_through(self, leave: asyncio.Event, patience: float | None, scope: int) -> None:
        """Wait for a permit, hold it until *leave* is set, give it back; end early where *patience* does."""

    def holders(self) -> int:
        """Return how many permits are held, as the gate counts."""

    def waiters(self) -> int:
        """Return how many wait for one, as the gate counts."""

    def refuse(self, seconds: float) -> None:
        """Grant nothing for *seconds*, where the gate can be told so."""

    async def aclose(self) -> None:
        """Close the gate."""


class LimiterGate:
    """The limiter of requests."""

    def __init__(self) -> None:
        self.limiter = RequestLimiter(RateLimiter(max_in_flight=PLACES))

    async def pass_through(self, leave: asyncio.Event, patience: float | None, scope: int) -> None:
        """Acquire and release."""
        try:
            permit = await self.limiter.acquire(scope, urgent=scope == 0, patience=patience)
        except Throttled:
            return
        try:
            await leave.wait()
        finally:
            if scope:
                self.limiter.on_success(permit)
            self.limiter.release(permit)

    def holders(self) -> int:
        """Return what is in flight."""
        return self.limiter.limit.in_flight

    def waiters(self) -> int:
        """Return the limiter's own count."""
        return self.limiter.waiting

    def refuse(self, seconds: float) -> None:
        """Learn of a refusal."""
        now = asyncio.get_running_loop().time()
        self.limiter.on_throttled(
            Permit(0, "", DUE, now, now, now), retry_after=seconds, per_resource=False, too_concurrent=False
        )

    async def aclose(self) -> None:
        """Close the limiter."""
        self.limiter.close()


class BudgetGate:
    """The memory of response bodies: so many bodies may be held, and the oldest always."""

    SIZE = 1000

    def __init__(self) -> None:
        self.budget = BodyBudget(4 * self.SIZE * PLACES)
        self.waiting = 0

    async def pass_through(self, leave: asyncio.Event, patience: float | None, scope: int) -> None:
        """Reserve and release."""
        with closing(Reservation(self.budget)) as reservation:
            self.waiting += 1
            try:
                async with asyncio.timeout(patience):
                    await reservation.wait_for_total(UNCOUNTED_BYTES + self.SIZE)
            except TimeoutError:
                return
            finally:
                self.waiting -= 1
            await leave.wait()

    def holders(self) -> int:
        """Return the bytes that are reserved, in bodies."""
        return self.budget.reserved // self.SIZE

    def waiters(self) -> int:
        """Return how many wait."""
        return self.waiting

    def refuse(self, seconds: float) -> None:
        """Refuse nothing: memory cannot."""

    async def aclose(self) -> None:
        """Close nothing."""


class Key:
    """What a worker polls."""

    due: float | None = None
    urgent: bool | None = None

    def __init__(self, scope: int, leave: asyncio.Event) -> None:
        self.scope = scope
        self.leave = leave
        self.polled = asyncio.Event()
        self.ended = asyncio.Event()


class PoolGate:
    """The workers of a watch: to be polled is to hold a permit."""

    def __init__(self) -> None:
        self.limiter = RequestLimiter(RateLimiter(max_in_flight=PLACES))
        self.pool: PollRunner[Key] = PollRunner(
            on_crash=lambda _error: None, limiter=self.limiter, group=lambda key: key.scope
        )
        self.pool.poll = self.poll
        self.asked: set[Key] = set()

    async def poll(self, key: Key, _permit: Permit) -> None:
        """Hold the permit until the key may leave."""
        self.asked.discard(key)
        key.polled.set()
        try:
            await key.leave.wait()
        finally:
            key.ended.set()

    async def pass_through(self, leave: asyncio.Event, patience: float | None, scope: int) -> None:
        """Be polled once; whoever leaves early is forgotten."""
        key = Key(scope, leave)
        self.asked.add(key)
        self.pool.schedule(key, asyncio.get_running_loop().time(), urgent=scope == 0)
        try:
            async with asyncio.timeout(patience):
                await key.polled.wait()
            await key.ended.wait()
        except TimeoutError:
            if key not in self.asked:  # polled at the same moment
                await key.ended.wait()
        finally:
            self.pool.forget(key)
            self.asked.discard(key)
            leave.set()

    def holders(self) -> int:
        """Return how many are being polled."""
        assert len(self.pool.busy) == self.limiter.limit.in_flight
        return len(self.pool.busy)

    def waiters(self) -> int:
        """Return how many are due and wait for a permit."""
        assert self.limiter.waiting == self.pool.overdue
        return len(self.asked)

    def refuse(self, seconds: float) -> None:
        """Refuse nothing: workers cannot."""

    async def aclose(self) -> None:
        """Stop the workers."""
        await self.pool.aclose()


class Permits(RuleBasedStateMachine):
    """Asks, gives back, cancels and waits in any order, and counts on its own."""

    gate_of: Callable[[], Gate]

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _loop, context: self.errors.append(context))
        self.gate = self.run(self.opened())
        self.asked: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    async def opened(self) -> Gate:
        """Make the gate in its event loop."""
        return type(self).gate_of()

    def run(self, work: Any) -> Any:
        """Run a coroutine in the loop of the gate."""
        return self.loop.run_until_complete(work)

    @initialize(seconds=SECONDS)
    def refuse_first(self, seconds: float) -> None:
        """Begin with a limit that holds, more often than not."""
        self.refuse(seconds)

    @rule(patience=st.none() | SECONDS, time_out=st.none() | SECONDS, scope=st.integers(0, 2))
    def ask(self, patience: float | None, time_out: float | None, scope: int) -> None:
        """Ask for a permit, as a caller with a time-out of its own does; a scope of 0 is urgent."""
        leave = asyncio.Event()
        task = self.loop.create_task(self.gate.pass_through(leave, patience, scope))
        self.asked.append((task, leave))
        if time_out is not None:
            self.cancel_after(task, time_out)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """Let one leave as soon as it has its permit."""
        data.draw(st.sampled_from([leave for _, leave in self.asked])).set()

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), delay=SECONDS)
    def cancel(self, data: st.DataObject, delay: float) -> None:
        """Cancel one, now or when a time-out would."""
        task = data.draw(st.sampled_from([task for task, _ in self.asked]))
        self.cancel_after(task, delay)

    def cancel_after(self, task: asyncio.Task[None], delay: float) -> None:
        """Cancel *task* once so many seconds have passed since it ran first."""
        self.loop.call_soon(lambda: self.loop.call_later(delay, task.cancel))

    @rule(seconds=SECONDS)
    def refuse(self, seconds: float) -> None:
        """Have the server refuse for a while."""

        async def refused() -> None:
            self.gate.refuse(seconds)

        self.run(refused())

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due."""
        self.run(asyncio.sleep(seconds))
        self.settle()

    def settle(self) -> None:
        """Let the loop do what needs no time."""
        for _ in range(20):
            self.run(asyncio.sleep(0))
        self.asked = [(task, leave) for task, leave in self.asked if not task.done()]
        assert self.gate.holders() + self.gate.waiters() == len(self.asked)

    @invariant()
    def counts_are_possible(self) -> None:
        """No count is negative, and no permit is made up."""
        assert 0 <= self.gate.holders() <= PLACES
        assert self.gate.waiters() >= 0
        assert self.errors == []

    def teardown(self) -> None:
        """All that still wait are served, one after the other, and so is whoever comes then."""
        try:
            self.run(asyncio.sleep(60))
            self.settle()
            assert self.gate.holders() == min(PLACES, len(self.asked))
            for _, leave in self.asked:
                leave.set()
            self.run(asyncio.sleep(60))
            self.settle()
            assert (self.asked, self.gate.holders(), self.gate.waiters()) == ([], 0, 0)
            self.ask(None, None, 1)
            self.settle()
            assert self.gate.holders() == 1
            self.asked[0][1].set()
            self.settle()
            assert self.asked == []
            assert self.errors == []
        finally:
            for task, _ in self.asked:
                task.cancel()
            self.run(self.gate.aclose())
            self.run(asyncio.sleep(0))
            self.loop.close()


@pytest.mark.parametrize("gate", [LimiterGate, BudgetGate, PoolGate])
def test_permits_are_conserved_in_any_order_of_events(gate: Callable[[], Gate]) -> None:
    """Whether granted, given back, cancelled or out of patience, at different times or at the same."""

    class Machine(Permits):
        gate_of = staticmethod(gate)

    Machine.TestCase.settings = settings(
        max_examples=examples(100), stateful_step_count=20, deadline=None, database=None
    )
    Machine.TestCase().runTest()

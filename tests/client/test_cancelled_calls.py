"""A call that its caller gives up while the gateway refuses takes nothing with it: the next ones are sent."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from looptime import new_event_loop

from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.client.clients import client_of
from tests.examples import examples

SECONDS = st.sampled_from([0.5, 1.0, 5.0, 30.0])


@settings(max_examples=examples(60), deadline=None)
@given(
    calls=st.lists(st.tuples(SECONDS, st.none() | SECONDS, st.integers(0, 12)), min_size=1, max_size=5),
    refused=SECONDS,
)
def test_calls_cancelled_at_any_await_while_a_limit_holds_stop_nothing(
    calls: list[tuple[float, float | None, int]], refused: float
) -> None:
    """After any of them, after so many turns of the loop or so many seconds, a call is answered."""

    async def run() -> None:
        simulator = Simulator()
        job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
        async with client_of(simulator) as (client, _):
            tasks = []
            with simulator.fault("gateway-rate-limit"):
                for request_timeout, time_out, turns in calls:
                    call = client.get_job_instance_status(job, request_timeout=request_timeout)
                    task = asyncio.ensure_future(asyncio.wait_for(call, time_out))
                    tasks.append(task)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    if time_out is None and turns:
                        task.cancel()
                await asyncio.sleep(refused)
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(60)
            await client.get_job_instance_status(job, request_timeout=10)
            assert client.stats().queue == 0

    loop = new_event_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()

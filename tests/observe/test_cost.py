"""What observing adds to a poll that shows nothing new, in calls of Python functions."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import CREDENTIALS, SCOPE, URLS

pytestmark = pytest.mark.looptime

PLAN = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(HostOutcome(duration=exactly(500.0)),)),))

Prepare = Callable[[bkjob.JobClient], object]


async def calls_of_quiet_polls(prepare: Prepare, **options: Any) -> tuple[Counter[str], int]:
    """Return the calls, by name, that watching a job and a step for some quiet seconds takes, and the polls.

    In these seconds the step alone is read, and not its job, as it is now and then.
    """
    world = World(1)
    jobs = [world.add(PLAN) for _ in range(2)]
    step = world.jobs[jobs[1].job_instance_id].steps[0].ref
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and "bkjob_async" in frame.f_code.co_filename:
            calls[frame.f_code.co_qualname] += 1

    transport = SimulatedTransport(Platform(world))
    async with bkjob.connect(
        URLS["gateway-v3"], CREDENTIALS, scope=SCOPE, transport=transport, interval=1.0, **options
    ) as client:
        prepare(client)
        async with client.watch([jobs[0], step]):
            await asyncio.sleep(99.5)
            polls, before = client.stats().polls, sys.getprofile()
            sys.setprofile(note)
            try:
                await asyncio.sleep(11.0)
            finally:
                sys.setprofile(before)
            return calls, client.stats().polls - polls


def nothing(_client: bkjob.JobClient) -> None:
    """Add no sink."""


async def test_counting_takes_one_call_a_poll_and_two_for_a_job() -> None:
    """One counts its request, the other finds that the response shows no end; polls are counted anyway."""
    await calls_of_quiet_polls(nothing)  # the refs of later runs are found in caches by comparison
    without, polls = await calls_of_quiet_polls(nothing)

    counting, polls_counted = await calls_of_quiet_polls(lambda client: client.stats(count=True))

    assert polls == polls_counted >= 20
    assert counting - without == {"Counters.add_success": polls, "active_times": polls // 2}


async def test_spans_of_all_but_polls_cost_a_poll_nothing() -> None:
    """Not one call more, with a provider of spans and one of metrics."""
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="install opentelemetry-sdk")
    metrics = pytest.importorskip("opentelemetry.sdk.metrics", reason="install opentelemetry-sdk")
    await calls_of_quiet_polls(nothing)  # the refs of later runs are found in caches by comparison
    without, polls = await calls_of_quiet_polls(nothing)
    observer = bkjob.OpenTelemetryObserver(trace.TracerProvider(), metrics.MeterProvider())

    with_spans, polls_observed = await calls_of_quiet_polls(nothing, observers=[observer])

    assert polls == polls_observed >= 20
    assert with_spans - without == {}

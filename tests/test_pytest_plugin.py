"""The fixtures for users' own suites, used as they would."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bkjob_async import JobClient, UsageError
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan


@pytest.mark.looptime
@pytest.mark.bkjob("retry-succeeds", seed=3, dialect="esb-job")
async def test_a_client_stands_before_the_marked_platform(
    bkjob_simulator: Simulator, bkjob_client: JobClient
) -> None:
    """A story by name, minutes of it in no time."""
    async with bkjob_client as client:
        result = await client.wait(bkjob_simulator.refs[0], deadline=600)

    assert not result.ok


@pytest.mark.looptime
async def test_the_clock_is_in_the_tests_hand(
    bkjob_simulator: Simulator, bkjob_clock: WorldClock, bkjob_client: JobClient
) -> None:
    """Nothing happens before it is told to."""
    job = bkjob_simulator.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
    bkjob_clock.pause()
    async with bkjob_client as client:
        before = await client.get_job_instance_status(job)
        bkjob_clock.advance(600)
        after = await client.get_job_instance_status(job)

    assert (before.is_finished, after.is_finished) == (False, True)


@pytest.mark.bkjob(dialect="gateway")
def test_a_dialect_that_there_is_not_is_named(request: pytest.FixtureRequest) -> None:
    """With those that there are."""
    with pytest.raises(
        UsageError, match=r"marker bkjob must be 'gateway-v3' or .*'esb-jobv3', not 'gateway'"
    ):
        request.getfixturevalue("bkjob_client")


def test_pytest_starts_without_loading_anything_heavy() -> None:
    """The plugin alone brings neither the client nor the simulator."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import bkjob_async.pytest_plugin, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert {name for name in loaded if name.startswith("bkjob_async")} == {
        "bkjob_async",
        "bkjob_async.pytest_plugin",
    }
    assert not {"aiohttp", "looptime", "msgspec"} & set(loaded)

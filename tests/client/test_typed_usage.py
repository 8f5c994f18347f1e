"""The code that type checkers read also runs."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, StepPlan
from tests.client import typed_usage
from tests.client.clients import FAILING, client_of

pytestmark = pytest.mark.looptime


async def test_typical_code_runs() -> None:
    """Every line of it, against the simulated platform."""
    simulator = Simulator()
    job, pending = simulator.add(FAILING), simulator.add(SimulatedJob(start_task=False))
    simulator.advance(600)
    (step,) = simulator.steps(job)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    async with client_of(simulator) as (client, transport):
        await typed_usage.ask(client, job, step)
        await typed_usage.list_jobs(client, today - timedelta(days=1), today + timedelta(days=1))
        await typed_usage.launch(client, bkjob.HostKey.parse("0:10.0.0.1"))
        assert (await typed_usage.run(client)).ok
        await typed_usage.retry(client, await client.wait(job, deadline=60))
        await typed_usage.call(client, job)
        await typed_usage.follow(client, job, bkjob.CallbackReceiver())
        again = simulator.add(FAILING)
        await client.wait(again, deadline=600)
        await typed_usage.operate(client, simulator.steps(again)[0], pending)
        await typed_usage.browse(client)
        await typed_usage.manage(client)
        await typed_usage.connect("http://x", transport)
    async with client_of(simulator, system=True) as (client, _):
        await typed_usage.use_system_paths(client, step, bkjob.HostKey.parse("0:10.0.0.1"))
    files = simulator.steps(
        simulator.add(SimulatedJob(steps=(StepPlan(hosts=2, kind=FILE, pinned={1: FAILS}),)))
    )[0]
    simulator.advance(600)
    async with client_of(simulator, "gateway-v4") as (client, _):
        await typed_usage.ask_for_contexts(client, step, files)
        await typed_usage.manage_plans(client)
    async with client_of(simulator, "esb-job") as (client, _):
        await typed_usage.ask_the_old_component(client, job)


def test_every_public_method_is_used_there() -> None:
    """A method whose type nobody asserts may change unseen."""
    source = Path(typed_usage.__file__).read_text(encoding="utf-8")
    methods = {name for name, _ in inspect.getmembers(bkjob.JobClient, inspect.isfunction) if name[0] != "_"}

    assert {name for name in methods if not re.search(rf"\.{name}\(", source)} == {"aclose"}


@pytest.mark.parametrize(
    "name", [name for name, _ in inspect.getmembers(bkjob.JobClient, inspect.isfunction) if name[0] != "_"]
)
def test_every_public_method_says_what_to_expect(name: str) -> None:
    """Those that ask the platform tell their errors, and operations the document they come from."""
    method = getattr(bkjob.JobClient, name)
    reported = inspect.getdoc(method) or ""

    assert reported.split("\n")[0].endswith((".", ";", ","))
    if inspect.iscoroutinefunction(method) and name != "aclose":
        assert "aise" in reported
    if name.startswith(("get_", "batch_", "operate_", "execute_", "fast_", "push_")):
        assert re.search(r"Documents?:\s+`\w+`", reported)

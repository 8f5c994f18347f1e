"""All data of the simulated platform reaches the caller: only fields without a source are empty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import (
    HostOutcome,
    SimulatedJob,
    SimulatedVariable,
    SourceInputs,
    StepInputs,
    StepPlan,
    exactly,
)
from tests.client.clients import client_of

pytestmark = pytest.mark.looptime

OWN = Host(bk_host_id=77, bk_cloud_id=3, ip="192.168.0.7", ipv6="fd00::7", bk_agent_id="agent-77")
TAGGED = HostOutcome(
    status=104, exit_code=28, error_code=1, tag="disk full", log="no space\n", duration=exactly(4.0)
)
SCRIPT_INPUTS = StepInputs(parameters="one two", is_param_sensitive=False)
FILE_INPUTS = StepInputs(
    sources=(SourceInputs(files=("/a",), hosts=((9, 0, "10.0.0.9"),)),),
    upload_speed_limit=10,
    download_speed_limit=20,
)
STEPS = (
    StepPlan(name="unpack", hosts=(OWN,), outcomes=(TAGGED,), ignore_error=True, inputs=SCRIPT_INPUTS),
    StepPlan(name="send", hosts=(OWN,), kind=FILE, content="/a", inputs=FILE_INPUTS),
    StepPlan(name="ask", hosts=0, kind=CONFIRM),
)
STORY = SimulatedJob(
    name="release",
    steps=STEPS,
    plan_id=1000,
    kind=0,
    operator="lisi",
    variables=(SimulatedVariable(id=1, name="version", value="1.0"),),
)
CONTAINER = {"container_id", "container_name"}
OPEN_END = {"raw", "missing"}

Steps = tuple[bkjob.StepRef, ...]
Read = Callable[[bkjob.JobClient, Steps], Awaitable[Any]]


def empty_fields(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of all fields that hold nothing."""
    names = getattr(value, "__struct_fields__", None) or [
        each.name for each in getattr(type(value), "__attrs_attrs__", ())
    ]
    if names:
        for name in names:
            if not name.startswith("_"):
                yield from empty_fields(getattr(value, name), f"{path}.{name}")
    elif value is None or (isinstance(value, str | tuple | list | dict) and not value):
        yield path
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from empty_fields(entry, path)


async def job_status(client: bkjob.JobClient, steps: Steps) -> Any:
    """Return the first step of the job's status, with its hosts."""
    snapshot = await client.get_job_instance_status(steps[0].job, return_ip_result=True)
    return attrs.evolve(snapshot, steps=snapshot.steps[:1])


async def page(client: bkjob.JobClient, _steps: Steps) -> Any:
    """Return the list of jobs of the days around the world's beginning."""
    today, day = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
    return await client.get_job_instance_list(today - day, today + day).all()


def log_of(order: int) -> Read:
    """Return what reads one host's log of a step."""
    return lambda c, s: c.get_job_instance_ip_log(s[order], host="3:192.168.0.7")


def logs_of(order: int) -> Read:
    """Return what reads the logs of a step."""
    return lambda c, s: c.batch_get_job_instance_ip_log(s[order], hosts=["3:192.168.0.7"])


def detail_of(order: int) -> Read:
    """Return what reads the inputs of a step."""
    return lambda c, s: c.get_step_instance_detail(s[order])


# A log has no status, codes and times of its own, except in the one operation that tells everything.
LOG = {"status", "tag", "exit_code", "error_code", "execute_count", "start_time", "end_time", "total_time"}
LOG |= {"create_time", "ipv6", "is_finished", "name", *CONTAINER}
ROW = {"create_time", *CONTAINER}
ADDRESS = {"bk_host_id", "bk_cloud_id", "ip"}

READS: list[tuple[str, str, Read, set[str]]] = [
    ("job status", "gateway-v3", job_status, {"launch_mode", "operator", "groups", "ipv6", *ROW}),
    ("job status", "esb-jobv3", job_status, {"launch_mode", "operator", "groups", "ipv6", *ROW}),
    ("job status", "gateway-v4", job_status, {"launch_mode", "operator", "groups", "error_code", *ROW}),
    (
        "job status",
        "esb-job",
        job_status,
        {"groups", "error_code", "exit_code", "tag", "bk_host_id", "ipv6", *ROW}
        | {"start_time", "end_time", "total_time"},
    ),
    (
        "step status",
        "gateway-v3",
        lambda c, s: c.get_step_instance_status(s[0]),
        {"operator", "error_code", *ROW},
    ),
    ("script inputs", "gateway-v3", detail_of(0), {"file", "approval_message", "ipv6", *CONTAINER}),
    (
        "file inputs",
        "gateway-v3",
        detail_of(1),
        {"script", "approval_message", "ipv6", "file_source_id", *CONTAINER},
    ),
    ("question", "gateway-v3", detail_of(2), {"script", "file"}),
    ("script log", "gateway-v3", log_of(0), {"files", *LOG}),
    ("script log", "esb-jobv3", log_of(0), {"files", *LOG}),
    (
        "file log",
        "gateway-v3",
        log_of(1),
        # Of each host there is an id only, and of how far a file is nothing.
        {"text", "destination", "destination_path", "size", "speed", "progress", *LOG, *ADDRESS},
    ),
    ("script logs", "gateway-v3", logs_of(0), {"files", *LOG}),
    ("script logs", "gateway-v4", logs_of(0), {"files", *LOG}),
    ("file logs", "esb-jobv3", logs_of(1), {"text", "destination", "destination_path", *LOG}),
    ("jobs", "gateway-v3", page, set()),
    ("jobs", "esb-jobv3", page, set()),
    ("jobs", "gateway-v4", page, set()),
    ("variables", "gateway-v3", lambda c, s: c.get_job_instance_global_var_value(s[0].job), set()),
    ("variables", "esb-job", lambda c, s: c.get_job_instance_global_var_value(s[0].job), set()),
]


@pytest.mark.parametrize(
    ("dialect", "read", "absent"),
    [case[1:] for case in READS],
    ids=[f"{case[0]}-{case[1]}".replace(" ", "-") for case in READS],
)
async def test_no_field_is_empty_that_the_platform_fills(dialect: str, read: Read, absent: set[str]) -> None:
    """Results of a job with something in every field have all of it."""
    simulator = Simulator()
    steps = simulator.steps(simulator.add(STORY))
    simulator.advance(60)
    simulator.world.operate_step(simulator.step(steps[2]), 6)
    simulator.advance(600)

    async with client_of(simulator, dialect) as (client, _):
        found = await read(client, steps)

    empty = {path for path in empty_fields(found) if path.rpartition(".")[2] not in absent | OPEN_END}
    assert found
    assert empty == set()

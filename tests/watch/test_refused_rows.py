"""Internal errors while the hosts of a job are read: it is tried again, and what the step is decides."""

import asyncio

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import FAILS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import ALL_DIALECTS, client_of

pytestmark = pytest.mark.looptime

RUNS = HostOutcome(duration=DurationRange(10.0, 30.0))
JOB = SimulatedJob(steps=(StepPlan(hosts=4, outcomes=(RUNS,), pinned={1: FAILS}),))


def is_about_rows(request: HttpRequest) -> bool:
    """Whether a request asks for hosts."""
    said = f"{request.url} {(request.body or b'').decode()}".lower()
    return "get_step_instance_status" in said or ("return_ip_result" in said and "result=false" not in said)


def refuse(request: HttpRequest, *, rows_only: bool) -> HttpResponse | None:
    """Answer a read with an internal error."""
    path = request.url.path.rstrip("/")
    if not path.endswith(("get_job_instance_status", "get_step_instance_status")):
        return None
    if rows_only and not is_about_rows(request):
        return None
    if "/v4/" in path:
        error = b'{"error": {"code": "INTERNAL", "message": "oops", "details": [{"code": "1240002"}]}}'
        return HttpResponse(status=500, body=error)
    return HttpResponse(status=200, body=b'{"result": false, "code": 1240002, "message": "oops"}')


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@pytest.mark.parametrize("rows_only", [False, True], ids=["all reads", "rows"])
@pytest.mark.parametrize("seconds", [2.5, 6.0, 12.0, 60.0])
@pytest.mark.parametrize("began", [0.0, 3600.0], ids=["runs", "ended"])
async def test_hosts_are_seen_once_internal_errors_are_over(
    dialect: str,
    rows_only: bool,  # noqa: FBT001 - a parameter of the test
    seconds: float,
    began: float,
) -> None:
    """The job of a watch that begins with them has its hosts in the result, and the failed one is failed."""
    if rows_only and seconds > 15.0:
        pytest.skip("a step whose hosts alone are refused for longer than it settles is taken to show none")
    world = World(1)
    job = world.add(JOB)
    world.advance(began)
    changed = set()
    async with client_of(world, dialect=dialect) as (client, transport):
        begin = asyncio.get_running_loop().time()
        transport.spoil = lambda request, _now: (
            refuse(request, rows_only=rows_only)
            if asyncio.get_running_loop().time() - begin < seconds
            else None
        )
        async with client.watch(job, deadline=400) as watch:
            async for change in watch.hosts():
                changed.add(change.host)
            (result,) = (await watch.results()).values()

    assert isinstance(result, bkjob.JobResult)
    assert not result.ok
    assert [sum(step.hosts.values()) for step in result.steps] == [4]
    assert len(result.failed) == 1
    assert len(changed) == 4

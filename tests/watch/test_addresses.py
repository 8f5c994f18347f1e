"""Hosts have the address that any response has, from their first event on."""

import json

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("dialect", ["gateway-v3", "gateway-v4"])
@pytest.mark.parametrize("is_over", [False, True], ids=["running", "over"])
@pytest.mark.parametrize("detail_level", bkjob.DetailLevel)
async def test_hosts_without_an_ipv4_address_are_named_by_the_other(
    dialect: str, detail_level: bkjob.DetailLevel, *, is_over: bool
) -> None:
    """gateway-v3 leaves it out of the rows that come with a job, and has it in those of a step."""
    world = World(1)
    hosts = (
        Host(bk_host_id=31, bk_cloud_id=0, ip="10.0.0.31"),
        Host(bk_host_id=32, bk_cloud_id=0, ip=None, ipv6="fe80::32"),
    )
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=hosts, outcomes=(FAILS,)),)))
    if is_over:
        world.advance(600.0)
    async with (
        client_of(world, dialect) as (client, _),
        client.watch(job, detail_level=detail_level) as watch,
    ):
        changes = [event async for event in watch.hosts()]
        await watch.results()
        result = watch.progress(job)

    assert result is not None
    assert {change.host.label for change in changes} <= {"0:10.0.0.31", "0:[fe80::32]"}
    assert [host.host.label for host in result.steps[0].failed] == ["0:10.0.0.31", "0:[fe80::32]"]


async def test_hosts_without_any_address_are_seen_where_their_step_cannot_be_read_by_itself() -> None:
    """By the rows that came with the job, under the names that these have."""

    def refuse(request: HttpRequest, _now: float) -> HttpResponse | None:
        if "get_step_instance_status" not in request.url.path:
            return None
        return HttpResponse(status=200, body=b'{"result": false, "code": 1240002, "message": "oops"}')

    world = World(1)
    hosts = (Host(bk_host_id=32, bk_cloud_id=0, ip=None, ipv6="fe80::32"),)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=hosts, outcomes=(FAILS,)),)))
    async with client_of(world, "gateway-v3") as (client, transport):
        transport.spoil = refuse
        async with client.watch(job, deadline=400) as watch:
            changes = [event async for event in watch.hosts()]

    assert {change.host.label for change in changes} == {"#32"}


async def test_a_host_that_the_first_response_about_its_step_lacked_is_named_by_its_address() -> None:
    """The next response about its job has its id alone, and does not name it."""
    torn = list[str]()

    def lose_the_second_host(response: HttpResponse, _now: float) -> HttpResponse:
        answer = json.loads(response.body)
        groups = answer["data"].get("step_result_group_list")
        if torn or not groups:
            return response
        torn.append(groups[0]["host_result_list"].pop()["ipv6"])
        groups[0]["host_size"] -= 1
        return HttpResponse(status=200, body=json.dumps(answer).encode())

    world = World(1)
    hosts = (
        Host(bk_host_id=31, bk_cloud_id=0, ip="10.0.0.31"),
        Host(bk_host_id=32, bk_cloud_id=0, ip=None, ipv6="fe80::32"),
    )
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=hosts),)))
    async with client_of(world, "gateway-v3") as (client, transport):
        transport.tear = lose_the_second_host
        async with client.watch(job) as watch:
            changes = [event async for event in watch.hosts()]

    assert torn == ["fe80::32"]
    assert {change.host.label for change in changes} == {"0:10.0.0.31", "0:[fe80::32]"}

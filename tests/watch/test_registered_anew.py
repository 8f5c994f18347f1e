"""Hosts of which the platform shows other ids while their step runs."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.clients import ALL_DIALECTS, client_of, moves_of

pytestmark = pytest.mark.looptime

SPREAD = HostOutcome(duration=DurationRange(5.0, 60.0))
ID = re.compile(rb'"bk_host_id": ?(\d+)')


def registered_anew(at: float, every: int) -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what gives one in so many hosts another id from a time on."""

    def other_id(match: re.Match[bytes]) -> bytes:
        number = int(match[1])
        return match[0] if number % every else b'"bk_host_id":%d' % (number + 50_000)

    def change(response: HttpResponse, now: float) -> HttpResponse:
        return response if now < at else replace(response, body=ID.sub(other_id, response.body))

    return change


def without_ids(until: float) -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what leaves all ids out before a time."""

    def change(response: HttpResponse, now: float) -> HttpResponse:
        return response if now >= until else replace(response, body=ID.sub(b'"unnamed":0', response.body))

    return change


@pytest.mark.parametrize("change", [registered_anew(20.0, 7), without_ids(20.0)], ids=["anew", "learnt"])
@pytest.mark.parametrize("hosts", [20, 300])
@pytest.mark.parametrize("dialect", ALL_DIALECTS)
async def test_a_host_with_another_id_counts_once(
    dialect: str, hosts: int, change: Callable[[HttpResponse, float], HttpResponse]
) -> None:
    """The counts are the platform's, each host changes from where it stood, and every one of them ends."""
    world = World(1)
    job = world.add(SimulatedJob(steps=(StepPlan(hosts=hosts, outcomes=(SPREAD,)),)))
    async with client_of(world, dialect, interval=2.0) as (client, transport):
        transport.tear = change
        async with client.watch(job, deadline=400) as watch:
            batches = [batch async for batch in watch.batches()]
            counts = watch.counts()

    moves = moves_of(batches)
    last: dict[object, object] = {}
    for _, _, label, before, after in moves:
        assert before == last.get(label)
        last[label] = after
    assert len(last) == hosts
    assert counts == Counter({bkjob.Phase.SUCCESS: hosts})

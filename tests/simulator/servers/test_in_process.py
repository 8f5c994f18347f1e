"""The platform in process responds as over HTTP."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

from bkjob_async.errors import RequestTimedOut
from bkjob_async.simulator.simulator import Simulator
from tests.simulator.http_calls import AUTHORIZATION, data, of, request


@pytest.mark.looptime
async def test_time_passes_with_the_loop() -> None:
    """In process, hours of virtual time pass at once."""
    simulator = Simulator("all-succeed")
    transport = simulator.transport(latency=3600.0)
    (ref,) = simulator.refs

    answer = await transport.send(request("gateway-v3", "get_job_instance_status", of(ref)), timeout=4000.0)

    assert data(answer)["finished"] is True
    assert transport.request_counts == {"get_job_instance_status": 1}


@pytest.mark.looptime
async def test_a_slow_platform_runs_into_the_timeout() -> None:
    """The door keeps the promise of a transport."""
    simulator = Simulator("all-succeed")
    (ref,) = simulator.refs

    with pytest.raises(RequestTimedOut):
        await simulator.transport(latency=9.0).send(
            request("gateway-v3", "get_job_instance_status", of(ref)), timeout=1.0
        )


@pytest.mark.parametrize(
    ("dialect", "operation"),
    [
        ("gateway-v3", "get_job_instance_status"),
        ("gateway-v3", "get_step_instance_status"),
        ("gateway-v4", "get_job_instance_status"),
        ("esb-job", "get_job_instance_status"),
        ("esb-job", "get_step_instance_status"),
        ("esb-jobv3", "get_job_instance_status"),
    ],
)
async def test_answers_are_the_same_bytes_in_process_and_over_http(dialect: str, operation: str) -> None:
    """Same scenario, same seed, same time: same bytes."""
    bodies = set()
    for _ in range(2):
        simulator = Simulator("some-fail", seed=7)
        simulator.clock.pause()
        simulator.clock.advance(4.0)
        simulator.world.advance(4.0)
        step = simulator.steps(simulator.refs[0])[0]
        question = request(dialect, operation, {**of(step, dialect), "return_ip_result": True})
        bodies.add((await simulator.transport().send(question, timeout=1.0)).body)
        async with simulator.serve() as server, aiohttp.ClientSession() as session:
            url = URL(f"{server.url}{question.url.raw_path_qs}", encoded=True)
            async with session.get(url, headers=dict(question.headers)) as response:
                bodies.add(await response.read())

    assert len(bodies) == 1


async def test_the_server_listens_where_it_says() -> None:
    """A plain HTTP client gets a response."""
    simulator = Simulator("all-succeed")
    (ref,) = simulator.refs
    headers = {"X-Bkapi-Authorization": AUTHORIZATION}
    async with simulator.serve() as server, aiohttp.ClientSession(headers=headers) as session:
        url = f"{server.url}/api/bk-job/prod/api/v3/get_job_instance_status"
        async with session.get(url, params=of(ref)) as response:
            answer = await response.json()

    assert answer["data"]["job_instance"]["job_instance_id"] == ref.job_instance_id

"""What a client logs: each failure once, polls and requests at DEBUG, and what formatters need."""

from __future__ import annotations

import logging

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, watched

pytestmark = pytest.mark.looptime

PLAN = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(40.0)),)),))
REFUSED = HttpResponse(status=200, body=b'{"result": false, "code": 1244999, "message": "no"}')
HTML = HttpResponse(status=502, headers={"content-type": "text/html"}, body=b"<html>502 Bad Gateway</html>")


async def test_targets_that_fail_again_and_again_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Every second response is spoilt, so each target fails and recovers many times."""
    world = World(1)
    jobs = [world.add(PLAN) for _ in range(10)]
    with caplog.at_level(logging.INFO, logger="bkjob_async"):
        async with client_of(world) as (client, door):

            def spoil(_request: HttpRequest, now: float) -> HttpResponse | None:
                return REFUSED if 3 < now < 30 and len(door.urls) % 2 else None

            door.spoil = spoil
            batches = await watched(client, *jobs)

    troubles = sum(isinstance(event, bkjob.Trouble) for batch in batches for event in batch.events)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert troubles > 20
    assert len(warnings) == 1
    failed = [record for record in caplog.records if "failed" in record.getMessage()]
    assert len(failed) == troubles


async def test_another_trouble_and_a_later_one_are_warnings_of_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another error, or the same after a minute."""
    world = World(1)
    slow = SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(300.0)),)),))
    jobs = [world.add(slow) for _ in range(4)]
    with caplog.at_level(logging.WARNING, logger="bkjob_async"):
        async with client_of(world) as (client, door):

            def spoil(request: HttpRequest, now: float) -> HttpResponse | None:
                if str(jobs[0].job_instance_id) not in str(request.url):
                    return None
                return HTML if 3 < now < 30 or 150 < now < 200 else REFUSED if 60 < now < 80 else None

            door.spoil = spoil
            await watched(client, *jobs)

    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 3


async def test_polls_and_requests_have_loggers_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    """Records carry client, ref, operation and request id for formatters, and no secret."""
    world = World(1)
    job = world.add(PLAN)
    with caplog.at_level(logging.DEBUG, logger="bkjob_async"):
        async with client_of(world, name="nightly") as (client, _):
            await watched(client, job)

    by_logger = {
        name: [r for r in caplog.records if r.name == name] for name in {r.name for r in caplog.records}
    }
    assert by_logger.keys() == {"bkjob_async.polling", "bkjob_async.requests"}
    (request, *_) = by_logger["bkjob_async.requests"]
    assert vars(request)["client"] == "nightly"
    assert vars(request)["ref"] == str(job)
    assert vars(request)["operation"] == "get_job_instance_status"
    assert vars(request)["request_id"]
    assert "not-to-be-seen" not in caplog.text


async def test_a_warning_names_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """So that the platform's operators find it."""
    world = World(1)
    body = b'{"result": false, "code": 1244999, "message": "no", "job_request_id": "r-1"}'
    with caplog.at_level(logging.WARNING, logger="bkjob_async"):
        async with client_of(world) as (client, door):
            door.spoil = lambda _request, now: HttpResponse(status=200, body=body) if now < 5 else None
            await watched(client, world.add(PLAN))

    (warning,) = caplog.records
    assert vars(warning)["request_id"] == "r-1"
    assert vars(warning)["operation"] == "get_job_instance_status"

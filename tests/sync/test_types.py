"""Type checkers see the types of every result; the same code runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import bkjob_async as bkjob
from bkjob_async import sync
from tests.client.clients import FAILING, SCOPE
from tests.sync.clients import connected, fast_simulator


def test_results_have_the_types_of_the_asynchronous_client() -> None:
    """Of queries, commands, shortcuts, lists and readers."""
    simulator = fast_simulator()
    job = bkjob.JobRef(SCOPE, simulator.add(FAILING).job_instance_id)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    with assert_type(connected(simulator, interval=0.02), sync.JobClient) as client:
        assert_type(client.scope, bkjob.Scope | None)
        assert_type(client.get_job_instance_status(job), bkjob.JobSnapshot)
        assert_type(client.run_script("uptime", "0:10.0.0.1", deadline=60), bkjob.JobResult)
        assert_type(client.wait(job, deadline=60), bkjob.JobResult)
        assert_type(client.logs(job), tuple[bkjob.responses.GatheredLogs, ...])
        assert_type(client.retry_failed(job, deadline=60), bkjob.JobResult)
        assert_type(client.call(bkjob.operations.GetJobInstanceStatus(ref=job)), bkjob.JobSnapshot)
        assert_type(client.call("get_job_plan_detail", {"job_plan_id": 1000}, method="GET"), Any)
        assert_type(client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=job)), bkjob.responses.Envelope)
        assert_type(client.with_options(priority="background"), sync.JobClient)
        assert_type(client.stats(), bkjob.ClientStats)
        plans = assert_type(client.get_job_plan_list(), sync.PagedList[bkjob.responses.JobPlan])
        assert_type([plan for plan in plans], list[bkjob.responses.JobPlan])  # noqa: C416 - what a loop yields
        assert_type(plans.total, int | None)
        listed = client.get_job_instance_list(today - timedelta(days=1), today + timedelta(days=1))
        assert_type(listed.all(), tuple[bkjob.responses.JobInstance, ...])
        with assert_type(client.watch(job, deadline=60), sync.Watch) as watch:
            assert_type(iter(watch), sync.Reader[bkjob.Event])
            assert_type(watch.hosts(), sync.Reader[bkjob.HostChanged])
            assert_type(next(watch.batches()), bkjob.Batch)
            assert_type(watch.results(), dict[bkjob.Ref, bkjob.JobResult | bkjob.Lost])
            assert_type(watch.snapshot(job), bkjob.JobSnapshot | bkjob.StepSnapshot | None)
            assert_type(watch.is_in_sync, bool)

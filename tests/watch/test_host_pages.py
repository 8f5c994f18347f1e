"""Pages of the hosts of a target, and what else a display reads without making host events."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import anyio
import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import FAILS, HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from bkjob_async.watch.watch import Watch
from tests.watch.clients import ALL_DIALECTS, client_of, watched

pytestmark = pytest.mark.looptime

SOON = HostOutcome(duration=exactly(2.0))
LATER = HostOutcome(duration=exactly(30.0))
FAILS_SOON = HostOutcome(status=104, exit_code=3, tag="disk full", duration=exactly(2.0))
FAILS_LATER = HostOutcome(status=104, exit_code=4, duration=exactly(30.0))


def pages_of(watch: Watch, ref: bkjob.Ref, limit: int, **options: object) -> list[bkjob.HostPage]:
    """Read all pages of *ref*."""
    pages = [watch.hosts_of(ref, limit=limit, **options)]  # type: ignore[arg-type]
    while pages[-1].after is not None:
        pages.append(watch.hosts_of(ref, after=pages[-1].after, limit=limit, **options))  # type: ignore[arg-type]
    return pages


def labels(pages: list[bkjob.HostPage]) -> list[str]:
    """Return the labels of all hosts of *pages*."""
    return [host.host.label for page in pages for _, host in page.hosts]


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
@pytest.mark.parametrize("hosts", [7, 300])
async def test_pages_have_every_host_once_those_that_failed_first(dialect: str, hosts: int) -> None:
    """With tag and exit code of those that failed; small steps and large ones alike."""
    world = World()
    plan = StepPlan(hosts=hosts, outcomes=(SOON,), pinned={1: FAILS_SOON, 4: FAILS_SOON, 5: HANGS})
    job = world.add(SimulatedJob(steps=(plan,)))
    async with client_of(world, dialect) as (client, _), client.watch(job) as watch:
        assert watch.hosts_of(job) == bkjob.HostPage(hosts=(), total=0)
        await anyio.sleep(15.0)
        pages = pages_of(watch, job, 3)
        counts, progress = watch.counts(job), watch.progress(job)

    phases = [host.status.phase for page in pages for _, host in page.hosts]
    assert phases == sorted(phases, key=["FAILED", "RUNNING", "SUCCESS"].index)
    assert Counter(phases) == counts == {"FAILED": 2, "RUNNING": 1, "SUCCESS": hosts - 3}
    assert len(set(labels(pages))) == len(labels(pages)) == hosts
    assert {page.total for page in pages} == {hosts}
    assert [len(page.hosts) for page in pages[:-1]] == [3] * (len(pages) - 1)
    assert progress is not None
    assert set(pages[0].hosts[:2]) == set(progress.failed)
    if dialect == "gateway-v3":
        assert {(host.tag, host.exit_code) for _, host in progress.failed} == {("disk full", 3)}


async def test_a_page_is_read_behind_the_last_one_whatever_happened_in_between() -> None:
    """A place in the order stays: no host is repeated or left out but those that moved."""
    world = World()
    plan = StepPlan(hosts=6, outcomes=(LATER,), pinned={1: FAILS_SOON, 2: FAILS_LATER, 3: FAILS_SOON})
    job = world.add(SimulatedJob(steps=(plan,)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await anyio.sleep(15.0)
        first = watch.hosts_of(job, limit=4)
        await anyio.sleep(30.0)
        second = watch.hosts_of(job, after=first.after, limit=4)

    assert labels([first]) == ["0:10.0.0.2", "0:10.0.0.4", "0:10.0.0.1", "0:10.0.0.3"]
    assert labels([second]) == ["0:10.0.0.1", "0:10.0.0.5", "0:10.0.0.6"]  # the first one has succeeded since
    assert second.after is None


async def test_pages_are_of_a_step_a_job_or_some_phases() -> None:
    """Of several steps those that failed come first, whichever step they are in."""
    world = World()
    good = StepPlan(hosts=3, outcomes=(SOON,), ignore_error=True, pinned={2: FAILS_SOON})
    bad = StepPlan(hosts=3, outcomes=(HANGS,), pinned={0: FAILS_SOON})
    job = world.add(SimulatedJob(steps=(good, bad)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await anyio.sleep(30.0)
        progress = watch.progress(job)
        assert progress is not None
        first, second = (step.ref for step in progress.steps)
        everything = [(ref, host.status.phase.value) for ref, host in watch.hosts_of(job).hosts]
        of_step = watch.hosts_of(second)
        failed = pages_of(watch, job, 1, phases={bkjob.Phase.FAILED})
        none = watch.hosts_of(job, phases=())

    assert everything == [
        (first, "FAILED"),
        (second, "FAILED"),
        (second, "RUNNING"),
        (second, "RUNNING"),
        (first, "SUCCESS"),
        (first, "SUCCESS"),
    ]
    assert {ref for ref, _ in of_step.hosts} == {second}
    assert of_step.total == 3
    assert labels(failed) == ["0:10.0.0.3", "0:10.0.0.1"]
    assert [page.total for page in failed] == [2, 2]
    assert none == bkjob.HostPage(hosts=(), total=0)


@pytest.mark.parametrize("after", ["", "1", "FAILED-1-1", "LATE-30000000001-0", "FAILED-30000000001-x"])
async def test_a_place_that_no_page_ends_at_is_refused(after: str) -> None:
    """It is that of another job, or was never given out."""
    world = World()
    job = world.add(SimulatedJob())
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await anyio.sleep(3.0)
        with pytest.raises(bkjob.UsageError, match="no page of hosts"):
            watch.hosts_of(job, after=after)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limit": 0}, "limit must be a whole number from 1"),
        ({"limit": None}, r"limit must be a whole number \(int\), not NoneType"),
        ({"limit": 2.5}, r"limit must be a whole number \(int\), not float"),
        ({"after": 5}, r"after must be text \(str\) or None, not int"),
        ({"phases": True}, r"phases must be .*: phases=\[Phase.FAILED\]"),
        ({"phases": "FAILED"}, "is no phase: give a Phase"),
        ({"phases": ["FAILD"]}, "'FAILD' is no phase: give a Phase"),
    ],
)
async def test_what_no_page_has_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Also before anything was seen: a page without hosts would look as if there were none."""
    world = World()
    job = world.add(SimulatedJob())
    async with client_of(world) as (client, _), client.watch(job) as watch:
        with pytest.raises(bkjob.UsageError, match=message):
            watch.hosts_of(job, **wrong)


async def test_a_batch_names_its_job() -> None:
    """Whether its hosts are read or not."""
    world = World()
    jobs = [world.add(SimulatedJob(steps=(StepPlan(hosts=200),))) for _ in range(2)]
    found = set()
    async with client_of(world) as (client, _), client.watch(jobs) as watch:
        async for batch in watch.batches():
            found.add(batch.job)
            if len(found) == 2:
                break

    assert found == set(jobs)


async def test_a_batch_of_all_targets_or_several_jobs_has_no_job() -> None:
    """Trouble of the whole platform, and what replaces missed events."""
    job, other = (bkjob.JobRef(bkjob.Scope.biz(2), number) for number in (1, 2))
    status = bkjob.RunStatus(2)
    changed = [
        bkjob.JobChanged(ref=ref, before=None, after=status, is_finished=False) for ref in (job, other)
    ]
    trouble = bkjob.Trouble(ref=None, error="TransportFailed", message="no")

    assert bkjob.Batch(1, ()).job is None
    assert bkjob.Batch(1, (trouble,)).job is None
    assert bkjob.Batch(1, (*changed,)).job is None
    assert bkjob.Batch(1, (trouble, changed[0])).job == job


async def test_hosts_that_run_have_not_failed() -> None:
    """`progress` tells them apart, and so does the result of a step that was stopped."""
    world = World()
    plan = StepPlan(hosts=4, outcomes=(HANGS,), pinned={2: FAILS})
    job = world.add(SimulatedJob(steps=(plan,)))
    async with client_of(world) as (client, _), client.watch(job) as watch:
        await anyio.sleep(20.0)
        progress = watch.progress(job)

    assert progress is not None
    assert [host.host.label for _, host in progress.failed] == ["0:10.0.0.3"]
    assert [host.host.label for _, host in progress.unfinished] == ["0:10.0.0.1", "0:10.0.0.2", "0:10.0.0.4"]


async def test_a_result_written_before_there_were_unfinished_hosts_is_read_as_one() -> None:
    """Its `failed` had both."""
    world = World()
    job = world.add(
        SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,), pinned={0: FAILS}, abnormal_after=20.0),))
    )
    async with client_of(world) as (client, _):
        batches = await watched(client, job)
    ended = next(event for batch in batches for event in batch.events if isinstance(event, bkjob.Finished))
    line = bkjob.event_to_json(ended)
    for step in line["result"]["steps"]:
        step["failed"] += step.pop("unfinished")

    assert len(ended.result.unfinished) == 1
    assert bkjob.event_from_json(line) == ended


FORTY = SimulatedJob(
    name="deploy", steps=(StepPlan(name="copy", hosts=1, outcomes=(HostOutcome(duration=exactly(40.0)),)),)
)


async def test_the_end_is_expected_once_three_runs_are_known() -> None:
    """Seconds from now until half and 90 % of such runs are over; less is left as time passes."""
    world = World()
    found: list[tuple[float, float] | None] = []
    async with client_of(world) as (client, _):
        for _ in range(4):
            ref = world.add(FORTY)
            async with client.watch(ref) as watch:
                await anyio.sleep(20.0)
                early = watch.explain(ref)
                found.append(early.ends_in)
                await anyio.sleep(15.0)
                late = watch.explain(ref)
                step = next(iter(watch.snapshot(ref).steps)).ref  # type: ignore[union-attr]
                of_step = watch.explain(step)
                await watch.results()
                over = watch.explain(ref)

    assert found[:3] == [None, None, None]
    assert early.running_for == pytest.approx(20.0, abs=2.0)
    assert early.ends_in is not None
    assert late.ends_in is not None
    assert early.ends_in[0] == pytest.approx(22.0, abs=5.0)
    assert early.ends_in[0] < early.ends_in[1] < 60.0
    assert late.ends_in[0] < early.ends_in[0]
    assert of_step.ends_in is not None
    assert (over.running_for, over.ends_in) == (None, None)
    assert asyncio.get_running_loop().time() < 400

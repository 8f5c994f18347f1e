"""Shortcuts: run, send, retry, read logs; and `raise_for_status`."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from tests.client.clients import CREDENTIALS, DIALECTS, FAILING, client_of
from tests.wire.full_server import full_server

pytestmark = pytest.mark.looptime

HOSTS = ["0:10.0.0.1", "0:10.0.0.2"]
OPERATED = [name for name in DIALECTS if name != "gateway-v4"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_script_runs_in_one_line(dialect: str) -> None:
    """Launched, watched, and its result is there."""
    simulator = Simulator()
    async with client_of(simulator, dialect) as (client, transport):
        result = await client.run_script("uptime", HOSTS, account="root", deadline=600)

    assert result.raise_for_status() is result
    assert result.hosts == {bkjob.Phase.SUCCESS: 2}
    assert transport.request_counts["fast_execute_script"] == 1


@pytest.mark.parametrize("dialect", OPERATED)
async def test_plans_and_files_run_in_one_line(dialect: str) -> None:
    """The same for all that can be launched."""
    simulator = Simulator()
    async with client_of(simulator, dialect) as (client, _):
        plan = await client.run_plan(1000, {"hosts": bkjob.Targets(hosts=HOSTS)}, deadline=600)
        sent = await client.send_file("/a", "/srv", HOSTS, source=HOSTS[0], deadline=600)

    assert (plan.ok, sent.ok) == (True, True)
    assert (plan.hosts, sent.hosts) == ({bkjob.Phase.SUCCESS: 2}, {bkjob.Phase.SUCCESS: 2})


@pytest.mark.parametrize("dialect", OPERATED)
async def test_what_failed_runs_again_in_one_line(dialect: str) -> None:
    """The commonest thing to do at night."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator, dialect) as (client, _):
        first = await client.wait(job, deadline=600)
        with pytest.raises(bkjob.JobFailed, match="1 host") as failed:
            first.raise_for_status()
        second = await client.retry_failed(first, deadline=600)
        with pytest.raises(bkjob.UsageError, match="no failed step"):
            await client.retry_failed(second)

    assert failed.value.result is first
    assert second.raise_for_status().steps[0].execute_count == 1


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-job"])
async def test_a_step_that_a_job_does_not_have_is_not_found(dialect: str) -> None:
    """For its logs, and for a retry; the steps that there are are named."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    simulator.advance(3600)
    async with client_of(simulator, dialect) as (client, _):
        for call in (client.logs, client.retry_failed):
            with pytest.raises(
                bkjob.NotFound, match=f"no step 1; its steps are {simulator.steps(job)[0].step_instance_id}"
            ):
                await call(job.step(1))
        assert await client.logs(simulator.steps(job)[0])


async def test_a_deadline_covers_launch_and_wait() -> None:
    """It counts from the call, and the job goes on."""
    simulator = Simulator(site=SiteConfig(outcomes=(HANGS,)))
    start = asyncio.get_running_loop().time()
    async with client_of(simulator, transport=simulator.transport(latency=3.0)) as (client, _):
        with pytest.raises(bkjob.DeadlineExceeded) as late:
            await client.run_script("sleep", HOSTS, deadline=20)

    assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.1)
    (job,) = simulator.refs
    assert job in late.value.snapshots
    assert simulator.job(job).status == 2


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_logs_come_by_step_in_every_dialect(dialect: str) -> None:
    """Of a whole job, of one step, of some hosts."""
    simulator = Simulator()
    two = SimulatedJob(steps=(StepPlan(hosts=3), StepPlan(hosts=2)))
    job = simulator.add(two)
    first, second = simulator.steps(job)
    simulator.advance(600)
    async with client_of(simulator, dialect) as (client, _):
        of_job = await client.logs(job)
        of_step = await client.logs(second)
        of_host = await client.logs(first, hosts="0:10.0.0.2")

    assert [(logs.ref, len(logs.hosts)) for logs in of_job] == [(first, 3), (second, 2)]
    assert [(logs.ref, len(logs.hosts)) for logs in of_step] == [(second, 2)]
    found = of_host[0].of(bkjob.HostKey.parse("0:10.0.0.2"))
    assert found is not None
    assert [found] == list(of_host[0].hosts)
    assert found.text
    assert of_host[0].missing == {}


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "esb-job"])
async def test_a_step_whose_logs_fail_does_not_lose_those_of_other_steps(dialect: str) -> None:
    """Its hosts are missing, with the error; where every step fails, the error is raised."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=3), StepPlan(hosts=2))))
    first, second = simulator.steps(job)
    simulator.advance(600)
    operations = ("batch_get_job_instance_ip_log", "batch_get_job_instance_execute_object_log")
    async with client_of(simulator, dialect, retries=bkjob.Retries(attempts=1)) as (client, _):
        with simulator.fault("reset", times=1, operations=operations):
            logs = await client.logs(job)
        for ref in (job, second):
            with simulator.fault("reset", operations=operations), pytest.raises(bkjob.TransportFailed):
                await client.logs(ref)

    assert [(each.ref, len(each.hosts), len(each.missing)) for each in logs] == [
        (first, 0, 3),
        (second, 2, 0),
    ]
    assert {type(error) for error in logs[0].missing.values()} == {bkjob.TransportFailed}


MANY = 1200


@pytest.mark.parametrize(("dialect", "parts"), [("gateway-v3", 3), ("esb-jobv3", 3), ("gateway-v4", 24)])
async def test_many_logs_come_in_parts_a_few_at_a_time(dialect: str, parts: int) -> None:
    """As large as the platform takes: 500, in version 4 50."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=MANY),)))
    step = simulator.steps(job)[0]
    hosts = [row.bk_host_id for row in simulator.step(step).hosts]
    simulator.advance(600)
    async with client_of(simulator, dialect, transport=simulator.transport(latency=0.1)) as (
        client,
        transport,
    ):
        logs = await client.batch_get_job_instance_ip_log(step, hosts=hosts)

    assert len({log.host for log in logs.hosts}) == MANY
    assert transport.requests == parts
    assert 1 < transport.most_in_flight <= 4


async def test_a_bad_part_does_not_lose_the_rest() -> None:
    """A timeout of one part names its hosts as missing, with the error."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=MANY),)))
    step = simulator.steps(job)[0]
    hosts = [row.bk_host_id for row in simulator.step(step).hosts]
    simulator.advance(600)
    once = bkjob.Retries(attempts=1)
    async with client_of(simulator, retries=once) as (client, _):
        with simulator.fault("reset", times=1):
            logs = await client.batch_get_job_instance_ip_log(step, hosts=hosts)
        with simulator.fault("reset"), pytest.raises(bkjob.TransportFailed):
            await client.batch_get_job_instance_ip_log(step, hosts=hosts)

    assert len(logs.missing) in (200, 500)
    assert len(logs.hosts) + len(logs.missing) == MANY
    assert {type(error) for error in logs.missing.values()} == {bkjob.TransportFailed}


async def test_one_host_that_breaks_its_part_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part is divided until the others are there."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=300),)))
    step = simulator.steps(job)[0]
    hosts = [row.bk_host_id for row in simulator.step(step).hosts]
    bad = hosts[170]
    simulator.advance(600)
    transport = simulator.transport()
    send = transport.send

    async def breaks(request: HttpRequest, *, timeout: float) -> object:  # noqa: ASYNC109 - the protocol's
        answer = await send(request, timeout=timeout)
        if re.search(rb"\b%d\b" % bad, request.body or b""):
            return type(answer)(status=200, body=b'{"result":false,"code":1241007,"message":"bad host"}')
        return answer

    monkeypatch.setattr(transport, "send", breaks)
    async with client_of(simulator, transport=transport) as (client, _):
        logs = await client.batch_get_job_instance_ip_log(step, hosts=hosts)

    assert list(logs.missing) == [bkjob.HostKey(bk_host_id=bad)]
    assert isinstance(logs.missing[bkjob.HostKey(bk_host_id=bad)], bkjob.InvalidRequest)
    assert len(logs.hosts) == 299
    assert transport.requests < 25


@pytest.mark.parametrize("red", [FAILS])
async def test_a_wait_can_be_for_less_than_the_end(red: object) -> None:
    """A condition passes through the verbs."""
    simulator = Simulator(site=SiteConfig(outcomes=(FAILS,)))
    async with client_of(simulator) as (client, _):
        result = await client.run_script("false", HOSTS, until=bkjob.FirstFailure(), deadline=600)

    assert len(result.failed) >= 1


async def test_a_target_may_be_named_in_any_form() -> None:
    """Ids, text, links and what a launch returned go wherever a ref goes."""
    simulator = Simulator()
    async with client_of(simulator) as (client, _):
        launched = await client.fast_execute_script("date", HOSTS, account_alias="root")
        number = launched.ref.job_instance_id
        link = f"https://job.example.com/api_execute/{number}"
        forms = (launched, launched.ref, number, f"2:{number}", link)
        results = {(await client.wait(form, deadline=600)).ref for form in forms}
        async with client.watch(forms, deadline=600) as watch:
            assert set(await watch.results()) == {launched.ref}
            assert watch.snapshot(number) == watch.snapshot(link) == watch.snapshot(launched)
            assert watch.progress(number) == watch.progress(launched.ref)
            assert watch.counts(f"{number}") == {bkjob.Phase.SUCCESS: 2}
            assert watch.explain(number).ref == launched.ref
            watch.nudge(number)
            assert [event async for event in watch.events(ref=number)]
            assert [change async for change in watch.hosts(ref=link)]
        client.nudge(link)
        logs = await client.logs(launched, hosts=HOSTS)
        assert logs == await client.logs(f"{link}?stepInstanceId={logs[0].ref.step_instance_id}", hosts=HOSTS)
        status = await client.get_step_instance_status(launched)
        assert (await client.get_job_instance_status(status.ref.job)).ref == launched.ref

    assert results == {launched.ref}


@pytest.mark.parametrize("given", [True, 5.0, None, "five", object(), bkjob.HostKey(bk_host_id=5)])
async def test_what_names_no_target_is_refused_at_the_call(given: object) -> None:
    """With a usage error that says what is accepted, before anything is sent or opened."""
    simulator = Simulator()
    async with client_of(simulator) as (client, transport):
        for call in (client.wait, client.logs, client.retry_failed, client.get_job_instance_status):
            with pytest.raises(bkjob.UsageError, match="names no job"):
                await call(given)  # type: ignore[arg-type]
        for refs in (given, [given]):
            with pytest.raises(bkjob.UsageError, match="names no job"):
                client.watch(refs)  # type: ignore[arg-type]
        with pytest.raises(bkjob.UsageError, match="names no job"):
            client.nudge(given)  # type: ignore[arg-type]
        assert transport.requests == 0


async def test_the_deadline_of_a_call_is_told_in_round_figures() -> None:
    """What the launch took is subtracted from it, a figure with many digits."""
    simulator = Simulator()
    simulator.set_launch_outcomes(others=HANGS)
    async with client_of(simulator, transport=simulator.transport(latency=0.0123)) as (client, _):
        with pytest.raises(bkjob.DeadlineExceeded, match=r"1 target not over after 60 s: "):
            await client.run_script("uptime", HOSTS, deadline=60)


async def test_a_result_from_before_the_end_is_read_again() -> None:
    """That of a condition shows a job that runs; by now it has failed."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator) as (client, _):
        early = await client.wait(job, until=bkjob.HostsDone(0.1), deadline=600)
        await client.wait(job, deadline=600)
        result = await client.retry_failed(early, deadline=600)

    assert not early.status.is_success
    assert early.steps[0].status.phase is bkjob.Phase.RUNNING
    assert result.ok


@pytest.mark.parametrize("by_step", [False, True])
async def test_what_failed_is_retried_by_its_name(by_step: bool) -> None:  # noqa: FBT001 - the case
    """Without a result in hand the state of the job is requested."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    simulator.advance(3600)
    async with client_of(simulator) as (client, transport):
        name = f"{simulator.steps(job)[0]}" if by_step else job.job_instance_id
        result = await client.retry_failed(name, deadline=600)
        with pytest.raises(bkjob.UsageError, match="no failed step"):
            await client.retry_failed(job)

    assert result.ok
    assert transport.request_counts["operate_step_instance"] == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_condition_is_about_all_hosts_of_a_job_that_runs_already(dialect: str) -> None:
    """The hosts of the step that ended are read before those of the step that runs."""
    simulator = Simulator()
    steps = (StepPlan(hosts=4), StepPlan(hosts=6, outcomes=(HostOutcome(duration=exactly(60.0)),)))
    job = simulator.add(SimulatedJob(steps=steps))
    simulator.advance(30)

    async with client_of(simulator, dialect) as (client, _):
        result = await client.wait(job, until=bkjob.HostsDone(0.5), deadline=300)

    assert result.hosts == {bkjob.Phase.SUCCESS: 10}


async def test_a_launch_names_the_job_before_there_is_a_result() -> None:
    """The launch of a script is what `run_script` does first, and is waited for as anything that names a job."""
    simulator = Simulator()
    async with client_of(simulator) as (client, transport):
        launch = await client.launch_script("uptime", HOSTS, account="root", name="up")
        result = await client.wait(launch, deadline=600)

    assert (launch.name, result.ref, result.ok) == ("up", launch.ref, True)
    assert transport.request_counts["fast_execute_script"] == 1


@pytest.mark.parametrize("verb", ["script", "plan", "file"])
async def test_a_cancelled_shortcut_names_the_job_that_it_launched(
    verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In a note of the error and in the log: nobody else knows its id, and it goes on."""
    simulator = Simulator()
    async with client_of(simulator) as (client, _):
        calls = {
            "script": lambda: client.run_script("uptime", HOSTS),
            "plan": lambda: client.run_plan(1000),
            "file": lambda: client.send_file("/a", "/srv", HOSTS, source=HOSTS[0]),
        }
        task = asyncio.create_task(calls[verb]())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task

    (job,) = simulator.world.jobs.values()
    assert cancelled.value.__notes__ == [
        f"the job {job.ref} was launched, and goes on: client.wait('{job.ref}')"
    ]
    assert [record.message for record in caplog.records if str(job.ref) in record.message]


async def test_a_retry_is_refused_where_the_dialect_has_none() -> None:
    """Before the job is read."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    async with client_of(simulator, "gateway-v4") as (client, transport):
        with pytest.raises(bkjob.NotSupported, match="operate_step_instance"):
            await client.retry_failed(job)
        assert transport.requests == 0


async def test_a_cancelled_retry_names_the_steps_that_run_again(caplog: pytest.LogCaptureFixture) -> None:
    """Once the operation was accepted: in a note of the error and in the log, as a launch does."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    simulator.advance(3600)
    step = simulator.steps(job)[0]
    async with client_of(simulator) as (client, _):
        task = asyncio.create_task(client.retry_failed(job))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task

    assert cancelled.value.__notes__ == [
        f"the retry of {step} was accepted, and its hosts run again: client.wait('{job}')"
    ]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"the wait for the retry of {step} was cancelled; its hosts run on"
    ]


async def test_a_launch_that_is_cancelled_while_under_way_may_have_been_executed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody knows; the error and the log say so. A read, and what was not sent yet, say nothing."""
    simulator = Simulator()
    async with client_of(simulator, transport=simulator.transport(latency=5.0)) as (client, _):
        notes = []
        calls = (client.run_script("uptime", HOSTS), client.get_job_instance_status(1))
        for call in calls:
            task = asyncio.create_task(call)
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await task
            notes.append(getattr(cancelled.value, "__notes__", []))

    words = "fast_execute_script was cancelled while it was under way, and may have been executed"
    assert notes == [[words], []]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [words]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the connection is refused")
async def test_a_launch_that_is_cancelled_before_it_has_a_connection_was_not_sent() -> None:
    """The error says so, and not that it may have been executed."""
    with full_server() as url:
        async with bkjob.connect(str(url), CREDENTIALS, scope=bkjob.Scope.biz(2)) as client:
            launch = asyncio.create_task(client.run_script("uptime", HOSTS))
            await asyncio.sleep(0.05)
            launch.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await launch

    assert cancelled.value.__notes__ == ["there was no connection yet, so nothing was sent"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_host_that_is_in_no_step_is_missing_in_its_logs(dialect: str) -> None:
    """It is named with the reason, whether the job or a step was asked for, beside the logs of hosts that are there."""
    simulator = Simulator()
    job = simulator.add(FAILING)
    stranger, known = bkjob.HostKey.parse("0:10.9.9.9"), bkjob.HostKey.parse("0:10.0.0.2")
    async with client_of(simulator, dialect) as (client, _):
        result = await client.wait(job, deadline=600)
        step = result.steps[0].ref
        for ref in (job, step):
            (alone,) = await client.logs(ref, hosts=stranger)
            (both,) = await client.logs(ref, hosts=[stranger, known])

            assert (alone.ref, alone.hosts, [*alone.missing]) == (step, (), [stranger])
            assert ([*both.missing], both.of(known) is not None) == ([stranger], True)
            assert isinstance(alone.missing[stranger], bkjob.NotFound)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_script_has_the_language_that_is_given(dialect: str) -> None:
    """Shell unless one is given."""
    simulator = Simulator(site=SiteConfig(outcomes=(HANGS,)))
    async with client_of(simulator, dialect) as (client, _):
        for language in (None, bkjob.ScriptLanguage.PYTHON):
            await client.fast_execute_script("pass", HOSTS, account_alias="root", script_language=language)

    languages = [job.steps[0].plan.inputs.language for job in simulator.world.jobs.values()]
    assert languages == [bkjob.ScriptLanguage.SHELL, bkjob.ScriptLanguage.PYTHON]

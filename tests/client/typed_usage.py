"""Typical user code, with the type of every result: checked by mypy and pyright, and run against the simulator."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_type

import bkjob_async as bkjob


async def ask(client: bkjob.JobClient, job: bkjob.JobRef, step: bkjob.StepRef) -> None:
    """Send every request that version 3 of the gateway takes."""
    assert_type(await client.get_job_instance_status(job, return_ip_result=True), bkjob.JobSnapshot)
    assert_type(await client.get_step_instance_status(step), bkjob.StepSnapshot)
    assert_type(await client.get_step_instance_detail(step), bkjob.responses.StepDetail)
    assert_type(await client.get_job_instance_ip_log(step, host="0:10.0.0.1"), bkjob.responses.HostLog)
    assert_type(await client.batch_get_job_instance_ip_log(step, hosts=[1, 2]), bkjob.responses.GatheredLogs)
    assert_type(
        await client.get_job_instance_global_var_value(job), tuple[bkjob.responses.StepVariables, ...]
    )
    assert_type(await client.logs(job), tuple[bkjob.responses.GatheredLogs, ...])
    assert_type(await client.status([job], deadline=60), tuple[bkjob.TargetStatus, ...])


async def ask_the_old_component(client: bkjob.JobClient, job: bkjob.JobRef) -> None:
    """Send what only the ESB's first component takes."""
    assert_type(await client.get_job_instance_log(job), tuple[bkjob.responses.StepLogs, ...])


async def list_jobs(client: bkjob.JobClient, start: datetime, end: datetime) -> None:
    """Page through the history."""
    listing = assert_type(
        client.get_job_instance_list(start, end), bkjob.responses.PagedList[bkjob.responses.JobInstance]
    )
    async for instance in listing:
        assert_type(instance, bkjob.responses.JobInstance)
    assert_type(await client.get_job_instance_list(start, end).all(), tuple[bkjob.responses.JobInstance, ...])


async def browse(client: bkjob.JobClient) -> None:
    """Read what people keep on the platform."""
    assert_type(
        client.get_job_template_list(name="a"), bkjob.responses.PagedList[bkjob.responses.JobTemplate]
    )
    async for plan in client.get_job_plan_list():
        assert_type(plan, bkjob.responses.JobPlan)
        assert_type(await client.get_job_plan_detail(plan.id), bkjob.responses.JobPlan)
    assert_type(await client.get_account_list().all(), tuple[bkjob.responses.StoredAccount, ...])
    async for script in client.get_script_list():
        assert_type(script, bkjob.responses.Script)
        async for version in client.get_script_version_list(script.id, return_script_content=True):
            assert_type(version, bkjob.responses.ScriptVersion)
            assert_type(await client.get_script_version_detail(id=version.id), bkjob.responses.ScriptVersion)
    async for script in client.get_public_script_list():
        async for version in client.get_public_script_version_list(script.id):
            assert_type(
                await client.get_public_script_version_detail(id=version.id), bkjob.responses.ScriptVersion
            )
    async for cron in client.get_cron_list():
        assert_type(cron, bkjob.responses.CronJob)
        assert_type(await client.get_cron_detail(cron.id), bkjob.responses.CronJob)


async def manage(client: bkjob.JobClient) -> None:
    """Change crons, and read what stands beside them."""
    cron = await client.save_cron(job_plan_id=1000, name="nightly", expression="0 4 * * *")
    assert_type(cron, bkjob.responses.CronJob)
    await client.update_cron_status(cron.id, 1)
    await client.delete_cron(cron.id)
    assert_type(await client.check_script("date"), tuple[bkjob.responses.ScriptCheckItem, ...])
    assert_type(await client.get_file_source_detail("releases"), bkjob.responses.StoredFileSource)


async def manage_plans(client: bkjob.JobClient) -> None:
    """Create plans in version 4 of the gateway."""
    template = assert_type(await client.get_job_template_detail(100), bkjob.responses.JobTemplate)
    steps = [step.id for step in template.steps if step.id]
    assert_type(await client.create_job_plan(100, "another", enable_steps=steps[:1]), bkjob.responses.JobPlan)
    assert_type(
        client.get_user_authorized_scopes(), bkjob.responses.PagedList[bkjob.responses.AuthorizedScope]
    )


async def use_system_paths(client: bkjob.JobClient, step: bkjob.StepRef, host: bkjob.HostKey) -> None:
    """Ask what version 3 of the gateway has below `/system/` only."""
    assert_type(await client.query_agent_info([1, 2]), tuple[bkjob.responses.AgentInfo, ...])
    (task, *_) = assert_type(await client.query_gse_task(step), tuple[bkjob.responses.GseTask, ...])
    assert_type(await client.query_job_instance(task.gse_task_id), bkjob.responses.GseTask)
    uploads = await client.generate_local_file_upload_url(["a.txt"])
    assert_type(uploads, tuple[bkjob.responses.LocalFileUpload, ...])
    assert_type(await client.bkci_plugin_get_job_instance_status(step.job), bkjob.JobSnapshot)
    assert_type(
        await client.bkci_plugin_batch_get_job_instance_execute_object_log(step, hosts=1),
        bkjob.responses.StepLogs,
    )
    local = bkjob.FileSource(files=uploads[0].path, file_type=bkjob.codes.FileSourceType.LOCAL)
    await client.fast_transfer_file(local, "/srv", host, account_alias="root")
    script = await client.bkci_plugin_fast_execute_script("date", host, account_alias="root")
    assert_type(script, bkjob.responses.JobLaunch)
    source = bkjob.FileSource(files="/a", server=host, account_alias="root")
    transfer = await client.bkci_plugin_fast_transfer_file(source, "/srv", host, account_alias="root")
    assert_type(transfer, bkjob.responses.JobLaunch)


async def ask_for_contexts(client: bkjob.JobClient, step: bkjob.StepRef, file_step: bkjob.StepRef) -> None:
    """Ask version 4 of the gateway what went wrong at one host."""
    context = await client.get_script_task_context(step, host=1)
    assert_type(context, tuple[bkjob.responses.TaskContextField, ...])
    context = await client.get_file_task_context(file_step, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)
    assert_type(context, tuple[bkjob.responses.TaskContextField, ...])


async def launch(client: bkjob.JobClient, host: bkjob.HostKey) -> None:
    """Start one of each kind."""
    mode = bkjob.RollingConfig(mode=bkjob.codes.RollingMode.IGNORE_FAIL, expression="1 100%")
    assert_type(
        await client.fast_execute_script(
            "date", [host, "0:10.0.0.2"], account_alias="root", rolling_config=mode
        ),
        bkjob.responses.JobLaunch,
    )
    assert_type(await client.fast_execute_sql("select 1", 1, db_account_id=6), bkjob.responses.JobLaunch)
    source = bkjob.FileSource(files="/a", server="0:10.0.0.1", account_alias="root")
    assert_type(
        await client.fast_transfer_file(source, "/srv", [host], account_alias="root"),
        bkjob.responses.JobLaunch,
    )
    assert_type(
        await client.push_config_file({"a": "b"}, "/etc", [host], account_alias="root"),
        bkjob.responses.JobLaunch,
    )
    assert_type(await client.execute_job_plan(1000, {"name": "value"}), bkjob.responses.JobLaunch)


async def run(client: bkjob.JobClient) -> bkjob.JobResult:
    """Use the verbs."""
    result = assert_type(await client.run_script("date", "0:10.0.0.1", deadline=600), bkjob.JobResult)
    assert_type(result.raise_for_status(), bkjob.JobResult)
    launch = assert_type(await client.launch_script("date", "0:10.0.0.1"), bkjob.responses.JobLaunch)
    assert_type(await client.wait(launch), bkjob.JobResult)
    assert_type(await client.run_plan(1000, deadline=600), bkjob.JobResult)
    assert_type(await client.send_file("/a", "/srv", 1, source=2, deadline=600), bkjob.JobResult)
    return result


async def operate(client: bkjob.JobClient, failed: bkjob.StepRef, pending: bkjob.JobRef) -> None:
    """Steer jobs."""
    code = bkjob.StepOperation.RETRY_ALL_HOSTS
    assert_type(
        await client.operate_step_instance(failed, operation_code=code), bkjob.responses.OperationAccepted
    )
    assert_type(
        await client.operate_job_instance(pending, bkjob.JobOperation.START),
        bkjob.responses.OperationAccepted,
    )
    ended = assert_type(await client.wait(pending, until=bkjob.HostsDone(0.5), deadline=600), bkjob.JobResult)
    assert_type(ended.hosts[bkjob.Phase.SUCCESS], int)


async def retry(client: bkjob.JobClient, result: bkjob.JobResult) -> None:
    """Run what failed again."""
    assert_type(await client.retry_failed(result, deadline=600), bkjob.JobResult)


async def call(client: bkjob.JobClient, job: bkjob.JobRef) -> None:
    """Call by value and by name, and look at the whole response."""
    assert_type(await client.call(bkjob.operations.GetJobInstanceStatus(ref=job)), bkjob.JobSnapshot)
    assert_type(
        await client.call(bkjob.operations.GetJobInstanceGlobalVarValue(ref=job)),
        tuple[bkjob.responses.StepVariables, ...],
    )
    named = {"job_instance_id": job.job_instance_id}
    assert_type(await client.call("get_job_instance_status", named, method="GET"), Any)
    envelope = assert_type(
        await client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=job)), bkjob.responses.Envelope
    )
    question = bkjob.operations.GetJobInstanceStatus(ref=job)
    assert_type(bkjob.decode(envelope.body, operation=question), bkjob.JobSnapshot)
    assert_type(bkjob.decode(envelope.body, operation="get_job_instance_status"), Any)
    assert_type(bkjob.decode_callback(b'{"job_instance_id":1,"status":3}'), bkjob.Callback)
    view = assert_type(client.with_options(request_timeout=5, priority="background"), bkjob.JobClient)
    assert_type(view.job(1), bkjob.JobRef)
    assert_type(view.step(1, 2), bkjob.StepRef)


async def follow(client: bkjob.JobClient, job: bkjob.JobRef, callbacks: bkjob.CallbackReceiver) -> None:
    """Watch in every way there is."""
    async with client.watch(job, deadline=600, callbacks=callbacks) as watch:
        assert_type(watch, bkjob.Watch)
        async for event in watch:
            assert_type(event, bkjob.Event)
        async for change in watch.hosts():
            assert_type(change.after, bkjob.HostStatus)
        async for batch in watch.batches():
            assert_type(batch, bkjob.Batch)
        async for result in watch.as_finished():
            assert_type(result, bkjob.JobResult)
        assert_type(await watch.results(), dict[bkjob.Ref, bkjob.JobResult | bkjob.Lost])
        assert_type(watch.stats(), bkjob.WatchStats)
        assert_type(watch.explain(job), bkjob.Explanation)
        assert_type(watch.snapshot(job), bkjob.JobSnapshot | bkjob.StepSnapshot | None)
        client.nudge(job)
        assert_type(client.durations(), tuple[bkjob.DurationStats, ...])
        assert_type(client.export_durations(), dict[str, Any])
        assert_type(client.import_durations(client.export_durations()), int)
        assert_type(client.outage(), bkjob.Trouble | None)
        client.set_requests_per_second(None)


async def connect(url: str, transport: bkjob.Transport) -> None:
    """Open a client with credentials that are refreshed."""

    async def refreshed() -> bkjob.Credentials:
        return bkjob.AccessToken(access_token="fresh")

    http = bkjob.HttpOptions(proxy="http://proxy:3128", headers={"X-Team": "infra"})
    assert_type(bkjob.connect(url, refreshed, tenant="default", http=http), bkjob.JobClient)
    async with bkjob.connect(url, refreshed, scope=bkjob.Scope.biz(2), transport=transport) as client:
        assert_type(client, bkjob.JobClient)

"""Every operation of every dialect through the client's methods, against the simulated platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_named
from bkjob_async.model.operations.base import Operation
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, StepPlan
from tests.client.clients import DIALECTS, FAILING, client_of

pytestmark = pytest.mark.looptime

SENDS_FILES = SimulatedJob(steps=(StepPlan(hosts=2, kind=FILE, pinned={0: FAILS}),))
HOSTS = ["0:10.0.0.1", "0:10.0.0.2"]
# Scripts that the simulated platform stores.
SCRIPT, PUBLIC_SCRIPT = "c0ffee00000000000000000000000001", "c0ffee00000000000000000000000002"
Ask = Callable[[bkjob.JobClient, bkjob.StepRef, datetime], Awaitable[Any]]


async def listed(client: bkjob.JobClient, _step: bkjob.StepRef, today: datetime) -> Any:
    """Return all job instances of the days around *today*."""
    day = timedelta(days=1)
    return await client.get_job_instance_list(today - day, today + day).all()


async def a_version_of_a_script(client: bkjob.JobClient, _step: bkjob.StepRef, _today: datetime) -> Any:
    """Return the version of the first script that is online."""
    script = await anext(client.get_script_list())
    return await client.get_script_version_detail(id=script.online_script_version_id)


async def a_version_of_a_public_script(
    client: bkjob.JobClient, _step: bkjob.StepRef, _today: datetime
) -> Any:
    """Return the version of the first public script that is online."""
    script = await anext(client.get_public_script_list())
    return await client.get_public_script_version_detail(id=script.online_script_version_id)


async def a_job_by_its_agent_task(client: bkjob.JobClient, step: bkjob.StepRef, _today: datetime) -> Any:
    """Return what an agent's task belongs to."""
    return await client.query_job_instance((await client.query_gse_task(step))[0].gse_task_id)


async def context_of_files(client: bkjob.JobClient, step: bkjob.StepRef, _today: datetime) -> Any:
    """Return what went wrong at a host of the job that sends files, which was added behind the first."""
    files = bkjob.StepRef(step.scope, step.job_instance_id + 1, step.step_instance_id + 1)
    return await client.get_file_task_context(files, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)


METHODS: dict[type[Operation[Any]], tuple[Ask, type]] = {
    bkjob.operations.GetJobInstanceStatus: (
        lambda c, s, _: c.get_job_instance_status(s.job),
        bkjob.JobSnapshot,
    ),
    bkjob.operations.GetStepInstanceStatus: (
        lambda c, s, _: c.get_step_instance_status(s),
        bkjob.StepSnapshot,
    ),
    bkjob.operations.GetStepInstanceDetail: (
        lambda c, s, _: c.get_step_instance_detail(s),
        bkjob.responses.StepDetail,
    ),
    bkjob.operations.GetJobInstanceLog: (lambda c, s, _: c.get_job_instance_log(s.job), tuple),
    bkjob.operations.GetJobInstanceIpLog: (
        lambda c, s, _: c.get_job_instance_ip_log(s, host="0:10.0.0.1"),
        bkjob.responses.HostLog,
    ),
    bkjob.operations.BatchGetJobInstanceIpLog: (
        lambda c, s, _: c.batch_get_job_instance_ip_log(s, hosts=HOSTS),
        bkjob.responses.GatheredLogs,
    ),
    bkjob.operations.GetJobInstanceList: (listed, tuple),
    bkjob.operations.GetJobInstanceGlobalVarValue: (
        lambda c, s, _: c.get_job_instance_global_var_value(s.job),
        tuple,
    ),
    bkjob.operations.OperateStepInstance: (
        lambda c, s, _: c.operate_step_instance(s, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS),
        bkjob.responses.OperationAccepted,
    ),
    bkjob.operations.ExecuteJobPlan: (
        lambda c, *_: c.execute_job_plan(1000, {"who": "me"}),
        bkjob.responses.JobLaunch,
    ),
    bkjob.operations.FastExecuteScript: (
        lambda c, *_: c.fast_execute_script("date", HOSTS, account_alias="root"),
        bkjob.responses.JobLaunch,
    ),
    bkjob.operations.FastExecuteSql: (
        lambda c, *_: c.fast_execute_sql("select 1", HOSTS, db_account_id=6),
        bkjob.responses.JobLaunch,
    ),
    bkjob.operations.FastTransferFile: (
        lambda c, *_: c.fast_transfer_file(
            bkjob.FileSource(files="/a", server=HOSTS[0], account_alias="root"),
            "/srv",
            HOSTS,
            account_alias="root",
        ),
        bkjob.responses.JobLaunch,
    ),
    bkjob.operations.PushConfigFile: (
        lambda c, *_: c.push_config_file({"a.conf": "x=1"}, "/etc", HOSTS, account_alias="root"),
        bkjob.responses.JobLaunch,
    ),
}
SOURCE = bkjob.FileSource(files="/a", server=HOSTS[0], account_alias="root")
# Stored items, and what single dialects have.
METHODS |= {
    bkjob.operations.GetJobTemplateList: (lambda c, *_: c.get_job_template_list(name="usual").all(), tuple),
    bkjob.operations.GetJobPlanList: (lambda c, *_: c.get_job_plan_list().all(), tuple),
    bkjob.operations.GetJobPlanDetail: (lambda c, *_: c.get_job_plan_detail(1000), bkjob.responses.JobPlan),
    bkjob.operations.GetAccountList: (lambda c, *_: c.get_account_list(category=1).all(), tuple),
    bkjob.operations.GetScriptList: (lambda c, *_: c.get_script_list().all(), tuple),
    bkjob.operations.GetScriptVersionList: (lambda c, *_: c.get_script_version_list(SCRIPT).all(), tuple),
    bkjob.operations.GetScriptVersionDetail: (a_version_of_a_script, bkjob.responses.ScriptVersion),
    bkjob.operations.GetPublicScriptList: (lambda c, *_: c.get_public_script_list().all(), tuple),
    bkjob.operations.GetPublicScriptVersionList: (
        lambda c, *_: c.get_public_script_version_list(PUBLIC_SCRIPT).all(),
        tuple,
    ),
    bkjob.operations.GetPublicScriptVersionDetail: (
        a_version_of_a_public_script,
        bkjob.responses.ScriptVersion,
    ),
    bkjob.operations.GetCronList: (lambda c, *_: c.get_cron_list().all(), tuple),
    bkjob.operations.GetCronDetail: (lambda c, *_: c.get_cron_detail(300), bkjob.responses.CronJob),
    bkjob.operations.GenerateLocalFileUploadUrl: (
        lambda c, *_: c.generate_local_file_upload_url("a.txt"),
        tuple,
    ),
    bkjob.operations.QueryGseTask: (lambda c, s, _: c.query_gse_task(s), tuple),
    bkjob.operations.QueryJobInstance: (a_job_by_its_agent_task, bkjob.responses.GseTask),
    bkjob.operations.GetScriptTaskContext: (lambda c, s, _: c.get_script_task_context(s, host=1), tuple),
    bkjob.operations.GetFileTaskContext: (context_of_files, tuple),
    bkjob.operations.BkciPluginGetJobInstanceStatus: (
        lambda c, s, _: c.bkci_plugin_get_job_instance_status(s.job),
        bkjob.JobSnapshot,
    ),
    bkjob.operations.BkciPluginBatchGetJobInstanceExecuteObjectLog: (
        lambda c, s, _: c.bkci_plugin_batch_get_job_instance_execute_object_log(s, hosts=[1]),
        bkjob.responses.StepLogs,
    ),
    bkjob.operations.BkciPluginFastExecuteScript: (
        lambda c, *_: c.bkci_plugin_fast_execute_script("date", HOSTS, account_alias="root"),
        bkjob.responses.JobLaunch,
    ),
    bkjob.operations.BkciPluginFastTransferFile: (
        lambda c, *_: c.bkci_plugin_fast_transfer_file(SOURCE, "/srv", HOSTS, account_alias="root"),
        bkjob.responses.JobLaunch,
    ),
}
METHODS |= {
    bkjob.operations.SaveCron: (
        lambda c, *_: c.save_cron(job_plan_id=1000, name="nightly", expression="0 4 * * *"),
        bkjob.responses.CronJob,
    ),
    bkjob.operations.UpdateCronStatus: (lambda c, *_: c.update_cron_status(300, 2), type(None)),
    bkjob.operations.DeleteCron: (lambda c, *_: c.delete_cron(300), type(None)),
    bkjob.operations.CheckScript: (lambda c, *_: c.check_script("rm -rf /"), tuple),
    bkjob.operations.QueryAgentInfo: (lambda c, *_: c.query_agent_info([1, 2]), tuple),
    bkjob.operations.GetFileSourceDetail: (
        lambda c, *_: c.get_file_source_detail("releases"),
        bkjob.responses.StoredFileSource,
    ),
    bkjob.operations.CreateJobPlan: (
        lambda c, *_: c.create_job_plan(100, "another"),
        bkjob.responses.JobPlan,
    ),
    bkjob.operations.GetJobTemplateDetail: (
        lambda c, *_: c.get_job_template_detail(100),
        bkjob.responses.JobTemplate,
    ),
    bkjob.operations.GetUserAuthorizedScopes: (lambda c, *_: c.get_user_authorized_scopes().all(), tuple),
}
NAMES = {kind: kind.name for kind in METHODS}
SYSTEM = {"system": True, "acting_user": "admin"}
# Each dialect as usual, with credentials in the body, or for a user that the caller names.
WAYS: list[tuple[str, dict[str, Any]]] = [
    *((dialect, {}) for dialect in DIALECTS),
    *((dialect, {"credentials_in": "body"}) for dialect in ("esb-job", "esb-jobv3")),
    *((dialect, SYSTEM) for dialect in ("gateway-v3", "gateway-v4")),
]
TABLES = {name: dialect_named(name).all_calls() for name in DIALECTS}
ALL = METHODS.keys() | {bkjob.operations.OperateJobInstance}  # whose own test is with the operations


def test_every_operation_of_every_table_has_a_method() -> None:
    """Nothing that a dialect can do is left to raw calls."""
    tabled = {kind for table in TABLES.values() for kind in table}

    assert tabled == ALL


@pytest.mark.parametrize(("dialect", "options"), WAYS)
@pytest.mark.parametrize("kind", METHODS, ids=NAMES.get)
async def test_each_makes_a_round_trip_or_is_not_sent(
    dialect: str, options: dict[str, Any], kind: type[Operation[Any]]
) -> None:
    """A typed response where the dialect has the operation; elsewhere an error that names who has, and no request."""
    simulator = Simulator()
    step = simulator.steps(simulator.add(FAILING))[0]
    simulator.add(SENDS_FILES)
    simulator.advance(3600)
    today = datetime.fromtimestamp(simulator.world.epoch_ms / 1000, UTC)
    ask, answer = METHODS[kind]
    call = TABLES[dialect].get(kind)

    async with client_of(simulator, dialect, **options) as (client, transport):
        if call is not None and call.paths in {None, "system" if "system" in options else "user"}:
            found = await ask(client, step, today)
            assert isinstance(found, answer)
            assert found or answer is type(None)
        else:
            able = "system=True" if call else next(name for name in DIALECTS if kind in TABLES[name])
            with pytest.raises(bkjob.NotSupported, match=able):
                await ask(client, step, today)
            assert transport.requests == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_plain_script_arrives_as_it_was_written(dialect: str) -> None:
    """It is encoded once, not twice and not never."""
    simulator = Simulator()
    async with client_of(simulator, dialect) as (client, _):
        launched = await client.fast_execute_script("echo 'ä 你好'\n", HOSTS, account_alias="root")

    assert simulator.job(launched.ref).plan.steps[0].content == "echo 'ä 你好'\n"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.fast_execute_script("x", HOSTS, account_alias="root", timeout=0),
        lambda c: c.fast_execute_script("x", HOSTS, account_alias="root", timeout=259_201),
        lambda c: c.fast_execute_script(
            "x",
            HOSTS,
            account_alias="root",
            rolling_config=bkjob.RollingConfig(execution_mode=2, expression="1"),
        ),
        lambda c: c.get_job_plan_list(length=1001).all(),
        lambda c: c.get_script_version_detail(script_id="a"),
        lambda c: c.operate_job_instance(c.step(1, 2), 1),
        lambda c: c.query_gse_task(1),
        lambda c: c.fast_execute_script("x", "no:such:host", account_alias="root"),
        lambda c: c.get_job_instance_status(0),
        lambda c: c.get_job_instance_status("one"),
        lambda c: c.get_step_instance_status(1),
        lambda c: c.operate_step_instance(1, 2),
        lambda c: c.call("../status"),
        lambda c: c.call(bkjob.operations.GetJobInstanceStatus(ref=c.job(1)), {"x": 1}),
        lambda c: c.run_script("x", HOSTS, deadline=0),
    ],
)
async def test_what_makes_no_sense_is_not_sent(call: Callable[[bkjob.JobClient], Awaitable[Any]]) -> None:
    """It is the caller's mistake, and one kind of error."""
    simulator = Simulator()
    async with client_of(simulator) as (client, transport):
        with pytest.raises(bkjob.UsageError):
            await call(client)

        assert transport.requests == 0


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3"])
async def test_a_list_is_read_page_by_page(dialect: str) -> None:
    """Each item comes once, and no page is fetched before it is needed."""
    simulator = Simulator()
    async with client_of(simulator, dialect) as (client, transport):
        accounts = client.get_account_list(length=2)
        first = await anext(accounts)
        asked = transport.requests
        rest = await accounts.all()

    assert asked == 1
    assert accounts.total == 1 + len(rest) == 3
    assert len({first.id, *(account.id for account in rest)}) == 3


async def test_a_plan_is_found_launched_watched_and_read() -> None:
    """The way of most consumers: list, detail, launch, wait, logs; the response in the platform's own words."""
    simulator = Simulator()
    async with client_of(simulator) as (client, _):
        plan = await anext(client.get_job_plan_list())
        reported = await client.get_job_plan_detail(plan.id)
        launched = await client.execute_job_plan(reported.id)
        await client.wait(launched, deadline=3600)
        status = await client.get_job_instance_status(launched)
        logs = await client.logs(launched)

    assert reported.steps
    assert status.raw is not None
    assert status.raw["job_instance"]["job_instance_id"] == launched.ref.job_instance_id
    assert status.steps[0].raw is not None
    assert logs


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3", "gateway-v4"])
async def test_a_launch_runs_on_hosts_and_groups_alike(dialect: str) -> None:
    """Whoever names a host and a group means both."""
    simulator = Simulator()
    async with client_of(simulator, dialect) as (client, _):
        targets = bkjob.Targets(hosts=HOSTS[0], dynamic_groups=["night-shift"])
        launched = await client.fast_execute_script("date", targets, account_alias="root")

    addresses = [host.ip for host in simulator.job(launched.ref).steps[0].hosts]
    assert addresses[0] == "10.0.0.1"
    assert len(addresses) > 1


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3", "gateway-v4"])
async def test_a_job_of_a_tenant_set_is_named_by_it(dialect: str) -> None:
    """What is launched there is found there, and nowhere else."""
    simulator = Simulator()
    scope = bkjob.Scope.tenant_set(1)
    async with client_of(simulator, dialect) as (client, _):
        launched = await client.fast_execute_script("date", HOSTS, account_alias="root", scope=scope)
        found = await client.get_job_instance_status(str(launched.ref))

    assert found.ref == launched.ref
    assert str(found.ref).startswith("tenant_set:1:")

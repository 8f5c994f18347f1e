"""The platform's own SDKs drive the simulated platform, unchanged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bkjob_async.simulator.servers.thread import ServerInThread
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, StepPlan

apigateway = pytest.importorskip("bkapi_client_core.apigateway", reason="install the extra `sdk`")
esb = pytest.importorskip("bkapi_client_core.esb", reason="install the extra `sdk`")
component = pytest.importorskip("bkapi_component.open.client", reason="install the extra `sdk`")

CREDENTIALS = {"bk_app_code": "tests", "bk_app_secret": "made-up", "bk_username": "admin"}
SCOPE = {"bk_scope_type": "biz", "bk_scope_id": "2"}
SCRIPT = {
    **SCOPE,
    "script_content": base64.b64encode(b"uptime").decode(),
    "script_language": 1,
    "account_alias": "root",
    "target_server": {"host_id_list": [1, 2]},
}
GATEWAY = {
    "v3": {
        "get_job_instance_status": "GET",
        "get_step_instance_status": "GET",
        "operate_step_instance": "POST",
        "fast_execute_script": "POST",
        "get_job_plan_list": "GET",
        "get_job_plan_detail": "GET",
        "execute_job_plan": "POST",
        "batch_get_job_instance_ip_log": "POST",
    },
    "v4": {
        "get_job_instance_status": "GET",
        "fast_execute_script": "POST",
        "batch_get_job_instance_execute_object_log": "POST",
    },
}
V2 = (
    "get_job_instance_status",
    "get_step_instance_status",
    "operate_step_instance",
    "fast_execute_script",
    "get_job_list",
    "get_job_detail",
    "execute_job",
    "get_job_instance_log",
)


@pytest.fixture
def simulator() -> Simulator:
    """Return a world with one job that has failed."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(hosts=3, pinned={1: FAILS}),)))
    simulator.world.advance_to_end()
    return simulator


@pytest.fixture
def server(simulator: Simulator) -> Iterator[ServerInThread]:
    """Serve it to synchronous clients."""
    with simulator.serve_in_thread() as server:
        yield server


@pytest.fixture
def ids(simulator: Simulator) -> dict[str, int]:
    """Return the ids of the failed step."""
    step = simulator.steps(simulator.refs[0])[0]
    return {"job_instance_id": step.job_instance_id, "step_instance_id": step.step_instance_id}


def group(module: Any, version: str, methods: dict[str, str], path: str) -> Any:
    """Make a group of operations, as generated SDKs have them."""
    operations = {
        name: module.bind_property(module.Operation, name=name, method=method, path=path.format(name))
        for name, method in methods.items()
    }
    return type(f"Group{version}", (module.OperationGroup,), operations)


def gateway_client(url: str, version: str) -> Any:
    """Return a client of the gateway."""
    api = group(apigateway, version, GATEWAY[version], f"/api/{version}/{{}}/")
    members = {"_api_name": "bk-job", "api": apigateway.bind_property(api, name="api")}
    client = type("Client", (apigateway.APIGatewayClient,), members)(
        endpoint=f"{url}/api/{{api_name}}", stage="prod"
    )
    client.update_bkapi_authorization(**CREDENTIALS)
    return client


def v2_client(url: str) -> Any:
    """Return a client of the ESB's old component, which no generated SDK has any more."""
    path = "/api/c/compapi{{bk_api_ver}}/job/{}/"
    job = group(esb, "V2", dict.fromkeys(V2, "POST"), path)
    client = type("Client", (esb.ESBClient,), {"job": esb.bind_property(job, name="job")})(
        endpoint=url, bk_api_ver="v2"
    )
    client.update_bkapi_authorization(**CREDENTIALS)
    return client


def component_client(url: str) -> Any:
    """Return a client of the ESB, with all the components that its SDK has."""
    client = component.Client(endpoint=url, bk_api_ver="v2", language="en")
    client.update_bkapi_authorization(**CREDENTIALS)
    return client


def polled(
    server: ServerInThread, simulator: Simulator, ask: Callable[[], Any], flag: str = "finished"
) -> Any:
    """Ask again and again, while world time passes, until the job says that it is over."""
    for _ in range(100):
        data = ask()["data"]
        if data[flag]:
            return data
        server.run(simulator.advance, 5.0)
    raise AssertionError("the job does not end")


# Plan list, launch, poll, log --------------------------------------------------------------------------------------


def test_the_gateway_client_goes_from_a_plan_to_its_log(simulator: Simulator, server: ServerInThread) -> None:
    """Version 3, from nothing but a scope."""
    with gateway_client(server.url, "v3") as client:
        plan = client.api.get_job_plan_list({**SCOPE, "name": "release"})["data"]["data"][0]
        detail = client.api.get_job_plan_detail({**SCOPE, "job_plan_id": plan["id"]})["data"]
        hosts = detail["global_var_list"][0]["server"]["ip_list"]
        variables = [{"id": detail["global_var_list"][0]["id"], "server": {"ip_list": hosts[:2]}}]
        launched = client.api.execute_job_plan(
            {**SCOPE, "job_plan_id": plan["id"], "global_var_list": variables}
        )["data"]
        job = {**SCOPE, "job_instance_id": launched["job_instance_id"]}
        done = polled(server, simulator, lambda: client.api.get_job_instance_status(job))
        last = done["step_instance_list"][-1]
        step = {**job, "step_instance_id": last["step_instance_id"]}
        logs = client.api.batch_get_job_instance_ip_log(
            {**step, "ip_list": [{"bk_cloud_id": h["bk_cloud_id"], "ip": h["ip"]} for h in hosts[:2]]}
        )["data"]

    assert done["job_instance"]["status"] == 3
    assert [step["name"] for step in done["step_instance_list"]] == [s["name"] for s in detail["step_list"]]
    assert [log["bk_host_id"] for log in logs["script_task_logs"]] == [h["bk_host_id"] for h in hosts[:2]]
    assert all(log["log_content"] for log in logs["script_task_logs"])


def test_the_newest_gateway_client_goes_from_a_launch_to_its_log(
    simulator: Simulator, server: ServerInThread
) -> None:
    """Version 4 has no plans: a script on a host and a group."""
    target = {"host_list": [{"bk_host_id": 1}], "dynamic_group_list": [{"id": "web"}]}
    with gateway_client(server.url, "v4") as client:
        launched = client.api.fast_execute_script({**SCRIPT, "execute_target": target})["data"]
        job = {**SCOPE, "job_instance_id": launched["job_instance_id"]}
        done = polled(
            server,
            simulator,
            lambda: client.api.get_job_instance_status({**job, "return_execute_object_result": "true"}),
        )
        objects = done["step_instance_list"][0]["step_execute_object_result_list"]
        ids = [found["execute_object"]["host"]["bk_host_id"] for found in objects]
        logs = client.api.batch_get_job_instance_execute_object_log(
            {**job, "step_instance_id": launched["step_instance_id"], "host_id_list": ids}
        )["data"]

    assert len(ids) == 4
    assert all(log["log_content"] for log in logs["script_step_execute_object_logs"])


def test_the_esb_components_go_from_a_plan_to_its_log(simulator: Simulator, server: ServerInThread) -> None:
    """`jobv3`, as its SDK has the operations."""
    with component_client(server.url) as client:
        plans = client.jobv3.get_job_plan_list({**SCOPE, "start": 0, "length": 10})["data"]
        plan = client.jobv3.get_job_plan_detail({**SCOPE, "job_plan_id": plans["data"][-1]["id"]})["data"]
        launched = client.jobv3.execute_job_plan({**SCOPE, "job_plan_id": plan["id"]})["data"]
        job = {**SCOPE, "job_instance_id": launched["job_instance_id"]}
        done = polled(server, simulator, lambda: client.jobv3.get_job_instance_status(job))
        step = {**job, "step_instance_id": done["step_instance_list"][0]["step_instance_id"]}
        host = plan["step_list"][0]["script_info"]["server"]["ip_list"][0]
        log = client.jobv3.get_job_instance_ip_log(
            {**step, "bk_cloud_id": host["bk_cloud_id"], "ip": host["ip"]}
        )["data"]

    assert (done["job_instance"]["status"], done["job_instance"]["name"]) == (3, plan["name"])
    assert (log["bk_host_id"], log["log_content"]) == (host["bk_host_id"], "done\n")


def test_the_other_lists_of_the_esb_are_read_too(server: ServerInThread) -> None:
    """Whatever `jobv3` lists, and one script in full."""
    names = ("job_template", "account", "script", "public_script", "cron")
    with component_client(server.url) as client:
        pages = {name: getattr(client.jobv3, f"get_{name}_list")(SCOPE)["data"] for name in names}
        script = pages["script"]["data"][0]
        versions = client.jobv3.get_script_version_list({**SCOPE, "script_id": script["id"]})["data"]
        version = client.jobv3.get_script_version_detail({**SCOPE, "id": versions["data"][0]["id"]})["data"]
        cron = client.jobv3.get_cron_detail({**SCOPE, "id": pages["cron"]["data"][0]["id"]})["data"]

    assert all(page["total"] for page in pages.values())
    assert version["content"]
    assert cron["job_plan_id"] == 1000


def test_the_old_components_go_from_a_plan_to_its_log(simulator: Simulator, server: ServerInThread) -> None:
    """`job`, by the same core."""
    biz = {"bk_biz_id": 2}
    with v2_client(server.url) as client:
        plan = client.job.get_job_list({**biz, "name": "plan"})["data"][0]
        detail = client.job.get_job_detail({**biz, "bk_job_id": plan["bk_job_id"]})["data"]
        launched = client.job.execute_job({**biz, "bk_job_id": plan["bk_job_id"]})["data"]
        job = {**biz, "job_instance_id": launched["job_instance_id"]}
        done = polled(server, simulator, lambda: client.job.get_job_instance_status(job), flag="is_finished")
        (step,) = client.job.get_job_instance_log(job)["data"]

    addresses = {host["ip"] for host in detail["steps"][0]["ip_list"]}
    logs = [log for result in step["step_results"] for log in result["ip_logs"]]
    assert done["job_instance"]["status"] == 3
    assert {log["ip"] for log in logs} == addresses
    assert all(log["log_content"] for log in logs)


# One thing at a time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_the_gateway_client_launches_and_reads(server: ServerInThread, version: str) -> None:
    """`bkapi-client-core` in both versions."""
    with gateway_client(server.url, version) as client:
        targets = {"execute_target": {"host_list": [{"bk_host_id": 1}]}} if version == "v4" else {}
        launched = client.api.fast_execute_script({**SCRIPT, **targets})["data"]
        status = client.api.get_job_instance_status({**SCOPE, "job_instance_id": launched["job_instance_id"]})

    assert status["data"]["finished"] is False


def test_the_gateway_client_looks_at_steps_and_retries(
    simulator: Simulator, server: ServerInThread, ids: dict[str, int]
) -> None:
    """The documented three, through version 3."""
    with gateway_client(server.url, "v3") as client:
        step = client.api.get_step_instance_status({**SCOPE, **ids})["data"]
        client.api.operate_step_instance({**SCOPE, **ids, "operation_code": 2})
        again = client.api.get_job_instance_status({**SCOPE, "job_instance_id": ids["job_instance_id"]})

    assert [g["result_type"] for g in step["step_result_group_list"]] == [9, 104]
    assert again["data"]["step_instance_list"][0]["execute_count"] == 1


def test_the_gateway_client_recognizes_the_gateways_own_errors(server: ServerInThread) -> None:
    """By their headers."""
    with gateway_client(server.url, "v3") as client:
        client.update_bkapi_authorization(bk_app_code="", bk_app_secret="")
        with pytest.raises(Exception, match="1640001"):
            client.api.get_job_instance_status({**SCOPE, "job_instance_id": 1})


def test_the_esb_components_launch_read_and_retry(server: ServerInThread, ids: dict[str, int]) -> None:
    """`bkapi-component-open` speaks `jobv3`."""
    with component_client(server.url) as client:
        launched = client.jobv3.fast_execute_script(SCRIPT)["data"]
        fresh = client.jobv3.get_job_instance_status(
            {**SCOPE, "job_instance_id": launched["job_instance_id"]}
        )
        operated = client.jobv3.operate_step_instance({**SCOPE, **ids, "operation_code": 2})

    assert fresh["data"]["finished"] is False
    assert operated["data"]["step_instance_id"] == ids["step_instance_id"]


def test_the_old_components_are_read_as_well(server: ServerInThread, ids: dict[str, int]) -> None:
    """`job`, by the same core."""
    with v2_client(server.url) as client:
        status = client.job.get_job_instance_status(
            {"bk_biz_id": 2, "job_instance_id": ids["job_instance_id"]}
        )
        step = client.job.get_step_instance_status({"bk_biz_id": 2, **ids})
        client.job.operate_step_instance({"bk_biz_id": 2, **ids, "operation_code": 8})

    assert status["data"]["is_finished"] is True
    assert step["data"]["step_instance_detail"]["status"] == 4

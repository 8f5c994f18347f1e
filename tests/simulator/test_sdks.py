"""The platform's own SDKs drive the simulated platform, unchanged."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.thread import ServerInThread
from bkjob_async.simulator.world_plans import RED, JobPlan, StepPlan

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
    },
    "v4": {"get_job_instance_status": "GET", "fast_execute_script": "POST"},
}
V2 = ("get_job_instance_status", "get_step_instance_status", "operate_step_instance", "fast_execute_script")


@pytest.fixture
def simulator() -> Simulator:
    """Return a world with one job that has failed."""
    simulator = Simulator()
    simulator.add(JobPlan(steps=(StepPlan(hosts=3, pinned={1: RED}),)))
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
    with component.Client(endpoint=server.url, bk_api_ver="v2", language="en") as client:
        client.update_bkapi_authorization(**CREDENTIALS)
        launched = client.jobv3.fast_execute_script(SCRIPT)["data"]
        fresh = client.jobv3.get_job_instance_status(
            {**SCOPE, "job_instance_id": launched["job_instance_id"]}
        )
        operated = client.jobv3.operate_step_instance({**SCOPE, **ids, "operation_code": 2})

    assert fresh["data"]["finished"] is False
    assert operated["data"]["step_instance_id"] == ids["step_instance_id"]


def test_the_old_components_are_read_as_well(server: ServerInThread, ids: dict[str, int]) -> None:
    """`job`, with its nested parameters, by the same core."""
    path = "/api/c/compapi{{bk_api_ver}}/job/{}/"
    job = group(esb, "V2", dict.fromkeys(V2, "POST"), path)
    client = type("Client", (esb.ESBClient,), {"job": esb.bind_property(job, name="job")})(
        endpoint=server.url, bk_api_ver="v2"
    )
    with client:
        client.update_bkapi_authorization(**CREDENTIALS)
        status = client.job.get_job_instance_status(
            {"bk_biz_id": 2, "job_instance_id": ids["job_instance_id"]}
        )
        step = client.job.get_step_instance_status({"bk_biz_id": 2, "params": ids})
        client.job.operate_step_instance({"bk_biz_id": 2, **ids, "operation_code": 8})

    assert status["data"]["is_finished"] is True
    assert step["data"]["step_instance_detail"]["status"] == 4

"""Plans, templates, accounts, scripts and crons, and what single dialects offer."""

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.gateway.stored_items import read_target_server
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.errors import InvalidResponse, UsageError
from bkjob_async.model.operations.stored_queries import GetCronList, GetJobPlanList, GetScriptVersionDetail
from bkjob_async.model.operations.targets import Targets, TopoNode
from bkjob_async.model.refs import HostKey, Scope
from tests.dialects.sample_operations import (
    DAY,
    OPERATION_BY_NAME,
    SAMPLES,
    SCOPE,
    decoded,
    host,
    json_response,
    parameters,
    sent,
)

V3 = ("esb-jobv3", "gateway-v3")
SYSTEM = dialect_by_name("gateway-v3", system=True)


@pytest.mark.parametrize("name", V3)
def test_a_plan_tells_all_that_it_will_do(name: str) -> None:
    """Its scripts are plain text, its hosts are keys, its own words are beside them."""
    plan = decoded(f"{name}/get_job_plan_detail")
    greet, carry, sure = plan.steps
    who, where = plan.global_vars

    assert (plan.id, plan.name, plan.scope, plan.creator) == (12, "greet all", SCOPE, "ada")
    assert plan.create_time == datetime(2023, 11, 14, tzinfo=UTC)
    assert (greet.script.content, greet.script.parameters, greet.script.timeout) == (
        "echo $1\n",
        "hello",
        600,
    )
    assert (greet.script.account.name, greet.script.hosts) == ("root", (host(31),))
    assert (carry.file.path, carry.file.sources[0].files) == ("/srv", ("/opt/a.tgz",))
    assert carry.file.sources[0].account.name == "root"
    assert (sure.type, sure.approval_message) == (3, "go on?")
    assert (who.name, who.value, who.is_required, who.is_used) == ("who", "world", True, True)
    assert where.server == Targets(
        hosts=[host(31)], dynamic_groups=["night-shift"], topo_nodes=[TopoNode("set", 5)]
    )
    assert plan.raw["step_list"][0]["script_info"]["script_type"] == 1
    assert "world" not in repr(plan)


@pytest.mark.parametrize("name", V3)
def test_lists_are_pages(name: str) -> None:
    """With where they start, how many there are in all, and every item typed."""
    accounts = decoded(f"{name}/get_account_list")
    root, shop = accounts.items

    assert (accounts.start, accounts.length, accounts.total, accounts.next_start) == (0, 20, 2, None)
    assert (root.alias, root.category, root.type, root.os) == ("root", 1, 1, "Linux")
    assert (shop.account, shop.category, shop.db_system_account_id) == ("shop", 2, 6)
    (plan,) = decoded(f"{name}/get_job_plan_list").items
    assert (plan.id, plan.job_template_id, plan.need_update, plan.steps) == (12, 11, True, ())
    (script,) = decoded(f"{name}/get_public_script_list").items
    assert (script.id, script.scope, script.online_script_version_id) == ("5c1b", None, 71)
    (version,) = decoded(f"{name}/get_script_version_list").items
    assert (version.content, version.status, version.version) == ("echo hello\n", 1, "greet.2")
    assert decoded(f"{name}/get_public_script_version_list").items[0].content is None
    (cron,) = decoded(f"{name}/get_cron_list").items
    assert (cron.job_plan_id, cron.expression, cron.status) == (12, "0 3 * * *", 1)
    assert cron.create_time == datetime(2023, 11, 14, tzinfo=UTC)


def test_times_of_crons_are_counted_in_seconds_and_all_others_in_milliseconds() -> None:
    """Each list has its own unit, and names go out as the platform has them."""
    plans = GetJobPlanList(scope=SCOPE, item_name="greet", create_time_start=DAY, start=40, length=10)
    crons = GetCronList(scope=SCOPE, item_name="night", create_time_start=DAY)

    assert sent("gateway-v3", plans) == {
        "bk_scope_type": "biz",
        "bk_scope_id": "2",
        "name": "greet",
        "start": "40",
        "length": "10",
        "create_time_start": "1699920000000",
    }
    assert sent("gateway-v3", crons)["create_time_start"] == "1699920000"
    assert "bk_scope_id" not in sent("esb-jobv3", OPERATION_BY_NAME["get_public_script_list"])
    assert sent("gateway-v3", OPERATION_BY_NAME["get_script_version_list"])["return_script_content"] == "true"


def test_what_makes_no_sense_is_refused_before_it_is_sent() -> None:
    """A page that is too long, a time without a zone, a version that nobody names."""
    with pytest.raises(ValueError, match="length"):
        GetJobPlanList(scope=SCOPE, length=1001)
    with pytest.raises(ValueError, match="zone"):
        GetJobPlanList(scope=SCOPE, create_time_start=datetime(2023, 1, 1))  # noqa: DTZ001 - the case
    with pytest.raises(ValueError, match="script_id and version"):
        GetScriptVersionDetail(scope=SCOPE, script_id="5c1b")
    addressed: Any = evolve(OPERATION_BY_NAME["get_script_task_context"], host="0:10.1.0.31")  # type: ignore[misc]
    with pytest.raises(UsageError, match="bk_host_id"):
        dialect_by_name("gateway-v4").encode(addressed)


@pytest.mark.parametrize(
    "changed", [{"id": 13}, {"bk_scope_id": "3", "bk_biz_id": 3}, {"bk_scope_type": "biz_set"}]
)
def test_another_answer_is_not_believed(changed: dict[str, Any]) -> None:
    """An item with another id, or in another scope, is the response to another request."""
    sample = SAMPLES["gateway-v3/get_job_plan_detail"]
    body = {**sample, "data": {**sample["data"], **changed}}

    with pytest.raises(InvalidResponse):
        dialect_by_name("gateway-v3").decode(OPERATION_BY_NAME["get_job_plan_detail"], json_response(body))


def test_a_plan_may_have_its_id_under_the_name_of_the_document() -> None:
    """Servers and documents disagree."""
    sample = SAMPLES["gateway-v3/get_job_plan_detail"]
    data = {name: value for name, value in sample["data"].items() if name != "id"}

    found: Any = dialect_by_name("gateway-v3").decode(
        OPERATION_BY_NAME["get_job_plan_detail"],
        json_response({**sample, "data": {**data, "job_plan_id": 12}}),
    )

    assert found.id == 12


def test_operations_for_pipelines_have_names_of_their_own() -> None:
    """Targets, callback and rows of hosts are called otherwise there."""
    targets = Targets(hosts=[31], dynamic_groups="g", topo_nodes=[("set", 5)])
    script: Any = evolve(  # type: ignore[misc]
        OPERATION_BY_NAME["bkci_plugin_fast_execute_script"], targets=targets, callback_url="https://me/x"
    )
    file: Any = evolve(OPERATION_BY_NAME["bkci_plugin_fast_transfer_file"], targets=targets)  # type: ignore[misc]
    named = {
        "host_list": [{"bk_host_id": 31}],
        "host_dynamic_group_list": [{"id": "g"}],
        "host_topo_node_list": [{"id": 5, "node_type": "set"}],
    }

    body = parameters(SYSTEM.encode(script))
    logs = SYSTEM.encode(OPERATION_BY_NAME["bkci_plugin_batch_get_job_instance_execute_object_log"])

    assert (body["execute_target"], body["callback"]) == (named, {"url": "https://me/x"})
    assert (body["is_param_sensitive"], "callback_url" in body) == (False, False)
    assert parameters(SYSTEM.encode(file))["execute_object"] == named
    assert parameters(logs)["execute_object_list"] == [{"type": 1, "resource_id": "31"}]
    assert logs.url.path == ("api/v3/system/bkci_plugin_batch_get_job_instance_execute_object_log")


def test_responses_of_single_dialects_are_typed() -> None:
    """Containers beside hosts, agent tasks with their step, upload URLs that do not show, contexts in order."""
    status = decoded("gateway-v3/bkci_plugin_get_job_instance_status")
    first, second = status.steps[0].hosts
    (task,) = decoded("gateway-v3/query_gse_task")
    (upload,) = decoded("gateway-v3/generate_local_file_upload_url")
    context = decoded("gateway-v4/get_script_task_context")

    assert (first.host, first.tag) == (host(31), "red")
    assert second.host == HostKey(container_id=501, container_name="web-0")
    assert (str(task.ref), task.execute_count, task.batch) == ("2:7001/8001", 0, 0)
    assert task == decoded("gateway-v3/query_job_instance")
    assert task.links[0].startswith("https://job.example.com/api_execute_step/7001/8001")
    assert (upload.file_name, upload.path) == ("a.txt", "2/8f/ada/a.txt")
    assert "t0ken" in upload.upload_url
    assert "t0ken" not in repr(upload)
    assert [field.name for field in context] == ["scriptType", "errorLog"]


def test_a_tenant_set_keeps_its_plans() -> None:
    """The oldest number of its scope stands for no business."""
    sample = SAMPLES["gateway-v3/get_job_plan_list"]
    row = {**sample["data"]["data"][0], "bk_scope_type": "tenant_set", "bk_scope_id": "1"}
    body = {**sample, "data": {**sample["data"], "data": [{**row, "bk_biz_id": 2**63 - 1}]}}

    page = dialect_by_name("gateway-v3").decode(
        GetJobPlanList(scope=Scope.tenant_set(1)), json_response(body)
    )

    assert page.items[0].scope == Scope.tenant_set(1)


def test_numbers_that_name_no_host_are_left_out() -> None:
    """The platform writes 0 where a host has no number of its own."""
    server = JsonObject({"host_id_list": [0, 31, -1, True, "32"]})

    assert read_target_server(server) == Targets(hosts=[HostKey(bk_host_id=31)])

"""Operations that few callers have: tools, the pipeline plug-in, contexts, uploads."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.hosts import container, host
from bkjob_async.simulator.world.plans import FAILS, Rolling, SimulatedJob, StepInputs, StepPlan
from tests.simulator.http_calls import ask, body, data, of

BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
PLUGIN = "system/bkci_plugin_"


def finished(*steps: StepPlan) -> tuple[Simulator, list[StepRef]]:
    """Let one job live to its end; return its steps."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(steps=steps))
    simulator.world.advance_to_end(600)
    return simulator, list(simulator.steps(ref))


def code(simulator: Simulator, operation: str, given: dict[str, Any], **how: Any) -> tuple[int, Any]:
    """Return the HTTP status and the code of a refusal."""
    response = ask(simulator, operation, given, **how)
    answer = body(response)
    return response.status, answer["error"]["details"][0]["code"] if "error" in answer else answer["code"]


def test_a_step_leads_to_its_tasks_and_back() -> None:
    """One task for each execution and batch; no scope is needed."""
    rolls = StepPlan(hosts=3, rolling=Rolling(sizes=(1, 2)), pinned={2: FAILS})
    simulator, (step,) = finished(rolls)
    simulator.world.operate_step(simulator.step(step), 2)
    simulator.world.advance_to_end(2000)

    tasks = data(ask(simulator, "system/query_gse_task", {"step_instance_id": step.step_instance_id}))
    back = [
        data(ask(simulator, "system/query_job_instance", {"gse_task_id": task["gse_task_id"]}))
        for task in tasks
    ]

    assert {(task["retry_count"], task["batch"]) for task in tasks} >= {(0, 1), (0, 2), (1, 2)}
    assert back == tasks
    assert {task["job_instance_id"] for task in tasks} == {step.job_instance_id}
    assert all(str(step.step_instance_id) in task["link"][0] for task in tasks)


def test_unknown_tasks_and_steps_are_refused() -> None:
    """1241010 names the reason; a confirmation has no task."""
    simulator, (step,) = finished(StepPlan(kind=CONFIRM, hosts=0))

    assert code(simulator, "system/query_gse_task", {"step_instance_id": 5}) == (200, 1241010)
    assert code(simulator, "system/query_job_instance", {"gse_task_id": "GSETASK:1:0:0"}) == (200, 1241010)
    assert data(ask(simulator, "system/query_gse_task", {"step_instance_id": step.step_instance_id})) == []


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        ("query_gse_task", "GET"),
        ("query_job_instance", "GET"),
        ("generate_local_file_upload_url", "POST"),
        ("bkci_plugin_fast_execute_script", "POST"),
    ],
)
def test_some_operations_are_for_systems_alone(operation: str, method: str) -> None:
    """The plain path leads nowhere."""
    assert code(Simulator(), operation, BIZ, method=method) == (404, 1640401)
    assert code(Simulator(), f"system/{operation}", BIZ, method=method) != (404, 1640401)


def test_the_plugin_runs_a_script_and_reads_it() -> None:
    """Launch, status, logs, in objects; the callback is wrapped."""
    simulator = Simulator()
    given = {
        **BIZ,
        "script_content": base64.b64encode(b"echo hello").decode(),
        "account_alias": "root",
        "execute_target": {"host_list": [{"bk_host_id": 1}, {"bk_cloud_id": 0, "ip": "10.0.0.2"}]},
        "callback": {"url": "http://127.0.0.1:1/x"},
    }
    launched = data(ask(simulator, f"{PLUGIN}fast_execute_script", given, method="POST"))
    simulator.world.advance_to_end()
    ids = {**BIZ, "job_instance_id": launched["job_instance_id"]}

    status = data(
        ask(
            simulator,
            f"{PLUGIN}get_job_instance_status",
            {**ids, "include_execute_object_task_result": True},
            method="POST",
        )
    )
    objects = [{"type": 1, "resource_id": "1"}, {"type": 1, "resource_id": "99"}]
    wanted = {**ids, "step_instance_id": launched["step_instance_id"], "execute_object_list": objects}
    log = data(ask(simulator, f"{PLUGIN}batch_get_job_instance_execute_object_log", wanted, method="POST"))

    rows = status["step_instance_list"][0]["execute_object_result_list"]
    assert status["finished"] is True
    assert [row["execute_object"]["resource_id"] for row in rows] == ["1", "2"]
    assert [entry["log_content"] for entry in log["script_execute_object_task_logs"]] == ["hello\n"]
    assert log["file_execute_object_task_logs"] is None
    assert simulator.job(simulator.refs[0]).plan.callback_url == "http://127.0.0.1:1/x"


def test_the_plugin_sends_files_but_no_uploaded_ones() -> None:
    """Targets are an `execute_object` here."""
    simulator = Simulator()
    source = {"file_list": ["/a"], "server": {"host_id_list": [9]}}
    given = {
        **BIZ,
        "account_alias": "root",
        "file_target_path": "/srv",
        "file_source_list": [source],
        "execute_object": {"host_list": [{"bk_host_id": 1}], "host_dynamic_group_list": [{"id": "web"}]},
    }
    operation = f"{PLUGIN}fast_transfer_file"

    launched = data(ask(simulator, operation, given, method="POST"))
    simulator.world.advance_to_end()
    wanted = {
        **BIZ,
        "job_instance_id": launched["job_instance_id"],
        "step_instance_id": launched["step_instance_id"],
        "execute_object_list": [{"type": 1, "resource_id": "1"}],
    }
    log = data(ask(simulator, f"{PLUGIN}batch_get_job_instance_execute_object_log", wanted, method="POST"))
    uploaded = {**given, "file_source_list": [{**source, "file_type": 2}]}

    assert len(set(simulator.job(simulator.refs[0]).hosts())) == 4
    transfers = log["file_execute_object_task_logs"][0]["file_atomic_task_logs"]
    assert [transfer["src_execute_object"]["resource_id"] for transfer in transfers] == ["9"]
    assert transfers[0]["dest_execute_object"]["resource_id"] == "1"
    assert code(simulator, operation, uploaded, method="POST") == (200, 1241010)


def test_the_plugin_sees_containers() -> None:
    """Their own id is a `container_uid` here."""
    simulator, (step,) = finished(StepPlan(hosts=(container(5),)))
    given = {**of(step.job), "include_execute_object_task_result": "true"}

    status = data(ask(simulator, f"{PLUGIN}get_job_instance_status", given, method="POST"))

    found = status["step_instance_list"][0]["execute_object_result_list"][0]["execute_object"]
    assert (found["type"], found["container"]["container_uid"][:9]) == (2, "docker://")


def context(simulator: Simulator, step: StepRef, operation: str, **more: Any) -> dict[str, str]:
    """Ask for the context of the first host; return values by name."""
    given = {
        **of(step),
        "execute_count": 0,
        "execute_object_type": 1,
        "execute_object_resource_id": host(1).bk_host_id,
        **more,
    }
    found = data(ask(simulator, operation, given, dialect="gateway-v4", method="POST"))
    assert all(field["description"] for field in found["field_list"])
    return {field["name"]: field["value"] for field in found["field_list"]}


def test_a_failed_script_has_a_context() -> None:
    """The script, its parameters, what was printed, or the text that is given."""
    inputs = StepInputs(parameters="p4ss", is_param_sensitive=True)
    simulator, (step,) = finished(StepPlan(outcomes=(FAILS,), content="cat x", inputs=inputs))

    found = context(simulator, step, "get_script_task_context")
    chosen = context(simulator, step, "get_script_task_context", content="this line")

    assert (found["scriptType"], found["scriptContent"], found["errorLog"]) == ("shell", "cat x", FAILS.log)
    assert (found["secureParam"], found["scriptParams"]) == ("true", "******")
    assert chosen["errorLog"] == "this line"


def test_a_failed_transfer_has_a_context() -> None:
    """Which way it failed on."""
    simulator, (step,) = finished(StepPlan(kind=FILE, outcomes=(FAILS,), content="/a"))

    found = context(simulator, step, "get_file_task_context", mode=1)

    assert (found["errorSource"], found["uploadFileErrorData"]) == ("download", "")
    assert "/a" in found["downloadFileErrorData"]


@pytest.mark.parametrize(
    ("operation", "change", "expected"),
    [
        ("get_file_task_context", {"mode": 1}, (400, "1264001")),
        ("get_file_task_context", {}, (400, "1241025")),
        ("get_script_task_context", {"execute_object_resource_id": 99}, (400, "1264004")),
        ("get_script_task_context", {"execute_count": 3}, (400, "1264004")),
        ("get_script_task_context", {"execute_object_type": 3}, (400, "1241025")),
    ],
)
def test_contexts_of_nothing_are_refused(
    operation: str, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    """In version 4's envelope."""
    simulator, (step,) = finished(StepPlan())
    given = {
        **of(step),
        "execute_count": 0,
        "execute_object_type": 1,
        "execute_object_resource_id": 1,
        **change,
    }

    assert code(simulator, operation, given, dialect="gateway-v4", method="POST") == expected


@pytest.mark.parametrize(("dialect", "path"), [("gateway-v3", "system/"), ("esb-jobv3", "")])
def test_urls_for_uploads(dialect: str, path: str) -> None:
    """A URL and a path for each file; none without names."""
    operation = f"{path}generate_local_file_upload_url"
    simulator = Simulator()
    given = {**BIZ, "file_name_list": ["a.txt", "b.txt"]}

    urls = data(ask(simulator, operation, given, dialect=dialect, method="POST"))["url_map"]

    assert list(urls) == ["a.txt", "b.txt"]
    assert all(entry["path"] in entry["upload_url"] for entry in urls.values())
    assert code(simulator, operation, BIZ, dialect=dialect, method="POST") == (200, 1241007)

"""Launches and logs."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.hosts import container, host, host_by_address, host_by_id
from bkjob_async.simulator.world.plans import (
    HostOutcome,
    SimulatedJob,
    StepPlan,
    exactly,
    rolling_sizes,
)
from tests.simulator.http_calls import ask, body, data, of

BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
TARGETS: dict[str, dict[str, Any]] = {
    "gateway-v3": {"target_server": {"host_id_list": [1, 2]}},
    "esb-jobv3": {"target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]}},
    "gateway-v4": {"execute_target": {"host_list": [{"bk_host_id": 1}]}},
    "esb-job": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}], "account": "root"},
}


def coded(text: str) -> str:
    """Return a script as it travels."""
    return base64.b64encode(text.encode()).decode()


def script(dialect: str, text: str = "uptime", **more: Any) -> dict[str, Any]:
    """Return what `fast_execute_script` takes."""
    scope = {"bk_biz_id": 2} if dialect == "esb-job" else BIZ
    return {**scope, **TARGETS[dialect], "account_alias": "root", "script_content": coded(text), **more}


def launch(simulator: Simulator, operation: str, given: dict[str, Any], dialect: str = "gateway-v3") -> Any:
    """Launch something."""
    return data(ask(simulator, operation, given, dialect=dialect, method="POST"))


@pytest.mark.parametrize("dialect", list(TARGETS))
def test_a_script_runs_in_every_dialect(dialect: str) -> None:
    """The job is there, by the id that came back, and ends."""
    simulator = Simulator()

    answer = launch(simulator, "fast_execute_script", script(dialect, task_name="tidy up"), dialect)
    simulator.world.advance_to_end()

    job = simulator.world.jobs[answer["job_instance_id"]]
    assert (job.status, job.plan.operator) == (3, "admin")
    assert "step_instance_id" in answer
    assert answer["job_instance_name"] == "tidy up"


def test_the_component_of_old_sites_does_not_tell_the_step_of_a_launch() -> None:
    """Only the ids of jobs."""
    simulator = Simulator(site=SiteConfig(legacy_esb=True))

    answer = launch(simulator, "fast_execute_script", script("esb-job"), "esb-job")

    assert set(answer) == {"job_instance_id", "job_instance_name"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"script_content": None}, 1241007),
        ({"script_content": "not base64!"}, 1241007),
        ({"script_language": 9}, 1241007),
        ({"account_alias": None}, 1241007),
        ({"target_server": {}}, 1244001),
        ({"target_server": {"host_id_list": [0]}}, 1241007),
        ({"target_server": {"host_id_list": list(range(1, 50_002))}}, 1244022),
        ({"bk_scope_type": None}, 1240003),
    ],
)
def test_launches_that_make_no_sense_are_refused(change: dict[str, Any], code: int) -> None:
    """Nothing is created."""
    simulator = Simulator()
    given = {k: v for k, v in {**script("gateway-v3"), **change}.items() if v is not None}

    assert body(ask(simulator, "fast_execute_script", given, method="POST"))["code"] == code
    assert simulator.refs == ()


def test_files_are_sent() -> None:
    """As a file step, under either name of the operation."""
    simulator = Simulator()
    source = [{"file_list": ["/data/a", "/data/b"], "server": {"host_id_list": [9]}}]
    new = {
        **BIZ,
        **TARGETS["gateway-v3"],
        "account_id": 1,
        "file_source_list": source,
        "file_target_path": "/data/",
    }
    old = {**new, **TARGETS["esb-job"], "bk_biz_id": 2, "file_source": [{"files": ["/data/a"]}]}

    launch(simulator, "fast_transfer_file", new)
    launch(simulator, "fast_push_file", old, "esb-job")

    assert [job.steps[0].plan.kind for job in simulator.world.jobs.values()] == [2, 2]


def test_a_plan_of_the_site_is_launched_on_the_hosts_of_its_variables() -> None:
    """An unknown one is 1244012."""
    plan = SimulatedJob(name="release", steps=(StepPlan(hosts=2), StepPlan(hosts=2, kind=2)))
    simulator = Simulator(site=SiteConfig(plans={7: plan}))
    hosts = [{"name": "hosts", "server": {"host_id_list": [41, 42, 43]}}]

    answer = launch(simulator, "execute_job_plan", {**BIZ, "job_plan_id": 7, "global_var_list": hosts})
    unknown = ask(simulator, "execute_job_plan", {**BIZ, "job_plan_id": 8}, method="POST")

    job = simulator.world.jobs[answer["job_instance_id"]]
    assert [[h.bk_host_id for h in step.hosts] for step in job.steps] == [[41, 42, 43]] * 2
    assert answer["step_instance_id"] is None
    assert body(unknown)["code"] == 1244012


def test_a_launch_may_wait_to_be_started_and_may_roll() -> None:
    """`start_task` false, and a rolling expression."""
    simulator = Simulator()
    rolling = {"type": 1, "mode": 3, "expression": "1 50% +1"}
    given = script("gateway-v3", start_task=False, rolling_config=rolling)

    answer = launch(simulator, "fast_execute_script", given)
    simulator.world.advance(100.0)

    job = simulator.world.jobs[answer["job_instance_id"]]
    assert job.status == 1
    assert job.steps[0].plan.rolling is not None
    assert job.steps[0].plan.rolling.sizes == (1, 1)


@pytest.mark.parametrize(
    ("expression", "total", "sizes"),
    [
        ("10", 25, (10, 10, 5)),
        ("10% 50% 100%", 20, (2, 10, 8)),
        ("1 +2", 10, (1, 3, 5, 1)),
        ("1 *2", 10, (1, 2, 4, 3)),
    ],
)
def test_rolling_expressions_make_batches(expression: str, total: int, sizes: tuple[int, ...]) -> None:
    """The last part repeats until all hosts are in one."""
    assert rolling_sizes(expression, total) == sizes


@pytest.mark.parametrize("expression", ["", "0", "abc", "-1", "*0", "+0"])
def test_other_rolling_expressions_are_none(expression: str) -> None:
    """1244026."""
    simulator = Simulator()
    given = script("gateway-v3", rolling_config={"expression": expression})

    assert body(ask(simulator, "fast_execute_script", given, method="POST"))["code"] == 1244026


def test_a_fleets_hosts_are_the_same_by_id_and_by_address() -> None:
    """An address outside it has an id as well, always the same."""
    assert host_by_id(258) == host_by_address(0, "10.0.1.2") == host(258)
    assert host_by_id(20_000_258) == host_by_address(2, "10.0.1.2")
    assert host_by_address(0, "192.168.0.1") == host_by_address(0, "192.168.0.1")


# Logs ---------------------------------------------------------------------------------------------------------------


def test_a_log_grows_while_its_host_runs() -> None:
    """Nothing, a part, everything."""
    simulator = Simulator(at_once=True)
    plan = StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(10.0), log="0123456789"),))
    step = simulator.steps(simulator.add(SimulatedJob(steps=(plan,))))[0]
    logs = []
    for moment in (0.4, 5.8, 20.0):
        parameters = {**of(step), "bk_host_id": 1}
        logs.append(data(ask(simulator, "get_job_instance_ip_log", parameters, now=moment))["log_content"])

    assert logs == [None, "01234", "0123456789"]


def test_logs_come_in_batches_of_limited_size() -> None:
    """500 hosts in version 3, 50 objects in version 4."""
    simulator = Simulator()
    step = simulator.steps(simulator.add(SimulatedJob(steps=(StepPlan(hosts=3),))))[0]
    simulator.world.advance_to_end()
    v3, v4 = "batch_get_job_instance_ip_log", "batch_get_job_instance_execute_object_log"

    logs = launch(simulator, v3, {**of(step), "host_id_list": [1, 2, 99]})
    objects = launch(simulator, v4, {**of(step), "host_id_list": [1, 2]}, "gateway-v4")
    too_many = ask(simulator, v3, {**of(step), "host_id_list": list(range(1, 502))}, method="POST")
    too_many_v4 = ask(
        simulator, v4, {**of(step), "host_id_list": list(range(1, 52))}, dialect="gateway-v4", method="POST"
    )

    assert [entry["bk_host_id"] for entry in logs["script_task_logs"]] == [1, 2]
    assert [o["log_content"] for o in objects["script_step_execute_object_logs"]] == ["done\n"] * 2
    assert body(too_many)["code"] == 1241007
    assert too_many_v4.status == 400


def test_a_containers_log_is_requested_by_its_id() -> None:
    """Version 4 only."""
    simulator = Simulator()
    step = simulator.steps(simulator.add(SimulatedJob(steps=(StepPlan(hosts=(container(1),)),))))[0]
    simulator.world.advance_to_end()

    given = {**of(step), "container_id_list": [container(1).container_id]}
    logs = launch(simulator, "batch_get_job_instance_execute_object_log", given, "gateway-v4")

    assert logs["script_step_execute_object_logs"][0]["execute_object"]["container"]["name"] == "app-1"


def sent_files() -> tuple[Simulator, StepRef]:
    """Return a step that has sent a file from host 1 to the hosts 1 and 2."""
    simulator = Simulator()
    plan = StepPlan(kind=2, hosts=2, content="/data/a")
    step = simulator.steps(simulator.add(SimulatedJob(steps=(plan,))))[0]
    simulator.world.advance_to_end()
    return simulator, step


def test_the_log_of_one_host_has_ids_of_hosts_only() -> None:
    """Its downloads, then all uploads; where a file is and how far it came is not told."""
    simulator, step = sent_files()

    log = data(ask(simulator, "get_job_instance_ip_log", {**of(step), "bk_host_id": 2}))

    nothing = dict.fromkeys(("bk_cloud_id", "bk_cloud_name", "ip", "ipv6", "bk_agent_id", "alive"))
    unknown = dict.fromkeys(("size", "speed", "process"))
    download, upload = log["file_logs"]
    assert download == {
        "mode": 1,
        "src_ip": {"bk_host_id": 1, **nothing},
        "src_path": "/data/a",
        "dest_ip": {"bk_host_id": 2, **nothing},
        "dest_path": "/data/a",
        "status": 4,
        "log_content": "done\n",
        **unknown,
    }
    assert upload == {
        **download,
        "mode": 0,
        "dest_ip": None,
        "dest_path": None,
        "log_content": "uploaded",
    }


def test_logs_of_many_hosts_have_uploads_of_sources_and_downloads_of_targets() -> None:
    """Version 3 names hosts by id and address, without `host_id` and `ipv6`; an upload has no destination."""
    simulator, step = sent_files()

    logs = launch(simulator, "batch_get_job_instance_ip_log", {**of(step), "host_id_list": [1, 2]})

    first, second = logs["file_task_logs"]
    assert {key: value for key, value in second.items() if key != "file_logs"} == {
        "bk_host_id": 2,
        "bk_cloud_id": 0,
        "ip": "10.0.0.2",
    }
    assert [entry["mode"] for entry in first["file_logs"]] == [0, 1]
    assert [entry["mode"] for entry in second["file_logs"]] == [1]
    upload, download = first["file_logs"][0], second["file_logs"][0]
    assert (upload["dest_ip"], upload["dest_path"], upload["src_ip"]["ip"]) == (None, None, "10.0.0.1")
    assert (download["dest_ip"]["ip"], download["size"], download["process"]) == ("10.0.0.2", "1 KB", "100%")


def test_version_4_has_execute_objects_in_logs_of_files() -> None:
    """No address beside them, and no empty list."""
    simulator, step = sent_files()

    logs = launch(
        simulator,
        "batch_get_job_instance_execute_object_log",
        {**of(step), "host_id_list": [1, 2]},
        "gateway-v4",
    )

    source, target = logs["file_step_execute_object_logs"]
    assert set(source) == {"execute_object", "upload_log", "download_log"}
    assert set(target) == {"execute_object", "download_log"}
    (download,) = target["download_log"]
    assert download["src_execute_object"]["resource_id"] == "1"
    assert download["dest_execute_object"]["host"]["ip"] == "10.0.0.2"
    assert not {"src_ip", "dest_ip"} & set(download)
    assert not {"dest_execute_object", "dest_path"} & set(source["upload_log"][0])


def test_version_4_names_the_agent_and_the_network_area_of_a_host() -> None:
    """In rows of hosts and in logs."""
    simulator, step = sent_files()

    status = data(
        ask(
            simulator,
            "get_job_instance_status",
            {**of(step.job), "return_execute_object_result": "true"},
            dialect="gateway-v4",
        )
    )

    row = status["step_instance_list"][0]["step_execute_object_result_list"][0]
    assert set(row["execute_object"]["host"]) == {
        "bk_host_id", "ip", "bk_cloud_id", "bk_cloud_name", "bk_agent_id",
    }  # fmt: skip


def test_version_2_tells_all_logs_of_a_job_at_once() -> None:
    """By status and tag; a host that never ran has no times, null ones now; the current backend escapes."""
    simulator = Simulator()
    outcome = HostOutcome(log="a < b\n")
    plan = StepPlan(hosts=2, outcomes=(outcome,), pinned={0: HostOutcome(status=18, log="")})
    ref = simulator.add(SimulatedJob(steps=(plan,)))
    simulator.world.advance_to_end()

    (step,) = data(ask(simulator, "get_job_instance_log", of(ref, "esb-job"), dialect="esb-job"))

    ran, absent = (result["ip_logs"][0] for result in step["step_results"])
    assert ran["log_content"] == "a &lt; b\n"
    assert absent["start_time"] is not None
    assert ran["execute_count"] == 0

"""The inputs of a step, as `get_step_instance_detail` shows them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import CONFIRM, FILE, SQL
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SimulatedJob, StepInputs, StepPlan
from tests.simulator.http_calls import ask, body, data, of

BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}


def coded(text: str) -> str:
    """Return a text as it travels."""
    return base64.b64encode(text.encode()).decode()


def detail(simulator: Simulator, order: int = 0) -> Any:
    """Return the inputs of a step of the last job."""
    step = simulator.steps(simulator.refs[-1])[order]
    return data(ask(simulator, "get_step_instance_detail", of(step)))


def test_a_launched_script_is_shown_in_plain_text() -> None:
    """With everything that the launch said; only `script_info` is filled."""
    simulator = Simulator()
    given = {
        **BIZ,
        "task_name": "tidy up",
        "script_content": coded("echo tidy"),
        "script_param": coded("one two"),
        "account_alias": "root",
        "timeout": 60,
        "target_server": {"host_id_list": [1]},
    }
    ask(simulator, "fast_execute_script", given, method="POST")

    found = detail(simulator)

    assert (found["name"], found["type"], found["file_info"], found["approval_info"]) == (
        "tidy up",
        1,
        None,
        None,
    )
    script = found["script_info"]
    assert (script["script_content"], script["script_param"]) == ("echo tidy", "one two")
    assert (script["script_language"], script["script_timeout"], script["account"]["name"]) == (1, 60, "root")
    assert script["server"]["ip_list"] == [{"bk_host_id": 1, "bk_cloud_id": 0, "ip": "10.0.0.1"}]
    assert (script["is_param_sensitive"], script["is_ignore_error"]) == (0, 0)


def test_sensitive_parameters_are_hidden() -> None:
    """Six stars in their place."""
    simulator = Simulator()
    simulator.add(
        SimulatedJob(steps=(StepPlan(inputs=StepInputs(parameters="p4ss", is_param_sensitive=True)),))
    )

    script = detail(simulator)["script_info"]

    assert (script["script_param"], script["is_param_sensitive"]) == ("******", 1)


def test_sent_files_are_shown_with_where_they_come_from_and_go_to() -> None:
    """Hosts, uploaded files, limits."""
    simulator = Simulator()
    given = {
        **BIZ,
        "account_alias": "root",
        "file_source_list": [
            {"file_list": ["/a"], "server": {"host_id_list": [9]}, "account": {"alias": "mysql"}},
            {"file_list": ["2/b"], "file_type": 2},
        ],
        "file_target_path": "/srv/",
        "file_target_name": "c",
        "transfer_mode": 1,
        "upload_speed_limit": 10,
        "target_server": {"host_id_list": [1]},
    }
    ask(simulator, "fast_transfer_file", given, method="POST")

    found = detail(simulator)

    files = found["file_info"]
    assert (found["type"], found["script_info"]) == (2, None)
    first, second = files["file_source_list"]
    assert (first["file_list"], first["account"]["name"], first["file_type"]) == (["/a"], "mysql", 1)
    assert first["server"]["ip_list"][0]["bk_host_id"] == 9
    assert (second["file_list"], second["file_type"], second["server"]) == (["2/b"], 2, None)
    assert files["file_destination"]["path"] == "/srv/"
    assert files["file_destination"]["server"]["ip_list"][0]["bk_host_id"] == 1
    assert (files["transfer_mode"], files["source_speed_limit"]) == (1, 10)
    assert simulator.job(simulator.refs[0]).plan.steps[0].inputs.target_name == "c"


@pytest.mark.parametrize(("kind", "reported", "filled"), [(FILE, 2, "file_info"), (SQL, 1, "script_info")])
def test_steps_that_were_only_named_have_inputs_too(kind: int, reported: int, filled: str) -> None:
    """No member is empty."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(kind=kind, content="/data/a"),)))

    found = detail(simulator)

    assert found["type"] == reported
    assert found[filled] is not None


def test_a_confirmation_tells_what_is_asked() -> None:
    """Its status cannot be requested; its inputs can."""
    simulator = Simulator()
    simulator.add(SimulatedJob(steps=(StepPlan(kind=CONFIRM, inputs=StepInputs(confirm_message="Sure?")),)))

    found = detail(simulator)

    assert (found["type"], found["approval_info"]["approval_message"]) == (3, "Sure?")


@pytest.mark.parametrize(("kind", "number"), [(1, 77), (FILE, None)])
def test_a_log_by_address_tells_the_id_of_its_host(kind: int, number: int | None) -> None:
    """As soon as a script has a log, and never for files; the address is needed in full."""
    simulator = Simulator()
    own = Host(bk_host_id=77, bk_cloud_id=3, ip="192.168.0.7")
    step = simulator.steps(simulator.add(SimulatedJob(steps=(StepPlan(kind=kind, hosts=(own,)),))))[0]
    by_address = {**of(step), "bk_cloud_id": 3, "ip": "192.168.0.7"}

    early = data(ask(simulator, "get_job_instance_ip_log", by_address))
    simulator.world.advance_to_end()
    late = data(ask(simulator, "get_job_instance_ip_log", by_address))
    bare = ask(simulator, "get_job_instance_ip_log", {**of(step), "ip": "192.168.0.7"})

    assert (early["bk_host_id"], late["bk_host_id"], late["ip"]) == (None, number, "192.168.0.7")
    assert late["log_content"] or late["file_logs"]
    assert body(bare)["code"] == 1241007

"""Launches, logs, lists, variables and details, under the names of every version."""

import copy
from typing import Any

import pytest
from attrs import evolve

from bkjob_async.model.operations.base import OperationAccepted
from bkjob_async.model.operations.codes import FileMode, FileStatus, TaskType
from bkjob_async.model.operations.responses import JobInstance, Page, StepLogs
from bkjob_async.model.refs import HostKey, Scope
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from tests.dialects.sample_operations import (
    DIALECTS,
    JOB,
    OPERATION_BY_NAME,
    SAMPLES,
    SCOPE,
    STEP,
    decoded,
    host,
    json_response,
    sample_call,
)

LAUNCHES = [name for name in SAMPLES if "/fast_" in name or "/execute_" in name or "/push_" in name]


def read(sample: str, body: Any) -> Any:
    """Read another body as the response to a sample's request."""
    codec, operation = sample_call(sample)
    return codec.decode(operation, json_response(body))


@pytest.mark.parametrize("sample", LAUNCHES)
def test_a_launch_names_its_job_and_perhaps_its_step(sample: str) -> None:
    """Quick launches have one step; the oldest dialect and plans do not name it."""
    launched = decoded(sample)

    assert launched.ref.scope == SCOPE
    assert launched.ref.job_instance_id in (7003, 7004)
    assert launched.name
    quick = not sample.startswith("esb-job/") and "plan" not in sample
    assert launched.step == (launched.ref.step(8004) if quick else None)


@pytest.mark.parametrize("sample", [name for name in SAMPLES if "/operate_" in name])
def test_an_operation_answers_what_it_was_about(sample: str) -> None:
    """The response says nothing of the new status."""
    assert decoded(sample) == OperationAccepted(ref=STEP if "step" in sample else JOB)


# Logs ---------------------------------------------------------------------------------------------------------------


def test_all_logs_come_by_step_and_group() -> None:
    """Each host has its group's code and tag; durations are seconds, times have a zone."""
    (step,) = decoded("esb-job/get_job_instance_log")

    assert (step.ref, step.name, step.status, step.is_finished) == (STEP, "prepare", RunStatus(3), True)
    first, second = step.hosts
    assert (first.host.label, first.status, first.tag, first.exit_code) == (
        "0:10.1.0.31",
        HostStatus(9),
        "blue",
        0,
    )
    assert (second.status, second.exit_code, second.execute_count) == (HostStatus(104), 3, 1)
    assert first.times.start_time == second.times.start_time
    assert (first.times.total_time, first.times.start_time.timestamp()) == (0.8, 1_700_000_000)


def test_only_one_of_the_two_backends_escapes_its_logs() -> None:
    """The one that counts by `execute_count` does; the other's text stays as it is."""
    (step,) = decoded("esb-job/get_job_instance_log")

    assert [row.text for row in step.hosts] == ["a < b && c\n", "&lt;raw&gt;"]


def test_a_log_row_may_lack_anything() -> None:
    """Steps without id and hosts without times were seen; nothing of a log is lost by it."""
    body = {"result": True, "data": [{"status": 3, "step_results": [{"ip_logs": [{"log_content": "x"}]}]}]}

    (step,) = read("esb-job/get_job_instance_log", body)

    assert (step.ref, step.hosts[0].text, step.hosts[0].status, step.hosts[0].tag) == (None, "x", None, "")


def test_one_log_is_about_the_host_that_was_asked_for() -> None:
    """The response may name the host by less than the request did, or not at all."""
    sample = "gateway-v3/get_job_instance_ip_log"
    body = copy.deepcopy(SAMPLES[sample])
    assert decoded(sample).host == HostKey(bk_host_id=31)

    body["data"]["bk_host_id"] = None

    assert read(sample, body).host == OPERATION_BY_NAME["get_job_instance_ip_log"].host  # type: ignore[attr-defined]  # its class has a host
    assert read(sample, body).text == "line one\nline two\n"


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3"])
def test_a_transfer_logs_file_by_file(dialect: str) -> None:
    """Each end of a transfer is a host, even where a server sends its bare address."""
    logs: StepLogs = decoded(f"{dialect}/batch_get_job_instance_ip_log")

    (row,) = logs.hosts
    down, up = row.files
    assert (row.host, row.log_type, row.text) == (host(33), 2, "")
    assert (down.mode, down.status, down.progress) == (FileMode.DOWNLOAD, FileStatus.DOWNLOADING, "50%")
    assert (down.source, down.destination) == (host(31), host(33))
    assert (up.mode, up.source, up.destination) == (FileMode.UPLOAD, HostKey(ip="10.1.0.31"), None)


def test_version_4_logs_hosts_and_containers() -> None:
    """Execute objects are hosts or containers, and ends of a transfer under two names."""
    script: StepLogs = decoded("gateway-v4/batch_get_job_instance_ip_log")
    files: StepLogs = decoded("gateway-v4/batch_get_job_instance_ip_log.files")

    assert [(row.host, row.text) for row in script.hosts] == [
        (host(31), "host says\n"),
        (HostKey(container_id=501, container_name="web"), "pod says\n"),
    ]
    assert [(log.mode, log.source) for log in files.hosts[0].files] == [(0, host(31)), (1, host(31))]


def test_older_responses_of_version_4_are_read() -> None:
    """There the rows were flat, and a file's logs stood in place of a text."""
    rows = [
        {
            "bk_host_id": 33,
            "bk_cloud_id": 0,
            "ip": "10.1.0.33",
            "log_content": [{"mode": 1, "src_path": "/a"}],
        }
    ]

    logs = read("gateway-v4/batch_get_job_instance_ip_log", {"data": {"log_type": 2, "file_logs": rows}})

    assert [(row.host, row.text, row.files[0].source_path) for row in logs.hosts] == [(host(33), "", "/a")]


# Lists and variables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3"])
def test_a_list_is_read_under_both_sets_of_names(dialect: str) -> None:
    """Documents say `id`, `task_status`, `task_type`, servers say otherwise; so it is with the scope."""
    page: Page[JobInstance] = decoded(f"{dialect}/get_job_instance_list")

    new, old = page.items
    assert (new.ref, new.status, new.type, new.job_plan_id) == (JOB, RunStatus(3), TaskType.PLAN, 12)
    assert (old.ref.scope, old.ref.job_instance_id) == (SCOPE, 7002)
    assert (old.status.phase, old.type, old.job_plan_id, old.times.end_time) == (Phase.WAITING, 1, None, None)
    assert new.times.total_time == 90.0
    assert (page.start, page.length, page.total, page.next_start) == (0, 2, 3, 2)


def test_the_last_page_is_known_with_and_without_a_total() -> None:
    """Version 4 does not count: there a short page is the last one, and an empty one surely."""
    page: Page[JobInstance] = decoded("gateway-v4/get_job_instance_list")
    rows = page.items

    assert (page.total, page.start, page.length, page.next_start) == (None, 0, 2, None)
    assert Page(items=rows * 2, start=4, length=2).next_start == 6
    assert Page(items=(), start=4, length=2).next_start is None
    assert Page(items=rows, start=4, length=2, total=5).next_start is None
    # A server may return fewer than were requested; its own count decides then.
    assert Page(items=rows, start=4, length=2, total=9).next_start == 5


@pytest.mark.parametrize("dialect", ["esb-job", "esb-jobv3", "gateway-v3"])
def test_variables_are_read_step_by_step(dialect: str) -> None:
    """Three sets of names for the same values, which never show in a repr."""
    steps = decoded(f"{dialect}/get_job_instance_global_var_value")

    assert [(step.ref.step_instance_id, step.variables[0].value) for step in steps] == [
        (8001, "north"),
        (8002, "south"),
    ]
    assert steps[0].variables[0].type == 1
    assert "north" not in repr(steps)


def test_a_step_tells_its_orders() -> None:
    """Script, files and the question to a user; what has no place in the model stays at hand."""
    detail = decoded("gateway-v3/get_step_instance_detail")

    assert (detail.ref, detail.type, detail.approval_message) == (STEP, 1, "go?")
    assert (detail.script.content, detail.script.timeout, detail.script.is_ignore_error) == (
        "date",
        60.0,
        True,
    )
    assert (detail.script.account.name, detail.script.hosts) == ("root", (host(31),))
    assert (detail.file.path, detail.file.timeout, detail.file.transfer_mode) == ("/srv", 900.0, 2)
    assert (detail.file.sources[0].files, detail.file.sources[0].hosts) == (("/opt/a.tgz",), (host(31),))
    assert detail.raw["script_info"]["script_type"] == 1


@pytest.mark.parametrize("flag", [0, None, "false"])
def test_a_script_ignores_errors_and_hides_its_parameters_only_where_it_says_so(flag: object) -> None:
    """No word of it is a no."""
    codec, operation = sample_call("gateway-v3/get_step_instance_detail")
    body = copy.deepcopy(SAMPLES["gateway-v3/get_step_instance_detail"])
    body["data"]["script_info"].update(is_ignore_error=flag, is_param_sensitive=flag, secure_param=flag)

    script = codec.decode(operation, json_response(body)).script

    assert (script.is_ignore_error, script.is_param_sensitive) == (False, False)


@pytest.mark.parametrize("kind", ["tenant_set", "planet"])
def test_a_listed_job_keeps_the_kind_of_its_scope(kind: str) -> None:
    """One that this version does not know stays a text, and is no business."""
    rows = [{"bk_scope_type": kind, "bk_scope_id": "7", "job_instance_id": 1, "status": 3}]
    envelope = {"result": True, "code": 0, "data": {"data": rows, "start": 0, "length": 1, "total": 1}}
    operation: Any = evolve(OPERATION_BY_NAME["get_job_instance_list"], scope=Scope(kind, 7))  # type: ignore[misc]

    (item,) = DIALECTS["gateway-v3"].decode(operation, json_response(envelope)).items

    assert (item.ref.scope.type, item.ref.scope.id, str(item.ref)) == (kind, 7, f"{kind}:7:1")

"""Statuses in all dialects: which are final, which codes, and when a response is complete."""

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import JobPollView
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from tests.dialects.sample_operations import DIALECTS, JOB, SAMPLES, STEP, decoded, host, json_response

JOBS = ["esb-job", "esb-jobv3", "gateway-v3", "gateway-v4"]
COALESCED = {3, 4, 5, 6, 8, 9, 11, 12, 13, 14}


def job_with(dialect: str, *, status: object, flag: object = ...) -> Any:
    """Return a job's sample with another status, and another flag or none."""
    body = copy.deepcopy(SAMPLES[f"{dialect}/get_job_instance_status"])
    name = "is_finished" if dialect == "esb-job" else "finished"
    body["data"]["job_instance"]["status"] = status
    del body["data"][name]
    if flag is not ...:
        body["data"][name] = flag
    return body


def read_job(dialect: str, body: Any) -> tuple[JobSnapshot, JobPollView]:
    """Return the snapshot and the poll view of a job."""
    operation = GetJobInstanceStatus(ref=JOB, return_ip_result=True)
    return DIALECTS[dialect].decode(operation, json_response(body)), decode_poll(
        DIALECTS[dialect], operation, json_response(body)
    )


def read_step(body: Any, dialect: str = "gateway-v3", **filters: Any) -> Any:
    """Return the poll view of a step."""
    return decode_poll(DIALECTS[dialect], GetStepInstanceStatus(ref=STEP, **filters), json_response(body))


@pytest.mark.parametrize("dialect", JOBS)
@pytest.mark.parametrize("code", [*range(1, 16), 0, 16, 99])
def test_finished_follows_the_flag_and_without_one_the_table(dialect: str, code: int) -> None:
    """The server's flag decides; without it a known code follows the table, an unknown one is not final."""
    for flag in (True, False):
        snapshot, view = read_job(dialect, job_with(dialect, status=code, flag=flag))
        assert (snapshot.is_finished, view.finished, view.status) == (flag, flag, code)
    snapshot, view = read_job(dialect, job_with(dialect, status=str(code)))
    assert (snapshot.is_finished, view.finished, view.status) == (code in COALESCED, None, code)


@pytest.mark.parametrize("dialect", JOBS)
def test_a_flag_may_go_by_the_other_name(dialect: str) -> None:
    """`is_finished` and `finished` are the same thing."""
    body = job_with(dialect, status=99)
    body["data"]["finished" if dialect == "esb-job" else "is_finished"] = True

    assert read_job(dialect, body)[0].is_finished


def test_an_unknown_step_code_follows_the_job() -> None:
    """A step has no flag in a job's response; an unknown code is as final as its job."""
    body = job_with("gateway-v3", status=3, flag=True)
    body["data"]["step_instance_list"][1]["status"] = 77

    snapshot, _ = read_job("gateway-v3", body)

    assert snapshot.steps[1].is_finished
    assert snapshot.steps[1].status.phase is Phase.UNKNOWN
    assert not snapshot.steps[2].is_finished


def test_the_code_spaces_do_not_mix() -> None:
    """3 and 9 mean one thing on a step and another on a host."""
    body = copy.deepcopy(SAMPLES["gateway-v3/get_job_instance_status"])
    step = body["data"]["step_instance_list"][0]
    step["status"], step["step_ip_result_list"][0]["status"] = 9, 9
    step["step_ip_result_list"][1]["status"] = 3

    read = read_job("gateway-v3", body)[0].steps[0]

    assert (read.status, read.status.phase) == (RunStatus(9), Phase.ABNORMAL)
    assert [row.status for row in read.hosts or ()] == [HostStatus(9), HostStatus(3)]
    assert all(row.status.is_success for row in read.hosts or ())


@pytest.mark.parametrize(
    ("dialect", "hosts"), [("esb-job", [None, None, None]), ("gateway-v3", [31, 32, 33])]
)
def test_the_same_job_reads_the_same(dialect: str, hosts: list[int | None]) -> None:
    """Steps, executions, host codes and times do not depend on the dialect."""
    snapshot = decoded(f"{dialect}/get_job_instance_status")

    rows = [row for step in snapshot.steps for row in step.hosts or ()]
    assert [(step.name, step.status.code, step.execute_count) for step in snapshot.steps][:2] == [
        ("prepare", 3, 1),
        ("send", 2, 0),
    ]
    assert [(row.host.label, row.status.code) for row in rows] == [
        ("0:10.1.0.31", 9),
        ("0:10.1.0.32", 104),
        ("0:10.1.0.33", 7),
    ]
    assert [row.host.bk_host_id for row in rows] == hosts
    assert snapshot.times.create_time.timestamp() == 1_700_000_000
    assert snapshot.steps[0].times.total_time == 0.94


def test_rows_that_were_not_sent_are_none_and_no_rows_are_empty() -> None:
    """Null means not requested or unknown; an empty list means that there is no host."""
    body = copy.deepcopy(SAMPLES["gateway-v3/get_job_instance_status"])
    body["data"]["step_instance_list"][0]["step_ip_result_list"] = []

    snapshot, view = read_job("gateway-v3", body)

    assert [step.hosts is None for step in snapshot.steps] == [False, False, True]
    assert [(step.groups is None, step.complete) for step in view.steps] == [
        (False, True),
        (False, True),
        (True, False),
    ]


def test_a_host_in_a_row_keeps_its_details() -> None:
    """Tag, exit code and times of a host come with its row."""
    row = decoded("gateway-v3/get_job_instance_status").steps[0].hosts[1]

    assert (row.host, row.status.name, row.exit_code) == (host(32), "SCRIPT_NOT_ZERO_EXIT_CODE", 3)
    assert (row.times.start_time.timestamp(), row.times.total_time) == (1_700_000_000.1, 0.8)


def one_row(**members: object) -> Any:
    """Return a job of one step with one host, whose row has these members."""
    body = copy.deepcopy(SAMPLES["gateway-v3/get_job_instance_status"])
    step = body["data"]["step_instance_list"][0]
    step["step_ip_result_list"] = [{"bk_host_id": 2**40, "status": 9, **members}]
    body["data"]["step_instance_list"] = [step]
    return body


@pytest.mark.parametrize("exit_code", [0, "0"])  # read strictly, and leniently
def test_each_member_of_a_row_is_read(exit_code: object) -> None:
    """Also those that few servers send; an id may be larger than 32 bits."""
    members = {"bk_cloud_id": 3, "ip": "10.1.0.9", "ipv6": "fd00::9", "tag": "blue", "error_code": 117}

    snapshot, view = read_job("gateway-v3", one_row(exit_code=exit_code, total_time=1_500, **members))

    (found,) = snapshot.steps[0].hosts or ()
    assert found.host == HostKey(bk_host_id=2**40, bk_cloud_id=3, ip="10.1.0.9", ipv6="fd00::9")
    assert (found.status.code, found.tag, found.exit_code, found.error_code) == (9, "blue", 0, 117)
    assert found.times.total_time == 1.5
    assert snapshot.steps[0].type == view.steps[0].type == 1


@pytest.mark.parametrize("status", [9, "9"])
def test_no_time_at_all_is_not_an_unknown_time(status: object) -> None:
    """A host that could not be reached took 0 seconds; one that waits has no time yet."""
    totals = [
        read_job("gateway-v3", one_row(status=status, total_time=total))[0].steps[0].hosts
        for total in (0, None)
    ]

    assert [(hosts or ())[0].times.total_time for hosts in totals] == [0.0, None]


@pytest.mark.parametrize("flag", [True, "true"])  # read strictly, and leniently
@pytest.mark.parametrize("total", [3.5, 0, None])
def test_the_oldest_dialect_counts_seconds_and_its_times_are_in_the_zone_of_the_client(
    flag: object, total: float | None
) -> None:
    """Of jobs and steps; a time that names its own zone is in that."""
    body = copy.deepcopy(SAMPLES["esb-job/get_job_instance_status"])
    told = {
        "create_time": "2023-11-15 07:13:20",
        "start_time": "2023-11-15 07:13:21",
        "end_time": "2023-11-15 06:13:22 +0800",
        "total_time": total,
    }
    body["data"]["job_instance"] |= told
    body["data"]["blocks"][0]["step_instances"][0] |= told
    body["data"]["is_finished"] = flag
    tokyo = dialect_by_name("esb-job", timezone=timezone(timedelta(hours=9)))

    snapshot = tokyo.decode(GetJobInstanceStatus(ref=JOB), json_response(body))

    for times in (snapshot.times, snapshot.steps[0].times):
        assert times.create_time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
        assert times.start_time == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
        assert times.end_time == datetime(2023, 11, 14, 22, 13, 22, tzinfo=UTC)
        assert times.total_time == total


@pytest.mark.parametrize(
    ("thing", "key"),
    [
        ({"type": 1, "resource_id": "31"}, HostKey(bk_host_id=31)),
        ({"type": 2, "resource_id": "501"}, HostKey(container_id=501)),
        (
            {"type": 2, "resource_id": "501", "container": {"name": "web"}},
            HostKey(container_id=501, container_name="web"),
        ),
        ({"type": 1, "resource_id": "abc"}, HostKey()),
    ],
)
def test_an_execute_object_may_be_named_by_its_text_id_alone(thing: object, key: HostKey) -> None:
    """What kind of id it is its type says."""
    body = copy.deepcopy(SAMPLES["gateway-v4/get_job_instance_status"])
    rows = [{"execute_object": thing, "status": 9}]
    body["data"]["step_instance_list"][0]["step_execute_object_result_list"] = rows

    assert [row.host for row in read_job("gateway-v4", body)[0].steps[0].hosts or ()] == [key]


@pytest.mark.parametrize("asked", [True, False])
def test_version_4_leaves_out_the_list_of_a_step_without_hosts(asked: bool) -> None:  # noqa: FBT001
    """Where hosts were requested it has none; where they were not, nobody knows."""
    body = copy.deepcopy(SAMPLES["gateway-v4/get_job_instance_status"])
    del body["data"]["step_instance_list"][0]["step_execute_object_result_list"]
    operation = GetJobInstanceStatus(ref=JOB, return_ip_result=asked)

    step = decode_poll(DIALECTS["gateway-v4"], operation, json_response(body)).steps[0]
    hosts = DIALECTS["gateway-v4"].decode(operation, json_response(body)).steps[0].hosts

    assert (hosts is None, step.groups is None, step.complete) == (not asked, not asked, asked)


def test_older_responses_of_version_4_are_read() -> None:
    """Its list of hosts had two other names, one of them with rows like those of version 3."""
    body = copy.deepcopy(SAMPLES["gateway-v4/get_job_instance_status"])
    step = body["data"]["step_instance_list"][0]
    rows = step.pop("step_execute_object_result_list")
    expected = read_job("gateway-v4", SAMPLES["gateway-v4/get_job_instance_status"])[0]

    step["execute_object_result_list"] = rows
    assert read_job("gateway-v4", body)[0] == expected

    flat = [{**row, **row["execute_object"]["host"]} for row in step.pop("execute_object_result_list")]
    step["step_ip_result_list"] = [
        {name: value for name, value in row.items() if name != "execute_object"} for row in flat
    ]
    assert read_job("gateway-v4", body)[0] == expected
    assert read_job("gateway-v4", body)[1].steps[0].complete


@pytest.mark.parametrize("nobody", [0, -1, None, ""])
def test_an_id_that_means_none_is_none(nobody: object) -> None:
    """Many hosts with the id 0 would be one host otherwise."""
    body = copy.deepcopy(SAMPLES["gateway-v3/get_job_instance_status"])
    for row in body["data"]["step_instance_list"][0]["step_ip_result_list"]:
        row["bk_host_id"] = nobody

    snapshot, view = read_job("gateway-v3", body)

    assert [row.host for row in snapshot.steps[0].hosts or ()] == [
        HostKey(bk_cloud_id=0, ip="10.1.0.31"),
        HostKey(bk_cloud_id=0, ip="10.1.0.32"),
    ]
    assert view.steps[0].complete


def test_containers_are_hosts_of_their_own() -> None:
    """Two containers of one node are two, by id and name."""
    hosts = decoded("gateway-v4/get_job_instance_status.containers").steps[0].hosts

    assert [row.host for row in hosts] == [
        HostKey(container_id=501, container_name="web"),
        HostKey(container_id=502, container_name="db"),
    ]


# Steps --------------------------------------------------------------------------------------------------------------

STEP_BODY = SAMPLES["gateway-v3/get_step_instance_status"]


def groups_of(body: Any) -> list[dict[str, Any]]:
    """Return the groups in a step's response."""
    groups: list[dict[str, Any]] = body["data"]["step_result_group_list"]
    return groups


def test_a_step_has_groups() -> None:
    """Groups keep code, tag and count, and the hosts of all of them are the step's."""
    step: StepSnapshot = decoded("gateway-v3/get_step_instance_status")

    assert [(group.status.code, group.tag, group.size) for group in step.groups or ()] == [
        (7, "", 1),
        (9, "blue", 2),
    ]
    assert [row.host.bk_host_id for row in step.hosts or ()] == [33, 31, 32]
    assert (step.execute_count, step.is_finished, step.times.total_time) == (1, False, 1.5)


def test_a_row_has_the_status_of_its_group() -> None:
    """A host that changed while groups were read is in the group that lists it."""
    body = copy.deepcopy(STEP_BODY)
    groups_of(body)[1]["host_result_list"][0] |= {"status": 7, "tag": "red"}

    view = read_step(body)

    row, details = view.groups[1].rows[0], view.named(view.groups[1].rows[:1])[0].details()
    assert (view.groups[1].status, view.named([row])[0].status) == (9, 9)
    assert (details.status.code, details.tag) == (9, "blue")


def test_a_whole_response_is_complete() -> None:
    """All batches, no filter, every list as long as its count, no host twice."""
    assert read_step(STEP_BODY).complete


@pytest.mark.parametrize(
    "filters",
    [
        {"batch": None},
        {"batch": 2},
        {"execute_count": 0},
        {"keyword": "x"},
        {"search_ip": "10"},
        {"status": 9},
        {"tag": ""},
    ],
)
def test_a_response_to_a_narrower_question_is_not_complete(filters: dict[str, Any]) -> None:
    """One batch, an old execution or a filter leave hosts out."""
    assert not read_step(STEP_BODY, **filters).complete


def cut(groups: list[dict[str, Any]]) -> None:
    """Leave out a host that is counted."""
    groups[1]["host_result_list"].pop()


def hide(groups: list[dict[str, Any]]) -> None:
    """Count hosts, and list none."""
    groups[1]["host_result_list"] = None


def uncount(groups: list[dict[str, Any]]) -> None:
    """List hosts, and count none."""
    del groups[1]["host_size"]


def anonymise(groups: list[dict[str, Any]]) -> None:
    """List a host without any name."""
    groups[0]["host_result_list"][0] |= {"bk_host_id": None, "ip": "", "ipv6": None}


@pytest.mark.parametrize("damage", [cut, hide, uncount, anonymise])
def test_a_response_with_holes_is_not_complete(damage: Any) -> None:
    """Lists that were cut, counts that are missing, a row without a host: not all rows."""
    body = copy.deepcopy(STEP_BODY)
    damage(groups_of(body))

    assert not read_step(body).complete


def test_no_groups_means_no_hosts() -> None:
    """The key is left out where there is no host at all."""
    body = copy.deepcopy(STEP_BODY)
    del body["data"]["step_result_group_list"]

    view = read_step(body)

    assert (view.groups, view.complete) == ((), True)
    assert DIALECTS["gateway-v3"].decode(GetStepInstanceStatus(ref=STEP), json_response(body)).hosts == ()


@pytest.mark.parametrize("name", ["step_host_result_list", "step_ip_result_list"])
def test_the_flat_lists_of_old_are_read(name: str) -> None:
    """Before there were groups, rows stood in one list, each with its own code and tag."""
    body = copy.deepcopy(STEP_BODY)
    rows = [row for group in body["data"].pop("step_result_group_list") for row in group["host_result_list"]]
    body["data"][name] = [dict(row, group_key=f"{row['status']}_{row['tag']}") for row in rows]

    view = read_step(body)

    assert [(row.bk_host_id, row.status, row.tag) for row in view.groups[0].rows] == [
        (33, 7, ""),
        (31, 9, "blue"),
        (32, 9, "blue"),
    ]
    assert view.complete


@pytest.mark.parametrize("name", ["step_result_group_list", "step_ip_result_list"])
@pytest.mark.parametrize("flag", [True, False])
def test_the_flag_of_a_step_decides_however_its_hosts_are_listed(name: str, flag: bool) -> None:  # noqa: FBT001
    """In groups, or in the flat lists of old: an unknown code is final where the server says so."""
    body = copy.deepcopy(STEP_BODY)
    body["data"].pop("step_result_group_list")
    body["data"] |= {name: [], "status": 77, "is_finished": flag}

    step = DIALECTS["gateway-v3"].decode(GetStepInstanceStatus(ref=STEP), json_response(body))

    assert (step.is_finished, read_step(body).finished) == (flag, flag)


def test_the_oldest_step_status_has_codes_of_groups() -> None:
    """Hosts have no code of their own there; their group's is theirs."""
    step: StepSnapshot = decoded("esb-job/get_step_instance_status")

    assert [(row.host.ip, row.status.code) for row in step.hosts or ()] == [
        ("10.1.0.33", 7),
        ("10.1.0.31", 9),
        ("10.1.0.32", 9),
    ]
    assert (step.is_finished, step.execute_count, step.groups) == (False, 1, None)


def test_a_group_that_the_server_left_empty_is_not_complete() -> None:
    """Current servers fill the first group only, and count 0 in the others."""
    body = copy.deepcopy(SAMPLES["esb-job/get_step_instance_status"])
    assert read_step(body, "esb-job").complete

    body["data"]["step_instance_analyse_result"][1] |= {"count": 0, "ip_list": None}

    assert not read_step(body, "esb-job").complete


@pytest.mark.parametrize(("dialect", "tag"), [("esb-job", None), ("esb-jobv3", ""), ("gateway-v3", "")])
def test_no_tag_and_an_unknown_tag_differ(dialect: str, tag: str | None) -> None:
    """The ESB's `job` has no tags; elsewhere null means that there is none."""
    body = copy.deepcopy(SAMPLES[f"{dialect}/get_job_instance_status"])
    if dialect == "esb-job":
        step = body["data"]["blocks"][0]["step_instances"][0]
        rows = step["step_ip_status"]
    else:
        rows = body["data"]["step_instance_list"][0]["step_ip_result_list"]
        rows[0]["tag"] = None

    snapshot, view = read_job(dialect, body)

    first = (snapshot.steps[0].hosts or ())[0]
    seen = view.steps[0]
    row = ((seen.groups or ())[0].rows or ())[0]
    assert (first.tag, seen.named([row])[0].details().tag, seen.tells_tags) == (tag, tag, tag is not None)
    assert rows

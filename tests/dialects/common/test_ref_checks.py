"""A response is compared with its request before it is used."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bkjob_async.dialects.common.host_rows import PartialHostRow
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.dialects.decode import decode
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.queries import GetJobInstanceIpLog, RawCall
from bkjob_async.model.poll_view import JobPollView
from bkjob_async.model.refs import JobRef, Scope
from tests.dialects.sample_operations import DIALECTS, JOB, SAMPLES, STEP, json_response, sample_call
from tests.dialects.test_any_json import GONE, put

JOB_STATUS = [f"{name}/get_job_instance_status" for name in DIALECTS]
STEP_STATUS = ["esb-job/get_step_instance_status", "gateway-v3/get_step_instance_status"]
LARGEST = 2**63 - 1


def names_at(sample: str) -> tuple[str, ...]:
    """Return where a response names what it is about."""
    operation = sample.partition("/")[2].partition(".")[0]
    if operation == "get_job_instance_status":
        return ("data", "job_instance")
    return ("data", "step_instance_detail") if sample == STEP_STATUS[0] else ("data",)


def renamed(sample: str, **names: Any) -> Any:
    """Return a sample's body with other names."""
    body = copy.deepcopy(SAMPLES[sample])
    for name, value in names.items():
        body = put(body, (*names_at(sample), name), value)
    return body


def changed(sample: str, *path: str | int, to: object) -> Any:
    """Return a sample's body with another value at one place."""
    return put(copy.deepcopy(SAMPLES[sample]), path, to)


def possible_texts(sample: str, body: Any) -> list[Any]:
    """Return what every reader of a response makes of it: a value, or the error's message."""
    codec, operation = sample_call(sample)
    found: list[Any] = []
    readers: list[Any] = [codec.decode]
    if isinstance(operation, GetJobInstanceStatus | GetStepInstanceStatus):
        readers.append(lambda operation, response: decode_poll(codec, operation, response))
    for read in readers:
        try:
            found.append(read(operation, json_response(body)))
        except InvalidResponse as error:
            found.append(error.details.message)
    return found


def is_refused(sample: str, body: Any, thing: str) -> bool:
    """Return True if every reader rejects a response because it is about another *thing*."""
    return all(
        isinstance(found, str) and found.startswith(f"the response is about another {thing}: asked for ")
        for found in possible_texts(sample, body)
    )


def is_accepted(sample: str, body: Any) -> bool:
    """Return True if every reader accepts a response."""
    return not any(isinstance(found, str) for found in possible_texts(sample, body))


ABOUT_A_JOB = [
    *JOB_STATUS,
    *STEP_STATUS,
    "gateway-v3/get_step_instance_detail",
    *(f"{name}/get_job_instance_ip_log" for name in ("esb-jobv3", "gateway-v3")),
    *(f"{name}/batch_get_job_instance_ip_log" for name in ("esb-jobv3", "gateway-v3", "gateway-v4")),
    *(f"{name}/get_job_instance_global_var_value" for name in ("esb-job", "esb-jobv3", "gateway-v3")),
    *(
        f"{name}/operate_{thing}_instance"
        for name in ("esb-job", "esb-jobv3", "gateway-v3")
        for thing in ("job", "step")
    ),
]
ABOUT_A_STEP = [sample for sample in ABOUT_A_JOB if "step" in sample or "ip_log" in sample]


@pytest.mark.parametrize("sample", ABOUT_A_JOB)
@pytest.mark.parametrize("number", [999_999, "999999", 999_999.0])
def test_a_response_about_another_job_is_rejected(sample: str, number: object) -> None:
    """Whatever the request, and however its id is written."""
    assert is_refused(sample, renamed(sample, job_instance_id=number), "job")
    assert is_accepted(sample, renamed(sample, job_instance_id="7001"))


@pytest.mark.parametrize("sample", ABOUT_A_STEP)
def test_a_response_about_another_step_is_rejected(sample: str) -> None:
    """Even of the same job."""
    assert is_refused(sample, renamed(sample, step_instance_id=8002), "step")
    assert is_accepted(sample, renamed(sample, step_instance_id="8001"))


@pytest.mark.parametrize("sample", JOB_STATUS)
def test_the_error_names_the_requested_job_and_the_one_in_the_response(sample: str) -> None:
    """Both jobs are in the message."""
    body = renamed(sample, job_instance_id=999_999)

    assert possible_texts(sample, body) == [
        "the response is about another job: asked for 2:7001, got 2:999999",
        "the response is about another job: asked for 2:7001, got 2:999999",
    ]


@pytest.mark.parametrize("sample", [*JOB_STATUS, *STEP_STATUS])
@pytest.mark.parametrize(
    ("names", "believed"),
    [
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": GONE, "job_instance_id": GONE}, True),
        ({"bk_scope_type": None, "bk_scope_id": None, "bk_biz_id": None, "job_instance_id": None}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": 2}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": "2"}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": 3}, False),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": LARGEST}, False),
        ({"bk_scope_type": "biz", "bk_scope_id": "2", "bk_biz_id": 1111}, True),
        ({"bk_scope_type": "biz", "bk_scope_id": 2}, True),
        ({"bk_scope_type": "biz", "bk_scope_id": "3", "bk_biz_id": 2}, False),
        ({"bk_scope_type": "biz_set", "bk_scope_id": "2", "bk_biz_id": 2}, False),
        ({"bk_scope_type": "tenant_set", "bk_scope_id": "2", "bk_biz_id": LARGEST}, False),
        ({"bk_scope_type": "biz", "bk_scope_id": GONE, "bk_biz_id": 2}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": "7", "bk_biz_id": 2}, True),
        ({"bk_scope_type": "", "bk_scope_id": "", "bk_biz_id": 2}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": 0, "job_instance_id": 0}, True),
        ({"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": -1, "job_instance_id": -1}, True),
    ],
)
def test_scopes_are_compared_as_the_platform_reads_them(
    sample: str, names: dict[str, Any], *, believed: bool
) -> None:
    """`bk_scope_*` takes precedence over `bk_biz_id`; what is missing is not compared."""
    body = renamed(sample, **names)

    assert is_accepted(sample, body) if believed else is_refused(sample, body, "scope")


@pytest.mark.parametrize("sample", JOB_STATUS)
@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (Scope.biz_set(9_000_001), {"bk_biz_id": 9_000_001}),
        (Scope.biz(9_000_001), {"bk_biz_id": 9_000_001}),
        (Scope.biz(9_000_001), {"bk_scope_type": "biz_set", "bk_scope_id": "9000001"}),
        (Scope.biz_set(9_000_001), {"bk_scope_type": "biz", "bk_scope_id": "9000001"}),
        (Scope.biz_set(12), {"bk_scope_type": "biz_set", "bk_scope_id": "12", "bk_biz_id": 5}),
    ],
)
def test_a_business_set_may_go_by_a_business_number(sample: str, scope: Scope, names: dict[str, Any]) -> None:
    """From 8000000 to 9999999 the platform reads a business as a business set."""
    nothing = {"bk_scope_type": GONE, "bk_scope_id": GONE, "bk_biz_id": GONE}
    body = renamed(sample, **{**nothing, **names})
    operation = GetJobInstanceStatus(ref=JobRef(scope, JOB.job_instance_id))
    codec = DIALECTS[sample.partition("/")[0]]

    assert codec.decode(operation, json_response(body)).ref.scope == scope
    assert (
        decode_poll(codec, operation, json_response(body)).status
        == codec.decode(operation, json_response(body)).status.code
    )


@pytest.mark.parametrize("number", [7_999_999, 10_000_000])
def test_other_numbers_are_businesses(number: int) -> None:
    """The range has two ends."""
    body = renamed(
        JOB_STATUS[2], bk_scope_type="biz_set", bk_scope_id=str(number), job_instance_id=JOB.job_instance_id
    )

    with pytest.raises(InvalidResponse, match="another scope"):
        DIALECTS["gateway-v3"].decode(
            GetJobInstanceStatus(ref=JobRef(Scope.biz(number), JOB.job_instance_id)), json_response(body)
        )


@pytest.mark.parametrize("dialect", ["esb-jobv3", "gateway-v3", "gateway-v4"])
def test_a_list_is_of_one_scope(dialect: str) -> None:
    """It is about many jobs, but none of another scope; a business set keeps the name that the request has."""
    sample = f"{dialect}/get_job_instance_list"
    rows = "job_instance_list" if dialect == "gateway-v4" else "data"
    strange = changed(sample, "data", rows, 0, "bk_scope_id", to="3")

    assert is_refused(sample, strange, "scope")
    assert is_accepted(sample, changed(sample, "data", rows, 0, "job_instance_id", to=999_999))


@pytest.mark.parametrize(
    "sample", [f"{name}/fast_execute_script" for name in ("esb-jobv3", "gateway-v3", "gateway-v4")]
)
def test_a_job_of_another_scope_is_rejected(sample: str) -> None:
    """The response to a launch names a new job; its scope is known."""
    assert is_refused(sample, changed(sample, "data", "bk_biz_id", to=3), "scope")
    assert is_accepted(sample, changed(sample, "data", "bk_biz_id", to=2))


def test_logs_of_steps_may_name_their_job() -> None:
    """Where they do not, they are the job's that was requested."""
    sample = "esb-job/get_job_instance_log"

    assert is_refused(sample, changed(sample, "data", 0, "job_instance_id", to=999_999), "job")


@pytest.mark.parametrize(
    ("asked_host", "names", "believed"),
    [
        (31, {"bk_host_id": 31, "ip": "10.9.9.9"}, True),
        (31, {"bk_host_id": None, "ip": "10.1.0.31"}, True),
        (31, {"bk_host_id": 32}, False),
        ("0:10.1.0.31", {"bk_host_id": 32, "ip": "10.1.0.31", "bk_cloud_id": 0}, True),
        ("0:10.1.0.31", {"bk_host_id": None, "ip": "10.1.0.32", "bk_cloud_id": 0}, False),
        ("0:10.1.0.31", {"bk_host_id": None, "ip": "10.1.0.31", "bk_cloud_id": 3}, False),
    ],
)
def test_the_log_of_another_host_is_rejected(
    asked_host: int | str, names: dict[str, Any], *, believed: bool
) -> None:
    """Where it is named in the same way as it was requested."""
    sample = "gateway-v3/get_job_instance_ip_log"
    operation = GetJobInstanceIpLog(ref=STEP, host=asked_host)
    response = json_response(renamed(sample, **names))

    if believed:
        assert DIALECTS["gateway-v3"].decode(operation, response).text
    else:
        with pytest.raises(InvalidResponse, match="about another host"):
            DIALECTS["gateway-v3"].decode(operation, response)


def test_comparing_keeps_the_response_light() -> None:
    """A response that names what was requested is read in the quick way, on old sites, too."""
    for names in ({}, {"bk_scope_type": GONE, "bk_scope_id": GONE}, {"bk_biz_id": GONE}):
        for sample in ("gateway-v3/get_job_instance_status", "gateway-v3/get_step_instance_status"):
            codec, operation = sample_call(sample)
            assert isinstance(operation, GetJobInstanceStatus | GetStepInstanceStatus)
            view = decode_poll(codec, operation, json_response(renamed(sample, **names)))
            steps = view.steps if isinstance(view, JobPollView) else (view,)
            rows = [row for step in steps for group in step.groups or () for row in group.rows or ()]
            assert rows
            assert all(isinstance(row, PartialHostRow) for row in rows)


@pytest.mark.parametrize("sample", [*JOB_STATUS, *STEP_STATUS])
def test_a_recorded_answer_is_about_what_it_names(sample: str) -> None:
    """There was no request; only names that the caller gives are compared."""
    body = json_response(renamed(sample, bk_scope_type="tenant_set", bk_scope_id="5", bk_biz_id=LARGEST)).body
    dialect, operation = sample.split("/")

    assert decode(body, operation=operation, dialect=dialect).ref.job.job_instance_id == (
        JOB.job_instance_id if operation == "get_job_instance_status" or dialect == "esb-job" else LARGEST
    )
    with pytest.raises(InvalidResponse, match="another"):
        decode(body, operation=operation, dialect=dialect, ref=STEP if "step" in operation else JOB)


PLAIN_NAMES = {"job_instance_id": 7001, "bk_scope_type": "biz", "bk_scope_id": "2"}


@pytest.mark.parametrize("sample", JOB_STATUS + STEP_STATUS)
@pytest.mark.parametrize("names", [{"job_instance_id": 999}, {"bk_scope_type": "biz", "bk_scope_id": "9"}])
def test_a_raw_answer_is_compared_too(sample: str, names: dict[str, Any]) -> None:
    """A response about another job is of no use, in whatever form."""
    codec, operation = sample_call(sample)

    assert codec.decode_raw(operation, json_response(SAMPLES[sample])).data == SAMPLES[sample]["data"]
    with pytest.raises(InvalidResponse, match="about another"):
        codec.decode_raw(operation, json_response(renamed(sample, **names)))


@pytest.mark.parametrize("sample", STEP_STATUS)
def test_a_raw_answer_about_another_step_is_refused(sample: str) -> None:
    """The job may be the same."""
    codec, operation = sample_call(sample)

    with pytest.raises(InvalidResponse, match="another step"):
        codec.decode_raw(operation, json_response(renamed(sample, step_instance_id=8002)))


@pytest.mark.parametrize("read", ["decode", "decode_raw"])
def test_an_answer_to_plain_parameters_is_compared_with_them(read: str) -> None:
    """Numbers sent as text are the same; what cannot be read as a name is not compared, and stays as it came."""
    codec, _ = sample_call(JOB_STATUS[0])
    operation = RawCall(name="get_job_instance_status", parameters=PLAIN_NAMES, method="GET")

    def read_names(**names: Any) -> Any:
        body = {"result": True, "code": 0, "data": names}
        return getattr(codec, read)(operation, json_response(body))

    for same in (
        {"job_instance_id": "7001"},
        {"bk_scope_id": 2},
        {"job_instance_id": ["?"]},
        {"bk_biz_id": "x"},
    ):
        assert read_names(**same)
    for other in (
        {"job_instance_id": "7002"},
        {"bk_biz_id": 3},
        {"bk_scope_type": "biz_set", "bk_scope_id": "2"},
    ):
        with pytest.raises(InvalidResponse, match="about another"):
            read_names(**other)


def test_the_raw_answer_to_a_command_is_what_came() -> None:
    """It has happened: an error would hide that, and the command may well name what it made."""
    codec, _ = sample_call(JOB_STATUS[0])
    operation = RawCall(name="run_it_again", parameters=PLAIN_NAMES)
    body = {"result": True, "code": 0, "data": {"job_instance_id": 7002}}

    assert codec.decode(operation, json_response(body)) == body["data"]
    assert codec.decode_raw(operation, json_response(body)).data == body["data"]

"""Requests in every dialect: method, path, and where parameters and credentials are put."""

import json
from typing import Any

import pytest
from attrs import evolve
from yarl import URL

from bkjob_async.dialects.common.dialect import Dialect, scope_of
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.credentials import AccessToken, AppCredentials
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
    Operation,
    StepOperation,
)
from bkjob_async.model.operations.launches import FastExecuteScript
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
    RawCall,
)
from bkjob_async.model.operations.stored_queries import GetCronDetail
from bkjob_async.model.refs import HostKey, JobRef, Scope
from tests.dialects.sample_operations import DAY, DIALECTS, JOB, OPERATIONS, SCOPE, STEP, parameters, sent

SECRET = "s3cr3t"
CREDENTIALS = AppCredentials(bk_app_code="app", bk_app_secret=SECRET, bk_username="ada")

# The requests of the five documents: dialect, operation, method, path, parameters.
DOCUMENTED: list[tuple[str, Operation[Any], str, str, dict[str, Any]]] = [
    (
        "esb-job",
        GetJobInstanceStatus(ref=JobRef(Scope.biz(1), 100)),
        "GET",
        "api/c/compapi/v2/job/get_job_instance_status/",
        {"bk_biz_id": "1", "job_instance_id": "100"},
    ),
    (
        "esb-job",
        GetStepInstanceStatus(ref=JobRef(Scope.biz(2), 490001).step(790001)),
        "POST",
        "api/c/compapi/v2/job/get_step_instance_status/",
        {
            "bk_biz_id": 2,
            "job_instance_id": 490001,
            "step_instance_id": 790001,
            "params": {"job_instance_id": 490001, "step_instance_id": 790001},
        },
    ),
    (
        "esb-jobv3",
        OperateStepInstance(ref=JobRef(Scope.biz(1), 100).step(200), operation_code=2),
        "POST",
        "api/c/compapi/v2/jobv3/operate_step_instance/",
        {
            "bk_biz_id": 1,
            "bk_scope_type": "biz",
            "bk_scope_id": "1",
            "job_instance_id": 100,
            "step_instance_id": 200,
            "operation_code": 2,
        },
    ),
    (
        "gateway-v3",
        OperateStepInstance(
            ref=JobRef(Scope.biz(1), 100).step(200), operation_code=StepOperation.RETRY_FAILED_HOSTS
        ),
        "POST",
        "api/v3/operate_step_instance",
        {
            "bk_scope_type": "biz",
            "bk_scope_id": "1",
            "job_instance_id": 100,
            "step_instance_id": 200,
            "operation_code": 2,
        },
    ),
    (
        "gateway-v3",
        GetStepInstanceStatus(
            ref=JobRef(Scope.biz(1), 100).step(100),
            execute_count=0,
            batch=0,
            max_host_num_per_group=1,
            keyword="aaa",
            search_ip="",
            status=9,
            tag="",
        ),
        "GET",
        "api/v3/get_step_instance_status",
        {
            "bk_scope_type": "biz",
            "bk_scope_id": "1",
            "job_instance_id": "100",
            "step_instance_id": "100",
            "execute_count": "0",
            "batch": "0",
            "max_host_num_per_group": "1",
            "keyword": "aaa",
            "search_ip": "",
            "status": "9",
            "tag": "",
        },
    ),
]


@pytest.mark.parametrize(("name", "operation", "method", "path", "carried"), DOCUMENTED)
def test_documented_requests_are_reproduced(
    name: str, operation: Operation[Any], method: str, path: str, carried: dict[str, Any]
) -> None:
    """Method, path and every parameter are the document's own."""
    request = DIALECTS[name].encode(operation)

    assert (request.method, request.url.path, parameters(request)) == (method, path, carried)
    assert request.headers["Accept"] == request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("dialect_name", DIALECTS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_sent_or_names_the_dialects_that_have_it(
    dialect_name: str, operation: Operation[Any]
) -> None:
    """What a dialect lacks is rejected before anything is sent; the error names the dialects that have it."""
    codec = DIALECTS[dialect_name]
    can = [name for name, table in DIALECTS.items() if type(operation) in table.all_calls()]

    if dialect_name in can:
        paths = codec.call_for(operation).paths
        if paths is not None:
            others = dialect_by_name(dialect_name, system=paths == "user")
            with pytest.raises(NotSupported, match="system=True"):
                others.encode(operation)
            codec = dialect_by_name(dialect_name, system=paths == "system")
        assert codec.encode(operation).url.path.startswith(codec.path_prefix)
        return
    with pytest.raises(NotSupported) as refused:
        codec.encode(operation)
    assert f"{operation.name}; {', '.join(can)} can" in str(refused.value)


def test_a_dialect_says_what_it_has_instead() -> None:
    """Beside the dialects that have the operation."""
    with pytest.raises(NotSupported, match=r"gateway-v3 can; here get_cron_list\(id=...\) returns all of it"):
        DIALECTS["esb-job"].encode(GetCronDetail(scope=Scope.biz(2), id=1))


def test_booleans_are_text_in_a_query() -> None:
    """A query has `true` and `false`, and version 4 another name of the parameter."""
    operation = GetJobInstanceStatus(ref=JOB, return_ip_result=True)

    assert sent("gateway-v3", operation)["return_ip_result"] == "true"
    assert sent("esb-jobv3", evolve(operation, return_ip_result=False))["return_ip_result"] == "false"
    assert sent("gateway-v4", operation)["return_execute_object_result"] == "true"


def test_what_is_not_requested_is_not_sent() -> None:
    """None is left out; the batch is always named, because leaving it out means the latest only."""
    assert set(sent("gateway-v3", GetStepInstanceStatus(ref=STEP))) == {
        *("bk_scope_type", "bk_scope_id", "job_instance_id", "step_instance_id", "batch"),
    }


def test_a_business_set_is_named_in_every_dialect() -> None:
    """The ESB takes a set by both of its names: older sites know those with certain numbers by `bk_biz_id` only."""
    operation = GetJobInstanceStatus(ref=JobRef(Scope.biz_set(9000001), 100))
    named = {"bk_scope_type": "biz_set", "bk_scope_id": "9000001"}

    assert sent("gateway-v3", operation).items() >= named.items()
    assert sent("esb-job", operation) == {"bk_biz_id": "9000001", **named, "job_instance_id": "100"}
    assert sent("esb-jobv3", operation).items() >= {"bk_biz_id": "9000001", **named}.items()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_esb_gets_a_business_by_both_of_its_names(operation: Operation[Any]) -> None:
    """Its oldest document knows `bk_biz_id` only, newer servers the kind and the id."""
    if type(operation) not in DIALECTS["esb-jobv3"].all_calls() or scope_of(operation) is None:
        return
    carried = sent("esb-jobv3", operation)

    assert str(carried["bk_biz_id"]) == carried["bk_scope_id"] == "2"
    assert carried["bk_scope_type"] == "biz"


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("scope", [Scope.tenant_set(1), Scope.biz_set(9), Scope("planet", 3)])
def test_another_scope_is_never_sent_as_a_business(name: str, scope: Scope) -> None:
    """A server that does not know the kind of scope must not take its number for a business."""
    carried = sent(name, GetJobInstanceStatus(ref=JobRef(scope, 100)))

    assert "bk_biz_id" not in carried
    assert (carried["bk_scope_type"], carried["bk_scope_id"]) == (str(scope.type), str(scope.id))


# Headers and credentials --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALECTS)
def test_credentials_go_into_one_header(name: str) -> None:
    """One JSON object, plain ASCII, without what is absent; nothing of it in URL, body or repr."""
    codec = DIALECTS[name]
    user = evolve(CREDENTIALS, bk_username="张三")

    signed = codec.sign(codec.encode(GetJobInstanceStatus(ref=JOB)), user)

    header = signed.headers["X-Bkapi-Authorization"]
    assert header.isascii()
    assert json.loads(header) == {"bk_app_code": "app", "bk_app_secret": SECRET, "bk_username": "张三"}
    assert SECRET not in str(signed.url)
    assert SECRET not in repr(signed)
    assert json.loads(codec.sign(signed, AccessToken(access_token="t")).headers["X-Bkapi-Authorization"]) == {
        "access_token": "t"
    }


@pytest.mark.parametrize("name", ["esb-job", "esb-jobv3"])
def test_credentials_in_the_body_make_every_read_a_post(name: str) -> None:
    """A secret never stands in a URL, so a read that carries one is posted."""
    codec = dialect_by_name(name, credentials_in="body")

    request = codec.sign(codec.encode(GetJobInstanceStatus(ref=JOB)), CREDENTIALS)

    assert request.method == "POST"
    assert "X-Bkapi-Authorization" not in request.headers
    body = parameters(request)
    assert (body["bk_app_code"], body["bk_app_secret"], body["bk_username"]) == ("app", SECRET, "ada")
    assert body["job_instance_id"] == JOB.job_instance_id
    assert SECRET not in f"{request.url} {request!r}"
    with pytest.raises(UsageError, match="header only"):
        codec.sign(request, AccessToken(access_token="t"))


@pytest.mark.parametrize("name", ["gateway-v3", "gateway-v4"])
def test_the_system_twins_name_their_acting_user(name: str) -> None:
    """They have their own paths and a header for the user they act for."""
    codec = dialect_by_name(name, system=True, acting_user="ada", tenant="blue", language="en")

    request = codec.encode(GetJobInstanceStatus(ref=JOB))

    assert request.url.path == f"{codec.path_prefix}system/get_job_instance_status"
    assert request.headers["X-Bk-Username"] == "ada"
    assert request.headers["X-Bk-Tenant-Id"] == "blue"
    assert request.headers["Blueking-Language"] == "en"
    assert not {"X-Bk-Username", "X-Bk-Tenant-Id"} & set(
        dialect_by_name(name).encode(GetJobInstanceStatus(ref=JOB)).headers
    )


def test_invalid_options_are_refused() -> None:
    """Unknown dialects, options of other dialects, broken headers: each says what is wrong."""
    with pytest.raises(UsageError, match="esb-job, esb-jobv3, gateway-v3, gateway-v4"):
        dialect_by_name("gateway-v5")
    with pytest.raises(UsageError, match="does not take these options: system"):
        dialect_by_name("esb-job", system=True)
    with pytest.raises(UsageError, match="credentials_in must be 'header' or 'body', not 'cookie'"):
        dialect_by_name("esb-job", credentials_in="cookie")
    with pytest.raises(UsageError, match="system=True"):
        dialect_by_name("gateway-v3", acting_user="ada")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "", " ", "租户", "\udcff", 5])
@pytest.mark.parametrize("option", ["tenant", "language", "acting_user"])
def test_what_no_header_can_have_is_refused_at_once(option: str, value: Any) -> None:
    """Before a client, or a fleet, begins with it and every request fails."""
    with pytest.raises(UsageError, match=f"^{option} goes into a header, and must be plain ASCII text"):
        dialect_by_name("gateway-v3", system=True, **{option: value})
    with pytest.raises(UsageError, match="system is True or False"):
        dialect_by_name("gateway-v3", system="yes")
    with pytest.raises(UsageError, match="timezone is a tzinfo"):
        dialect_by_name("gateway-v3", timezone="Asia/Shanghai")  # type: ignore[arg-type]


# Reads -------------------------------------------------------------------------------------------------------------


def test_logs_are_requested_by_one_kind_of_name() -> None:
    """Ids, addresses, or containers; and no more at once than the platform takes."""
    operation = BatchGetJobInstanceIpLog(ref=STEP, hosts=[31, 32])

    assert sent("gateway-v3", operation)["host_id_list"] == [31, 32]
    assert sent("gateway-v4", operation)["host_id_list"] == [31, 32]
    assert DIALECTS["gateway-v4"].encode(operation).url.name == "batch_get_job_instance_execute_object_log"
    assert sent("esb-jobv3", evolve(operation, hosts="1:10.0.0.1"))["ip_list"] == [
        {"bk_cloud_id": 1, "ip": "10.0.0.1"}
    ]
    containers = [HostKey(container_id=501), HostKey(container_id=502)]
    assert sent("gateway-v4", evolve(operation, hosts=containers))["container_id_list"] == [501, 502]
    with pytest.raises(UsageError, match="separately"):
        sent("gateway-v4", evolve(operation, hosts=[*containers, 31]))


@pytest.mark.parametrize(("name", "most"), [("gateway-v3", 500), ("esb-jobv3", 500), ("gateway-v4", 50)])
def test_more_logs_than_the_platform_takes_are_refused(name: str, most: int) -> None:
    """The limit is checked before anything is sent, and is in the capabilities."""
    operation = BatchGetJobInstanceIpLog(ref=STEP, hosts=range(1, most + 1))

    assert DIALECTS[name].capabilities.log_hosts == most
    assert len(sent(name, operation)["host_id_list"]) == most
    for hosts in (range(1, most + 2), ()):
        with pytest.raises(UsageError, match=f"1 to {most} hosts"):
            sent(name, evolve(operation, hosts=hosts))


def test_one_log_is_requested_by_id_or_address() -> None:
    """The id is used where both are known."""
    by_id = sent("gateway-v3", GetJobInstanceIpLog(ref=STEP, host=HostKey(bk_host_id=31, ip="10.1.0.31")))
    by_address = sent("gateway-v3", GetJobInstanceIpLog(ref=STEP, host="2:10.1.0.31"))

    assert by_id["bk_host_id"] == "31"
    assert "ip" not in by_id
    assert (by_address["bk_cloud_id"], by_address["ip"]) == ("2", "10.1.0.31")


def test_lists_are_bounded_by_times() -> None:
    """Times are sent as milliseconds; version 4 has `offset`."""
    operation = GetJobInstanceList(
        scope=SCOPE, create_time_start=DAY, create_time_end=DAY, job_name="night", start=40, length=20
    )

    v3, v4 = sent("gateway-v3", operation), sent("gateway-v4", operation)

    assert v3["create_time_start"] == v4["create_time_end"] == "1699920000000"
    assert (v3["start"], v4["offset"], v3["length"], v3["name"]) == ("40", "40", "20", "night")
    for name, most in (("gateway-v3", 1000), ("esb-jobv3", 1000), ("gateway-v4", 200)):
        assert DIALECTS[name].capabilities.list_length == most
        assert sent(name, evolve(operation, length=most))["length"] == str(most)
        with pytest.raises(UsageError, match=f"{most} job instances at most"):
            sent(name, evolve(operation, length=most + 1))
    with pytest.raises(ValueError, match="zone"):
        evolve(operation, create_time_start=DAY.replace(tzinfo=None))


def test_jobs_are_operated_on_as_a_whole() -> None:
    """One code, one job."""
    operation = OperateJobInstance(ref=JOB, operation_code=1)

    assert sent("esb-job", operation) == {"bk_biz_id": 2, "job_instance_id": 7001, "operation_code": 1}
    assert sent("gateway-v3", operation)["operation_code"] == 1


def test_all_logs_are_the_oldest_dialects_own() -> None:
    """Only one dialect has all logs in one response."""
    assert DIALECTS["esb-job"].encode(GetJobInstanceLog(ref=JOB)).method == "GET"


@pytest.mark.parametrize(
    ("codec", "path"),
    [
        (DIALECTS["gateway-v3"], "api/v3/get_cron_list"),
        (dialect_by_name("gateway-v4", system=True), "api/v4/system/get_cron_list"),
        (DIALECTS["esb-jobv3"], "api/c/compapi/v2/jobv3/get_cron_list/"),
    ],
)
def test_anything_can_be_called_by_name(codec: Dialect, path: str) -> None:
    """An operation without a class is sent with its parameters, and the scope under the dialect's names."""
    call = RawCall(name="get_cron_list", parameters={"start": 0, "on": True}, method="GET", scope=SCOPE)

    request = codec.encode(call)

    assert request.url.path == path
    query = dict(request.url.query)
    assert query.pop("bk_biz_id", "2") == "2"
    assert query == {"bk_scope_type": "biz", "bk_scope_id": "2", "start": "0", "on": "true"}
    assert call.repeatable
    assert not RawCall(name="save_cron").repeatable
    with pytest.raises(ValueError, match="match"):
        RawCall(name="../../admin")


@pytest.mark.parametrize("name", DIALECTS)
def test_requests_are_relative(name: str) -> None:
    """The session adds the base URL."""
    url = DIALECTS[name].encode(GetJobInstanceStatus(ref=JOB)).url

    assert not url.absolute
    assert isinstance(url, URL)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_text_that_is_none_is_refused_and_not_kept(dialect: str) -> None:
    """Half of a surrogate pair comes from names of files, and cannot be sent; a script stays out of the error."""
    script = f"echo {SECRET} \ud800"
    launches = [
        FastExecuteScript(scope=SCOPE, targets=HostKey(bk_cloud_id=0, ip="10.0.0.1"), script_content=script),
        FastExecuteScript(
            scope=SCOPE,
            targets=HostKey(bk_cloud_id=0, ip="10.0.0.1"),
            script_content="uptime",
            task_name=script,
        ),
    ]

    for launch in launches:
        with pytest.raises(UsageError, match=r"fast_execute_script: .* U\+D800") as refused:
            dialect_by_name(dialect).encode(launch)
        assert SECRET not in str(refused.value)
        assert refused.value.__context__ is None

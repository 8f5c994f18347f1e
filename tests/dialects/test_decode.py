"""Recorded responses and callbacks are decoded like live ones."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.dialects.common.ref_checks import UNKNOWN_ID
from bkjob_async.dialects.decode import decode, decode_callback
from bkjob_async.dialects.registry import operations
from bkjob_async.errors import (
    CallFailed,
    InvalidResponse,
    NotFound,
    NotSupported,
    PlatformTrouble,
    UsageError,
)
from bkjob_async.model.operations.base import GetJobInstanceStatus, Operation
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.status import RunStatus
from tests.dialects.sample_operations import JOB, SAMPLES, SCOPE, STEP, decoded, sample_call


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_recorded_answer_is_read_as_the_live_one(sample: str) -> None:
    """By the operation or by its name with a ref, the same value comes out."""
    codec, operation = sample_call(sample)
    body = json.dumps(SAMPLES[sample])
    ref = None if operation.name.startswith(("fast_", "execute_", "push_")) else STEP

    assert decode(body, operation=operation, dialect=codec.name) == decoded(sample)
    by_name = decode(body.encode(), operation=operation.name, dialect=codec.name, ref=ref, scope=SCOPE)
    assert type(by_name) is type(decoded(sample))
    if "_list" not in operation.name:
        assert by_name == decoded(sample)


@pytest.mark.parametrize("sample", [name for name in SAMPLES if "job_instance_status" in name])
def test_a_response_names_what_it_is_about(sample: str) -> None:
    """Scope and job are taken from the data where nobody says them, and the data may come alone."""
    codec, operation = sample_call(sample)
    data = json.dumps(SAMPLES[sample]["data"])

    snapshot = decode(data, operation=operation.name, dialect=codec.name, envelope=False)

    assert snapshot == decoded(sample)
    assert snapshot.ref == JOB


JOB_SAMPLES = [
    f"{dialect}/get_job_instance_status{kind}"
    for dialect, kind in (
        ("esb-job", ""),
        ("esb-jobv3", ""),
        ("gateway-v3", ""),
        ("gateway-v4", ""),
        ("gateway-v4", ".containers"),
    )
]
# Version 4 reads the rows of version 3, which it once had itself.
UNDERSTOOD = {
    "gateway-v4": ("gateway-v3", "esb-jobv3"),
    "gateway-v3": ("esb-jobv3",),
    "esb-jobv3": ("gateway-v3",),
}


@pytest.mark.parametrize("dialect", ["esb-job", "esb-jobv3", "gateway-v3", "gateway-v4"])
@pytest.mark.parametrize("sample", JOB_SAMPLES)
def test_a_job_of_another_dialect_is_read_in_full_or_refused(sample: str, dialect: str) -> None:
    """It is never shown without the steps or hosts that the response lists under other names."""
    body = json.dumps(SAMPLES[sample])
    written_by = sample.partition("/")[0]
    own = decode(body, operation="get_job_instance_status", dialect=written_by)

    if dialect == written_by or written_by in UNDERSTOOD.get(dialect, ()):
        found = decode(body, operation="get_job_instance_status", dialect=dialect)
        assert [step.hosts for step in found.steps] == [step.hosts for step in own.steps]
    else:
        with pytest.raises(
            InvalidResponse, match=f"is a list of .*{written_by}.*: this is not the dialect of"
        ):
            decode(body, operation="get_job_instance_status", dialect=dialect)


def test_what_nobody_names_is_nameless() -> None:
    """An id that neither response nor caller names is one that no platform gives; the caller's word goes first."""
    data = '{"job_instance": {"status": 2}, "finished": false}'

    nameless = decode(data, operation="get_job_instance_status", envelope=False)
    named = decode(
        data,
        operation="get_job_instance_status",
        envelope=False,
        scope=Scope.biz_set(9),
        ref=JobRef(SCOPE, 5),
    )

    assert nameless.ref == JobRef(Scope.biz(UNKNOWN_ID), UNKNOWN_ID)
    assert named.ref == JobRef(SCOPE, 5)


@pytest.mark.parametrize(
    ("dialect", "name", "common"),
    [
        ("esb-job", "execute_job", "execute_job_plan"),
        ("esb-job", "fast_push_file", "fast_transfer_file"),
        ("gateway-v4", "batch_get_job_instance_execute_object_log", "batch_get_job_instance_ip_log"),
    ],
)
def test_dialects_own_names_are_known(dialect: str, name: str, common: str) -> None:
    """What single dialects call otherwise is the same operation."""
    body = json.dumps(SAMPLES[f"{dialect}/{common}"])

    assert decode(body, operation=name, dialect=dialect, ref=STEP, scope=SCOPE) == decode(
        body, operation=common, dialect=dialect, ref=STEP, scope=SCOPE
    )


def test_an_unknown_operation_is_plain_data() -> None:
    """There is no model for it, but the envelope is opened all the same."""
    assert decode('{"result": true, "code": 0, "data": [1]}', operation="get_dangerous_rule_list") == [1]
    with pytest.raises(UsageError, match="no operation"):
        decode("{}", operation="../admin")


@pytest.mark.parametrize("kind", operations(), ids=lambda kind: str(kind.name))
def test_each_operation_is_known_by_its_name(kind: type[Operation[Any]]) -> None:
    """A response without data is an invalid one, or says nothing; it is never one that nobody can ask for."""
    dialect = operations()[kind][0]

    with suppress(InvalidResponse):
        decode('{"result": true, "code": 0, "data": null}', operation=kind.name, dialect=dialect)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("delete_cron", {"id": 5}),
        ("update_cron_status", {"id": 5}),
        ("update_cron_status", 5),
        ("check_script", []),
        ("get_file_source_detail", {"id": 5, "code": "artifacts"}),
    ],
)
def test_what_the_request_named_is_taken_from_the_response(name: str, data: object) -> None:
    """Of an operation that is only named nobody knows which item it asked for."""
    decode(json.dumps({"result": True, "code": 0, "data": data}), operation=name)


def test_errors_are_those_of_a_live_call() -> None:
    """They carry operation, dialect, codes and request ids."""
    body = '{"result": false, "code": 1244006, "message": "gone", "job_request_id": "j-1"}'

    with pytest.raises(NotFound) as caught:
        decode(body, operation="get_job_instance_status", headers={"X-Request-Id": "h-1"})
    details = caught.value.details

    assert (details.operation, details.dialect, details.code) == (
        "get_job_instance_status",
        "gateway-v3",
        1244006,
    )
    assert details.request_ids == {"X-Request-Id": "h-1", "job_request_id": "j-1"}
    assert "1244006" in str(caught.value)
    with pytest.raises(PlatformTrouble):
        decode(b"<html>", operation=GetJobInstanceStatus(ref=JOB), http_status=502)
    with pytest.raises(InvalidResponse, match="not JSON"):
        decode('1, "result": false', operation="get_job_instance_status", envelope=False)
    with pytest.raises(NotSupported, match="gateway-v3 can"):
        decode('{"data": {}}', operation="get_step_instance_status", dialect="gateway-v4")


# Callbacks ----------------------------------------------------------------------------------------------------------

CALLBACK = {"job_instance_id": 7001, "status": 4, "step_instances": [{"step_instance_id": 8001, "status": 4}]}
TEXT = json.dumps(CALLBACK)
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (TEXT, "application/json"),
        (TEXT.encode(), "application/json; charset=utf-8"),
        (TEXT, FORM),
        (TEXT, ""),
        (quote_plus(TEXT), FORM),
        (quote_plus(TEXT) + "=", FORM),
        ("body=" + quote_plus(TEXT), FORM),
        (TEXT.replace("step_instances", "step_instance_list"), "application/json"),
        (TEXT.replace("7001", '"7001"').replace("4", '"4"', 1), "application/json"),
    ],
)
def test_a_callback_is_read_in_all_its_shapes(body: bytes | str, content_type: str) -> None:
    """JSON, the same as a form, either name of the list, numbers as text."""
    callback = decode_callback(body, content_type)

    assert callback.job_instance_id == 7001
    assert callback.status == RunStatus(4)
    assert callback.steps == {8001: RunStatus(4)}


def test_a_callback_may_say_nothing_of_steps() -> None:
    """Job and status are enough."""
    assert decode_callback('{"job_instance_id": 7001, "status": 3}').steps == {}


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "{}", '{"job_instance_id": 0, "status": 3}', '{"status": 3}']
)
def test_what_is_no_callback_is_an_error(body: str) -> None:
    """A body that means nothing is an unusable response, as a form too."""
    for content_type in ("application/json", FORM):
        with pytest.raises(InvalidResponse):
            decode_callback(body, content_type)


@given(st.binary(max_size=60) | st.text(max_size=60), st.sampled_from(["application/json", FORM]))
def test_any_body_is_a_callback_or_a_typed_error(body: Any, content_type: str) -> None:
    """A receiver can be sent anything."""
    try:
        decode_callback(body, content_type)
    except CallFailed as error:
        assert isinstance(error, InvalidResponse)  # noqa: PT017 - most bodies are no callback, a few may be

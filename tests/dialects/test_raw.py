"""All data of the platform about a job or step is in `raw`."""

import pickle

import pytest

from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus
from tests.dialects.sample_operations import JOB, SAMPLES, decoded, json_response, sample_call

JOBS = [name for name in SAMPLES if name.endswith("get_job_instance_status")]


@pytest.mark.parametrize("sample", JOBS)
def test_a_job_keeps_its_answer_and_each_step_its_part(sample: str) -> None:
    """Fields without a place in the model are there, whichever list the steps stand in."""
    snapshot = decoded(sample)

    assert snapshot.raw == SAMPLES[sample]["data"]
    for step in snapshot.steps:
        assert step.raw["step_instance_id"] == step.ref.step_instance_id
        assert step.raw["name"] == step.name
    assert pickle.loads(pickle.dumps(snapshot)).raw == snapshot.raw  # noqa: S301 - our own


@pytest.mark.parametrize(
    "sample", ["gateway-v3/get_step_instance_status", "esb-job/get_step_instance_status"]
)
def test_a_step_keeps_its_answer(sample: str) -> None:
    """The whole data, as nothing else is in it."""
    assert decoded(sample).raw == SAMPLES[sample]["data"]


def test_the_raw_answer_is_no_part_of_what_is_equal_or_shown() -> None:
    """Two reads of the same state are equal, and a repr stays short."""
    codec, operation = sample_call("gateway-v3/get_job_instance_status")
    body = SAMPLES["gateway-v3/get_job_instance_status"]

    one = codec.decode(operation, json_response({**body, "job_request_id": "another"}))
    other = codec.decode(operation, json_response(body))

    assert one == other
    assert "job_request_id" not in repr(one)


def test_a_text_in_another_encoding_can_be_reached_too() -> None:
    """It costs its strange letters, not the response."""
    body = b'{"result":true,"code":0,"data":{"job_instance":{"status":3,"name":"\xc4"},"finished":true}}'

    found = dialect_by_name("gateway-v3").decode(
        GetJobInstanceStatus(ref=JOB), HttpResponse(status=200, headers={}, body=body)
    )

    assert found.raw is not None
    assert found.raw["job_instance"]["name"] == "\ufffd"

"""Responses that say what is known are not decoded, and only those."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.errors import CallFailed
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView, KnownRows, StepPollView
from tests.dialects import sample_operations
from tests.dialects.gateway.test_v3_responses import large_step, view_values
from tests.dialects.sample_operations import SAMPLES, json_response, sample_call
from tests.dialects.test_any_json import damaged, put
from tests.examples import examples

JOBS = [f"{name}/get_job_instance_status" for name in ("esb-job", "esb-jobv3", "gateway-v3", "gateway-v4")]
JOB, STEP = "gateway-v3/get_job_instance_status", "gateway-v3/get_step_instance_status"
ALL_ROWS = GetStepInstanceStatus(ref=sample_operations.STEP, batch=0)


def polled_all(
    sample: str, response: HttpResponse, known: KnownRows | None
) -> JobPollView | StepPollView | None:
    """Return the poll view of a request for all rows, None for an error."""
    codec, operation = sample_call(sample)
    asked = operation if isinstance(operation, GetJobInstanceStatus) else ALL_ROWS
    try:
        return decode_poll(codec, asked, response, known)
    except CallFailed:
        return None


def step_polled(response: HttpResponse, known: KnownRows | None) -> StepPollView | None:
    """Return the poll view of a request for all rows of a step, None for an error."""
    view = polled_all(STEP, response, known)
    assert not isinstance(view, JobPollView)
    return view


def known_from(view: JobPollView | StepPollView) -> KnownRows:
    """Return what is known after a response that was believed."""
    execute_count = view.execute_count if isinstance(view, StepPollView) else 0
    return KnownRows(view.status, execute_count, view.name, view.digest)


@settings(max_examples=examples(600), deadline=None)
@given(st.sampled_from([*JOBS, STEP]), st.data(), st.booleans(), st.booleans())
def test_known_rows_are_skipped_only_where_they_are_the_same(
    sample: str,
    data: st.DataObject,
    is_later: bool,  # noqa: FBT001 - Hypothesis draws it
    has_request_id: bool,  # noqa: FBT001 - Hypothesis draws it
) -> None:
    """A view without rows stands for the rows that are known; any other is the view that it would be anyway."""
    (_, body), (_, other) = data.draw(damaged(samples=[sample])), data.draw(damaged(samples=[sample]))
    if is_later:  # the same rows, another total time
        place = ("data", "total_time") if sample == STEP else ("data", "job_instance", "total_time")
        other = put(copy.deepcopy(body), place, 987_654)
    if has_request_id:
        other = put(copy.deepcopy(other), ("job_request_id",), "another")
    believed = polled_all(sample, json_response(body), NOTHING_READ)
    if believed is None:
        return
    seen, expected = (polled_all(sample, json_response(other), each) for each in (known_from(believed), None))

    if seen is None or expected is None:
        assert seen is expected
    elif not seen.has_known_rows:
        assert view_values(seen) == view_values(expected)
    elif isinstance(seen, JobPollView):
        assert (seen.status, seen.name, seen.steps) == (expected.status, expected.name, ())
        assert view_values(believed)[4:] == view_values(expected)[4:]
    else:
        assert isinstance(expected, StepPollView)
        assert (*view_values(seen)[:3], seen.execute_count) == (
            *view_values(expected)[:3],
            expected.execute_count,
        )
        assert seen.groups is None
        assert view_values(believed)[4][2:] == view_values(expected)[4][2:]


def test_a_job_is_known_while_nothing_changes() -> None:
    """The id of the request differs; a row, a status or a step make it be read."""
    body = SAMPLES[JOB]
    believed = polled_all(JOB, json_response({**body, "job_request_id": "one"}), NOTHING_READ)
    assert believed is not None
    assert believed.digest
    first_step = ("data", "step_instance_list", 0)
    others = [
        put(copy.deepcopy(body), (*first_step, "step_ip_result_list", 0, "status"), 12),
        put(copy.deepcopy(body), (*first_step, "status"), 4),
        put(copy.deepcopy(body), ("data", "job_instance", "status"), 4),
        put(copy.deepcopy(body), ("data", "step_instance_list"), []),
    ]
    views = [
        polled_all(JOB, json_response({**each, "job_request_id": "another"}), known_from(believed))
        for each in (body, *others)
    ]
    assert [view is not None and view.has_known_rows for view in views] == [True, *(False for _ in others)]


def test_rows_are_known_while_a_step_runs() -> None:
    """Its total time and the id of the request differ; a row, a status or another execution make it be read."""
    body = large_step(30)
    body["data"]["execute_count"] = 0
    body["data"]["total_time"], body["job_request_id"] = 3, "one"
    believed = step_polled(json_response(body), NOTHING_READ)
    assert believed is not None
    known = KnownRows(2, 0, believed.name, believed.digest)
    later = {**put(copy.deepcopy(body), ("data", "total_time"), 7), "job_request_id": "another"}
    moved = put(
        copy.deepcopy(body), ("data", "step_result_group_list", 3, "host_result_list", 29, "exit_code"), 1
    )

    def is_known(other: dict[str, Any]) -> bool:
        view = step_polled(json_response(other), known)
        assert view is not None
        return view.has_known_rows

    assert believed.digest
    assert [is_known(each) for each in (body, later, moved)] == [True, True, False]
    assert not is_known(put(copy.deepcopy(body), ("data", "status"), 3))
    assert not is_known(put(copy.deepcopy(body), ("data", "execute_count"), 1))


def test_a_large_response_gets_no_digest() -> None:
    """Its step is read by groups next time; hashing it would cost as much as decoding it."""
    bodies = [large_step(hosts) for hosts in (3, 3_000)]
    views = [step_polled(json_response(body), NOTHING_READ) for body in bodies]

    assert [view is not None and view.digest != 0 for view in views] == [True, False]


@pytest.mark.parametrize(
    "other", [{"status": 3}, {"execute_count": 1}, {"name": "another"}], ids=lambda other: next(iter(other))
)
def test_an_old_response_is_not_known_once_the_step_has_gone_on(other: dict[str, Any]) -> None:
    """Its bytes are those of the last response that was believed, and no longer what is known."""
    body = large_step(3)
    believed = step_polled(json_response(body), NOTHING_READ)
    assert believed is not None
    known = KnownRows(believed.status, believed.execute_count, believed.name, believed.digest)
    seen = [step_polled(json_response(body), each) for each in (known, structs.replace(known, **other))]

    assert [view is not None and view.has_known_rows for view in seen] == [True, False]

"""Poll views of any response: rows read late equal rows read at once."""

from __future__ import annotations

import copy
import sys
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.host_rows import PartialHostRow
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_calls import ReadLeniently, decode_poll
from bkjob_async.dialects.gateway.lazy_rows import BULK_SHARE
from bkjob_async.dialects.gateway.v3_responses import read_job, read_step
from bkjob_async.errors import CallFailed, InvalidResponse
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView, KnownRows, StepPollView, times_of
from tests.dialects.sample_operations import SAMPLES, json_response, sample_call
from tests.dialects.test_any_json import damaged, put
from tests.examples import examples

JOB, STEP = "gateway-v3/get_job_instance_status", "gateway-v3/get_step_instance_status"


def polled(sample: str, response: HttpResponse, known: KnownRows | None = None) -> JobPollView | StepPollView:
    """Return the poll view of a response, by the dialect."""
    codec, operation = sample_call(sample)
    assert isinstance(operation, GetJobInstanceStatus | GetStepInstanceStatus)
    return decode_poll(codec, operation, response, known)


def leniently(sample: str, response: HttpResponse) -> JobPollView | StepPollView:
    """Return the poll view of a response, by the lenient reader."""
    answered = JsonObject(open_envelope(response))
    operation = sample_call(sample)[1]
    read: ReadLeniently = read_job if sample == JOB else read_step
    return read(operation, answered, for_poll=True)


def view_values(view: JobPollView | StepPollView) -> list[Any]:
    """Return all of a view as plain values."""
    steps = view.steps if isinstance(view, JobPollView) else (view,)
    head = [view.status, view.finished, view.name, times_of(view)]
    return [*head, *(step_values(step) for step in steps)]


def step_values(step: StepPollView) -> list[Any]:
    """Return all of a step's view as plain values."""
    own = (step.step_instance_id, step.status, step.finished, step.name, step.type, step.execute_count)
    return [
        own,
        times_of(step),
        step.complete,
        [group_values(step, group) for group in step.groups or ()],
    ]


def group_values(step: StepPollView, group: Any) -> list[Any]:
    """Return all of a group as plain values, its rows by their names and details."""
    rows = [
        (
            row.status if group.status is None else group.status,
            names(named),
            named.details(),
        )
        for row, named in zip(group.rows or (), step.named(group.rows or ()), strict=True)
    ]
    return [group.status, group.tag, group.size, group.rows is None, rows]


def names(row: Any) -> tuple[Any, ...]:
    """Return all names of a row."""
    return (row.bk_host_id, row.bk_cloud_id or 0, row.ip or None, row.ipv6 or None, row.container_id)


def same(sample: str, response: HttpResponse) -> None:
    """Assert that both readers agree; only members that a poll does not need may be an error for the other.

    The first response, which is read in full, is no error where another one is none.
    """
    try:
        expected = view_values(leniently(sample, response))
    except InvalidResponse:
        with suppress(CallFailed):
            seen = view_values(polled(sample, response))
            assert view_values(polled(sample, response, NOTHING_READ)) == seen
        return
    except CallFailed as error:
        for known in (None, NOTHING_READ):
            with pytest.raises(type(error)):
                polled(sample, response, known)
        return
    assert view_values(polled(sample, response)) == expected
    assert view_values(polled(sample, response, NOTHING_READ)) == expected


@pytest.mark.parametrize("sample", [JOB, STEP])
def test_the_documented_response_is_read_late(sample: str) -> None:
    """Only id and code of each row are read; the rest is read later, with the same values."""
    response = json_response(SAMPLES[sample])
    view = polled(sample, response)
    steps = view.steps if isinstance(view, JobPollView) else (view,)
    rows = [row for step in steps for group in step.groups or () for row in group.rows or ()]

    assert rows
    assert all(isinstance(row, PartialHostRow) for row in rows)
    same(sample, response)


@settings(max_examples=examples(600), deadline=None)
@given(damaged(samples=[JOB, STEP]))
def test_views_read_the_same(case: tuple[str, Any]) -> None:
    """With any value anywhere in a response."""
    sample, body = case
    same(sample, json_response(body))


@settings(max_examples=examples(400), deadline=None)
@given(damaged(samples=[STEP]), st.integers(0, 1), st.sampled_from([1, 104, 403, 99_999]))
def test_views_read_failed_hosts_the_same(case: tuple[str, Any], group: int, code: int) -> None:
    """Rows of groups that failed are read in full at once, under codes that are known."""
    sample, body = case
    same(sample, json_response(put(body, ("data", "step_result_group_list", group, "result_type"), code)))


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from([JOB, STEP]), st.data())
def test_views_read_the_same_bytes(sample: str, data: st.DataObject) -> None:
    """The same holds for bytes that are broken somewhere."""
    whole = bytearray(json_response(SAMPLES[sample]).body)
    for _ in range(data.draw(st.integers(1, 2))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.integers(0, 255) | st.sampled_from(list(b'0129"{}[],:-.eE \\\xb1'))
        )
    same(sample, HttpResponse(status=200, body=bytes(whole)))


def large_step(hosts: int) -> dict[str, Any]:
    """Return a response about a step with two groups of *hosts* hosts each."""
    groups = [
        {
            "result_type": code,
            "tag": tag,
            "host_size": hosts,
            "host_result_list": [
                {
                    "bk_host_id": first + n,
                    "ip": f"10.0.{code}.{n}",
                    "bk_cloud_id": 0,
                    "status": 7,
                    "exit_code": n,
                }
                for n in range(hosts)
            ],
        }
        for code, tag, first in ((7, None, 1), (9, "blue", 1000), (104, "red", 2000), (403, None, 3000))
    ]
    data = {"step_instance_id": 8001, "status": 2, "step_result_group_list": groups}
    return {"code": 0, "result": True, "data": data}


@pytest.mark.parametrize("asked_for", [1, 3, 200])
def test_few_and_many_rows_are_read_the_same(asked_for: int) -> None:
    """A few rows one by one, many all at once, from the last to the first."""
    response = json_response(large_step(BULK_SHARE * 8))
    view, expected = polled(STEP, response), leniently(STEP, response)
    assert isinstance(view, StepPollView)
    assert isinstance(expected, StepPollView)
    groups = zip(view.groups or (), expected.groups or (), strict=True)
    pairs = [pair for ours, theirs in groups for pair in zip(ours.rows or (), theirs.rows or (), strict=True)]

    wanted = pairs[::-1][:asked_for]
    for row, other in zip(view.named([row for row, _ in wanted]), wanted, strict=True):
        assert row.details() == expected.named([other[1]])[0].details()
        assert names(row) == names(other[1])


def test_failed_hosts_are_read_at_once() -> None:
    """Their details are kept anyway; of other hosts only what a poll needs."""
    view = polled(STEP, json_response(large_step(2)))
    assert isinstance(view, StepPollView)
    rows = [row for group in view.groups or () for row in group.rows or ()]

    assert [isinstance(row, PartialHostRow) for row in rows] == [True] * 4 + [False] * 4
    assert [(row.status, row.tag, view.named([row])[0] is row) for row in rows[4::2]] == [
        (104, "red", True),
        (403, None, True),
    ]


@pytest.mark.parametrize(("group", "first"), [(1, 1000), (2, 2000)])
def test_a_row_that_cannot_be_understood_keeps_id_and_code(group: int, first: int) -> None:
    """A poll does not fail for members that it does not need."""
    body = large_step(BULK_SHARE * 2)
    body["data"]["step_result_group_list"][group]["host_result_list"][3]["exit_code"] = []
    view = polled(STEP, json_response(body))
    assert isinstance(view, StepPollView)
    shown = (view.groups or ())[group]
    details = [row.details() for row in view.named(shown.rows or ())]

    assert (details[3].host.bk_host_id, details[3].host.ip) == (first + 3, None)
    assert details[3].status.code == shown.status
    assert [seen.exit_code for seen in details] == [0, 1, 2, None, *range(4, BULK_SHARE * 2)]


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (1_795_282_200_123, 1_795_282_200.123),
        (1_795_282_200, 1_795_282_200.0),
        ("1795282200123", 1_795_282_200.123),
        ("2026-11-22 02:10:00", 1_795_284_600.0),
        (1_795_282_200_123.0, 1_795_282_200.123),
        (0, None),
        (-1, None),
        (None, None),
        ("", None),
        ("soon", None),
        (1.5, None),
        (True, None),
        ([], None),
        ({}, None),
        (253_402_300_800_000, None),
        (10**30, None),
    ],
)
def test_no_poll_fails_for_the_times_of_a_host(sent: object, understood: float | None) -> None:
    """They are read as in a snapshot; what is no time is none."""
    body = large_step(BULK_SHARE * 2)
    sent_row = body["data"]["step_result_group_list"][1]["host_result_list"][3]
    sent_row["start_time"] = sent_row["end_time"] = sent
    view = polled(STEP, json_response(body))
    assert isinstance(view, StepPollView)
    row = ((view.groups or ())[1].rows or ())[3]
    (named,) = view.named([row])
    times = named.details().times

    assert isinstance(row, PartialHostRow)
    _, started, ended = row.outcome()
    assert started == ended == times.start_time == times.end_time
    assert named.outcome()[1:] == (started, ended)
    assert (started and started.timestamp()) == understood


def test_hosts_without_an_id_are_read_at_once() -> None:
    """Older servers name hosts by address only."""
    body = large_step(2)
    for group in body["data"]["step_result_group_list"]:
        for row in group["host_result_list"]:
            del row["bk_host_id"]

    same(STEP, HttpResponse(status=200, body=msgspec.json.encode(body)))
    view = polled(STEP, json_response(body))
    assert isinstance(view, StepPollView)
    assert view.complete


def test_a_named_row_keeps_no_response() -> None:
    """Rows of changed hosts may be kept for long; the bytes of the response are not."""
    body = json_response(large_step(BULK_SHARE * 8)).body
    references = sys.getrefcount(body)
    view = polled(STEP, HttpResponse(status=200, body=body))
    assert isinstance(view, StepPollView)
    kept = [row for group in view.groups or () for row in view.named((group.rows or ())[:3])]
    del view

    assert sys.getrefcount(body) == references
    assert [row.details().exit_code for row in kept] == [0, 1, 2] * 4


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        (STEP, ("data", "retry_count")),
        (STEP, ("data", "finished")),
        (STEP, ("data", "is_finished")),
        (JOB, ("data", "is_finished")),
        (JOB, ("data", "step_instance_list", 0, "retry_count")),
        (JOB, ("data", "step_instance_list", 0, "step_host_result_list")),
    ],
)
def test_a_poll_does_not_overlook_a_member_of_another_version(sample: str, path: tuple[Any, ...]) -> None:
    """The poll decoder leaves such a response to the lenient reader, which reads the member."""
    same(sample, json_response(put(copy.deepcopy(SAMPLES[sample]), path, None)))


def test_a_failed_host_without_an_id_is_read_leniently() -> None:
    """Its other names are kept, like those of all other hosts."""
    body = large_step(2)
    del body["data"]["step_result_group_list"][2]["host_result_list"][1]["bk_host_id"]

    same(STEP, json_response(body))

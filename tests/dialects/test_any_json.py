"""Any JSON anywhere in a response gives a model or a typed error, and never a secret."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.json_fields import DEFAULT_ZONE, JsonObject
from bkjob_async.dialects.common.status_calls import ReadLeniently, ReadStrictly, decode_poll
from bkjob_async.dialects.esb.job_responses import read_job as read_esb_job
from bkjob_async.dialects.esb.job_responses import read_job_strictly as quick_esb_job
from bkjob_async.dialects.gateway.v3_responses import (
    read_job,
    read_job_strictly,
    read_step,
    read_step_strictly,
)
from bkjob_async.dialects.gateway.v4_responses import read_job as read_v4_job
from bkjob_async.dialects.gateway.v4_responses import read_job_strictly as quick_v4_job
from bkjob_async.errors import CallFailed
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.poll_view import JobPollView, PollView, StepPollView, times_of
from tests.dialects.sample_operations import SAMPLES, json_response, sample_call
from tests.examples import examples

Path = tuple[str | int, ...]

# Numbers, texts and codes that the platform might send, among any others.
LIKELY: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 3, 5, 7, 9, 12, 16, 99, 2**31, 2**63 - 1, 2**63, 2**70, -(2**63)),
        *(
            9.0,
            9.5,
            1e30,
            "",
            " ",
            "9",
            "9.0",
            "x",
            "true",
            "0",
            "-1",
            "10.1.0.9",
            "fd00::9",
            "biz",
            "biz_set",
        ),
        *(1700000000, 1700000000123, "1700000000123", "2023-11-15 06:13:20", "2023-11-15 06:13:20 +0800"),
        *("2023-11-15T06:13:20Z", "0001-01-01 00:00:00", "9999-12-31 23:59:59 -1400", [], {}, [None], [{}]),
        *([1], {"status": 9}, {"data": []}, [{"status": 9, "ip": "10.1.0.9"}], "1" * 5000),
    ]
)
JSON = LIKELY | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value in *value*."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


PLACES = {name: list(places(body)) for name, body in SAMPLES.items()}
GONE = object()
OTHER_NAMES = (
    *(
        "retry_count",
        "execute_count",
        "finished",
        "is_finished",
        "start_way",
        "launch_mode",
        "error",
        "result",
    ),
    *("step_ip_result_list", "step_host_result_list", "execute_object_result_list", "host_id", "container"),
    *("code", "bk_host_id", "ipv6", "tag", "execute_object", "operator"),
    *("job_instance_id", "step_instance_id", "bk_scope_type", "bk_scope_id", "bk_biz_id"),
)


@st.composite
def damaged(draw: st.DrawFn, *, samples: list[str] | None = None) -> tuple[str, Any]:
    """Draw a sample with other values, or none, at up to three places."""
    name = draw(st.sampled_from(samples or list(SAMPLES)))
    body = copy.deepcopy(SAMPLES[name])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(PLACES[name]))
        # Beside documented members there may be those that other versions use for the same.
        further = draw(st.none() | st.sampled_from(OTHER_NAMES))
        body = put(body, place if further is None else (*place, further), draw(st.just(GONE) | JSON))
    return name, body


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return *body* with *value* at *path*, if there is still such a path."""
    if not path:
        return None if value is GONE else copy.deepcopy(value)
    parent: Any = body
    for part in path[:-1]:
        try:
            parent = parent[part]
        except (KeyError, IndexError, TypeError):
            return body
    last = path[-1]
    fits = isinstance(parent, dict) if isinstance(last, str) else isinstance(parent, list)
    if not fits or (isinstance(last, int) and last >= len(parent)):
        return body
    if value is GONE:
        if isinstance(parent, list) or last in parent:
            parent.pop(last)
    else:
        parent[last] = copy.deepcopy(value)
    return body


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_read(sample: str) -> None:
    """Every operation of every dialect has a sample, and it is read."""
    codec, operation = sample_call(sample)

    assert codec.decode(operation, json_response(SAMPLES[sample])) is not None


@settings(max_examples=examples(600), deadline=None)
@given(damaged())
def test_any_json_anywhere_is_a_model_or_a_typed_error(case: tuple[str, Any]) -> None:
    """No damage makes a decoder fail in any other way than by a typed error."""
    sample, body = case
    codec, operation = sample_call(sample)
    response = json_response(body)

    with suppress(CallFailed):
        repr(codec.decode(operation, response))
    if isinstance(operation, GetJobInstanceStatus | GetStepInstanceStatus):
        try:
            view = decode_poll(codec, operation, response)
        except CallFailed:
            return
        steps: tuple[StepPollView, ...] = (view,) if isinstance(view, StepPollView) else tuple(view.steps)
        for step in steps:
            for group in step.groups or ():
                for row in step.named(group.rows or ()):
                    row.details()


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_any_piece_of_a_body_is_a_typed_error_or_a_model(sample: str, data: st.DataObject) -> None:
    """Half a body, or one with broken bytes in it, is a typed error like any other."""
    codec, operation = sample_call(sample)
    whole = json_response(SAMPLES[sample]).body
    cut = data.draw(st.integers(0, len(whole)))
    body = whole[:cut] + data.draw(st.binary(max_size=4))

    with suppress(CallFailed):
        codec.decode(operation, HttpResponse(status=200, body=body))


QUICK: dict[str, tuple[ReadStrictly, ReadLeniently]] = {
    "gateway-v3/get_job_instance_status": (read_job_strictly, read_job),
    "gateway-v3/get_step_instance_status": (read_step_strictly, read_step),
    "gateway-v4/get_job_instance_status": (quick_v4_job, read_v4_job),
    "gateway-v4/get_job_instance_status.containers": (quick_v4_job, read_v4_job),
    "esb-job/get_job_instance_status": (quick_esb_job, read_esb_job),
}


def read_quickly(sample: str, response: HttpResponse) -> Any:
    """Return what the strict reader makes of a response, its times read; None for nothing."""
    view = QUICK[sample][0](sample_call(sample)[1], response, DEFAULT_ZONE, for_poll=False, in_part=False)
    return view and with_times(view)


def read_leniently(sample: str, response: HttpResponse) -> Any:
    """Return what the lenient reader makes of a response."""
    view = QUICK[sample][1](sample_call(sample)[1], JsonObject(open_envelope(response)), for_poll=False)
    return without_completeness(view)


def with_times(view: PollView) -> PollView:
    """Return a view with its times read, and those of its steps."""
    if isinstance(view, JobPollView):
        steps = tuple(with_times(step) for step in view.steps)
        return replace(view, times=times_of(view), steps=steps)
    return replace(view, times=times_of(view))


def without_completeness(view: PollView) -> PollView:
    """Return a view as it is where nobody asks whether it is complete."""
    if isinstance(view, JobPollView):
        return replace(view, steps=tuple(without_completeness(step) for step in view.steps))
    return replace(view, complete=False)


@pytest.mark.parametrize("sample", [name for name in QUICK if not name.endswith("containers")])
def test_the_documented_response_is_read_strictly(sample: str) -> None:
    """Documented responses are read by the strict decoder, with the same result as by the lenient reader."""
    response = json_response(SAMPLES[sample])

    assert read_quickly(sample, response) is not None
    assert read_quickly(sample, response) == read_leniently(sample, response)


@settings(max_examples=examples(800), deadline=None)
@example(
    (
        "esb-job/get_job_instance_status",
        put(copy.deepcopy(SAMPLES["esb-job/get_job_instance_status"]), ("data", "finished"), -1),
    )
)
@example(
    (
        "esb-job/get_job_instance_status",
        put(
            copy.deepcopy(SAMPLES["esb-job/get_job_instance_status"]),
            ("data", "job_instance", "launch_mode"),
            0,
        ),
    )
)
@given(damaged(samples=list(QUICK)))
def test_both_decoders_read_the_same(case: tuple[str, Any]) -> None:
    """Where the strict decoder returns a result, the lenient reader returns the same."""
    sample, body = case
    response = json_response(body)

    seen = read_quickly(sample, response)

    if seen is not None:
        assert seen == read_leniently(sample, response)


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(list(QUICK)), st.data())
def test_both_decoders_read_the_same_bytes(sample: str, data: st.DataObject) -> None:
    """The same holds for bytes that are broken somewhere."""
    whole = bytearray(json_response(SAMPLES[sample]).body)
    for _ in range(data.draw(st.integers(1, 2))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
            st.integers(0, 255) | st.sampled_from(list(b'0129"{}[],:-.eE \\\xb1'))
        )
    response = HttpResponse(status=200, body=bytes(whole))

    seen = read_quickly(sample, response)

    if seen is not None:
        assert seen == read_leniently(sample, response)


@pytest.mark.parametrize("member", [{"bk_scope_id": "2023-11-15"}, {"bk_scope_type": "biz"}])
def test_half_a_scope_is_left_to_the_lenient_reader(member: dict[str, str]) -> None:
    """It may be one that cannot be read."""
    sample = "gateway-v3/get_step_instance_status"
    body = copy.deepcopy(SAMPLES[sample])
    body["data"] |= member

    assert read_quickly(sample, json_response(body)) is None


V3, STEP, V4 = (
    "gateway-v3/get_job_instance_status",
    "gateway-v3/get_step_instance_status",
    "gateway-v4/get_job_instance_status",
)
OBJECT: Path = ("data", "step_instance_list", 0, "step_execute_object_result_list", 0, "execute_object")


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        (V3, ("error",)),
        (V3, ("data", "is_finished")),
        (V3, ("data", "job_instance", "start_way")),
        (V3, ("data", "step_instance_list", 0, "retry_count")),
        (V3, ("data", "step_instance_list", 0, "step_host_result_list")),
        (STEP, ("data", "finished")),
        (STEP, ("data", "is_finished")),
        (STEP, ("data", "retry_count")),
        # Without groups the lenient reader reads flat lists, under two names.
        (STEP, ("data", "step_result_group_list")),
        (V4, ("error",)),
        (V4, ("result",)),
        (V4, ("code",)),
        (V4, ("data", "step_instance_list", 0, "execute_object_result_list")),
        (V4, ("data", "step_instance_list", 0, "step_ip_result_list")),
        (V4, (*OBJECT, "container")),
        (V4, (*OBJECT, "host", "host_id")),
        ("esb-job/get_job_instance_status", ("error",)),
    ],
)
def test_the_strict_decoder_gives_way_for_other_names(sample: str, path: Path) -> None:
    """The strict decoder must not overlook a member that the lenient reader reads under another name."""
    body = put(copy.deepcopy(SAMPLES[sample]), path, None)

    assert read_quickly(sample, json_response(SAMPLES[sample])) is not None
    assert read_quickly(sample, json_response(body)) is None

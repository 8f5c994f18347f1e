"""Events are converted to JSON and back without loss."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.model.events import Event, Finished, HostChanged, JobChanged, Trouble
from bkjob_async.model.json_values import KINDS, event_from_json, event_to_json
from bkjob_async.model.refs import HostKey, JobRef, Scope, ScopeType, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from tests.examples import examples

STEP = StepRef(Scope.biz(2), 100, 200)

ids = st.integers(min_value=1, max_value=2**63)
codes = st.integers(min_value=-1, max_value=600)
scopes = st.builds(Scope, st.sampled_from(ScopeType), ids)
jobs = st.builds(JobRef, scopes, ids)
steps = st.builds(StepRef, scopes, ids, ids)
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30))])
moments = st.datetimes(datetime(2018, 1, 1), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001 - the zone is drawn
seconds = st.floats(min_value=0.0, max_value=1e9)
counts = st.dictionaries(st.sampled_from(Phase), st.integers(min_value=0, max_value=10_000), max_size=4)

texts = st.text(max_size=8)


def whole(kind: type[Any], **known: Any) -> st.SearchStrategy[Any]:
    """Draw a value with every field filled, by its type or from *known*."""
    if issubclass(kind, Struct):
        return st.builds(kind, **{**dict.fromkeys(kind.__struct_fields__, ...), **known})
    attrs.resolve_types(kind)
    return st.builds(kind, **{**{field.alias: ... for field in attrs.fields(kind)}, **known})


for value, drawn in (
    (str, texts),
    (float, seconds),
    (JobRef, jobs),
    (StepRef, steps),
    (datetime, moments),
    (RunStatus, st.builds(RunStatus, codes)),
    (HostStatus, st.builds(HostStatus, codes)),
    (Times, whole(Times)),
    (HostKey, whole(HostKey, bk_host_id=st.none() | ids, container_id=st.none() | ids)),
    (HostSnapshot, whole(HostSnapshot)),
    (StepResult, whole(StepResult, hosts=counts)),
    (JobResult, whole(JobResult)),
):
    st.register_type_strategy(value, drawn)


@settings(max_examples=examples(300))
@given(st.one_of([whole(kind) for kind in KINDS.values()]))
def test_every_event_comes_back_whole(event: Event) -> None:
    """What was written as text is read back as the same event, with its cursor and hash; no field is forgotten."""
    written = event_to_json(event)
    back = event_from_json(json.loads(json.dumps(written)))

    absent = {name for name in ("start_time", "end_time") if getattr(event, name, "") is None}
    assert set(written) == {"kind", *event.__struct_fields__} - absent
    assert back == event
    assert hash(back) == hash(event)
    assert back.cursor == event.cursor


def test_a_host_change_reads_like_this() -> None:
    """The keys of a line are a promise."""
    event = HostChanged(
        ref=STEP,
        host=HostKey(bk_host_id=7, bk_cloud_id=0, ip="10.0.0.7"),
        execute_count=1,
        before=None,
        after=HostStatus(11),
        tag="disk full",
        exit_code=1,
        epoch=2,
        cursor="5",
    )

    assert event_to_json(event) == {
        "kind": "host_changed",
        "ref": "2:100/200",
        "host": {"label": "0:10.0.0.7", "bk_host_id": 7, "bk_cloud_id": 0, "ip": "10.0.0.7"},
        "execute_count": 1,
        "before": None,
        "after": {"code": 11, "name": "FAILED", "phase": "FAILED"},
        "tag": "disk full",
        "exit_code": 1,
        "epoch": 2,
        "skipped": False,
        "cursor": "5",
    }


def test_a_host_change_has_the_times_of_the_host_where_they_are_known() -> None:
    """Lines of earlier versions have none."""
    event = HostChanged(
        ref=STEP,
        host=HostKey(bk_host_id=7),
        execute_count=0,
        before=None,
        after=HostStatus(9),
        start_time=datetime(2026, 1, 2, tzinfo=UTC),
        end_time=datetime(2026, 1, 2, 0, 0, 1, 500_000, tzinfo=UTC),
    )
    line = event_to_json(event)
    without = {name: value for name, value in line.items() if not name.endswith("_time")}

    assert line["start_time"] == "2026-01-02T00:00:00+00:00"
    assert line["end_time"] == "2026-01-02T00:00:01.500000+00:00"
    assert event_from_json(line) == event
    assert event_from_json(without) == replace(event, start_time=None, end_time=None) != event


def test_a_result_says_whether_it_is_ok_and_counts_its_hosts() -> None:
    """Who reads lines need not know which codes are good."""
    host = HostSnapshot(host=HostKey(bk_host_id=7), status=HostStatus(101), exit_code=2)
    step = StepResult(
        ref=STEP,
        status=RunStatus(4),
        is_finished=True,
        times=Times(start_time=datetime(2026, 1, 2, tzinfo=UTC), total_time=1.5),
        hosts={Phase.SUCCESS: 3, Phase.FAILED: 1},
        failed=(host,),
    )
    said = event_to_json(
        Finished(ref=STEP.job, result=JobResult(ref=STEP.job, status=RunStatus(4), steps=(step,)))
    )

    assert said["ref"] == "2:100"
    assert said["result"]["ok"] is False
    assert said["result"]["hosts"] == {"FAILED": 1, "SUCCESS": 3}
    assert said["result"]["steps"][0]["failed"][0]["host"] == {"label": "#7", "bk_host_id": 7}
    assert said["result"]["steps"][0]["times"] == {
        "start_time": "2026-01-02T00:00:00+00:00",
        "total_time": 1.5,
    }


def test_an_event_of_tomorrow_is_readable_today() -> None:
    """A key that was added later is passed over."""
    event = JobChanged(ref=STEP.job, before=None, after=RunStatus(2), is_finished=False)

    assert event_from_json({**event_to_json(event), "weather": "fine"}) == event


def test_trouble_of_everything_has_no_ref() -> None:
    """None is recognized by a target's name."""
    event = Trouble(ref=None, error="NotAuthenticated", message="no", targets=3)

    assert event_to_json(event)["ref"] is None
    assert event_from_json(event_to_json(event)) == event


@pytest.mark.parametrize("data", [{}, {"kind": "weather"}, {"kind": None}])
def test_what_is_no_event_is_refused(data: dict[str, Any]) -> None:
    """An unknown kind is an error, not a guess."""
    with pytest.raises(ValueError, match="not an event"):
        event_from_json(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "no_kind"},
        {"kind": ["host_changed"]},
        {"kind": "host_changed"},
        {"kind": "host_changed", "ref": 5},
        {"kind": "resumed", "gap": float("nan")},
        {"kind": "trouble", "ref": [], "error": {}},
    ],
)
def test_what_is_no_event_is_a_value_error(data: dict[str, Any]) -> None:
    """Of whatever kind the fault is."""
    with pytest.raises(ValueError, match="not an event"):
        event_from_json(data)

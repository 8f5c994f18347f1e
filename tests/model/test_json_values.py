"""Values that a user receives are converted to JSON and back without loss."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import NODEFAULT, Struct, structs

import bkjob_async as bkjob
from bkjob_async import responses
from bkjob_async.model.json_values import from_json, to_json
from bkjob_async.model.operations.targets import Targets, TopoNode
from tests.examples import examples
from tests.model.test_json_of_events import STEP, counts, scopes, texts, whole

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
KEPT = st.none()
GIVEN: dict[Any, st.SearchStrategy[Any]] = {
    Mapping[str, Any]: st.dictionaries(texts, JSON, max_size=2),
    Mapping[str, Any] | None: st.none() | st.dictionaries(texts, JSON, max_size=2),
    Any: JSON,
    Mapping[bkjob.Phase, int]: counts,
    bkjob.Scope | None: st.none() | scopes,
}


def drawn(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Draw values of a class with every field filled, but for the response that a snapshot keeps."""
    if issubclass(kind, Struct):
        hints, made = (
            get_type_hints(kind),
            [field for field in structs.fields(kind) if field.default_factory is not NODEFAULT],
        )
        wanted = {field.name for field in made} | {name for name, hint in hints.items() if hint in GIVEN}
        if not wanted:
            return st.from_type(kind)
        return st.builds(
            kind,
            **{
                name: GIVEN.get(hints[name], st.from_type(hints[name])) if name in wanted else ...
                for name in kind.__struct_fields__
            },
        )
    attrs.resolve_types(kind)
    known = {
        field.alias: KEPT if field.name == "response" else GIVEN[field.type]
        for field in attrs.fields(kind)
        if field.name == "response" or field.type in GIVEN
    }
    return whole(kind, **known)


st.register_type_strategy(bkjob.Scope, scopes)
st.register_type_strategy(Targets, st.builds(Targets, dynamic_groups=st.lists(texts, max_size=2).map(tuple)))
st.register_type_strategy(TopoNode, st.builds(TopoNode, texts, st.integers()))
PARTS = (bkjob.HostGroup, bkjob.StepSnapshot, bkjob.StepResult, bkjob.JobResult, responses.FileDetail)
for part in (*PARTS, responses.PlanVariable, responses.PlanStep, responses.ScriptDetail):
    st.register_type_strategy(part, drawn(part))

# Pages are read with the class of their items; a list asks for more; errors are no values.
OTHERS = {"Page", "PagedList", "GatheredLogs"}
# All that calls and watches return; a class that is new among the responses is tested as well.
RECEIVED = [
    *(
        value
        for name in responses.__all__
        if isinstance(value := getattr(responses, name), type)
        and (attrs.has(value) or issubclass(value, Struct))
        and name not in OTHERS
    ),
    *(bkjob.HostSnapshot, bkjob.HostGroup, bkjob.HostPage, bkjob.StepSnapshot, bkjob.JobSnapshot),
    *(bkjob.StepResult, bkjob.JobResult, bkjob.ErrorDetails, bkjob.Callback, bkjob.Batch, bkjob.Times),
    *(bkjob.HostKey, bkjob.WatchStats, bkjob.Explanation, bkjob.FleetEntry, bkjob.DurationStats),
    *(bkjob.TargetStatus, bkjob.StepStatus, bkjob.HostsByCause),
]


@pytest.mark.parametrize("kind", RECEIVED, ids=lambda kind: kind.__name__)
def test_every_value_comes_back_whole(kind: type[Any]) -> None:
    """What was written as text is read back as an equal value."""

    @settings(max_examples=examples(40))
    @given(drawn(kind))
    def comes_back(value: Any) -> None:
        written = to_json(value)
        text = json.dumps(written)

        assert json.loads(text) == written
        assert from_json(text, kind) == from_json(written, kind) == value
        assert from_json({**written, "weather": "fine"}, kind) == value

    comes_back()


@pytest.mark.parametrize("kind", RECEIVED, ids=lambda kind: kind.__name__)
def test_what_lacks_a_key_is_a_typed_error(kind: type[Any]) -> None:
    """A class without required fields is read from nothing, every other names the key."""
    required = {
        field.name
        for field in (attrs.fields(kind) if attrs.has(kind) else ())
        if field.default is attrs.NOTHING
    } or {
        field.name for field in (structs.fields(kind) if issubclass(kind, Struct) else ()) if field.required
    }
    if not required:
        assert isinstance(from_json({}, kind), kind)
        return
    with pytest.raises(bkjob.WrongValue, match=f"not the JSON of a {kind.__name__}: .* is missing"):
        from_json("{}", kind)


def test_a_snapshot_reads_like_this() -> None:
    """The keys are a promise."""
    times = bkjob.Times(start_time=datetime(2026, 1, 2, tzinfo=UTC), total_time=1.5)
    group = bkjob.HostGroup(status=bkjob.HostStatus(9), size=3)
    step = bkjob.StepSnapshot(
        ref=STEP, status=bkjob.RunStatus(3), is_finished=True, name="deploy", times=times, groups=(group,)
    )

    assert to_json(step) == {
        "ref": "2:100/200",
        "status": {"code": 3, "name": "SUCCESS", "phase": "SUCCESS"},
        "is_finished": True,
        "name": "deploy",
        "type": None,
        "execute_count": 0,
        "times": {"start_time": "2026-01-02T00:00:00+00:00", "total_time": 1.5},
        "operator": None,
        "groups": [
            {
                "status": {"code": 9, "name": "SUCCESS", "phase": "SUCCESS"},
                "tag": "",
                "size": 3,
                "hosts": None,
            }
        ],
        "hosts": None,
    }


def test_events_have_their_own_way_in_the_same_form() -> None:
    """`Event` stands for all kinds, by the `kind` that is written."""
    event = bkjob.InSync(cursor="5-0a")

    assert to_json(event) == bkjob.event_to_json(event) == {"kind": "in_sync", "ref": None, "cursor": "5-0a"}
    assert from_json(to_json(event), bkjob.Event) == from_json(to_json(event), bkjob.InSync) == event


def test_a_page_is_read_with_the_class_of_its_items() -> None:
    """Its items are of any class."""
    job = responses.JobInstance(ref=STEP.job, status=bkjob.RunStatus(2))
    page = responses.Page(items=(job,), length=50, total=1)

    assert from_json(to_json(page), responses.Page[responses.JobInstance]) == page


def test_an_error_and_the_logs_without_it_come_back() -> None:
    """Hosts are keys of what is missing, which JSON has not: they are written in pairs."""
    host, details = bkjob.HostKey(bk_host_id=7), bkjob.ErrorDetails(operation="get", code=1, attempts=2)
    logs = responses.GatheredLogs(
        ref=STEP, hosts=(responses.HostLog(host=host, text="done"),), missing={host: bkjob.NotFound(details)}
    )
    back = from_json(to_json(logs), responses.GatheredLogs)

    assert to_json(bkjob.NotFound(details)) == {"error": "NotFound", "details": to_json(details)}
    assert back.hosts == logs.hosts
    assert type(back.missing[host]) is bkjob.NotFound
    assert back.missing[host].details == details
    assert to_json(back) == to_json(logs)


@pytest.mark.parametrize(
    "value",
    [
        bkjob.AppCredentials(bk_app_code="app", bk_app_secret="hidden-secret"),
        bkjob.AccessToken(access_token="hidden-secret"),
        STEP,
        {"ref": 1},
        None,
        object(),
    ],
)
def test_credentials_and_other_things_are_refused(value: object) -> None:
    """Nothing is written, and the error does not repeat what it was given."""
    with pytest.raises(bkjob.WrongType) as raised:
        to_json(value)

    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    "data", ["", "[]", "nonsense", '{"ref": 5}', '{"ref": "2:100", "status": {"code": "x"}}']
)
def test_what_cannot_be_read_is_a_typed_error(data: str) -> None:
    """Of whatever kind the fault is, and without what the text holds."""
    with pytest.raises(bkjob.WrongValue, match="not the JSON of a JobResult"):
        from_json(data, bkjob.JobResult)


@pytest.mark.parametrize("wrong", [1.5, 2.0, True, "x", [1]])
def test_a_number_is_never_rounded_to_the_id_of_another_host(wrong: object) -> None:
    """Nor is anything but a whole number taken for one."""
    with pytest.raises(bkjob.UsageError):
        bkjob.from_json({"bk_host_id": wrong}, bkjob.HostKey)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf")])
def test_seconds_that_no_json_has_are_left_out(seconds: float) -> None:
    """What was written is read; such a number is no duration."""
    written = json.dumps(to_json(bkjob.Times(total_time=seconds)), allow_nan=False)

    assert from_json(written, bkjob.Times) == bkjob.Times()


def test_half_of_a_surrogate_pair_in_a_name_is_read_back() -> None:
    """As a name that was cut has it, and `json.dumps` writes it."""
    details = bkjob.ErrorDetails(message="cut \ud83d")

    assert from_json(json.dumps(to_json(details)), bkjob.ErrorDetails) == details
    with pytest.raises(bkjob.WrongValue):
        from_json('{"message": "cut \\ud83d', bkjob.ErrorDetails)

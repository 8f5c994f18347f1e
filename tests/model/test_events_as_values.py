"""Events as values: frozen, made by keywords, compared without their cursors."""

import copy
import gc
import pickle
from typing import Any

import pytest
from msgspec.structs import replace

from bkjob_async import HostChanged, HostKey, JobRef, Scope, StepChanged, UsageError
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.status import host_status, run_status

STEP = JobRef(Scope.biz(2), 100).step(200)
EVENT = HostChanged(
    ref=STEP,
    host=HostKey(bk_host_id=31, bk_cloud_id=0, ip="10.0.0.1"),
    execute_count=0,
    before=host_status(7),
    after=host_status(9),
    cursor="17-0a1b2c3d.3",
)


def test_a_cursor_is_no_part_of_what_an_event_says() -> None:
    """Two readers may have one event at different places; `!=` and the hash agree."""
    elsewhere, other = replace(EVENT, cursor="18-0a1b2c3d"), replace(EVENT, after=host_status(104))

    assert elsewhere == EVENT
    assert not elsewhere != EVENT  # noqa: SIM202 - both operators are meant
    assert {EVENT, elsewhere} == {EVENT}
    assert other != EVENT
    assert EVENT != "host_changed"
    assert "0a1b2c3d" not in repr(EVENT)


def test_events_are_copied_and_pickled_whole() -> None:
    """With the cursor."""
    for same in (pickle.loads(pickle.dumps(EVENT)), copy.copy(EVENT), copy.deepcopy(EVENT)):  # noqa: S301 - our own
        assert (same, same.cursor) == (EVENT, EVENT.cursor)


def test_events_are_frozen_and_matched_by_their_fields() -> None:
    """Fields are given by keywords and not changed."""
    with pytest.raises(AttributeError):
        EVENT.cursor = ""  # type: ignore[misc]
    by_position: Any = StepChanged
    with pytest.raises(TypeError):
        by_position(STEP, 0, None, run_status(2), False)
    match EVENT:
        case HostChanged(host=HostKey(ip=ip), after=after):
            assert (ip, after.code) == ("10.0.0.1", 9)


def test_the_garbage_collector_passes_events_over() -> None:
    """A hundred thousand of them would make each of its runs longer."""
    assert not any(map(gc.is_tracked, (EVENT, EVENT.host, EVENT.ref)))


@pytest.mark.parametrize(
    "names",
    [
        {"bk_host_id": True},
        {"bk_host_id": "31"},
        {"bk_cloud_id": "0"},
        {"bk_cloud_id": False},
        {"ip": 10},
        {"ipv6": b"::1"},
        {"container_id": 1.0},
        {"container_name": 5},
    ],
)
def test_a_host_is_named_by_values_of_the_right_types(names: dict[str, object]) -> None:
    """The error says which one is wrong."""
    with pytest.raises(UsageError, match=f"HostKey: {next(iter(names))} must be"):
        HostKey(**names)  # type: ignore[arg-type]


def test_responses_are_compared_without_their_connections() -> None:
    """The same bytes over another connection are the same response."""

    class Connection:
        def close(self) -> None:
            """Have nothing to close."""

    first, second = HttpResponse(status=200, connection=Connection()), HttpResponse(status=200)

    assert first == second
    assert not first != second  # noqa: SIM202 - both operators are meant
    assert first != HttpResponse(status=404)

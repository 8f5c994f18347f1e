"""What is reported are ordinary values: frozen, hashable, equal to those that a constructor makes, and sequences of them."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_views import target_result, target_snapshot
from bkjob_async.model.events import Event, HostChanged
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot, Times
from bkjob_async.model.status import host_status
from tests.engine.applied import apply_job, apply_step
from tests.engine.poll_views import JOB, Row, at, batch_of, host, job, step
from tests.engine.responses.test_job_tracker import STEP, job_state

# Few are made at once, many when they are read.
SIZES = [1, 3, 100, 1500]


def reported(size: int, status: int = 9) -> list[HostChanged]:
    """Return the events of so many hosts that are seen for the first time."""
    rows = [Row(status=status, bk_host_id=n, ip=f"10.{n >> 8}.0.{n & 255}") for n in range(1, size + 1)]
    found = list(apply_step(job_state(STEP), step(2, rows), at(1)))
    return [event for event in found if isinstance(event, HostChanged)]


@pytest.mark.parametrize("size", SIZES)
def test_an_event_is_what_its_constructor_makes(size: int) -> None:
    """Equal, of the same class, hash and text; its cursor says where it stands, and makes no other event of it."""
    last = reported(size)[-1]
    made = HostChanged(
        ref=STEP,
        host=HostKey(bk_host_id=size, bk_cloud_id=0, ip=f"10.{size >> 8}.0.{size & 255}"),
        execute_count=0,
        before=None,
        after=host_status(9),
        tag=last.tag,
        exit_code=last.exit_code,
        cursor="another",
    )

    assert type(last) is HostChanged
    assert (last, hash(last), repr(last)) == (made, hash(made), repr(made))
    assert last.cursor != made.cursor
    assert pickle.loads(pickle.dumps(last)) == deepcopy(last) == last  # noqa: S301 - written here


def test_an_event_and_its_host_are_frozen() -> None:
    """Several watches and readers are given the same ones."""
    (event,) = reported(1)

    with pytest.raises(AttributeError):
        event.epoch = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.host.ip = "10.0.0.2"  # type: ignore[misc]


def is_like(found: Sequence[object], plain: tuple[object, ...]) -> bool:
    """Check that a sequence can be used as if it was the tuple of its items."""
    size = len(plain)
    assert (len(found), tuple(found), bool(found)) == (size, plain, size > 0)
    assert (found[1:-1], found[::-2]) == (plain[1:-1], plain[::-2])
    assert [found[n] for n in range(-size, size)] == [*plain, *plain]
    assert found == plain
    assert plain == found
    assert (hash(found), repr(found)) == (hash(plain), repr(plain))
    assert found != (*plain, 0)
    assert pickle.loads(pickle.dumps(found)) == deepcopy(found) == plain  # noqa: S301 - written here
    with pytest.raises(IndexError):
        found[size]
    return True


@pytest.mark.parametrize("size", SIZES)
def test_hosts_and_events_are_like_tuples(size: int) -> None:
    """Those of a snapshot, of a result and of a batch."""
    state = job_state()
    rows = [host(n, 104) for n in range(1, size + 1)]
    apply_job(state, job(4, step(4, rows), finished=True), at(1))
    snapshot = target_snapshot(state, STEP)
    assert isinstance(snapshot, StepSnapshot)
    (ended,) = target_result(state, JOB).steps

    assert is_like(snapshot.hosts or (), tuple(each for each in snapshot.hosts or ()))
    assert is_like(ended.failed, tuple(each for each in ended.failed))
    assert len(ended.failed) == len(snapshot.hosts or ()) == size
    batch = batch_of(apply_job(job_state(), job(2, step(2, rows)), at(1)), at(1))
    events: tuple[Event, ...] = tuple(event for event in batch.events)
    assert (len(batch.events), batch.events[1:3], batch.events[-1]) == (len(events), events[1:3], events[-1])
    assert batch.events == events
    assert hash(batch.events) == hash(events)
    assert events[0] in batch.events


@given(st.lists(st.tuples(st.sampled_from([9, 104]), st.integers(0, 3)), min_size=1, max_size=40))
def test_failed_hosts_are_shown_as_the_last_response_does(shown: list[tuple[int, int]]) -> None:
    """Exit codes come late, also where the status has not changed."""
    state = job_state(STEP)
    for now, (status, code) in enumerate(shown):
        apply_step(state, step(4, [Row(status=status, bk_host_id=1, exit_code=code), host(2, 7)]), at(now))
    status, code = shown[-1]
    snapshot = target_snapshot(state, STEP)
    assert isinstance(snapshot, StepSnapshot)
    found: HostSnapshot = (snapshot.hosts or ())[0]

    assert found.status.code == status
    if status == 104:
        assert found.exit_code == code


ZONES = st.sampled_from(
    [
        UTC,
        timezone(timedelta(hours=8)),
        timezone(timedelta(hours=-3, minutes=-30)),
        timezone(timedelta(hours=-23, minutes=-59)),
        timezone(timedelta(hours=8, minutes=5, seconds=43)),  # what Shanghai had before there were zones
    ]
)
BEGIN, END = datetime(1969, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
TOTALS = st.none() | st.integers(0, 10**9).map(lambda whole: whole / 1e3) | st.floats(0, 1e300)


@given(zone=ZONES, total=TOTALS, data=st.data())
def test_the_times_of_a_step_are_those_of_its_response(
    zone: timezone, total: float | None, data: st.DataObject
) -> None:
    """The same times, to the millisecond that the platform gives, in a zone of the same offset."""
    moments = st.none() | st.datetimes(BEGIN, END, timezones=st.just(zone)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    )
    create, start, end = data.draw(moments), data.draw(moments), data.draw(moments)
    times = Times(create_time=create, start_time=start, end_time=end, total_time=total)
    state = job_state(STEP)
    apply_step(state, replace(step(3, [host(1, 9)]), times=times), at(1))

    snapshot = target_snapshot(state, STEP)

    assert isinstance(snapshot, StepSnapshot)
    assert snapshot.times == times
    found = snapshot.times
    assert all(
        moment.utcoffset() == zone.utcoffset(None)
        for moment in (found.create_time, found.start_time, found.end_time)
        if moment
    )

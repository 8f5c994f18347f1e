"""Batches travel to records and back without loss."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import (
    VERSION,
    EventForm,
    HostNamesForm,
    HostsForm,
    RecordForm,
    TargetsForm,
)
from bkjob_async.engine.journaling.records import batch_of as batch_in
from bkjob_async.engine.journaling.records import encode_record, host_changes_from, in_range
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalDamaged, JournalTooNew
from bkjob_async.model.events import Batch, Event, HostChanged, HostCounts, InSync, StepWaiting
from bkjob_async.model.json_values import KINDS, event_to_json
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import HostStatus
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, at, batch_of, host, job, step
from tests.examples import examples
from tests.model.test_json_of_events import whole

CURSOR = "17-0a1b2c3d"

events = st.lists(
    st.one_of([whole(kind) for kind in KINDS.values()])
    | st.lists(whole(HostChanged), min_size=1, max_size=1).map(lambda found: found[0])
)


def with_whole_times(event: Event) -> Event:
    """Return *event* with times of hosts in whole milliseconds, as platforms give them."""
    if not isinstance(event, HostChanged):
        return event
    start, end = (
        time and time.replace(microsecond=time.microsecond // 1000 * 1000)
        for time in (event.start_time, event.end_time)
    )
    return replace(event, start_time=start, end_time=end)


def written(batch: Batch) -> bytes:
    """Return *batch* as a record."""
    return encode_record(batch.sequence, time=1.5, term=3, client="0a1b2c3d", batch=batch)


@settings(max_examples=examples(200))
@given(events)
def test_every_batch_comes_back_whole(reported: list[Event]) -> None:
    """Events are equal, and so are their places in the stream."""
    assume(all(in_range(event_to_json(event)) == event_to_json(event) for event in reported))
    placed = [replace(with_whole_times(event), cursor=CURSOR) for event in reported]
    stamp = PollStamp(0.0, 17, CURSOR)
    batch = batch_of(placed, stamp)

    back = batch_in(decode_record(written(batch)))

    if reported:
        assert back is not None
        assert (back.sequence, back.cursor, list(back.events)) == (17, CURSOR, placed)
        assert [event.cursor for event in back.events] == [event.cursor for event in placed]
    else:
        assert back is None


def moved(hosts: int) -> Batch:
    """Return the batch in which so many hosts move."""
    state = JobState(JOB, is_target=True)
    apply_job(state, job(2, step(2, [host(n, 7) for n in range(1, hosts + 1)])), at(1))
    return batch_of(
        apply_job(state, job(2, step(2, [host(n, 9) for n in range(1, hosts + 1)])), at(2)), at(2)
    )


def test_a_batch_of_many_hosts_comes_back_and_is_small() -> None:
    """Also where it was read before it was written."""
    batch, read = moved(100), moved(100)
    events = list(read.events)

    data = written(batch)

    back = batch_in(decode_record(data))
    assert back is not None
    assert list(back.events) == events
    assert written(read) == data
    assert len(data) <= 2500


def test_the_times_of_hosts_come_back_from_columns_that_earlier_versions_pass_over() -> None:
    """One value where all are equal; none in records of those versions."""
    start, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 0, 0, 1, 500_000, tzinfo=UTC)
    ref = JOB.step(200)
    events = tuple(
        HostChanged(
            ref=ref,
            host=HostKey(bk_host_id=number),
            execute_count=0,
            before=None,
            after=HostStatus(9),
            start_time=start,
            end_time=each,
            cursor=f"{CURSOR}.{number}",
        )
        for number, each in enumerate([end, None], 1)
    )
    record = decode_record(written(Batch(17, events, CURSOR)))
    (part,) = record.parts
    assert isinstance(part, HostsForm)
    fields = msgspec.to_builtins(part)
    earlier = msgspec.convert(fields[:-2], HostsForm)
    reader = msgspec.defstruct(
        "EarlierForm", [*part.__struct_fields__[:-2]], array_like=True, tag="h", tag_field="type"
    )

    assert (part.starts, part.ends) == (1_767_312_000_000, [1_767_312_001_500, None])
    assert (batch_in(record) or Batch(0, ())).events == events
    assert [each.start_time for each in host_changes_from(earlier)] == [None, None]
    assert [each.end_time for each in host_changes_from(earlier)] == [None, None]
    assert (
        msgspec.to_builtins(msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=reader)) == fields[:-2]
    )


def test_a_number_of_more_than_64_bits_is_cut() -> None:
    """What a platform may send by mistake does not end a watch."""
    event = HostCounts(ref=JOB.step(200), execute_count=1 << 70, hosts={}, cursor=CURSOR)

    back = batch_in(decode_record(written(Batch(17, (event,), CURSOR))))

    assert back is not None
    assert list(back.events) == [replace(event, execute_count=(1 << 63) - 1)]


def test_a_record_says_whose_it_is() -> None:
    """The term, the client and the time."""
    record = decode_record(encode_record(5, time=1.5, term=3, client="0a1b2c3d"))

    assert (record.sequence, record.time, record.term, record.client) == (5, 1.5, 3, "0a1b2c3d")
    assert batch_in(record) is None


def test_a_newer_record_is_refused() -> None:
    """Nothing is guessed about what a later version wrote."""
    for newer in ([VERSION + 1, 5, 1.5, 3, "0a1b2c3d"], [VERSION + 1, "anything"]):
        with pytest.raises(JournalTooNew):
            decode_record(msgspec.msgpack.encode(newer))


def test_only_a_record_that_needs_it_is_of_the_newest_version() -> None:
    """Processes of an earlier version read all others, and refuse this one with a typed error."""
    waiting = StepWaiting(ref=JOB.step(200), execute_count=0, wait=1, cursor=CURSOR)
    changed = HostCounts(ref=JOB.step(200), execute_count=0, hosts={}, cursor=CURSOR)

    versions = [
        decode_record(written(Batch(17, events, CURSOR))).version for events in ((waiting,), (changed,))
    ]

    assert versions == [2, 1]


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
def test_damage_is_reported_as_such(noise: bytes, place: int, byte: int) -> None:
    """Whatever the bytes are, the error is typed."""
    data = bytearray(written(batch_of([*moved(3).events, InSync(cursor=CURSOR)], at(2))))
    data[place % len(data)] = byte
    for each in (noise, bytes(data)):
        try:
            found = batch_in(decode_record(each))
            if found is not None:
                found.events[:]
        except (JournalDamaged, JournalTooNew):
            pass


def record_of(*parts: HostsForm | EventForm, time: float = 1.0) -> bytes:
    """Return a record that another program wrote."""
    targets = TargetsForm(["2:1"], [True])
    form = RecordForm(VERSION, 1, time, 1, "0a1b2c3d", parts=list(parts), targets=targets)
    return msgspec.msgpack.encode(form)


def hosts_of(names: bytes, size: int, **columns: object) -> HostsForm:
    """Return events of hosts, of which some columns are wrong."""
    form = HostsForm(0, "2:1/2", 0, 0, False, HostNamesForm(size, names), None, 9, None, None)
    return msgspec.structs.replace(form, **columns)


ONE_HOST = (5).to_bytes(4, "little")
NESTED = msgspec.Raw(b"\x91" * 100_000 + b"\xc0")
STEP_CHANGED = {
    "kind": "step_changed",
    "ref": "2:1/2",
    "before": None,
    "after": {"code": 3},
    "execute_count": 0,
}


def test_a_host_whose_id_is_no_id_is_one_without_names() -> None:
    """Damage that the form cannot show does not end a reader."""
    back = batch_in(decode_record(record_of(hosts_of(bytes(4), 1))))

    assert back is not None
    assert [str(event.host) for event in back.events if isinstance(event, HostChanged)] == ["#None"]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(record_of(hosts_of(b"", 400_000_000)), id="more hosts than names"),
        pytest.param(record_of(hosts_of(ONE_HOST, 400_000_000)), id="fewer names"),
        pytest.param(record_of(hosts_of(ONE_HOST, 1, tags=[["a"]])), id="a list as a tag"),
        pytest.param(record_of(hosts_of(ONE_HOST, 1, afters={"a": 1})), id="no code"),
        pytest.param(record_of(EventForm(1, {"kind": "in_sync", "nested": NESTED})), id="nested"),
        pytest.param(b"\x98" * 100_000 + b"\xc0", id="nested version"),
        pytest.param(record_of(EventForm(1, {"kind": "resumed", "gap": "long"})), id="no number"),
        pytest.param(record_of(EventForm(1, {**STEP_CHANGED, "after": {"code": "3"}})), id="text as a code"),
        pytest.param(record_of(time=float("inf")), id="no time"),
        pytest.param(record_of(time=1e300), id="no time of a calendar"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a long list of nothing"),
    ],
)
def test_what_another_program_wrote_is_damage(record: bytes) -> None:
    """For readers and for a process that continues; it takes no more memory than it has bytes."""
    with pytest.raises(JournalDamaged):
        batch_in(decode_record(record))
    with pytest.raises(JournalDamaged):
        Fold().apply(record)

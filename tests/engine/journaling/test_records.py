"""Batches travel to records and back without loss."""

from __future__ import annotations

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
from bkjob_async.engine.journaling.records import batch_of, encode_record, in_range
from bkjob_async.engine.stream.event_list import LazyEventList, with_indexes
from bkjob_async.engine.stream.lazy_events import LazyHostEvents
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_tracker import apply_job
from bkjob_async.errors import JournalDamaged, JournalTooNew
from bkjob_async.model.events import Batch, Event, HostChanged, HostCounts, InSync
from bkjob_async.model.events_json import KINDS, event_to_json
from tests.engine.poll_views import JOB, at, host, job, step
from tests.examples import examples
from tests.model.test_events_json import whole

CURSOR = "17-0a1b2c3d"

events = st.lists(
    st.one_of([whole(kind) for kind in KINDS.values()])
    | st.lists(whole(HostChanged), min_size=1, max_size=1).map(lambda found: found[0])
)


def written(batch: Batch) -> bytes:
    """Return *batch* as a record."""
    return encode_record(batch.sequence, time=1.5, term=3, client="0a1b2c3d", batch=batch)


@settings(max_examples=examples(200))
@given(events)
def test_every_batch_comes_back_whole(reported: list[Event]) -> None:
    """Events are equal, and so are their places in the stream."""
    assume(all(in_range(event_to_json(event)) == event_to_json(event) for event in reported))
    placed = [replace(event, cursor=CURSOR) for event in reported]
    with_indexes(placed)
    batch = Batch(17, LazyEventList(placed, last_index=len(reported) + 2), CURSOR)

    back = batch_of(decode_record(written(batch)))

    if reported:
        assert back is not None
        assert (back.sequence, back.cursor, list(back.events)) == (17, CURSOR, placed)
        assert [event.cursor for event in back.events] == [event.cursor for event in placed]
        assert isinstance(back.events, LazyEventList)
        assert back.events.last_index == len(reported) + 2
    else:
        assert back is None


def moved(hosts: int) -> LazyHostEvents:
    """Return the events of so many hosts that moved, not made yet."""
    state = JobState(JOB, is_target=True)
    apply_job(state, job(2, step(2, [host(n, 7) for n in range(1, hosts + 1)])), at(1))
    found = apply_job(state, job(2, step(2, [host(n, 9) for n in range(1, hosts + 1)])), at(2))
    lazy = [part for part in found if isinstance(part, LazyHostEvents)]
    return lazy[0]


def test_writing_makes_no_event() -> None:
    """The columns are written as they are; reading makes the same events."""
    hosts = moved(100)
    batch = Batch(17, LazyEventList([hosts]), CURSOR)

    data = written(batch)

    assert not hosts._events
    back = batch_of(decode_record(data))
    assert back is not None
    assert list(back.events) == list(hosts.materialize())
    assert len(data) <= 2500


def test_events_that_were_made_are_written_alike() -> None:
    """Another reader may have read them before."""
    hosts = moved(10)
    batch = Batch(17, LazyEventList([hosts]), CURSOR)
    before = written(batch)
    hosts.materialize()

    assert written(batch) == before


def test_a_number_of_more_than_64_bits_is_cut() -> None:
    """What a platform may send by mistake does not end a watch."""
    event = HostCounts(ref=JOB.step(200), execute_count=1 << 70, hosts={}, cursor=CURSOR)

    back = batch_of(decode_record(written(Batch(17, (event,), CURSOR))))

    assert back is not None
    assert list(back.events) == [replace(event, execute_count=(1 << 63) - 1)]


def test_a_record_says_whose_it_is() -> None:
    """The term, the client and the time."""
    record = decode_record(encode_record(5, time=1.5, term=3, client="0a1b2c3d"))

    assert (record.sequence, record.time, record.term, record.client) == (5, 1.5, 3, "0a1b2c3d")
    assert batch_of(record) is None


def test_a_newer_record_is_refused() -> None:
    """Nothing is guessed about what a later version wrote."""
    for newer in ([VERSION + 1, 5, 1.5, 3, "0a1b2c3d"], [VERSION + 1, "anything"]):
        with pytest.raises(JournalTooNew):
            decode_record(msgspec.msgpack.encode(newer))


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
def test_damage_is_reported_as_such(noise: bytes, place: int, byte: int) -> None:
    """Whatever the bytes are, the error is typed."""
    batch = Batch(17, LazyEventList([moved(3), InSync(cursor=CURSOR)]), CURSOR)
    data = bytearray(written(batch))
    data[place % len(data)] = byte
    for each in (noise, bytes(data)):
        try:
            found = batch_of(decode_record(each))
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
        batch_of(decode_record(record))
    with pytest.raises(JournalDamaged):
        Fold().apply(record)

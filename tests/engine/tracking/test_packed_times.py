"""Packed times: those that fit are unpacked unchanged, others are kept in full."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.tracking.packed_times import packed_times, unpacked_times
from bkjob_async.model.snapshot import Times

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
def test_times_come_back(zone: timezone, total: float | None, data: st.DataObject) -> None:
    """The same times, to the millisecond that the platform gives, in a zone of the same offset."""
    moments = st.none() | st.datetimes(BEGIN, END, timezones=st.just(zone)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    )
    create, start, end = data.draw(moments), data.draw(moments), data.draw(moments)
    times = Times(create_time=create, start_time=start, end_time=end, total_time=total)

    back = unpacked_times(packed_times(times))

    assert back == times
    assert all(
        moment.utcoffset() == zone.utcoffset(None) for moment in (back.create_time, back.end_time) if moment
    )


def test_usual_times_take_little_room() -> None:
    """Creation and start fit into the smallest object that bytes can be."""
    zone = timezone(timedelta(hours=8))
    begun = datetime(2026, 1, 1, 12, 0, 0, 123_000, zone)

    assert len(packed_times(Times(create_time=begun, start_time=begun))) == 13

"""Encoded addresses, times and texts: those that fit are decoded unchanged, others are not encoded."""

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.columns.encoding import (
    announced_state,
    packed_address,
    packed_times,
    unpacked_address,
    unpacked_times,
)
from bkjob_async.model.snapshot import Times


@given(st.integers(0, 2**30 - 1), st.ip_addresses(v=4))
def test_an_address_comes_out_as_it_went_in(cloud: int, ip: IPv4Address) -> None:
    """With its cloud area."""
    packed = packed_address(cloud, str(ip))

    assert packed is not None
    assert packed & 0xFFFF_FFFF == int(ip)
    assert unpacked_address(packed) == (cloud, str(ip))


@pytest.mark.parametrize(
    "ip",
    [
        *("", "10.0.0", "10.0.0.0.1", "10.0.0.256", "10.0.0.-1", "10.0.0.01", " 10.0.0.1", "10.0.0.1\n"),
        *("10.0.0.+1", "1_0.0.0.1", "10.0.0.\u0661", "10.0.0.x", "host", "fd00::1"),
    ],
)
def test_what_is_no_address_is_not_packed(ip: str) -> None:
    """Nor what another reader would take for one."""
    assert packed_address(0, ip) is None


@given(st.text(alphabet="0123456789. +-_", max_size=16))
def test_only_addresses_are_packed(ip: str) -> None:
    """The standard library knows them."""
    try:
        known = int(IPv4Address(ip))
    except ValueError:
        known = None
    packed = packed_address(0, ip)

    assert (None if packed is None else packed & 0xFFFF_FFFF) == known


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


def test_what_was_reported_alike_is_one_object() -> None:
    """A hundred thousand running steps share their announced state."""
    assert announced_state(2, 0, finished=False) is announced_state(2, 0, finished=False)

"""Encoded addresses: those that fit are decoded unchanged, others are not encoded."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.host_identity import packed_address, unpacked_address


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

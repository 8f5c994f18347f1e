"""Names of many hosts as columns of numbers: what a journal keeps of who they are."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache

from bkjob_async.engine.journaling.forms import HostNamesForm, Key
from bkjob_async.model.refs import HostKey

# A name is a host id, or an address with the first bit set.
ADDRESS = 1 << 63
LARGEST_ID = (1 << 62) - 1
_CLOUDS = 1 << 30
# The text of each octet, and for each place in an address the number that a text stands for there.
_TEXTS = tuple(map(str, range(256)))
_FIRST, _SECOND, _THIRD, _FOURTH = (
    {text: octet << bits for octet, text in enumerate(_TEXTS)} for bits in (24, 16, 8, 0)
)
# Jobs run on the same hosts again and again. (400 bytes each)
MAX_KNOWN_NUMBERS = 1 << 14

LARGEST_SHORT = (1 << 32) - 1


KnownKeys = dict[tuple[int, int], HostKey]
"""Hosts that were read, by name and address, so that equal ones are one object."""


def names_form(keys: Sequence[HostKey]) -> HostNamesForm:
    """Return names of hosts in their form."""
    numbers = [*map(numbers_of, keys)]
    irregular = {n: key_form(keys[n]) for n, pair in enumerate(numbers) if pair is None}
    names = packed_numbers([0 if pair is None else pair[0] for pair in numbers])
    addresses = [0 if pair is None else pair[1] for pair in numbers]
    return HostNamesForm(len(keys), names, packed_numbers(addresses) if any(addresses) else b"", irregular)


def keys_from(form: HostNamesForm, known: KnownKeys | None = None) -> list[HostKey]:
    """Return hosts from their form; raise ValueError where their number is not the one that it says."""
    if form.size and not form.names:
        raise ValueError("hosts without names")
    names, addresses = unpacked_numbers(form.names, form.size), unpacked_numbers(form.addresses, form.size)
    found: KnownKeys = {} if known is None else known
    keys: list[HostKey] = []
    for pair in zip(names, addresses, strict=True):
        key = found.get(pair)
        if key is None:
            key = found[pair] = key_from(*pair)
        keys.append(key)
    for number, key_form in form.keys.items():
        keys[number] = key_from_form(key_form)
    return keys


def key_form(key: HostKey) -> Key:
    """Return all names of a host."""
    return (key.bk_host_id, key.bk_cloud_id, key.ip, key.ipv6, key.container_id, key.container_name)


def key_from_form(form: Key) -> HostKey:
    """Return a host from all its names."""
    host_id, cloud, ip, ipv6, container_id, container_name = form
    return HostKey(
        bk_host_id=host_id,
        bk_cloud_id=cloud,
        ip=ip,
        ipv6=ipv6,
        container_id=container_id,
        container_name=container_name,
    )


@lru_cache(MAX_KNOWN_NUMBERS)
def numbers_of(key: HostKey) -> tuple[int, int] | None:
    """Return the name of a host as a number, and the address beside an id or 0; None where there are other names."""
    host_id, ip, cloud = key.bk_host_id, key.ip, key.bk_cloud_id
    if key.ipv6 is not None or key.container_id is not None or key.container_name is not None:
        return None
    if ip is None:
        return None if host_id is None or host_id > LARGEST_ID or cloud is not None else (host_id, 0)
    address = None if cloud is None else packed_address(cloud, ip)
    if address is None or (host_id is not None and host_id > LARGEST_ID):
        return None
    return (address, 0) if host_id is None else (host_id, address)


def packed_address(cloud: int, ip: str) -> int | None:
    """Return cloud area and IPv4 address as one number with the `ADDRESS` bit; None where they do not fit."""
    if not 0 <= cloud < _CLOUDS:
        return None
    try:
        # `int` would accept spaces, signs, leading zeros and other scripts' digits; these mappings do not.
        first, second, third, fourth = ip.split(".")
        return ADDRESS | cloud << 32 | _FIRST[first] | _SECOND[second] | _THIRD[third] | _FOURTH[fourth]
    except (KeyError, ValueError):
        return None


def unpacked_address(number: int) -> tuple[int, str]:
    """Return the cloud area and the IPv4 address that `packed_address` packed."""
    first, second, third, fourth = (number & 0xFFFFFFFF).to_bytes(4, "big")
    ip = f"{_TEXTS[first]}.{_TEXTS[second]}.{_TEXTS[third]}.{_TEXTS[fourth]}"
    return (number & ~ADDRESS) >> 32, ip


def key_from(name: int, address: int) -> HostKey:
    """Return the host with this name, and the address beside it."""
    packed = name if name & ADDRESS else address
    cloud, ip = unpacked_address(packed) if packed else (None, None)
    return HostKey(bk_host_id=plain_id(name), bk_cloud_id=cloud, ip=ip)


def plain_label(name: int, address: int) -> str:
    """Return the label of `key_from`, without making the key."""
    packed = name if name & ADDRESS else address
    if not packed:
        return f"#{plain_id(name)}"
    cloud, ip = unpacked_address(packed)
    return f"{cloud}:{ip}"


def plain_id(name: int) -> int | None:
    """Return the host id of a host by its name, None where it has none; 0 is none, which damaged records may have."""
    return name if 0 < name <= LARGEST_ID else None


def packed_numbers(numbers: Sequence[int]) -> bytes:
    """Return numbers in four bytes each, or eight where one of them needs it."""
    if len(numbers) == 1:
        return numbers[0].to_bytes(4 if numbers[0] <= LARGEST_SHORT else 8, "little")
    column = array("I" if max(numbers, default=0) <= LARGEST_SHORT else "Q", numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def unpacked_numbers(packed: bytes, size: int) -> Sequence[int]:
    """Return *size* numbers; no bytes at all are zeros. Raise ValueError for another length."""
    if not packed:
        return array("I", bytes(4 * size))
    width = len(packed) // size if size else 0
    if width not in (4, 8) or len(packed) != width * size:
        raise ValueError("not a column of numbers")
    column = array("I" if width == 4 else "Q", packed)
    if sys.byteorder == "big":
        column.byteswap()
    return column

"""Columns of hosts, times and failures in the forms of a journal, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from bkjob_async.engine.host_table.columns.encoding import unpacked_times
from bkjob_async.engine.host_table.host_names import HostNames, PackedNames, unpacked_numbers
from bkjob_async.engine.journaling.forms import Column, FailureForm, HostNamesForm, Key, Moments
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.status import host_status


def column(values: Sequence[Any]) -> Column:
    """Return *values* as a column: one value where all are equal."""
    first = values[0] if values else None
    if len(values) == 1:
        return first
    if values.count(first) == len(values):
        return first
    return values if isinstance(values, list) else list(values)


def expanded(values: Column, size: int) -> list[Any]:
    """Return the values of a column of *size* hosts; raise ValueError for another length."""
    if not isinstance(values, list):
        return [values] * size
    if len(values) != size:
        raise ValueError("a column has not one value for each host")
    return values


# Names ----------------------------------------------------------------------------------------------------------------


def names_form(hosts: HostNames | PackedNames) -> HostNamesForm:
    """Return names of hosts in their form."""
    packed = hosts if type(hosts) is PackedNames else hosts.packed()
    if not packed.keys:
        return HostNamesForm(packed.size, packed.names, packed.addresses)
    keys = {number: key_form(key) for number, key in packed.keys.items()}
    return HostNamesForm(packed.size, packed.names, packed.addresses, keys)


def names_from(form: HostNamesForm) -> HostNames:
    """Return names of hosts from their form; raise ValueError where their number is not the one that it says."""
    if form.size and not form.names:
        raise ValueError("hosts without names")
    return HostNames(
        unpacked_numbers(form.names, form.size),
        unpacked_numbers(form.addresses, form.size),
        {number: key_from_form(key) for number, key in form.keys.items()},
    )


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


# Times ----------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)  # the steps of a job are created at the same time
def moments_of_packed(packed: bytes) -> Moments | None:
    """Return the times that a state keeps, in their form."""
    return moments_of(unpacked_times(packed))


def moments_of(times: Times) -> Moments | None:
    """Return times in their form, None where all are unknown."""
    moments = (times.create_time, times.start_time, times.end_time)
    if moments == (None, None, None) and times.total_time is None:
        return None
    known = next((moment for moment in moments if moment is not None), None)
    offset = known.utcoffset() if known is not None else None
    create, start, end = (None if moment is None else moment.timestamp() for moment in moments)
    return (round(offset.total_seconds()) if offset else 0, create, start, end, times.total_time)


def times_from(moments: Moments | None) -> Times:
    """Return times from their form."""
    if moments is None:
        return Times()
    offset, *seconds, total = moments
    zone = timezone(timedelta(seconds=offset)) if offset else UTC
    create, start, end = (None if each is None else datetime.fromtimestamp(each, zone) for each in seconds)
    return Times(create_time=create, start_time=start, end_time=end, total_time=total)


# Failures -------------------------------------------------------------------------------------------------------------


def failure_form(number: int, host: HostSnapshot, known: HostKey) -> FailureForm:
    """Return the details of a failed *host* in their form; *known* are its names in the columns."""
    return FailureForm(
        number,
        host.status.code,
        host.tag,
        host.exit_code,
        host.error_code,
        moments_of(host.times),
        None if host.host == known else key_form(host.host),
    )


def failures_from(
    forms: Iterable[FailureForm], keys: Sequence[HostKey]
) -> Iterable[tuple[int, HostSnapshot]]:
    """Yield the number and the details of each failed host; *keys* are the hosts of the columns."""
    for form in forms:
        yield (
            form.number,
            HostSnapshot(
                host=keys[form.number] if form.key is None else key_from_form(form.key),
                status=host_status(form.status),
                tag=form.tag,
                exit_code=form.exit_code,
                error_code=form.error_code,
                times=times_from(form.times),
            ),
        )

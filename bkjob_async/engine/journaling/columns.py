"""Columns of hosts and failures in the forms of a journal, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bkjob_async.engine.host_table.host_names import HostNames
from bkjob_async.engine.journaling.forms import Column, FailureForm, HostNamesForm, Key
from bkjob_async.engine.tracking.packed_times import moments_of, times_from
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot
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


def names_form(hosts: HostNames) -> HostNamesForm:
    """Return names of hosts in their form."""
    keys = {number: key_form(key) for number, key in hosts.keys.items()}
    return HostNamesForm(hosts.size, hosts.names, hosts.addresses, keys)


def names_from(form: HostNamesForm) -> HostNames:
    """Return names of hosts from their form; raise ValueError where their number is not the one that it says."""
    if form.size and not form.names:
        raise ValueError("hosts without names")
    keys = {number: key_from_form(key) for number, key in form.keys.items()}
    hosts = HostNames(form.size, form.names, form.addresses, keys)
    hosts.numbers()  # which fails where they are not as many
    return hosts


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

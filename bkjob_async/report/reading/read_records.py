"""Apply records of a journal to the model of a run: columns of hosts, without an event for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from typing import Any

import msgspec

from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.engine.journaling.forms import Column, HostNamesForm, HostsForm
from bkjob_async.engine.journaling.host_names import (
    key_from_form,
    plain_id,
    plain_label,
    unpacked_numbers,
)
from bkjob_async.errors import JournalDamaged
from bkjob_async.report.reading.event_forms import EventForm, apply_form
from bkjob_async.report.reading.run_model import HostChange, RunModel

# A fleet has few hosts beside the times that it has of each.
label_of = lru_cache(maxsize=1 << 17)(plain_label)


def apply_record(run: RunModel, data: bytes) -> None:
    """Apply what a record holds; raise `JournalDamaged` or `JournalTooNew` where it cannot be read."""
    form = decode_record(data)
    try:
        for part in form.parts:
            if isinstance(part, HostsForm):
                run.hosts_changed(part.step, part.execute_count, changes_of(part), skipped=part.skipped)
                run.events += part.hosts.size
            else:
                apply_form(run, msgspec.convert(part.event, EventForm))
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise JournalDamaged(f"a record of the journal makes no sense: {error}") from error


def changes_of(part: HostsForm) -> Iterator[HostChange]:
    """Return the changes of the hosts of a step; raise ValueError where columns are not whole."""
    size, hosts, afters = part.hosts.size, part.hosts, part.afters
    if (size and not hosts.names) or afters is None or (isinstance(afters, list) and None in afters):
        raise ValueError("hosts without names or codes")
    names = unpacked_numbers(hosts.names, size)
    labels: Iterable[str] = map(label_of, names, unpacked_numbers(hosts.addresses, size))
    ids: Iterable[int | None] = map(plain_id, names)
    if hosts.keys:
        labels, ids = with_keys(hosts, [*labels], [*ids])
    return zip(
        labels,
        ids,
        values(part.befores, size),
        values(afters, size),
        values(part.tags, size),
        values(part.exit_codes, size),
        values(part.starts, size),
        values(part.ends, size),
        strict=False,
    )


def with_keys(
    hosts: HostNamesForm, labels: list[str], ids: list[int | None]
) -> tuple[list[str], list[int | None]]:
    """Put in what hosts are called that have other names than numbers."""
    for number, form in hosts.keys.items():
        key = key_from_form(form)
        labels[number], ids[number] = key.label, key.bk_host_id
    return labels, ids


def values(column: Column, size: int) -> Iterable[Any]:
    """Return the values of a column of *size* hosts; raise ValueError for another length."""
    if not isinstance(column, list):
        return repeat(column)
    if len(column) != size:
        raise ValueError("a column has not one value for each host")
    return column

"""Columns of values and failures of hosts in the forms of a journal, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bkjob_async.engine.journaling.forms import Column, FailureForm
from bkjob_async.engine.journaling.host_names import key_form, key_from_form
from bkjob_async.engine.tracking.packed_times import moments_of, times_from
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import host_status
from bkjob_async.model.structures.unix_time import milliseconds_of, time_from


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


# Times ----------------------------------------------------------------------------------------------------------------


def time_column(times: Sequence[datetime | None]) -> Column:
    """Return *times* as a column of Unix milliseconds."""
    found = column(times)
    return [*map(milliseconds_from, found)] if isinstance(found, list) else milliseconds_from(found)


def expanded_times(values: Column, size: int) -> list[datetime | None]:
    """Return the times of a column of *size* hosts; raise ValueError for another length, OverflowError for no time."""
    if not isinstance(values, list):
        return [None if values is None else time_from(values)] * size
    return [None if each is None else time_from(each) for each in expanded(values, size)]


def milliseconds_from(time: datetime | None) -> int | None:
    """Return a time in Unix milliseconds, None for none."""
    return None if time is None else milliseconds_of(time)


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


def failure_forms(step: StepState, places: Iterable[tuple[int, int]]) -> list[FailureForm]:
    """Return the details of failed hosts of a *step*, each given by its number in the columns and its place in the step."""
    found = ((number, step.failure_at(place), step.hosts.keys[place]) for number, place in places)
    return [failure_form(number, host, known) for number, host, known in found if host is not None]


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

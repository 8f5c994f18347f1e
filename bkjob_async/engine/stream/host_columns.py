"""Events of hosts as columns: who they are, their codes, tags and exit codes; the i-th of each belongs to the i-th event."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

from bkjob_async.engine.host_table.host_names import HostNames, names_of
from bkjob_async.model.events import HostChanged

T = TypeVar("T", int, int | None, str | None)

# Equal columns of at most so many hosts are one object.
MAX_SHARED_SIZE = 128


class HostEventColumns(Struct, frozen=True, gc=False):
    """The events of hosts of one step and one execution; *places* are those in its table, packed, none where not known.

    *cursor* is that of their batch.
    """

    hosts: HostNames
    befores: Sequence[int | None]
    afters: Sequence[int]
    tags: Sequence[str | None]
    exit_codes: Sequence[int | None]
    execute_count: int
    epoch: int
    skipped: bool = False
    places: bytes = b""
    cursor: str = ""


def columns_of(events: Sequence[HostChanged]) -> HostEventColumns:
    """Return events of one step and one execution as columns."""
    first = events[0]
    return HostEventColumns(
        hosts=names_of([event.host for event in events]),
        befores=[None if event.before is None else event.before.code for event in events],
        afters=[event.after.code for event in events],
        tags=[event.tag for event in events],
        exit_codes=[event.exit_code for event in events],
        execute_count=first.execute_count,
        epoch=first.epoch,
        skipped=first.skipped,
    )


def shared(values: Sequence[T]) -> Sequence[T]:
    """Return *values*, where all are equal the same object each time.

    A journal keeps the columns of some dozens of batches until they are stored. Were each column a list of its own, the
    garbage collector would run more often.
    """
    size = len(values)
    if 0 < size <= MAX_SHARED_SIZE and values.count(values[0]) == size:
        return repeated(values[0], size)
    return values


@lru_cache(maxsize=512)
def repeated(value: T, size: int) -> Sequence[T]:
    """Return so many times *value*."""
    return (value,) * size

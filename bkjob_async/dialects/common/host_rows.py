"""Host rows: a host's names, its status code, its details."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from bkjob_async.dialects.common.hosts import read_execute_object
from bkjob_async.dialects.common.json_fields import (
    INT64,
    MILLISECONDS,
    JsonObject,
    as_integer,
    as_time,
    from_unix_time,
)
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.status import host_status
from bkjob_async.model.structures.unix_time import milliseconds_of

Code = Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
Identity = Annotated[int, Meta(gt=0, le=INT64 - 1)]
Number = Annotated[float, Meta(gt=-float(INT64), lt=float(INT64))]

NO_TIMES = Times()

# Rows without a code of their own stand in a group that has one.
NO_CODE = -1


class FullHostRow(Struct, gc=False):
    """One host's row; the names are those of the v3 interfaces, times are Unix milliseconds."""

    status: Code
    bk_host_id: Identity | None = None
    bk_cloud_id: Code | None = None
    ip: str | None = None
    ipv6: str | None = None
    tag: str | None = None
    exit_code: Code | None = None
    error_code: Code | None = None
    raw_start_time: Code | None = field(default=None, name="start_time")
    raw_end_time: Code | None = field(default=None, name="end_time")
    total_time: Number | None = None

    # A host is no container. What has no type is no member of the row.
    container_id = None
    container_name = None

    @property
    def start_time(self) -> datetime | None:
        """When the host started, None for unknown."""
        return from_unix_time(self.raw_start_time)

    @property
    def end_time(self) -> datetime | None:
        """When the host ended, None for unknown."""
        return from_unix_time(self.raw_end_time)


class PartialHostRow(Struct, gc=False):
    """A host's row of which a poll read only what it needs; `LazyHostRows` reads the rest.

    The exit code and the times may be anything: no poll fails for them.
    """

    # Not read, so no members of the row: they have no type.
    bk_cloud_id = None
    ip = None
    ipv6 = None
    # A host is no container.
    container_id = None

    bk_host_id: Identity
    raw_exit_code: Any = field(default=None, name="exit_code")
    raw_start_time: Any = field(default=None, name="start_time")
    raw_end_time: Any = field(default=None, name="end_time")

    @property
    def exit_code(self) -> int | None:
        """The exit code, None where it cannot be understood."""
        found = self.raw_exit_code
        is_plain = found is None or (type(found) is int and 0 <= found < INT64)
        return found if is_plain else as_integer(found)

    @property
    def start_time(self) -> datetime | None:
        """When the host started, None where that is unknown or cannot be understood."""
        found = self.raw_start_time
        return from_unix_time(found) if found is None or type(found) is int else plain_time(found)

    @property
    def end_time(self) -> datetime | None:
        """When the host ended, None where that is unknown or cannot be understood."""
        found = self.raw_end_time
        return from_unix_time(found) if found is None or type(found) is int else plain_time(found)


class FlatHostRow(PartialHostRow, gc=False, kw_only=True):
    """A host's row in a flat list: id, status code, and what an event needs."""

    status: Code
    tag: str | None = None


class GroupedHostRow(PartialHostRow, gc=False):
    """A host's row in a group, which has its code and its tag."""

    # Not read, and no member of the row: the group has it.
    tag = None

    @property
    def status(self) -> int:
        """Not read: the group has it, and hosts move while the server reads group after group."""
        raise LookupError("the row is in the state of its group")


class ContainerRow(FullHostRow, gc=False):
    """The row of a container, which has an id and a name of its own."""

    object_id: int | None = None
    object_name: str | None = None

    @property
    def container_id(self) -> int | None:  # type: ignore[override]  # a host has none
        """The container's id on the platform."""
        return self.object_id

    @property
    def container_name(self) -> str | None:  # type: ignore[override]  # a host has none
        """The container's name in its cluster."""
        return self.object_name


def read_rows(parent: JsonObject, *names: str, group_status: int | None = None) -> list[FullHostRow] | None:
    """Read a list of host rows, None where there is none."""
    rows = parent.children(*names)
    return None if rows is None else [read_row(row, group_status) for row in rows]


def read_row(row: JsonObject, group_status: int | None = None) -> FullHostRow:
    """Read a host's row; its code may be missing only where its group has one."""
    return FullHostRow(
        status=read_code(row, group_status),
        bk_host_id=row.maybe_identity("bk_host_id"),
        bk_cloud_id=row.maybe_integer("bk_cloud_id"),
        ip=row.maybe_text("ip"),
        ipv6=row.maybe_text("ipv6"),
        **read_details(row),
    )


def read_object_row(row: JsonObject) -> FullHostRow:
    """Read the row of an execute object of version 4: a host or a container."""
    host = read_execute_object(row.child("execute_object"))
    code, details = read_code(row, None), read_details(row)
    if host.container_id is not None or host.container_name is not None:
        return ContainerRow(
            status=code, object_id=host.container_id, object_name=host.container_name, **details
        )
    return FullHostRow(
        status=code,
        bk_host_id=host.bk_host_id,
        bk_cloud_id=host.bk_cloud_id,
        ip=host.ip,
        ipv6=host.ipv6,
        **details,
    )


def read_code(row: JsonObject, group_status: int | None) -> int:
    """Read a row's host code, that of its group where it has none."""
    code = row.maybe_integer("status")
    if code is None:
        return group_status if group_status is not None else row.integer("status")
    return code


def read_details(row: JsonObject) -> dict[str, Any]:
    """Read a row's tag, exit code, error code and times."""
    return {
        "tag": row.maybe_text("tag"),
        "exit_code": row.maybe_integer("exit_code"),
        "error_code": row.maybe_integer("error_code"),
        "raw_start_time": row_time(row, "start_time"),
        "raw_end_time": row_time(row, "end_time"),
        "total_time": row.number("total_time"),
    }


def row_time(row: JsonObject, name: str) -> int | None:
    """Return a row's time in Unix milliseconds or as the number that came."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return row.maybe_integer(name)
    time = row.time(name)
    return None if time is None else milliseconds_of(time)


def plain_time(found: object) -> datetime | None:
    """Return a row's time from whatever came, None where it cannot be understood."""
    time = as_time(found)
    return None if time is None else from_unix_time(milliseconds_of(time))


def names_host(row: FullHostRow) -> bool:
    """Return True if a row has any name of its host."""
    return row.bk_host_id is not None or bool(row.ip or row.ipv6) or row.container_id is not None


def host_snapshot(row: HostRow) -> HostSnapshot:
    """Return a host's snapshot from its full row."""
    assert isinstance(row, FullHostRow)  # noqa: S101 - `StepPollView.named` returns no other rows
    host = HostKey(
        bk_host_id=row.bk_host_id,
        bk_cloud_id=row.bk_cloud_id,
        ip=row.ip or None,
        ipv6=row.ipv6 or None,
        container_id=row.container_id,
        container_name=row.container_name,
    )
    return HostSnapshot(
        host=host,
        status=host_status(row.status),
        tag=row.tag or "",
        exit_code=row.exit_code,
        error_code=row.error_code,
        times=millisecond_times(None, row.raw_start_time, row.raw_end_time, row.total_time),
    )


def untagged_snapshot(row: HostRow) -> HostSnapshot:
    """Return a host's snapshot from a response without tags: a row without a tag says nothing of it."""
    snapshot = host_snapshot(row)
    return snapshot if snapshot.tag else replace(snapshot, tag=None)


def millisecond_times(create: int | None, start: int | None, end: int | None, total: float | None) -> Times:
    """Return times from Unix milliseconds and a duration in milliseconds."""
    if create is start is end is total is None:
        return NO_TIMES
    return Times(
        create_time=from_unix_time(create),
        start_time=from_unix_time(start),
        end_time=from_unix_time(end),
        total_time=None if total is None else total / MILLISECONDS,
    )

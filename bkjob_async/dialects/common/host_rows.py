"""Host rows: a host's names, its status code, its details."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from bkjob_async.dialects.common.hosts import read_execute_object
from bkjob_async.dialects.common.json_fields import (
    INT64,
    JsonObject,
    as_integer,
    as_time,
)
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.poll_view import NO_OUTCOME, HostRow, Outcome, unix_times
from bkjob_async.model.refs import HostKey
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import host_status
from bkjob_async.model.structures.unix_time import from_unix_time, milliseconds_of

Code = Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
Identity = Annotated[int, Meta(gt=0, le=INT64 - 1)]
Number = Annotated[float, Meta(gt=-float(INT64), lt=float(INT64))]

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
    # What a row without a tag says of it: that there is none.
    no_tag = ""

    def outcome(self) -> Outcome:
        """Return the exit code, and when the host started and ended."""
        end = self.raw_end_time
        return (
            self.exit_code,
            from_unix_time(self.raw_start_time),
            None if end is None else from_unix_time(end),
        )

    def details(self) -> HostSnapshot:
        """Return the host's snapshot."""
        host = HostKey(
            bk_host_id=self.bk_host_id,
            bk_cloud_id=self.bk_cloud_id,
            ip=self.ip or None,
            ipv6=self.ipv6 or None,
            container_id=self.container_id,
            container_name=self.container_name,
        )
        return HostSnapshot(
            host=host,
            status=host_status(self.status),
            tag=self.tag or self.no_tag,
            exit_code=self.exit_code,
            error_code=self.error_code,
            times=unix_times(None, self.raw_start_time, self.raw_end_time, self.total_time),
        )


class UntaggedRow(FullHostRow, gc=False):
    """A host's row in a response without tags, which says nothing of them."""

    no_tag = None  # type: ignore[assignment]  # nothing is known


class PartialHostRow(Struct, gc=False):
    """A host's row of which a poll read only what it needs; `LazyHostRows` reads the rest.

    The times, and the exit code, may be anything: no poll fails for them.
    """

    # Not read, so no members of the row: they have no type.
    bk_cloud_id = None
    ip = None
    ipv6 = None
    # A host is no container.
    container_id = None
    container_name = None

    bk_host_id: Identity
    raw_start_time: Any = field(default=None, name="start_time")


class OpenHostRow(PartialHostRow, gc=False):
    """A host's row in a group of hosts that have not ended; the group has its code and its tag."""

    # Not read, and no members of the row.
    tag = None
    exit_code = None

    @property
    def status(self) -> int:
        """Not read: the group has it, and hosts move while the server reads group after group."""
        raise LookupError("the row is in the state of its group")

    def outcome(self) -> Outcome:
        """Return when the host started, None for what cannot be understood."""
        start = self.raw_start_time
        return NO_OUTCOME if start is None else (None, plain_time(start), None)


class RowWithOutcome(PartialHostRow, gc=False):
    """A host's row of which the exit code and the end were read, too."""

    raw_exit_code: Any = field(default=None, name="exit_code")
    raw_end_time: Any = field(default=None, name="end_time")

    @property
    def exit_code(self) -> int | None:
        """The exit code, None where it cannot be understood."""
        found = self.raw_exit_code
        is_plain = found is None or (type(found) is int and 0 <= found < INT64)
        return found if is_plain else as_integer(found)

    def outcome(self) -> Outcome:
        """Return the exit code, and when the host started and ended; None for what cannot be understood."""
        start, end = self.raw_start_time, self.raw_end_time
        if start is None and end is None and self.raw_exit_code is None:
            return NO_OUTCOME  # as of a host that waits
        return self.exit_code, plain_time(start), None if end is None else plain_time(end)


class EndedHostRow(RowWithOutcome, gc=False):
    """A host's row in a group of hosts that have ended; the group has its code and its tag."""

    # Not read, and no member of the row.
    tag = None
    status = OpenHostRow.status


class FlatHostRow(RowWithOutcome, gc=False, kw_only=True):
    """A host's row in a flat list, which has its own code and tag."""

    status: Code
    tag: str | None = None


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


def read_rows(
    parent: JsonObject,
    *names: str,
    group_status: int | None = None,
    read: Callable[[JsonObject, int | None], FullHostRow] | None = None,
) -> list[FullHostRow] | None:
    """Read a list of host rows, each by *read*, None where there is none."""
    rows, read = parent.children(*names), read or read_row
    return None if rows is None else [read(row, group_status) for row in rows]


def read_row(
    row: JsonObject, group_status: int | None = None, kind: type[FullHostRow] = FullHostRow
) -> FullHostRow:
    """Read a host's row; its code may be missing only where its group has one."""
    return kind(
        status=read_code(row, group_status),
        bk_host_id=row.maybe_identity("bk_host_id"),
        bk_cloud_id=row.maybe_integer("bk_cloud_id"),
        ip=row.maybe_text("ip"),
        ipv6=row.maybe_text("ipv6"),
        **read_details(row),
    )


def read_row_in_part(row: JsonObject, group_status: int | None) -> FullHostRow:
    """Read a host's row; of one that cannot be understood what can be: its id and code, its exit code and times.

    A poll does not fail for members that it does not need.
    """
    try:
        return read_row(row, group_status)
    except InvalidResponse:
        host_id = row.maybe_identity("bk_host_id")
        if host_id is None:
            raise
    start, end = row.time("start_time"), row.time("end_time")
    return FullHostRow(
        status=read_code(row, None) if group_status is None else group_status,
        bk_host_id=host_id,
        exit_code=as_integer(row.get("exit_code")),
        raw_start_time=None if start is None else milliseconds_of(start),
        raw_end_time=None if end is None else milliseconds_of(end),
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


def plain_time(found: Any) -> datetime | None:
    """Return a row's time from whatever came, None where it cannot be understood."""
    if type(found) is int:
        return from_unix_time(found)
    time = as_time(found)
    return None if time is None else from_unix_time(milliseconds_of(time))


def take_state(rows: Iterable[FullHostRow], status: int | None, tag: str | None) -> None:
    """Give *rows* the status and tag of their group: groups are read one after the other while hosts change."""
    for row in rows:
        if status is not None and row.status != status:
            row.status = status
        if tag is not None and row.tag != tag:
            row.tag = tag


def names_host(row: HostRow) -> bool:
    """Return True if a row has any name of its host."""
    return row.bk_host_id is not None or bool(row.ip or row.ipv6) or row.container_id is not None

"""What one response says of a job or step, decoded as far as a poll needs it.

A view is the one plain reading of a response: the engine reads views, users read the snapshots that are made of them. Rows
are the objects that the dialect decoded; their details become model values only for hosts that changed. Each poll makes a
view, so views are Structs: they are created ten times as fast as attrs' frozen classes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Protocol, cast

from msgspec import Struct

from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.structures.unix_time import from_unix_time

# An exit code, and when a host started and ended, each None for unknown.
Outcome = tuple[int | None, datetime | None, datetime | None]
NO_OUTCOME: Outcome = None, None, None


class HostRow(Protocol):
    """One host in a response: its names, its status code, and the other members of an event.

    A row with a host id may have its other names, and its details, in `StepPollView.named` only.
    """

    @property
    def bk_host_id(self) -> int | None:
        """The host's id in the CMDB."""
        ...

    @property
    def bk_cloud_id(self) -> int | None:
        """The cloud area of its address."""
        ...

    @property
    def ip(self) -> str | None:
        """Its IPv4 address."""
        ...

    @property
    def ipv6(self) -> str | None:
        """Its IPv6 address."""
        ...

    @property
    def container_id(self) -> int | None:
        """The container's id, where it is one."""
        ...

    @property
    def container_name(self) -> str | None:
        """The container's name, where it has one."""
        ...

    @property
    def status(self) -> int:
        """Its status code; the code of its group, where it has one, takes precedence."""
        ...

    @property
    def tag(self) -> str | None:
        """The tag of its result, None where its group has it."""
        ...

    @property
    def exit_code(self) -> int | None:
        """The exit code of its script, None for none."""
        ...

    def outcome(self) -> Outcome:
        """Return its exit code, and when it started and ended; a host that runs may have the end of an earlier run."""
        ...


class NamedRow(HostRow, Protocol):
    """A host's row with all members that the response has."""

    def details(self) -> HostSnapshot:
        """Return the host's snapshot."""
        ...


Named = Callable[[Sequence[HostRow]], Sequence[NamedRow]]
"""Returns some rows of a response with all members that it has, without a reference to the response."""


def as_read(rows: Sequence[HostRow]) -> Sequence[NamedRow]:
    """Return *rows*, which were read with all their members."""
    return cast("Sequence[NamedRow]", rows)


# Times of which few are wanted stay the Unix milliseconds that came: created, started, ended, and the total time.
UnixTimes = tuple[int | None, int | None, int | None, float | None]
NO_TIMES = Times()


class KnownRows(Struct, frozen=True, gc=False):
    """What is known of the job or step that a response is about: a response that says the same need not be decoded.

    *digest* is that of the last response whose rows were all believed, 0 for none. The *execute_count* of a job is 0.
    """

    status: int
    execute_count: int
    name: str
    digest: int


# What is known before the first response.
NOTHING_READ = KnownRows(0, 0, "", 0)


class GroupPollView(Struct, frozen=True, kw_only=True, gc=False):
    """Rows that a response listed together.

    Where the response had groups, *status*, *tag* and *size* are the group's; a flat list is one group
    without a status. A row has the status of its group. *rows* is None where the response listed none.
    """

    status: int | None = None
    tag: str = ""
    size: int = 0
    rows: Sequence[HostRow] | None = None


class StepPollView(Struct, frozen=True, kw_only=True, gc=False):
    """One step in a response.

    *finished* is the server's flag, None where the dialect has none. *groups* is None where the response has
    no hosts; *grouped* says that the platform itself grouped them by status and tag. *complete* says that the rows are all
    rows of the latest execution, in all batches; it is False when lists were cut, counts disagree with rows, or a row names
    no host, and in what is read for a snapshot. A host may be listed twice; one response does not show what that means.
    *tells_tags* is False where responses have no tags: a host without one may have one. *operator* is read for snapshots.

    *named* reads the rest of rows that have no more than id and code; it is `as_read` where rows have all their members.

    *digest* is a hash of all that the response says of the step but its total time, 0 where none was made.
    *has_known_rows* says that it is that of the `KnownRows`: there are neither *groups* nor *times* then.
    """

    step_instance_id: int
    status: int
    finished: bool | None = None
    name: str = ""
    type: int | None = None
    execute_count: int = 0
    times: Times | UnixTimes = NO_TIMES
    operator: str | None = None
    groups: Sequence[GroupPollView] | None = None
    grouped: bool = False
    complete: bool = False
    named: Named = as_read
    tells_tags: bool = True
    digest: int = 0
    has_known_rows: bool = False


class JobPollView(Struct, frozen=True, kw_only=True, gc=False):
    """A whole job in a response: its status and its steps in their order.

    *lacks_addresses* is True where rows of hosts have no address: a response about the step itself may have the IPv6 one.
    *operator* and *launch_mode* are read for snapshots.

    *digest* is a hash of all that the response says but total times, 0 where none was made. *has_known_rows* says that it is
    that of the `KnownRows`: there are neither *steps* nor *times* then.
    """

    status: int
    finished: bool | None = None
    name: str = ""
    times: Times | UnixTimes = NO_TIMES
    operator: str | None = None
    launch_mode: int | None = None
    steps: Sequence[StepPollView] = ()
    lacks_addresses: bool = False
    digest: int = 0
    has_known_rows: bool = False

    execute_count: ClassVar[int] = 0
    """That of a job, as in `KnownRows`."""


PollView = JobPollView | StepPollView


def times_of(view: PollView) -> Times:
    """Return the times in a view."""
    times = view.times
    return times if isinstance(times, Times) else unix_times(*times)


def unix_times(create: int | None, start: int | None, end: int | None, total: float | None) -> Times:
    """Return times from Unix milliseconds and a duration in milliseconds."""
    if create is start is end is total is None:
        return NO_TIMES
    return Times(
        create_time=from_unix_time(create),
        start_time=from_unix_time(start),
        end_time=from_unix_time(end),
        total_time=None if total is None else total / 1000,
    )

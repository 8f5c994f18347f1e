"""What one poll saw, as light as a decision needs it.

A look is the engine's reading of an answer, a snapshot the user's reading of the same bytes. Rows are whatever light
objects the dialect decoded; their details become model values only for the hosts that moved. One look is made for every
poll, so looks are Structs: ten times as quick to make as attrs' frozen classes.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from bkjob_async.model.snapshot import HostSnapshot, Times


class HostRow(Protocol):
    """One host in an answer: its names, its host code, and what an event tells beside them.

    A row that has a host id may leave its other names to `StepPollView.named`.
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
    def status(self) -> int:
        """Its host code; not to be read where the group has one, which wins over it."""
        ...

    @property
    def tag(self) -> str | None:
        """The tag of its result, None where its group tells it."""
        ...

    @property
    def exit_code(self) -> int | None:
        """The exit code of its script, None for none."""
        ...


def with_all_names(row: HostRow) -> HostRow:
    """Return a row that carries all its names already, as it is."""
    return row


class GroupPollView(Struct, frozen=True, kw_only=True, gc=False):
    """Rows that an answer listed together.

    Where the answer had groups, *status*, *tag* and *size* are the group's; a flat list is one group without a status.
    A row is in the state of the group that it stands in. *rows* is None where the answer listed none.
    """

    status: int | None = None
    tag: str = ""
    size: int = 0
    rows: Sequence[HostRow] | None = None


class StepPollView(Struct, frozen=True, kw_only=True, gc=False):
    """One step in an answer.

    *finished* is the server's flag, None where the dialect has none. *groups* is None where the answer cannot speak
    of hosts. *complete* says that the rows are all rows of the latest execution, in all batches; it is False when
    lists were cut, counts disagree with rows, or a row names nobody. A host may stand twice: what that means takes more
    than one answer to tell. A row may carry no more than id and code: *named* returns it with all that the answer gives,
    and such a row stands on its own, without the answer behind it. *details* returns what a named row says. *when* reads
    the times, which few looks need. *tells_tags* is False where answers never speak of tags: a row without one may have one.
    """

    step_instance_id: int
    status: int
    finished: bool | None = None
    name: str = ""
    type: int | None = None
    execute_count: int = 0
    when: Callable[[], Times] = Times
    groups: Sequence[GroupPollView] | None = None
    complete: bool = False
    named: Callable[[HostRow], HostRow] = with_all_names
    details: Callable[[HostRow], HostSnapshot]
    tells_tags: bool = True

    @property
    def times(self) -> Times:
        """The step's times, read when asked for."""
        return self.when()


class JobPollView(Struct, frozen=True, kw_only=True, gc=False):
    """A whole job in an answer: its status and its steps in their order."""

    status: int
    finished: bool | None = None
    name: str = ""
    when: Callable[[], Times] = Times
    steps: Sequence[StepPollView] = ()

    @property
    def times(self) -> Times:
        """The job's times, read when asked for."""
        return self.when()


Look = JobPollView | StepPollView

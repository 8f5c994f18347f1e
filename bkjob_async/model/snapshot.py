"""Snapshots of a job, its steps and hosts, as one response shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen
from attrs.converters import optional
from msgspec import Struct

from bkjob_async.model.refs import HostKey, JobRef, StepRef
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from bkjob_async.model.structures.lazy_tuple import LazyTuple
from bkjob_async.model.text import html
from bkjob_async.model.text.json_text import parse_json
from bkjob_async.model.text.printing import counted, first_of, printable


class Times(Struct, frozen=True, gc=False, kw_only=True):
    """When something was created, started and ended, and how long it took.

    Datetimes carry a zone; *total_time* is seconds. All are None where the platform gave none. An *end_time*
    does not mean finished: a rolling step carries the end of its last batch.

    *create_time* is that of the job or step. *start_time* of a job or step is that of its first execution: the platform
    keeps it when failed hosts are retried, so that *total_time* spans the pause before the retry as well. That of a
    host is of the execution that it is shown in. (`StepInstanceDAOImpl.resetStepExecuteInfoForRetry`)
    """

    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    total_time: float | None = None


class HostSnapshot(Struct, frozen=True, gc=False, kw_only=True):
    """One host in one execution of a step.

    *tag* is "" where the platform reports none, None where it is unknown; so are all fields after it.

    *host* has all names of the host that the response had, *status* is its status. *exit_code* is that of its
    script, *error_code* the agent's own number, *times* are those of this execution.
    """

    host: HostKey
    status: HostStatus
    tag: str | None = None
    exit_code: int | None = None
    error_code: int | None = None
    times: Times = Times()

    def __str__(self) -> str:
        return f"{self.host} {self.status.name}"


def sealed_hosts(hosts: Sequence[HostSnapshot]) -> Sequence[HostSnapshot]:
    """Return *hosts* as an immutable sequence: a tuple, or a `LazyTuple` as it is."""
    return hosts if isinstance(hosts, tuple | LazyTuple) else tuple(hosts)


@frozen(kw_only=True)
class HostGroup:
    """The hosts of a step that share a status and a tag.

    *size* is the platform's count; *hosts* may be fewer (limits, filters), or None where none were sent. It is a tuple, or
    a sequence like it whose items are made when they are read.

    *status* is the status of these hosts, *tag* the label that their script gave, "" for none.
    """

    status: HostStatus
    tag: str = ""
    size: int = 0
    hosts: Sequence[HostSnapshot] | None = field(default=None, converter=optional(sealed_hosts))

    def __str__(self) -> str:
        tag = f" {self.tag!r}" if self.tag else ""
        return printable(f"{self.status.name}{tag} {counted(self.size, 'host')}{_in_short(self.hosts)}")

    def __repr__(self) -> str:
        return f"<HostGroup {self}>"


@frozen(kw_only=True)
class StepSnapshot:
    """A step instance, with its hosts where the response had them.

    *hosts* is None where the response had no rows at all (not requested, or not available); else it is a tuple, or a
    sequence like it whose items are made when they are read. *groups* is None where the dialect has no groups.
    *execute_count* is the step's latest execution, whichever was requested.

    *ref* is the step, *status* its status and *is_finished* whether that is final. *name*, *type* (a
    `StepType`), *operator* and *times* are the platform's; None or "" where the response had none. *response* is
    what `raw` reads.
    """

    ref: StepRef
    status: RunStatus
    is_finished: bool
    name: str = ""
    type: int | None = None
    execute_count: int = 0
    times: Times = field(factory=Times)
    operator: str | None = None
    groups: tuple[HostGroup, ...] | None = None
    hosts: Sequence[HostSnapshot] | None = field(default=None, converter=optional(sealed_hosts))
    response: LazyResponseData | None = field(default=None, repr=False, eq=False)

    @property
    def raw(self) -> Mapping[str, Any] | None:
        """The platform's own data about the step; None where no response was kept.

        Results of `get_*` methods keep it, and decode it when it is first wanted; a watch keeps none.
        """
        return None if self.response is None else self.response.step(self.ref.step_instance_id)

    def __str__(self) -> str:
        hosts = "no host rows" if self.hosts is None else counted(len(self.hosts), "host")
        return printable(f"{self.ref} {self.status.name}{_named(self.name)} {hosts}{_in_short(self.hosts)}")

    def __repr__(self) -> str:
        return f"<StepSnapshot {self}>"

    def _repr_html_(self) -> str:
        return html.page(f"{self.ref} {self.status.name} {self.name}", phases_of(self.hosts or ()))


@frozen(kw_only=True)
class JobSnapshot:
    """A job instance with its steps, in their order.

    *ref* is the job, *status* its status and *is_finished* whether that is final; *steps* are its steps.
    *name*, *operator*, *launch_mode* (a `LaunchMode`) and *times* are the platform's; None or "" where the
    response had none. *response* is
    what `raw` reads.
    """

    ref: JobRef
    status: RunStatus
    is_finished: bool
    name: str = ""
    times: Times = field(factory=Times)
    operator: str | None = None
    launch_mode: int | None = None
    steps: tuple[StepSnapshot, ...] = ()
    response: LazyResponseData | None = field(default=None, repr=False, eq=False)

    @property
    def raw(self) -> Mapping[str, Any] | None:
        """The platform's own `data` about the job; None where no response was kept.

        Results of `get_*` methods keep it, and decode it when it is first wanted; a watch keeps none.
        """
        return None if self.response is None else self.response.data

    def __str__(self) -> str:
        steps = first_of([f"{step.ref.step_instance_id} {step.status.name}" for step in self.steps])
        return printable(
            f"{self.ref} {self.status.name}{_named(self.name)} {counted(len(self.steps), 'step')}"
            + (f": {steps}" if steps else "")
        )

    def __repr__(self) -> str:
        return f"<JobSnapshot {self}>"

    def _repr_html_(self) -> str:
        hosts: Counter[Phase] = Counter()
        for step in self.steps:
            hosts.update(phases_of(step.hosts or ()))
        return html.page(f"{self.ref} {self.status.name} {self.name}", hosts, self.steps)


def phases_of(hosts: Sequence[HostSnapshot]) -> Mapping[Phase, int]:
    """Return how many *hosts* are in each phase."""
    return Counter(host.status.phase for host in hosts)


def _named(name: str) -> str:
    return f" {name!r}" if name else ""


def _in_short(hosts: Sequence[HostSnapshot] | None) -> str:
    """Return the first few hosts with their statuses."""
    return f": {first_of(hosts)}" if hosts else ""


class LazyResponseData:
    """The plain data of one response, decoded when it is first read.

    It keeps the body, and decodes nothing before `data` or `step` is called.
    """

    __slots__ = ("_body", "_data")

    def __init__(self, body: bytes) -> None:
        """Keep *body*, JSON with its data under `data`."""
        self._body = body
        self._data: Mapping[str, Any] | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The whole `data`, empty for a body without one."""
        if self._data is None:
            envelope = parse_json(self._body)
            found = envelope.get("data") if isinstance(envelope, dict) else None
            self._data = found if isinstance(found, dict) else {}
        return self._data

    def step(self, step_instance_id: int) -> Mapping[str, Any]:
        """Return the object of one step: from the lists of a job, else the whole data."""
        for each in objects_in_lists(self.data):
            if str(each.get("step_instance_id")) == str(step_instance_id):
                return each
        return self.data


class HostPage(Struct, frozen=True, kw_only=True):
    """Some hosts of a job or step, each with its step.

    *hosts* are pairs of a `StepRef` and a `HostSnapshot`. *total* is the number of all hosts that were asked for, on this
    page and others. *after* asks for the next page; it is None on the last one.
    """

    hosts: tuple[tuple[StepRef, HostSnapshot], ...]
    total: int
    after: str | None = None


def objects_in_lists(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of each list in *data*, those of lists inside them, too, but no deeper."""
    for value in data.values():
        for each in value if isinstance(value, list) else ():
            if isinstance(each, dict):
                yield each
                inner = (item for items in each.values() if isinstance(items, list) for item in items)
                yield from (item for item in inner if isinstance(item, dict) and "step_instance_id" in item)

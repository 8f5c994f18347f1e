"""The forms of records and checkpoints: msgpack arrays, written and read by msgspec.

Every class below is an array of its fields in this order; those with a tag begin with it. Fields that later versions add
come last and have a default, so that older records can be read. Numbers in `bytes` are little-endian and unsigned, four
or eight bytes each, as the length says; status codes are the platform's own. Nothing here depends on the process that
wrote it.

A list whose items are all equal is written as that one item, where the field's type is `Column`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from bkjob_async.engine.tracking.packed_times import Moments

# What a reader of this version understands. A record of a newer version is refused, never guessed at. A record is of the
# first version that understands all its events: 2 added `StepWaiting`.
FIRST_VERSION, VERSION = 1, 2

Column = Any
"""One value for all hosts, or a list with one for each."""
Numbers = list[int | None] | int | None
Texts = list[str | None] | str | None
"""Columns of numbers and of texts: other values are refused when they are read."""

Key = tuple[int | None, int | None, str | None, str | None, int | None, str | None]
"""All names of a host: host id, cloud area, IPv4, IPv6, container id, container name."""


class HostNamesForm(Struct, array_like=True, frozen=True, gc=False):
    """The names of hosts.

    *names* are host ids, or IPv4 addresses as 1 << 63 | cloud area << 32 | address; *addresses* stand beside ids in the
    same form, 0 for none, no bytes at all where none has one. *keys* are all names of hosts that have others, by their
    number.
    """

    size: int
    names: bytes
    addresses: bytes = b""
    keys: dict[int, Key] = {}


class FailureForm(Struct, array_like=True, frozen=True, gc=False):
    """The details of one failed host: *number* is its place in the columns that they belong to.

    *key* has the names that the details came with, None where they are those of the columns.
    """

    number: int
    status: int
    tag: str | None = None
    exit_code: int | None = None
    error_code: int | None = None
    times: Moments | None = None
    key: Key | None = None


class HostsForm(Struct, array_like=True, frozen=True, gc=False, tag="h"):
    """Events of hosts of one step: those behind the first *events_before* of their batch.

    *starts* and *ends* are when the hosts started and ended, in Unix milliseconds.
    """

    events_before: int
    step: str
    execute_count: int
    epoch: int
    skipped: bool
    hosts: HostNamesForm
    befores: Numbers
    afters: Numbers
    tags: Texts
    exit_codes: Numbers
    failures: list[FailureForm] = []
    starts: Numbers = None
    ends: Numbers = None


class StepFacts(Struct, array_like=True, frozen=True, gc=False):
    """What no event says of a step whose status is reported.

    *failures* are those of all its hosts once it is over, by their number in *failed*. *rows* is how many host rows had
    ended when it was reported waiting, and how many there were.
    """

    type: int | None = None
    times: Moments | None = None
    host_refusals: int = 0
    failed: HostNamesForm | None = None
    failures: list[FailureForm] = []
    rows: tuple[int, int] | None = None


class EventForm(Struct, array_like=True, frozen=True, gc=False, tag="e"):
    """Another event, as `event_to_json` writes it, with its index in the batch."""

    index: int
    event: dict[str, Any]
    facts: StepFacts | None = None


class TargetsForm(Struct, array_like=True, frozen=True, gc=False):
    """Targets that were added and dropped, in the order of the calls: *added* says which of *refs* were added."""

    refs: list[str]
    added: list[bool]


class RecordForm(Struct, array_like=True, frozen=True, gc=False):
    """One record: a batch, what else happened with it, or both.

    *client* is the name in the cursors of its events, *term* the opening that it belongs to. *last_index* is the
    index of the last event of the batch, of which other watches may have been given more. *targets* come before the
    events. *steps* is a job of the batch and the ids of its steps in their order, where it is about more than hosts
    or of a new step. *behind* is the number of the record before it, in the first record of an opening.
    """

    version: int
    sequence: int
    time: float
    term: int
    client: str
    last_index: int = 0
    parts: list[HostsForm | EventForm] = []
    targets: TargetsForm | None = None
    steps: tuple[str, list[int]] | None = None
    durations: dict[str, Any] | None = None
    behind: int | None = None

    @property
    def cursor(self) -> str:
        """The cursor behind the record."""
        return f"{self.sequence}-{self.client}"


# Checkpoints ----------------------------------------------------------------------------------------------------------


class TableForm(Struct, array_like=True, frozen=True, gc=False):
    """The hosts of a step: codes, codes before, and the number of the batch of each host's last change; None: not seen."""

    hosts: HostNamesForm
    codes: Numbers
    befores: Numbers
    sequences: Numbers
    failures: list[FailureForm] = []


class WaitsForm(Struct, array_like=True, frozen=True, gc=False):
    """The waits for a user that were reported of a step: how many, in which batch the last, and whether it lasts."""

    count: int
    sequence: int
    is_shown: bool
    is_due: bool
    rows: tuple[int, int] | None = None


class StepForm(Struct, array_like=True, frozen=True, gc=False):
    """A step: *announced* is (code, execution, whether it is over) as it was reported, in batch *announced_sequence*."""

    id: int
    status_code: int | None = None
    announced: tuple[int, int, bool] | None = None
    announced_sequence: int = 0
    execute_count: int = 0
    epoch: int = 0
    name: str = ""
    type: int | None = None
    times: Moments | None = None
    host_refusals: int = 0
    table: TableForm | None = None
    waits: WaitsForm | None = None


class JobForm(Struct, array_like=True, frozen=True, gc=False):
    """A job, and which of it are targets: itself, and the steps with these ids.

    *sequence* is the number of the last record that is in it, if that is behind the checkpoint's own.
    """

    job: str
    is_target: bool
    target_steps: list[int] = []
    status_code: int | None = None
    announced: tuple[int, bool] | None = None
    announced_sequence: int = 0
    epoch: int = 0
    name: str = ""
    times: Moments | None = None
    signals: list[dict[str, Any]] = []
    steps: list[StepForm] = []
    sequence: int = 0


class Term(Struct, array_like=True, frozen=True, gc=False):
    """An opening of the fleet: its number, the client's name in cursors, the head that it found, and its *first* record.

    The number of that record distinguishes openings to which a store gave the same number. It is 0 where it is not known.
    """

    number: int
    client: str
    head: int
    first: int = 0


class PartForm(Struct, array_like=True, frozen=True, gc=False):
    """A part of a checkpoint: some jobs; the first part has the rest as well.

    *signals* are the newest `Trouble` or `Recovered` of each target, and of the platform as a whole; *outage* is the last of
    these once more where it is `Trouble`. *joining* are steps that were added to followed jobs, and whose end was not given.
    """

    version: int
    sequence: int
    jobs: list[JobForm] = []
    terms: list[Term] = []
    time: float = 0.0
    outage: dict[str, Any] | None = None
    durations: dict[str, Any] | None = None
    signals: list[dict[str, Any]] = []
    joining: list[str] = []

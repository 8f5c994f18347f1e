"""Results of operations other than statuses: launches, logs, lists, variables; and callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from attrs import field, frozen
from msgspec import Struct

from bkjob_async.model.refs import HostKey, JobRef, StepRef
from bkjob_async.model.snapshot import Times
from bkjob_async.model.status import HostStatus, RunStatus
from bkjob_async.model.text.printing import printable

T = TypeVar("T")


@frozen(kw_only=True)
class Envelope:
    """A whole response: the plain data, and everything around it.

    *request_ids* maps each header or key to its value; *headers* have the names that the server gave them.

    *data* is the plain data, *message* the platform's text, *http_status* the status, *body* the bytes as
    they came.
    """

    data: Any = field(repr=False)
    message: str = ""
    request_ids: Mapping[str, str] = field(factory=dict)
    http_status: int = 200
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class JobLaunch(Struct, frozen=True, kw_only=True):
    """A job was started; *step* names its only step where the dialect says so (quick launches).

    *ref* is the job, *name* its name.
    """

    ref: JobRef
    name: str = ""
    step: StepRef | None = None

    def __str__(self) -> str:
        return printable(f"{self.ref} {self.name!r}" if self.name else f"{self.ref}")


class FileLog(Struct, frozen=True, kw_only=True):
    """What was logged of the transfer of one file; *mode* is a `FileMode`, *status* a `FileStatus`.

    *size*, *speed* and *progress* are the platform's texts.

    *source* is the host that sent *source_path*, *destination* the host that received *destination_path*,
    *text* what was logged.
    """

    mode: int | None = None
    status: int | None = None
    source: HostKey | None = None
    source_path: str = ""
    destination: HostKey | None = None
    destination_path: str = ""
    text: str = ""
    size: str = ""
    speed: str = ""
    progress: str = ""


@frozen(kw_only=True)
class HostLog:
    """What one host logged in a step: *text* of a script, *files* of a transfer.

    Every response has the whole text, which may still grow. Status, tag, codes and times are in the responses
    of `get_job_instance_log` only, and None elsewhere.

    *host* has the names of the host, *log_type* is a `LogType`. *status*, *tag*, *exit_code*, *error_code*,
    *execute_count* and *times* are those of the host in this execution.
    """

    host: HostKey
    text: str = field(default="", repr=False)
    files: tuple[FileLog, ...] = field(default=(), repr=False)
    log_type: int | None = None
    status: HostStatus | None = None
    tag: str | None = None
    exit_code: int | None = None
    error_code: int | None = None
    execute_count: int | None = None
    times: Times = field(factory=Times)


class StepLogs(Struct, frozen=True, kw_only=True):
    """The logs of a step's hosts; *ref* is None where the response does not name the step.

    *name*, *status* and *is_finished* are the step's, *log_type* is a `LogType`; None or "" where the
    response has none. *hosts* has a log of each host.
    """

    ref: StepRef | None = None
    name: str = ""
    status: RunStatus | None = None
    is_finished: bool | None = None
    log_type: int | None = None
    hosts: tuple[HostLog, ...] = ()


class JobInstance(Struct, frozen=True, kw_only=True):
    """A job instance as a list shows it; *launch_mode* is a `LaunchMode`, *type* a `TaskType`.

    *ref* is the job, *status* its status, *name* its name. *operator* launched it; *job_plan_id* and
    *job_template_id* are None where the platform names none. *times* are the platform's.
    """

    ref: JobRef
    status: RunStatus
    name: str = ""
    operator: str | None = None
    launch_mode: int | None = None
    type: int | None = None
    job_plan_id: int | None = None
    job_template_id: int | None = None
    times: Times = msgspec.field(default_factory=Times)


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a list; *total* counts all pages, None where the platform does not count.

    *items* are those of this page, *start* counts from 0, *length* is what was asked for.
    """

    items: tuple[T, ...] = ()
    start: int = 0
    length: int = 0
    total: int | None = None

    @property
    def next_start(self) -> int | None:
        """Where the next page starts, None after the last one."""
        after = self.start + len(self.items)
        if not self.items or (self.total is not None and after >= self.total):
            return None
        return after if self.total is not None or len(self.items) >= self.length else None


@frozen(kw_only=True)
class Variable:
    """A global variable's value in one step; *type* is a `VariableType`. Values may be secret and are not in the repr.

    *name* and *value* are text.
    """

    name: str
    value: str = field(default="", repr=False)
    type: int | None = None


class StepVariables(Struct, frozen=True, kw_only=True):
    """The values of global variables in one step.

    *ref* is the step, None where the response does not name it; *variables* are `Variable` values.
    """

    ref: StepRef | None = None
    variables: tuple[Variable, ...] = ()


class Callback(Struct, frozen=True, kw_only=True):
    """The contents of a callback: a hint that something changed, never a proof.

    Callbacks are unsigned, may be missing and may come twice.

    *job_instance_id* and *status* are the job's; *steps* maps the id of each step to its status.
    """

    job_instance_id: int
    status: RunStatus
    steps: Mapping[int, RunStatus] = msgspec.field(default_factory=dict)

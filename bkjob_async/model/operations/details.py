"""Results of operations that few programs send: what a step does, agent tasks, uploads, task contexts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bkjob_async.model.refs import HostKey, StepRef


@frozen(kw_only=True)
class Account:
    """The account that something runs as.

    *id* is its number, *name* its alias.
    """

    id: int | None = None
    name: str = ""


@frozen(kw_only=True)
class ScriptDetail:
    """What a script step runs; *timeout* is seconds, *hosts* those named one by one.

    *content* and *parameters* are plain text, *language* is a `ScriptLanguage`, *account* what it runs as.
    *is_param_sensitive*: the platform hides the parameters. *is_ignore_error*: a failure does not stop the
    job.
    """

    content: str = field(default="", repr=False)
    language: int | None = None
    parameters: str = field(default="", repr=False)
    timeout: float | None = None
    account: Account | None = None
    hosts: tuple[HostKey, ...] = ()
    is_param_sensitive: bool = False
    is_ignore_error: bool = False


@frozen(kw_only=True)
class FileSourceDetail:
    """Files of one source, and the hosts that have them.

    *files* are paths on *hosts*, readable for *account*; or they are in the third-party source
    *file_source_id*.
    """

    files: tuple[str, ...] = ()
    account: Account | None = None
    hosts: tuple[HostKey, ...] = ()
    file_source_id: int | None = None


@frozen(kw_only=True)
class FileDetail:
    """What a file step sends where; *timeout* is seconds, the limits are megabytes per second.

    *sources* are the files, *path* is the directory on the *hosts* that are named one by one, *account* owns
    them there. *source_speed_limit* and *destination_speed_limit* are the limits, *transfer_mode* is a
    `TransferMode`. *is_ignore_error*: a failure does not stop the job.
    """

    sources: tuple[FileSourceDetail, ...] = ()
    path: str = ""
    account: Account | None = None
    hosts: tuple[HostKey, ...] = ()
    timeout: float | None = None
    source_speed_limit: int | None = None
    destination_speed_limit: int | None = None
    transfer_mode: int | None = None
    is_ignore_error: bool = False


@frozen(kw_only=True)
class StepDetail:
    """What a step does; *raw* is the platform's whole data.

    *ref* is the step, *name* its name, *type* a `StepType`. What it does is in *script*, *file*, or
    *approval_message*, the text that a user is asked to confirm; the others are None.
    """

    ref: StepRef
    name: str = ""
    type: int | None = None
    script: ScriptDetail | None = None
    file: FileDetail | None = None
    approval_message: str | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class GseTask:
    """The agent's task behind one batch of one execution of a step; *links* lead to the web console.

    *ref* is the step, *gse_task_id* the agent's id of the task. *execute_count* is the execution and *batch*
    that of a rolling step. *raw* is the platform's whole data.
    """

    ref: StepRef
    gse_task_id: str = ""
    execute_count: int | None = None
    batch: int | None = None
    links: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class LocalFileUpload:
    """Where to PUT a local file, and the *path* that names it to `fast_transfer_file` afterwards.

    The URL has a credential and is not in the repr.

    *file_name* is the name that was given, *upload_url* takes the file.
    """

    file_name: str
    upload_url: str = field(repr=False)
    path: str


@frozen(kw_only=True)
class TaskContextField:
    """One named field about what a host was to do, and the outcome; values may be secret and are not in the repr.

    *name* is the platform's name, *value* and *description* are text.
    """

    name: str
    value: str = field(default="", repr=False)
    description: str = ""

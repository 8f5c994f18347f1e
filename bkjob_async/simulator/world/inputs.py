"""What a step was told to do, besides its hosts: the inputs that its details show."""

from __future__ import annotations

from attrs import field, frozen

SERVER_FILE, LOCAL_FILE, STORED_FILE = 1, 2, 3


@frozen(kw_only=True)
class SourceInputs:
    """Where files come from: *kind* 1 hosts, 2 uploaded files, 3 a file source (`file_type`)."""

    files: tuple[str, ...]
    kind: int = SERVER_FILE
    account: str = "root"
    hosts: tuple[tuple[int, int, str | None], ...] = ()
    file_source_id: int | None = None


@frozen(kw_only=True)
class StepInputs:
    """The inputs of a script or file step; *timeout* is seconds, the speed limits are MB per second."""

    account_id: int | None = 1
    account: str = "root"
    language: int = 1
    script_id: str | None = None
    script_version_id: int | None = None
    parameters: str = field(default="", repr=False)
    is_param_sensitive: bool = False
    timeout: int = 7200
    sources: tuple[SourceInputs, ...] = ()
    target_path: str = "/tmp/"  # noqa: S108 - a path on made-up hosts
    target_name: str | None = None
    upload_speed_limit: int | None = None
    download_speed_limit: int | None = None
    transfer_mode: int = 2
    confirm_message: str = "Go on?"


@frozen(kw_only=True)
class Variable:
    """A global variable of a job plan: *kind* 1 text, 3 hosts, 4 cipher (`type`)."""

    id: int
    name: str
    kind: int = 1
    value: str = field(default="", repr=False)
    description: str = ""
    is_required: bool = False


NO_INPUTS = StepInputs()

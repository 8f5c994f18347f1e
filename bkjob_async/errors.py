"""Everything that can go wrong, by who must act.

BkJobError
├── UsageError               you: the call itself makes no sense
│   ├── WrongType            you: an argument is of another type (also a TypeError)
│   ├── WrongValue           you: an argument has a value that it cannot have (also a ValueError)
│   ├── ScopeMissing         you: name the scope of the job, here or in `connect`
│   ├── NotSupported         you: this dialect cannot do that
│   ├── ClientClosed         you: open the client first, and do not use it afterwards
│   └── WrongEventLoop       you: one client, one event loop; the same for a journal in Redis
├── JobFailed                you: the job ended without success (only `result.raise_for_status()` raises it)
├── DeadlineExceeded         you: the wait is over, the job goes on (also a TimeoutError)
├── ConditionUnreachable     you: the job ended, and what you wait for can no longer become true
├── TargetLost               you: what you wait for can no longer be read
├── JournalError             the journal of a watch
│   ├── FleetBusy            you: another process holds the fleet
│   ├── Superseded           you: the fleet was opened elsewhere, leave this watch
│   ├── FleetNotFound        you: there is no fleet of this name
│   ├── NotAJournal          you: the file or the keys belong to another program
│   ├── JournalTooNew        you: upgrade, a newer version wrote it
│   ├── JournalDamaged       you: restore the file, or move it away
│   └── JournalUnavailable   wait: the store is away, locked, full or read-only
│       └── JournalAccessDenied   you: the server refuses the user, the password or a command
└── CallFailed               one call of the platform failed
    ├── InvalidRequest       you: the platform rejects a parameter
    │   └── ApiNotFound      you: the URL, the stage or the dialect is wrong; this API is not there
    ├── NotAuthenticated     you: credentials are missing, wrong or expired
    ├── NotAllowed           you: apply for the permission that is named
    │   └── ApplicationNotAllowed   you: the application may not use this API at all
    ├── NotFound             you: unknown, archived, or in another scope; they look alike
    ├── WrongState           you: not in this state of the job or step
    ├── QuotaExceeded        wait: the site's quota of running jobs is used up
    ├── Throttled            wait: too many requests; `retry_after` seconds where the server said so
    ├── PlatformTrouble      the platform: it reports a problem of its own
    ├── InvalidResponse      the platform: its response cannot be read, or belongs to another request
    ├── TransportFailed      the network: no complete response came back
    │   ├── SessionClosed    you: the aiohttp session that the client was lent is closed
    │   └── RequestTimedOut  the network or the platform: no response in time
    └── OutcomeUnknown       you: check whether it happened; the command may have been executed
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from bkjob_async.model.base_error import BkJobError, UsageError, WrongType, WrongValue
from bkjob_async.model.events import Trouble
from bkjob_async.model.journal_errors import (
    FleetBusy,
    FleetNotFound,
    JournalAccessDenied,
    JournalDamaged,
    JournalError,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
    Superseded,
)
from bkjob_async.model.ref_input import ScopeMissing
from bkjob_async.model.refs import Ref
from bkjob_async.model.result import JobFailed, JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.text.printing import printable

# The base, those of wrong calls, `JobFailed` and those of journals live in the model; they are part of this tree all
# the same.
__all__ = [
    "ApiNotFound",
    "ApplicationNotAllowed",
    "BkJobError",
    "CallFailed",
    "ClientClosed",
    "ConditionUnreachable",
    "DeadlineExceeded",
    "ErrorDetails",
    "FleetBusy",
    "FleetNotFound",
    "InvalidRequest",
    "InvalidResponse",
    "JobFailed",
    "JournalAccessDenied",
    "JournalDamaged",
    "JournalError",
    "JournalTooNew",
    "JournalUnavailable",
    "NotAJournal",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "NotSupported",
    "OutcomeUnknown",
    "PlatformTrouble",
    "QuotaExceeded",
    "RequestTimedOut",
    "ScopeMissing",
    "SessionClosed",
    "Superseded",
    "TargetLost",
    "Throttled",
    "TransportFailed",
    "UsageError",
    "WrongEventLoop",
    "WrongState",
    "WrongType",
    "WrongValue",
]


class NotSupported(UsageError):
    """The dialect cannot do this; the message names those that can."""


class ClientClosed(UsageError):
    """The client is not open: not yet, or no longer."""


class WrongEventLoop(UsageError):
    """The client, or the journal, belongs to another event loop or another process."""


class DeadlineExceeded(BkJobError, TimeoutError):
    """The deadline of a wait has passed; the job goes on.

    *snapshots* holds the last known state of each unfinished target, *cursor* is where to resume the stream. *trouble* says why
    polls failed at the deadline, for all targets or for one of the unfinished; None where they did not.
    *unstored* counts the events that the store of the watch's journal had not taken by then: readers were not given
    them, and the next watch of the fleet reports them. `__cause__` is what the store said.
    """

    def __init__(
        self,
        message: str,
        *,
        snapshots: Mapping[Ref, JobSnapshot | StepSnapshot | None],
        cursor: str = "",
        unstored: int = 0,
        trouble: Trouble | None = None,
    ) -> None:
        """Keep the last *snapshots*, the *cursor*, the number of *unstored* events and the last *trouble*."""
        super().__init__(message)
        self.trouble = trouble
        self.unstored = unstored
        self.snapshots = snapshots
        self.cursor = cursor


class TargetLost(BkJobError):
    """The target can no longer be read: gone, not found, or forbidden."""

    def __init__(self, ref: Ref, reason: str, message: str = "") -> None:
        """Keep the *ref* and the *reason*."""
        super().__init__(f"{ref} is lost ({reason})" + (f": {message}" if message else ""))
        self.ref = ref
        self.reason = reason


class ConditionUnreachable(BkJobError):
    """The target ended, and the condition waited for can no longer become true."""

    def __init__(self, result: JobResult, condition: str) -> None:
        """Keep the whole *result*."""
        super().__init__(f"{result.ref} ended {result.status.name}; {condition} can no longer become true")
        self.result = result


class ErrorDetails(Struct, frozen=True, kw_only=True):
    """What is known about a failed call; it never contains secrets.

    *code* is the platform's own code: an int, or the word of the API gateway's version 4, whose numeric codes
    are *detail_codes*. *request_ids* maps each header or key to its value. *permission* is the permission
    object of error 9900403, else None. *retry_after* is seconds. *sent* is False when the request certainly
    never reached the platform.

    *operation* is the platform's name, *dialect* that of the client. *message* is the platform's text,
    *http_status* None where no response came. *attempts* counts the requests that were sent.
    """

    operation: str = ""
    dialect: str = ""
    code: int | str | None = None
    detail_codes: tuple[int, ...] = ()
    message: str = ""
    http_status: int | None = None
    request_ids: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 1
    retry_after: float | None = None
    sent: bool = True
    permission: Mapping[str, Any] | None = None


class CallFailed(BkJobError):
    """One call of the platform failed; the class says who must act, *details* holds what is known."""

    advice = "see the message"

    def __init__(self, details: ErrorDetails) -> None:
        """Keep the *details*, which the text shows in one line."""
        super().__init__(details)
        self.details = details

    @property
    def operation(self) -> str:
        """The platform's name of the operation."""
        return self.details.operation

    @property
    def code(self) -> int | str | None:
        """The platform's error code, None where there was none."""
        return self.details.code

    @property
    def request_ids(self) -> Mapping[str, str]:
        """The ids to give to the platform's operators, by header or key."""
        return self.details.request_ids

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next request, where the server named them."""
        return self.details.retry_after

    def __str__(self) -> str:
        f = self.details
        parts = [f"{f.operation or 'call'} failed"]
        if f.message:
            parts.append(f": {f.message}")
        known = [
            f"{name} {value}"
            for name, value in (
                ("code", f.code),
                ("HTTP", f.http_status),
                ("dialect", f.dialect or None),
                ("attempts", f.attempts if f.attempts > 1 else None),
                *_each_once(f.request_ids),
            )
            if value is not None
        ]
        if known:
            parts.append(f" ({', '.join(known)})")
        return printable("".join(parts) + f"; {self.advice}")


def _each_once(request_ids: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return ids by the first name that each has: a gateway repeats them."""
    names: dict[str, str] = {}
    for name, value in request_ids.items():
        names.setdefault(value, name)
    return tuple((name, value) for value, name in names.items())


class InvalidRequest(CallFailed):
    """The platform rejects the request itself."""

    advice = "correct the request: the platform rejects a parameter"


class ApiNotFound(InvalidRequest):
    """This URL has no such API; the error says nothing about any job."""

    advice = "check the URL, the stage and the dialect: this API does not exist there"


class NotAuthenticated(CallFailed):
    """Credentials are missing, wrong or expired."""

    advice = "check the application code, the secret and the user, or the access token"


class NotAllowed(CallFailed):
    """The user may not do this; `permission` names what to apply for."""

    advice = "apply for the permission"

    @property
    def permission(self) -> Mapping[str, Any] | None:
        """The platform's permission object: actions and resources to apply for."""
        return self.details.permission

    def __str__(self) -> str:
        actions = (self.permission or {}).get("actions")
        listed = actions if isinstance(actions, list) else []
        names = [str(each.get("name") or each.get("id")) for each in listed if isinstance(each, dict)]
        return super().__str__() + (printable(f": {', '.join(names)}") if names else "")


class ApplicationNotAllowed(NotAllowed):
    """The application has no grant for this API."""

    advice = "apply for the API permission of the application at the gateway"


class NotFound(CallFailed):
    """Unknown, archived, or in another scope; the platform does not tell them apart."""

    advice = "check the id and the scope; old instances are archived"


class WrongState(CallFailed):
    """The operation is not possible in the present state of the job or step."""

    advice = "read the status first: the operation is not possible in the present state"


class QuotaExceeded(CallFailed):
    """The site's quota of running jobs is used up."""

    advice = "start again later, when other jobs have ended"


class Throttled(CallFailed):
    """Too many requests."""

    advice = "wait, then try again, or send fewer requests"


class PlatformTrouble(CallFailed):
    """The platform reports a problem of its own."""

    advice = "try again; if it persists, give the request ids to the platform's operators"


class InvalidResponse(CallFailed):
    """The response cannot be read, or belongs to another request."""

    advice = "check the URL, proxies and the dialect: this is not the platform's response"


class TransportFailed(CallFailed):
    """No complete response came back."""

    advice = "check the network and the URL"


class SessionClosed(TransportFailed):
    """The aiohttp session that was lent to the client is closed."""

    advice = "keep it open as long as the client"


class RequestTimedOut(TransportFailed):
    """No response came within `request_timeout`."""

    advice = "try again, or allow a longer request_timeout"


class OutcomeUnknown(CallFailed):
    """A command was sent and no clear response came back: it may have been executed or not."""

    advice = "check on the platform before sending it again: it may have been executed"


# Tracebacks name all of them by the path at which they are imported, wherever they are defined.
for _kind in map(globals().__getitem__, __all__):
    _kind.__module__ = __name__

"""Everything that can go wrong, by who must act.

BkJobError
├── UsageError               you: the call itself makes no sense
│   ├── NotSupported         you: this dialect cannot do that
│   ├── ClientClosed         you: open the client first, and do not use it afterwards
│   └── WrongEventLoop       you: one client, one event loop
├── JobFailed                you: the job ended, but not well (only `result.raise_for_status()` raises it)
├── DeadlineExceeded         you: the wait is over, the job goes on (also a TimeoutError)
├── TargetLost               you: what you wait for can no longer be read
└── CallFailed               one call of the platform did not work
    ├── InvalidRequest       you: the platform rejects a parameter
    │   └── ApiNotFound      you: the URL, the stage or the dialect is wrong; this API is not there
    ├── NotAuthenticated     you: credentials are missing, wrong or expired
    ├── NotAllowed           you: apply for the permission that is named
    │   └── ApplicationNotAllowed   you: the application may not use this API at all
    ├── NotFound             you: unknown, archived, or in another scope; they look alike
    ├── WrongState           you: not in this state of the job or step
    ├── QuotaExceeded        wait: the site's quota of running jobs is used up
    ├── Throttled            wait: too many requests; `retry_after` seconds where the server said so
    ├── PlatformTrouble      the platform: it says itself that it has a problem
    ├── InvalidResponse       the platform: what came back makes no sense
    ├── TransportFailed      the network: no whole answer came back
    │   └── RequestTimedOut  the network or the platform: no answer in time
    └── OutcomeUnknown       you: look whether it happened; nobody can tell whether the command went through
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bkjob_async.model.base_error import BkJobError, UsageError
from bkjob_async.model.printing import printable
from bkjob_async.model.refs import Ref
from bkjob_async.model.result import JobFailed, JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot

# The base, `UsageError` and `JobFailed` live in the model, which raises them; they are part of this tree all the same.
__all__ = [
    "ApiNotFound",
    "ApplicationNotAllowed",
    "BkJobError",
    "CallFailed",
    "ClientClosed",
    "ConditionUnreachable",
    "DeadlineExceeded",
    "ErrorDetails",
    "InvalidRequest",
    "InvalidResponse",
    "JobFailed",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "NotSupported",
    "OutcomeUnknown",
    "PlatformTrouble",
    "QuotaExceeded",
    "RequestTimedOut",
    "TargetLost",
    "Throttled",
    "TransportFailed",
    "UsageError",
    "WrongEventLoop",
    "WrongState",
]


class NotSupported(UsageError):
    """The dialect cannot do this; the message names those that can."""


class ClientClosed(UsageError):
    """The client is not open: not yet, or no longer."""


class WrongEventLoop(UsageError):
    """The client belongs to another event loop or another process."""


class DeadlineExceeded(BkJobError, TimeoutError):
    """The wait is over; what becomes of the job is unknown.

    *snapshots* holds the last known state of each unfinished target, *cursor* where to resume the stream.
    """

    def __init__(
        self, message: str, *, snapshots: Mapping[Ref, JobSnapshot | StepSnapshot | None], cursor: str = ""
    ) -> None:
        """Keep the last *snapshots* and the *cursor*."""
        super().__init__(message)
        self.snapshots = snapshots
        self.cursor = cursor


class TargetLost(BkJobError):
    """What is waited for can no longer be read: gone, not found, forbidden."""

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


@frozen(kw_only=True)
class ErrorDetails:
    """What is known of a failed call; secrets are never part of it.

    *code* is the platform's own code: an int, or the word of the API gateway's version 4, whose numeric codes are
    *detail_codes*. *request_ids* maps each header or key to its value. *permission* is the permission object of error
    9900403, else None. *retry_after* is seconds. *sent* is False when the request certainly never reached the platform.
    """

    operation: str = ""
    dialect: str = ""
    code: int | str | None = None
    detail_codes: tuple[int, ...] = ()
    message: str = ""
    http_status: int | None = None
    request_ids: Mapping[str, str] = field(factory=dict)
    attempts: int = 1
    retry_after: float | None = None
    sent: bool = True
    permission: Mapping[str, Any] | None = None


class CallFailed(BkJobError):
    """One call of the platform did not work; see *details* and the class."""

    advice = "see the message"

    def __init__(self, details: ErrorDetails) -> None:
        """Keep the *details* and say them in one line."""
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
        """The ids to tell the platform's people, by header or key."""
        return self.details.request_ids

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before asking again, where the server said so."""
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

    advice = "mend the request: the platform rejects a parameter"


class ApiNotFound(InvalidRequest):
    """There is no such API at this URL; it says nothing about any job."""

    advice = "check the URL, the stage and the dialect: this API is not there"


class NotAuthenticated(CallFailed):
    """Credentials are missing, wrong or expired."""

    advice = "check application code, secret and user"


class NotAllowed(CallFailed):
    """The user may not do this; `permission` names what to apply for."""

    advice = "apply for the permission"

    @property
    def permission(self) -> Mapping[str, Any] | None:
        """The platform's permission object: actions and resources to apply for."""
        return self.details.permission


class ApplicationNotAllowed(NotAllowed):
    """The application has no grant for this API."""

    advice = "apply for the API permission of the application at the gateway"


class NotFound(CallFailed):
    """Unknown, archived, or in another scope; the platform does not tell them apart."""

    advice = "check id and scope; old instances are archived"


class WrongState(CallFailed):
    """Not possible in the present state of the job or step."""

    advice = "look at the status first: the operation does not fit it"


class QuotaExceeded(CallFailed):
    """The site's quota of running jobs is used up."""

    advice = "start again later, when other jobs have ended"


class Throttled(CallFailed):
    """Too many requests."""

    advice = "wait, then ask again"


class PlatformTrouble(CallFailed):
    """The platform says itself that it has a problem."""

    advice = "try again; if it stays, tell the platform's people the request ids"


class InvalidResponse(CallFailed):
    """What came back cannot be read as an answer, or is the answer to another question."""

    advice = "check the URL, proxies and the dialect; the answer is not the platform's"


class TransportFailed(CallFailed):
    """No whole answer came back."""

    advice = "check the network and the URL"


class RequestTimedOut(TransportFailed):
    """No answer within `request_timeout`."""

    advice = "try again, or allow a longer request_timeout"


class OutcomeUnknown(CallFailed):
    """A command went out and no answer came: it may have happened or not."""

    advice = "look at the platform before sending it again: it may have happened"

"""Watch BlueKing Job instances from asyncio: start, watch and steer jobs over thousands of hosts."""

from importlib.metadata import version

from bkjob_async.client import JobClient, connect
from bkjob_async.engine.conditions import Condition, FirstFailure, HostsDone
from bkjob_async.engine.retry import Retries
from bkjob_async.errors import (
    ApplicationNotAllowed,
    BkJobError,
    CallFacts,
    CallFailed,
    ClientClosed,
    DeadlineExceeded,
    InvalidRequest,
    JobFailed,
    NeverTrue,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotSupported,
    OutcomeUnknown,
    PlatformTrouble,
    QuotaExceeded,
    RequestTimedOut,
    TargetLost,
    Throttled,
    TransportFailed,
    UnusableAnswer,
    UsageError,
    WrongEventLoop,
    WrongState,
)
from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials
from bkjob_async.model.events import (
    Batch,
    Event,
    Finished,
    HostChanged,
    InSync,
    JobChanged,
    Lost,
    LostReason,
    Recovered,
    Reopened,
    Stalled,
    StepChanged,
    Trouble,
)
from bkjob_async.model.operations import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    Operated,
    OperateStepInstance,
    Operation,
    StepOperation,
)
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, ScopeType, StepRef, parse_ref
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostGroup, HostSnapshot, JobSnapshot, StepSnapshot, Times
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from bkjob_async.observe.observer import Mended, Observation, Observer, Polled, Troubled
from bkjob_async.watch.explanation import Explanation
from bkjob_async.watch.reader import Reader
from bkjob_async.watch.stream import Watch, WatchStats
from bkjob_async.wire.aiohttp_transport import HttpOptions
from bkjob_async.wire.transport import Transport

__version__ = version("bkjob-async")

__all__ = [  # noqa: RUF022 - grouped by what people look for
    # opening
    "connect",
    "JobClient",
    "AppCredentials",
    "AccessToken",
    "Credentials",
    "HttpOptions",
    "Retries",
    "Transport",
    # names
    "Scope",
    "ScopeType",
    "JobRef",
    "StepRef",
    "Ref",
    "HostKey",
    "parse_ref",
    # watching
    "Watch",
    "WatchStats",
    "Explanation",
    "Reader",
    "Condition",
    "HostsDone",
    "FirstFailure",
    "Batch",
    "Event",
    "HostChanged",
    "StepChanged",
    "JobChanged",
    "InSync",
    "Finished",
    "Reopened",
    "Trouble",
    "Recovered",
    "Lost",
    "LostReason",
    "Stalled",
    # facts
    "Phase",
    "RunStatus",
    "HostStatus",
    "Times",
    "HostSnapshot",
    "HostGroup",
    "StepSnapshot",
    "JobSnapshot",
    "StepResult",
    "JobResult",
    # operations
    "Operation",
    "GetJobInstanceStatus",
    "GetStepInstanceStatus",
    "OperateStepInstance",
    "StepOperation",
    "Operated",
    # observers
    "Observer",
    "Observation",
    "Polled",
    "Troubled",
    "Mended",
    # errors
    "BkJobError",
    "UsageError",
    "NotSupported",
    "ClientClosed",
    "WrongEventLoop",
    "JobFailed",
    "DeadlineExceeded",
    "TargetLost",
    "NeverTrue",
    "CallFailed",
    "CallFacts",
    "InvalidRequest",
    "NotAuthenticated",
    "NotAllowed",
    "ApplicationNotAllowed",
    "NotFound",
    "WrongState",
    "QuotaExceeded",
    "Throttled",
    "PlatformTrouble",
    "UnusableAnswer",
    "TransportFailed",
    "RequestTimedOut",
    "OutcomeUnknown",
    "__version__",
]

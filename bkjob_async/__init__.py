"""Watch BlueKing Job instances from asyncio: start, watch and steer jobs over thousands of hosts.

Each name is imported from its module when it is first used, so that `import bkjob_async` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # fmt: off
    # isort: off
    from bkjob_async import codes, observations, operations, responses
    from bkjob_async.client.checks import Finding, FindingState, check
    from bkjob_async.client.client import JobClient
    from bkjob_async.client.factory import connect
    from bkjob_async.dialects.decode import decode, decode_callback
    from bkjob_async.engine.flow_control.retry import Retries
    from bkjob_async.engine.folding.stream_state import StreamState
    from bkjob_async.engine.scheduling.duration_stats import DurationStats
    from bkjob_async.engine.stream.wait_conditions import Condition, FirstFailure, HostsDone, Waiting
    from bkjob_async.errors import (
        ApiNotFound, ApplicationNotAllowed, BkJobError, CallFailed, ClientClosed, ConditionUnreachable,
        DeadlineExceeded, ErrorDetails, FleetBusy, FleetNotFound, InvalidRequest, InvalidResponse, JobFailed,
        JournalAccessDenied, JournalDamaged, JournalError, JournalTooNew, JournalUnavailable, NotAJournal,
        NotAllowed, NotAuthenticated, NotFound, NotSupported, OutcomeUnknown, PlatformTrouble, QuotaExceeded,
        RequestTimedOut, ScopeMissing, SessionClosed, Superseded, TargetLost, Throttled, TransportFailed,
        UsageError, WrongEventLoop, WrongState, WrongType, WrongValue,
    )
    from bkjob_async.journal.follow import Follower
    from bkjob_async.journal.journal import Journal, open_journal
    from bkjob_async.journal.keep import Keep
    from bkjob_async.journal.store import FleetEntry, Holder
    from bkjob_async.many.fleet import Fleet
    from bkjob_async.many.reader import FleetReader
    from bkjob_async.many.runner.shard import ShardEnd, run_shard
    from bkjob_async.many.status import FleetStatus, ShardCondition, ShardStatus
    from bkjob_async.model.causes import HostsByCause, hosts_by_cause
    from bkjob_async.model.credentials import AccessToken, AppCredentials, Credentials
    from bkjob_async.model.detail_level import DetailLevel
    from bkjob_async.model.events import (
        Batch, Event, Finished, HostChanged, HostCounts, InSync, JobChanged, Lost, LostReason, Recovered,
        Reopened, Resumed, Stalled, StepChanged, StepWaiting, Trouble,
    )
    from bkjob_async.model.json_values import event_from_json, event_to_json, from_json, to_json
    from bkjob_async.model.operations.base import StepOperation
    from bkjob_async.model.operations.codes import JobOperation, ScriptLanguage
    from bkjob_async.model.operations.launches import (
        FileSource, GlobalVar, RollingConfig, RollingFileSource,
    )
    from bkjob_async.model.operations.responses import Callback
    from bkjob_async.model.operations.target_status import StepStatus, TargetStatus
    from bkjob_async.model.operations.targets import Targets, TopoNode
    from bkjob_async.model.ref_input import RefLike, as_ref
    from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, ScopeType, StepRef, parse_ref
    from bkjob_async.model.request_limit import RequestLimit
    from bkjob_async.model.result import JobResult, StepResult
    from bkjob_async.model.snapshot import HostGroup, HostPage, HostSnapshot, JobSnapshot, StepSnapshot, Times
    from bkjob_async.model.status import HostStatus, Phase, RunStatus
    from bkjob_async.observe.client_stats import ClientStats
    from bkjob_async.observe.observer import Observer
    from bkjob_async.observe.to_opentelemetry import OpenTelemetryObserver
    from bkjob_async.observe.to_prometheus import PrometheusCollector
    from bkjob_async.report.run_report import RunReport
    from bkjob_async.watch.callbacks import CallbackReceiver
    from bkjob_async.watch.callbacks_aiohttp import add_callback_receiver
    from bkjob_async.watch.progress_bar import progress_bar
    from bkjob_async.watch.stats import Explanation, RecordingState, WatchStats
    from bkjob_async.watch.stream.readers import Reader
    from bkjob_async.watch.watch import Watch
    from bkjob_async.wire.aiohttp_transport import HttpOptions
    from bkjob_async.wire.credentials import CredentialsProvider, PerCall
    from bkjob_async.wire.transport import Transport
    # isort: on
    # fmt: on

    __version__: str

# fmt: off
__all__ = [  # noqa: RUF022 - grouped by what people look for
    # opening
    "DetailLevel", "connect", "JobClient", "AppCredentials", "AccessToken", "Credentials",
    "CredentialsProvider", "PerCall", "HttpOptions", "Retries", "Transport",
    "check", "Finding", "FindingState",
    # names
    "Scope", "ScopeType", "JobRef", "StepRef", "Ref", "RefLike", "as_ref", "HostKey", "parse_ref",
    "Targets", "TopoNode",
    # watching
    "Watch", "WatchStats", "RecordingState", "Explanation", "RequestLimit", "DurationStats", "Reader", "CallbackReceiver",
    "add_callback_receiver", "Callback", "Condition", "HostsDone", "FirstFailure", "Waiting", "Batch", "StreamState", "RunReport", "Event",
    "HostChanged", "HostCounts", "StepChanged", "StepWaiting", "JobChanged", "InSync", "Resumed", "Finished",
    "Reopened", "Trouble", "Recovered", "Lost", "LostReason", "Stalled", "event_to_json", "event_from_json",
    "to_json", "from_json",
    # facts
    "Phase", "RunStatus", "HostStatus", "Times", "HostSnapshot", "HostGroup", "HostPage", "StepSnapshot",
    "JobSnapshot", "StepResult", "JobResult", "TargetStatus", "StepStatus", "HostsByCause", "hosts_by_cause",
    # operations
    "StepOperation",
    "JobOperation",
    # what launches are made of
    "FileSource", "GlobalVar", "RollingConfig", "RollingFileSource",
    "ScriptLanguage",
    # journals
    "open_journal", "Journal", "Follower", "Keep", "FleetEntry", "Holder",
    # many machines
    "Fleet", "run_shard", "ShardEnd", "FleetReader", "FleetStatus", "ShardStatus", "ShardCondition",
    # recorded responses
    "decode", "decode_callback",
    # observers
    "Observer",
    "ClientStats", "PrometheusCollector", "OpenTelemetryObserver", "progress_bar",
    # errors
    "BkJobError", "UsageError", "WrongType", "WrongValue", "ScopeMissing", "NotSupported", "ClientClosed",
    "WrongEventLoop", "JobFailed", "DeadlineExceeded", "TargetLost", "ConditionUnreachable", "CallFailed", "ErrorDetails",
    "InvalidRequest", "ApiNotFound", "NotAuthenticated", "NotAllowed", "ApplicationNotAllowed",
    "NotFound", "WrongState", "QuotaExceeded", "Throttled", "PlatformTrouble", "InvalidResponse",
    "TransportFailed", "SessionClosed", "RequestTimedOut", "OutcomeUnknown", "JournalError", "FleetBusy", "FleetNotFound",
    "JournalAccessDenied", "JournalDamaged", "JournalTooNew", "JournalUnavailable", "NotAJournal", "Superseded",
    "__version__",
    # modules of their own
    "codes", "observations", "operations", "responses",
]

# Where each name is imported from; a test holds this against the typed imports above.
_NAMES = {
    "bkjob_async.client.checks": "Finding FindingState check",
    "bkjob_async.client.client": "JobClient",
    "bkjob_async.client.factory": "connect",
    "bkjob_async.dialects.decode": "decode decode_callback",
    "bkjob_async.engine.flow_control.retry": "Retries",
    "bkjob_async.engine.folding.stream_state": "StreamState",
    "bkjob_async.engine.scheduling.duration_stats": "DurationStats",
    "bkjob_async.engine.stream.wait_conditions": "Condition FirstFailure HostsDone Waiting",
    "bkjob_async.errors": (
        "ApiNotFound ApplicationNotAllowed BkJobError CallFailed ClientClosed ConditionUnreachable "
        "DeadlineExceeded ErrorDetails FleetBusy FleetNotFound InvalidRequest InvalidResponse "
        "JobFailed JournalAccessDenied JournalDamaged JournalError JournalTooNew JournalUnavailable "
        "NotAJournal NotAllowed NotAuthenticated NotFound NotSupported OutcomeUnknown PlatformTrouble "
        "QuotaExceeded RequestTimedOut ScopeMissing SessionClosed Superseded TargetLost Throttled "
        "TransportFailed UsageError WrongEventLoop WrongState WrongType WrongValue"
    ),
    "bkjob_async.journal.follow": "Follower",
    "bkjob_async.journal.journal": "Journal open_journal",
    "bkjob_async.journal.keep": "Keep",
    "bkjob_async.journal.store": "FleetEntry Holder",
    "bkjob_async.many.fleet": "Fleet",
    "bkjob_async.many.reader": "FleetReader",
    "bkjob_async.many.runner.shard": "ShardEnd run_shard",
    "bkjob_async.many.status": "FleetStatus ShardCondition ShardStatus",
    "bkjob_async.model.causes": "HostsByCause hosts_by_cause",
    "bkjob_async.model.credentials": "AccessToken AppCredentials Credentials",
    "bkjob_async.model.detail_level": "DetailLevel",
    "bkjob_async.model.events": (
        "Batch Event Finished HostChanged HostCounts InSync JobChanged Lost LostReason Recovered "
        "Reopened Resumed Stalled StepChanged StepWaiting Trouble"
    ),
    "bkjob_async.model.json_values": "event_from_json event_to_json from_json to_json",
    "bkjob_async.model.operations.base": "StepOperation",
    "bkjob_async.model.operations.codes": "JobOperation ScriptLanguage",
    "bkjob_async.model.operations.launches": "FileSource GlobalVar RollingConfig RollingFileSource",
    "bkjob_async.model.operations.responses": "Callback",
    "bkjob_async.model.operations.target_status": "StepStatus TargetStatus",
    "bkjob_async.model.operations.targets": "Targets TopoNode",
    "bkjob_async.model.ref_input": "RefLike as_ref",
    "bkjob_async.model.refs": "HostKey JobRef Ref Scope ScopeType StepRef parse_ref",
    "bkjob_async.model.request_limit": "RequestLimit",
    "bkjob_async.model.result": "JobResult StepResult",
    "bkjob_async.model.snapshot": "HostGroup HostPage HostSnapshot JobSnapshot StepSnapshot Times",
    "bkjob_async.model.status": "HostStatus Phase RunStatus",
    "bkjob_async.observe.client_stats": "ClientStats",
    "bkjob_async.observe.observer": "Observer",
    "bkjob_async.observe.to_opentelemetry": "OpenTelemetryObserver",
    "bkjob_async.observe.to_prometheus": "PrometheusCollector",
    "bkjob_async.report.run_report": "RunReport",
    "bkjob_async.watch.callbacks": "CallbackReceiver",
    "bkjob_async.watch.callbacks_aiohttp": "add_callback_receiver",
    "bkjob_async.watch.progress_bar": "progress_bar",
    "bkjob_async.watch.stats": "Explanation RecordingState WatchStats",
    "bkjob_async.watch.stream.readers": "Reader",
    "bkjob_async.watch.watch": "Watch",
    "bkjob_async.wire.aiohttp_transport": "HttpOptions",
    "bkjob_async.wire.credentials": "CredentialsProvider PerCall",
    "bkjob_async.wire.transport": "Transport",
}
# fmt: on
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
_PARTS = ("codes", "observations", "operations", "responses")


if not TYPE_CHECKING:  # a checker knows the names above, and no others

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used."""
        value: Any
        if name == "__version__":
            value = _installed_version()
        elif name in _MODULES:
            value = getattr(import_module(_MODULES[name]), name)
        elif name in _PARTS:
            value = import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_found_in(name)}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Return the public names, those that nobody has used yet included."""
        return sorted({*globals(), *__all__})


def _found_in(name: str) -> str:
    """Return where a name is that is not here; nothing for a name that is nowhere."""
    parts = () if name.startswith("_") else _PARTS
    found = [part for part in parts if name in import_module(f"{__name__}.{part}").__all__]
    return "".join(f"; it is in {__name__}.{part}" for part in found)


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes 30 ms to import

    try:
        return version("bkjob-async")
    except PackageNotFoundError:  # a copy of the sources that nobody installed
        return "0+unknown"

"""The client of the twin; written by `python -m tests.generate`: change bkjob_async/client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, overload

from bkjob_async.client import client
from bkjob_async.client.caller import Priority
from bkjob_async.client.operations.batch_logs import GatheredLogs
from bkjob_async.client.watching import Deadline
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.engine.scheduling.duration_stats import DurationStats
from bkjob_async.engine.stream.wait_conditions import Condition
from bkjob_async.journal.journal import Journal
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Trouble
from bkjob_async.model.operations.base import Operation, OperationAccepted, R, StepOperation
from bkjob_async.model.operations.codes import ScriptLanguage
from bkjob_async.model.operations.details import GseTask, LocalFileUpload, StepDetail, TaskContextField
from bkjob_async.model.operations.launches import FileSource, GlobalVarsLike, RollingConfig
from bkjob_async.model.operations.management import (
    AgentInfo,
    AuthorizedScope,
    ScriptCheckItem,
    StoredFileSource,
)
from bkjob_async.model.operations.queries import USUAL_PAGE
from bkjob_async.model.operations.responses import (
    Envelope,
    HostLog,
    JobInstance,
    JobLaunch,
    StepLogs,
    StepVariables,
)
from bkjob_async.model.operations.stored_items import (
    CronJob,
    JobPlan,
    JobTemplate,
    Script,
    ScriptVersion,
    StoredAccount,
)
from bkjob_async.model.operations.target_status import TargetStatus
from bkjob_async.model.operations.targets import HostLike, TargetsLike
from bkjob_async.model.ref_input import JobRefLike, RefLike
from bkjob_async.model.refs import JobRef, Scope, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.observe.client_stats import ClientStats
from bkjob_async.sync.iterators import PagedList
from bkjob_async.sync.loop_thread import LoopThread
from bkjob_async.sync.watch import Watch
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.wire.credentials import CredentialsSource, PerCall
from bkjob_async.wire.tracebacks import hide_call_arguments


class JobClient:
    """A client of one platform for code without an event loop; see `connect`.

    It has the methods of `bkjob_async.JobClient`, with the same parameters and results. Each is called without `await`, and
    returns when it is done. Lists and readers are ordinary iterators.

    The first call, or `with`, starts a thread that runs the client in an event loop of its own. Any thread may use the
    client, and several may at once. A call that its thread leaves by an exception, as by Ctrl-C or by a time limit that a
    signal sets, is cancelled; the job that it has launched goes on, and the exception has a note that names it. After a
    `fork` a child may use a client that was not used before it; any other raises `WrongEventLoop` there. Where the system
    cannot start the loop, a call raises `TransportFailed`, and the next one tries again.

    In the examples `client` is such a client of `gateway-v3`, `system` one with `system=True`; `v4` and `esb` are clients of
    `gateway-v4` and `esb-job`. The *job* has ended with one step, in which one of three hosts has failed.
    """

    def __init__(self, client: client.JobClient, thread: LoopThread | None = None) -> None:
        """Hand over to *client*, in *thread*, by default one of its own; `connect` does so."""
        self._client = client
        self._is_view = thread is not None
        self._thread = LoopThread(client) if thread is None else thread

    def __repr__(self) -> str:
        return repr(self._client).replace("<", "<synchronous ", 1)

    def __enter__(self) -> Self:
        self._thread.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every watch, release connections and end the thread; harmless when repeated, and without effect on a view.

        >>> client.close()
        >>> client
        <synchronous JobClient closed: gateway-v3 at http://sim/api/bk-job/prod>
        """
        if not self._is_view:
            self._thread.close()

    @property
    def scope(self) -> Scope | None:
        """The scope of jobs that are named by a bare id, None for none."""
        return self._client.scope

    def with_options(
        self,
        *,
        request_timeout: float | None = None,
        retries: Retries | None = None,
        priority: Priority | None = None,
        scope: Scope | None = None,
        credentials: CredentialsSource | PerCall | None = None,
    ) -> Self:
        """Return a cheap view of this client: the same connections, limits and watches, other options for calls.

        *request_timeout* is seconds for each attempt; with *priority* `background` urgent calls go first, as
        they do before the polls of watches; *scope* is another default. *credentials* are what `connect` takes, or
        `PerCall`: the calls of this view are sent with them; polls, which watches of this view share with all
        others, are sent with those of `connect`. Options that are not given stay as they are. A view is neither
        opened nor closed.

        >>> patient = client.with_options(request_timeout=120, priority="background")
        >>> patient.get_job_instance_status(job)
        <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
        """
        return type(self)(
            self._client.with_options(
                request_timeout=request_timeout,
                retries=retries,
                priority=priority,
                scope=scope,
                credentials=credentials,
            ),
            self._thread,
        )

    def job(self, job: JobRefLike, *, scope: Scope | None = None) -> JobRef:
        """Name a job instance; the default scope is *scope*, else the client's.

        *job* is a `JobRef`, a job id, text such as `"2:100"`, a link of the web console, or what a launch returned.
        Raises `UsageError` for anything else.

        >>> print(client.job(100), client.job("https://job.example.com/api_execute/100"))
        2:100 2:100
        """
        return self._client.job(job, scope=scope)

    def step(
        self, job: RefLike, step_instance_id: int | None = None, *, scope: Scope | None = None
    ) -> StepRef:
        """Name a step instance, by itself or by job and step id; the default scope is *scope*, else the client's.

        *job* is anything that `job` takes, or a `StepRef`, text such as `"2:100/200"`, a link to a step, or what a
        quick launch returned. Raises `UsageError` for anything else.

        >>> print(client.step(100, 200), client.step("2:100/200"))
        2:100/200 2:100/200
        """
        return self._client.step(job, step_instance_id, scope=scope)

    @overload
    def call(self, operation: Operation[R], *, request_timeout: float | None = None) -> R: ...

    @overload
    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        method: Literal["GET", "POST"] = "POST",
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> Any: ...

    @hide_call_arguments
    def call(
        self,
        operation: Operation[Any] | str,
        parameters: Mapping[str, Any] | None = None,
        *,
        method: Literal["GET", "POST"] = "POST",
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> Any:
        """Send *operation* and return its typed result; raise a `CallFailed`.

        Any operation can be called by its name, with the platform's own *parameters*; the result is the plain
        `data`. The scope's parameters are added unless *parameters* has them. A GET is retried where that
        makes sense; a POST is sent once, and raises `OutcomeUnknown` when there is no clear response. The
        response to a GET that names another job, step or scope than *parameters* raises `InvalidResponse`;
        that to a POST is returned as it came.

        >>> data = client.call("get_job_instance_status", {"job_instance_id": 20000000001}, method="GET")
        >>> data["finished"]
        True
        """
        send: Callable[..., Any] = self._client.call
        return self._thread.run(
            send(operation, parameters, method=method, scope=scope, request_timeout=request_timeout)
        )

    @hide_call_arguments
    def call_raw(
        self,
        operation: Operation[Any] | str,
        parameters: Mapping[str, Any] | None = None,
        *,
        method: Literal["GET", "POST"] = "POST",
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> Envelope:
        """Send *operation* and return the whole response; see `call`.

        The `Envelope` has data, message, request ids, HTTP status, headers and body. Raises what `call`
        raises: a response that reports a failure, or is about another job, is an error here, too.

        >>> envelope = client.call_raw("get_job_instance_status", {"job_instance_id": 20000000001}, method="GET")
        >>> envelope.http_status, envelope.data["finished"]
        (200, True)
        """
        return self._thread.run(
            self._client.call_raw(
                operation, parameters, method=method, scope=scope, request_timeout=request_timeout
            )
        )

    @hide_call_arguments
    def run_script(
        self,
        script: str,
        hosts: TargetsLike,
        *,
        account: str | int = "root",
        language: int | None = None,
        parameters: str | None = None,
        timeout: int | None = None,
        name: str | None = None,
        rolling: RollingConfig | None = None,
        until: Condition | None = None,
        deadline: Deadline = None,
        scope: Scope | None = None,
    ) -> JobResult:
        """Run a script on *hosts* and wait until it ends.

        Return the result, whether the script succeeded or not; `raise_for_status()` raises when it did not.

        *script* and *parameters* are plain text. *hosts* are `Targets`, or one host or many as `HostKey`,
        `bk_host_id` or `"cloud:ip"`. *account* is an alias or an id, *language* a `ScriptLanguage`, *name* the
        name of the job, *rolling* a `RollingConfig`. *timeout* is the script's, in seconds; *deadline* is seconds
        or a timedelta, counted from the call. *until* ends the wait early, see `wait`. Raises what
        `fast_execute_script` and `wait` raise. Cancelling it never touches the job: the error has a note that names the job, or
        that says that the script may have been started; `launch_script` returns the job first.

        >>> result = client.run_script("uptime", ["0:10.0.0.1", "0:10.0.0.2"], deadline=600)
        >>> print(result.ok, result.status)
        True SUCCESS
        """
        return self._thread.run(
            self._client.run_script(
                script,
                hosts,
                account=account,
                language=language,
                parameters=parameters,
                timeout=timeout,
                name=name,
                rolling=rolling,
                until=until,
                deadline=deadline,
                scope=scope,
            )
        )

    @hide_call_arguments
    def launch_script(
        self,
        script: str,
        hosts: TargetsLike,
        *,
        account: str | int = "root",
        language: int | None = None,
        parameters: str | None = None,
        timeout: int | None = None,
        name: str | None = None,
        rolling: RollingConfig | None = None,
        scope: Scope | None = None,
    ) -> JobLaunch:
        """Start a script on *hosts*; do not wait for it.

        It is `run_script` up to the launch, with the same arguments: what it returns names the job before there is a result, and
        `wait`, `watch`, `logs` and `retry_failed` take it. Raises what `fast_execute_script` raises. A plan is launched by
        `execute_job_plan`, a transfer by `fast_transfer_file`.

        >>> launch = client.launch_script("uptime", ["0:10.0.0.1", "0:10.0.0.2"])
        >>> print(launch.ref)
        2:20000000002
        >>> result = client.wait(launch, deadline=600)
        >>> result.ok
        True
        """
        return self._thread.run(
            self._client.launch_script(
                script,
                hosts,
                account=account,
                language=language,
                parameters=parameters,
                timeout=timeout,
                name=name,
                rolling=rolling,
                scope=scope,
            )
        )

    @hide_call_arguments
    def run_plan(
        self,
        job_plan_id: int,
        variables: GlobalVarsLike = (),
        *,
        until: Condition | None = None,
        deadline: Deadline = None,
        scope: Scope | None = None,
    ) -> JobResult:
        """Run a job plan and wait until it ends.

        Return the result, whether the plan succeeded or not.

        *variables* maps names to texts or `Targets`. *deadline* is seconds or a timedelta, counted from the call.
        *until* ends the wait early, see `wait`. A plan with a confirmation step waits until a user confirms.
        Raises what `execute_job_plan` and `wait` raise.

        >>> result = client.run_plan(1000, deadline=3600)
        >>> result.raise_for_status()
        <JobResult 2:20000000002 SUCCESS: 1 step; 3 SUCCESS>
        """
        return self._thread.run(
            self._client.run_plan(job_plan_id, variables, until=until, deadline=deadline, scope=scope)
        )

    def send_file(
        self,
        files: str | Iterable[str],
        destination: str,
        hosts: TargetsLike,
        *,
        source: TargetsLike,
        account: str | int = "root",
        source_account: str | int | None = None,
        mode: int | None = None,
        timeout: int | None = None,
        name: str | None = None,
        until: Condition | None = None,
        deadline: Deadline = None,
        scope: Scope | None = None,
    ) -> JobResult:
        """Send files from hosts to hosts and wait until they arrive.

        Return the result, whether the transfer succeeded or not. *files* are paths on the *source* hosts,
        *destination* is a directory on *hosts*. *account* owns the files on the target hosts, *source_account*
        (by default the same) on the source hosts. *mode* is a `TransferMode`, *name* the name of the job.
        *timeout* is the transfer's, in seconds; *deadline* is seconds or a timedelta, counted from the call.
        *until* ends the wait early, see `wait`. Raises what `fast_transfer_file` and `wait` raise.

        >>> result = client.send_file("/etc/hosts", "/tmp/", "0:10.0.0.1", source="0:10.0.0.2")
        >>> result.ok
        True
        """
        return self._thread.run(
            self._client.send_file(
                files,
                destination,
                hosts,
                source=source,
                account=account,
                source_account=source_account,
                mode=mode,
                timeout=timeout,
                name=name,
                until=until,
                deadline=deadline,
                scope=scope,
            )
        )

    def retry_failed(
        self, result: RefLike | JobResult, *, until: Condition | None = None, deadline: Deadline = None
    ) -> JobResult:
        """Run the failed hosts of a job or step again and wait.

        Return the result of the retry.

        *result* is what a wait returned, or anything that `job` or `step` takes; then the status of the job is read first,
        as it is for a result from before the end. Each step that failed or was terminated is retried. *deadline* is seconds
        or a timedelta, counted from the call. *until* ends the wait early, see `wait`. Raises `UsageError` when no step
        failed, `NotFound` for a step that the job does not have, and what `get_job_instance_status`,
        `operate_step_instance` and `wait` raise. Not in `gateway-v4` (`NotSupported`). Cancelling it stops no retry that
        was accepted: the error has a note that names the steps.

        >>> result = client.retry_failed(job, deadline=600)
        >>> result.ok
        True
        """
        return self._thread.run(self._client.retry_failed(result, until=until, deadline=deadline))

    def logs(
        self, ref: RefLike, *, hosts: HostLike | Iterable[HostLike] | None = None
    ) -> tuple[GatheredLogs, ...]:
        """Return the logs of a step, or of every step of a job.

        They are those of all hosts, or of *hosts* only.

        It works in every dialect. A host whose log cannot be read is in `missing` of its step, with the error. One of *hosts*
        that is in no step is in `missing` of each, with `NotFound`. Raises a `CallFailed` when nothing can be read at all, and
        `NotFound` for a step that the job does not have.

        >>> for gathered in client.logs(step, hosts="0:10.0.0.2"):
        ...     for log in gathered.hosts:
        ...         print(log.host, log.text)
        0:10.0.0.2 no such file
        """
        return self._thread.run(self._client.logs(ref, hosts=hosts))

    @hide_call_arguments
    def watch(
        self,
        refs: Iterable[RefLike] | RefLike = (),
        *,
        journal: str | Journal | None = None,
        name: str | None = None,
        takeover: bool = True,
        deadline: Deadline = None,
        linger: float | None = 0.0,
        detail_level: DetailLevel = DetailLevel.EVERY_CHANGE,
        callbacks: CallbackReceiver | None = None,
    ) -> Watch:
        """Watch jobs and steps, and iterate over their events.

        Open the watch with `with`.

        *refs* is one or many of what `job` and `step` take; raises `UsageError` at once for what names none. *deadline* is
        seconds or a timedelta, counted from the opening: then the iterators deliver what there is and raise
        `DeadlineExceeded`. The watch ends *linger* seconds after all targets have settled; None keeps it open until it is
        left. *detail_level* says how closely hosts are followed; at every level the end of steps and jobs is seen at once.
        Each callback that *callbacks* receives makes it poll the named job once; by default the client's own receiver.

        With a *journal*, what `open_journal` takes or returns, the watch is recorded under *name*, and a watch that another
        process opens under this name continues it: with the same targets and *refs*, and with what changed in between. A
        target that is dropped is removed from the record. Opening the watch raises `FleetBusy` where another process holds
        the name and *takeover* is False, and other errors of `JournalError` where the journal cannot be used.

        >>> with client.watch([job], deadline=600) as watch:
        ...     for result in watch.as_finished():
        ...         print(result)
        2:20000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
        """
        return Watch(
            self._thread,
            self._thread.call(
                self._client.watch,
                refs,
                journal=journal,
                name=name,
                takeover=takeover,
                deadline=deadline,
                linger=linger,
                detail_level=detail_level,
                callbacks=callbacks,
            ),
        )

    def wait(self, ref: RefLike, *, until: Condition | None = None, deadline: Deadline = None) -> JobResult:
        """Wait until a job or step has ended; return its result.

        The result is returned whether the job succeeded or not.

        *ref* is anything that `job` or `step` takes: a ref, an id, text, a link, what a launch returned. *deadline* is
        seconds or a timedelta. With *until* (`HostsDone`, `FirstFailure`, `Waiting`, or a condition of your own) it returns
        the result so far as soon as the condition holds. Raises `ConditionUnreachable` when it cannot hold any more,
        `DeadlineExceeded` with the last snapshot, and `TargetLost` when the target cannot be read any more. Before the
        first successful poll it also raises the error of wrong credentials, `InvalidResponse` where all that came for 30
        seconds was none of the platform's responses, and `Throttled` when the gateway has refused every request for a
        minute. The job is never touched.

        >>> launch = client.execute_job_plan(1000)
        >>> result = client.wait(launch, deadline=3600)
        >>> print(result)
        2:20000000002 SUCCESS: 1 step; 3 SUCCESS
        """
        return self._thread.run(self._client.wait(ref, until=until, deadline=deadline))

    def nudge(self, ref: RefLike) -> None:
        """Poll *ref* as soon as possible, if this client watches it, as `Watch.nudge` does.

        >>> with client.watch(job, linger=60) as watch:
        ...     client.nudge(job)
        """
        self._thread.call(self._client.nudge, ref)

    def durations(self) -> tuple[DurationStats, ...]:
        """Return the durations of earlier runs, per job and step name.

        >>> result = client.run_plan(1000)
        >>> [(stats.job, stats.runs, round(stats.median, 1)) for stats in client.durations()]
        [('plan #', 1, 6.6), ('plan #', 1, 7.2)]
        """
        return self._thread.call(self._client.durations)

    def export_durations(self) -> dict[str, Any]:
        """Return the durations as JSON values, for `connect(duration_stats=...)` of a later process.

        >>> stored = json.dumps(client.export_durations())
        >>> later = bkjob.connect("https://bkapi.example.com/api/bk-job/prod", credentials, duration_stats=json.loads(stored))
        """
        return self._thread.call(self._client.export_durations)

    def import_durations(self, exported: Mapping[str, Any]) -> int:
        """Take over what another client exported, of names of which it saw more runs; return of how many.

        Raises `UsageError` for other data.

        >>> stored = client.export_durations()
        >>> client.import_durations(stored)
        0
        """
        return self._thread.call(self._client.import_durations, exported)

    def outage(self) -> Trouble | None:
        """Return why no target of this client can be polled, None while the platform responds.

        >>> print(client.outage())
        None
        """
        return self._thread.call(self._client.outage)

    def set_requests_per_second(self, rate: float | None) -> None:
        """Change how many requests the client sends in a second; None is no limit.

        It holds at once, also for requests that wait, and for all views of the client. Polls that are planned already are sooner
        where the rate is at least doubled. Raises `UsageError` unless *rate* is positive.

        >>> client.set_requests_per_second(20)
        >>> client.stats().requests_per_second
        20
        >>> client.set_requests_per_second(None)
        """
        self._thread.call(self._client.set_requests_per_second, rate)

    def stats(self, *, count: bool = False) -> ClientStats:
        """Return the client in figures: polls, requests, limits and, if *count* was ever given, what it has counted.

        With *count*, requests, polls, events, targets and hosts are counted from now on; this costs one to two
        percent of a poll. May be called from any thread, before the client is opened and after it is closed, too.

        >>> stats = client.stats()
        >>> stats.name, stats.max_in_flight, stats.breaker_open
        ('gateway-v3', 32, False)
        """
        return self._client.stats(count=count)

    def status(
        self, refs: Iterable[RefLike] | RefLike, *, deadline: Deadline = 30.0, with_earlier_runs: bool = False
    ) -> tuple[TargetStatus, ...]:
        """Look once at jobs and steps: how each stands, its failed hosts by cause, what it waits for.

        *refs* is one or many of what `job` and `step` take. Each is read in full once; at the *deadline*, in seconds or a
        timedelta, what was not read has no status. With *with_earlier_runs*, the platform's lists are read for how long earlier
        runs of the same names took, so that running jobs have `ends_in`. The result has one `TargetStatus` for each, in their
        order, those that cannot be read included. Raises the error of wrong credentials, and where the platform gave no response
        at all that of the requests, such as `TransportFailed`: after a few seconds in which they fail, else at the deadline.

        >>> (found,) = client.status(job)
        >>> print(found)
        2:20000000001 FAIL: 1 FAILED, 2 SUCCESS; it is over
        >>> print(*found.causes)
        1 host SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1: 0:10.0.0.2 (in 2:20000000001)
        """
        return self._thread.run(
            self._client.status(refs, deadline=deadline, with_earlier_runs=with_earlier_runs)
        )

    def operate_step_instance(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | StepOperation | None = None,
        operation_code: int | None = None,
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> OperationAccepted:
        """Retry, ignore, confirm, skip a step; *operation_code* is a `StepOperation` or an int.

        Behind what names a step, a `StepOperation` may stand in second place: `operate_step_instance(step, StepOperation.SKIP)`.

        It is sent once. Watches and waits of this client poll the job at once, and do not take its status for
        final until it changes. Raises a `CallFailed`: `WrongState` when the step is not in a state for it,
        `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
        `operate_step_instance`.

        >>> accepted = client.operate_step_instance(step, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS)
        >>> print(accepted.ref)
        2:20000000001/30000000001
        """
        return self._thread.run(
            self._client.operate_step_instance(
                job_instance_id,
                step_instance_id,
                operation_code,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def batch_get_job_instance_ip_log(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        hosts: HostLike | Iterable[HostLike],
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> GatheredLogs:
        """Return the logs of any number of hosts of a step.

        They are requested in parts as large as the platform accepts (500, in version 4 50), a few at a time. A
        part that is rejected is divided until the bad host is alone: `missing` then has it with its error, and
        the others have their logs. Not in `esb-job` (`NotSupported`). Raises a `CallFailed` only when every
        request failed. Documents: `batch_get_job_instance_ip_log`, `batch_get_job_instance_execute_object_log`.

        >>> gathered = client.batch_get_job_instance_ip_log(step, hosts=[1, 2, 3])
        >>> len(gathered.hosts), gathered.missing
        (3, {})
        """
        return self._thread.run(
            self._client.batch_get_job_instance_ip_log(
                job_instance_id, step_instance_id, hosts=hosts, scope=scope, request_timeout=request_timeout
            )
        )

    def get_job_instance_status(
        self,
        job_instance_id: JobRefLike,
        *,
        return_ip_result: bool = False,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobSnapshot:
        """Return a job's status and steps; with *return_ip_result* all hosts of their latest executions.

        *job_instance_id* names the job. Dialects that always send the hosts ignore *return_ip_result*. Times
        carry a zone, durations are seconds; *request_timeout* is seconds for one attempt. In every dialect.
        Raises a `CallFailed`: `NotFound` for an unknown, archived or foreign job. Document:
        `get_job_instance_status`.

        >>> client.get_job_instance_status(job)
        <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
        """
        return self._thread.run(
            self._client.get_job_instance_status(
                job_instance_id,
                return_ip_result=return_ip_result,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def get_step_instance_status(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        execute_count: int | None = None,
        batch: int | None = 0,
        max_host_num_per_group: int | None = None,
        keyword: str | None = None,
        search_ip: str | None = None,
        status: int | None = None,
        tag: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> StepSnapshot:
        """Return a step's status and its hosts, in groups of one status and tag.

        *job_instance_id* names the step, or its job beside a *step_instance_id*. *execute_count* asks for an
        earlier execution, from 0. *batch* 0 is all batches of a rolling step, None the latest only, whatever
        documents say. *status* and *tag* name the one group whose hosts are listed; *max_host_num_per_group* cuts
        each list, to 1 host at least. *keyword* looks for hosts by what their scripts logged, *search_ip* by
        address. In `gateway-v3`; `esb-job` ignores all of these filters. Raises a `CallFailed`: `WrongState` for
        a step that only waits for a user; `NotSupported` elsewhere. Document: `get_step_instance_status`.

        >>> seen = client.get_step_instance_status(step, max_host_num_per_group=1)
        >>> [(str(group.status), group.size) for group in seen.groups]
        [('SUCCESS', 2), ('SCRIPT_NOT_ZERO_EXIT_CODE', 1)]
        """
        return self._thread.run(
            self._client.get_step_instance_status(
                job_instance_id,
                step_instance_id,
                execute_count=execute_count,
                batch=batch,
                max_host_num_per_group=max_host_num_per_group,
                keyword=keyword,
                search_ip=search_ip,
                status=status,
                tag=tag,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def operate_job_instance(
        self,
        job_instance_id: JobRefLike,
        operation_code: int,
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> OperationAccepted:
        """Terminate a job, or start a pending one; *operation_code* is a `JobOperation` or an int.

        *job_instance_id* names the job. It is sent once; watches and waits poll the job at once. Raises a
        `CallFailed`: `WrongState` when the job is not in a state for it, `OutcomeUnknown` when there is no clear
        response. Not in `gateway-v4` (`NotSupported`). Document: `operate_job_instance`.

        >>> launch = client.execute_job_plan(1000)
        >>> accepted = client.operate_job_instance(launch, operation_code=bkjob.JobOperation.TERMINATE)
        WrongState: operate_job_instance failed: Unsupported operation (code 1241003, HTTP 200, dialect gateway-v3,
        X-Bkapi-Request-Id 45849aaadaaa311451ad4d50b3042a96); read the status first: the operation is not possible in the
        present state
        >>> result = client.wait(launch)
        >>> print(result.status)
        SUCCESS
        """
        return self._thread.run(
            self._client.operate_job_instance(
                job_instance_id, operation_code, scope=scope, request_timeout=request_timeout
            )
        )

    def get_job_instance_log(
        self, job_instance_id: JobRefLike, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> tuple[StepLogs, ...]:
        """Return all logs of a job, by step and host, with status, exit code and times of each.

        *job_instance_id* names the job. In `esb-job`. Raises a `CallFailed`, elsewhere `NotSupported`; `logs`
        works everywhere. Document: `get_job_instance_log`.

        >>> for logs in esb.get_job_instance_log(job):
        ...     print(logs.name, [log.exit_code for log in logs.hosts])
        restart [0, 0, 1]
        """
        return self._thread.run(
            self._client.get_job_instance_log(job_instance_id, scope=scope, request_timeout=request_timeout)
        )

    def get_job_instance_ip_log(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        host: HostLike,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> HostLog:
        """Return one host's log of a step's latest execution; each call returns the whole text.

        *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* is a `HostKey`, a
        `bk_host_id` or `"cloud:ip"`. In `esb-jobv3` and `gateway-v3`. Raises a `CallFailed`, elsewhere
        `NotSupported`. Document: `get_job_instance_ip_log`.

        >>> log = client.get_job_instance_ip_log(step, host="0:10.0.0.2")
        >>> print(log.text)
        no such file
        """
        return self._thread.run(
            self._client.get_job_instance_ip_log(
                job_instance_id, step_instance_id, host=host, scope=scope, request_timeout=request_timeout
            )
        )

    def get_job_instance_list(
        self,
        create_time_start: datetime,
        create_time_end: datetime,
        *,
        job_instance_id: int | None = None,
        job_cron_id: int | None = None,
        operator: str | None = None,
        name: str | None = None,
        launch_mode: int | None = None,
        type: int | None = None,
        status: int | None = None,
        ip: str | None = None,
        length: int | None = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[JobInstance]:
        """Return the job instances created in a span of time, newest first, for `for`; each once.

        *scope* owns the jobs. *create_time_start* and *create_time_end* carry a zone; outside version 4 the
        platform takes 30 days at most. *job_instance_id* makes the platform ignore every other filter.
        *job_cron_id* names the cron, *operator* the user who launched them; *name* is a part of their name, *ip*
        the address of one of their hosts. *launch_mode* is a `LaunchMode`, *type* a `TaskType`, *status* a run
        code. *length* is that of the page. Not in `esb-job`: iterating then raises `NotSupported`, as it raises
        every `CallFailed`. Document: `get_job_instance_list`.

        >>> begin = datetime(2025, 12, 31, tzinfo=UTC)
        >>> jobs = client.get_job_instance_list(begin, begin + timedelta(days=2))
        >>> [job.name for job in jobs]
        ['restart nginx']
        """
        return PagedList(
            self._thread,
            self._client.get_job_instance_list(
                create_time_start,
                create_time_end,
                job_instance_id=job_instance_id,
                job_cron_id=job_cron_id,
                operator=operator,
                name=name,
                launch_mode=launch_mode,
                type=type,
                status=status,
                ip=ip,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_job_instance_global_var_value(
        self, job_instance_id: JobRefLike, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> tuple[StepVariables, ...]:
        """Return the values that a job's text variables had in each step that runs a script.

        *job_instance_id* names the job. A job without variables has none. Values may be secret: they are not in
        the repr. Not in `gateway-v4` (`NotSupported`). Raises a `CallFailed`. Document:
        `get_job_instance_global_var_value`.

        >>> for step in client.get_job_instance_global_var_value(job):
        ...     print([variable.name for variable in step.variables])
        ['version']
        """
        return self._thread.run(
            self._client.get_job_instance_global_var_value(
                job_instance_id, scope=scope, request_timeout=request_timeout
            )
        )

    @hide_call_arguments
    def execute_job_plan(
        self,
        job_plan_id: int,
        global_var_list: GlobalVarsLike = (),
        *,
        callback_url: str | None = None,
        start_task: bool | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Start a job plan; it is sent once.

        *scope* owns the plan, *job_plan_id* is its number. *global_var_list* holds `GlobalVar` values, or maps
        names to texts or `Targets`. *callback_url* is called when the job ends. With *start_task* False the job
        waits, pending, for `operate_job_instance`. Raises a `CallFailed`: `NotFound` for an unknown plan,
        `QuotaExceeded` when too many jobs run, `OutcomeUnknown` when there is no clear response. Not in
        `gateway-v4` (`NotSupported`). Documents: `execute_job_plan`, in `esb-job` `execute_job`.

        >>> launch = client.execute_job_plan(1000)
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.execute_job_plan(
                job_plan_id,
                global_var_list,
                callback_url=callback_url,
                start_task=start_task,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def fast_execute_script(
        self,
        script_content: str | None,
        target_server: TargetsLike,
        *,
        script_language: int | None = None,
        script_param: str | None = None,
        script_id: str | int | None = None,
        script_version_id: int | None = None,
        account_alias: str | None = None,
        account_id: int | None = None,
        timeout: int | None = None,
        is_param_sensitive: bool = False,
        task_name: str | None = None,
        callback_url: str | None = None,
        rolling_config: RollingConfig | None = None,
        windows_interpreter: str | None = None,
        start_task: bool | None = None,
        host_password_list: Iterable[Mapping[str, object]] = (),
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Run a script on hosts; it is sent once.

        *script_content* and *script_param* are plain text, encoded once on the way; or name a *script_id* or
        *script_version_id*. *script_language* is a `ScriptLanguage`, SHELL unless given. *target_server* is
        `Targets`, or one host or many as `HostKey`, `bk_host_id` or `"cloud:ip"`. The account is named by
        *account_alias* or *account_id*. *timeout* is the script's, in seconds, 1-259200 (`esb-job` 60-86400, the
        platform's default is 7200); a method's *request_timeout* is that of the call.

        *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends.
        *is_param_sensitive* hides the parameters on the platform, *rolling_config* is a `RollingConfig`. With
        *start_task* False the job waits, pending, for `operate_job_instance`. *windows_interpreter* is a path on
        Windows hosts, *host_password_list* has passwords of such hosts, under the platform's names.

        Raises a `CallFailed`: `InvalidRequest` for bad hosts or accounts, `QuotaExceeded`, `OutcomeUnknown` when
        no clear response came back. In every dialect. Document: `fast_execute_script`.

        >>> launch = client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")
        >>> print(launch.ref, launch.step)
        2:20000000002 2:20000000002/30000000002
        """
        return self._thread.run(
            self._client.fast_execute_script(
                script_content,
                target_server,
                script_language=script_language,
                script_param=script_param,
                script_id=script_id,
                script_version_id=script_version_id,
                account_alias=account_alias,
                account_id=account_id,
                timeout=timeout,
                is_param_sensitive=is_param_sensitive,
                task_name=task_name,
                callback_url=callback_url,
                rolling_config=rolling_config,
                windows_interpreter=windows_interpreter,
                start_task=start_task,
                host_password_list=host_password_list,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def fast_execute_sql(
        self,
        script_content: str | None,
        target_server: TargetsLike,
        *,
        db_account_id: int,
        script_id: str | int | None = None,
        script_version_id: int | None = None,
        timeout: int | None = None,
        task_name: str | None = None,
        callback_url: str | None = None,
        start_task: bool | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Run SQL as a database account; it is sent once.

        *script_content* is plain text, encoded once on the way; *script_id* or *script_version_id* names a stored
        script instead. *target_server* names the hosts, *db_account_id* is the database account. *timeout* is the
        script's, in seconds. *scope* owns the job, *task_name* is its name, and *callback_url* is called when it
        ends. With *start_task* False the job waits, pending, for `operate_job_instance`. Raises a `CallFailed`,
        `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
        `fast_execute_sql`.

        >>> launch = client.fast_execute_sql("SELECT 1", 1, db_account_id=3)
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.fast_execute_sql(
                script_content,
                target_server,
                db_account_id=db_account_id,
                script_id=script_id,
                script_version_id=script_version_id,
                timeout=timeout,
                task_name=task_name,
                callback_url=callback_url,
                start_task=start_task,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def fast_transfer_file(
        self,
        file_source_list: FileSource | Iterable[FileSource],
        file_target_path: str,
        target_server: TargetsLike,
        *,
        file_target_name: str | None = None,
        account_alias: str | None = None,
        account_id: int | None = None,
        transfer_mode: int | None = None,
        timeout: int | None = None,
        upload_speed_limit: int | None = None,
        download_speed_limit: int | None = None,
        task_name: str | None = None,
        callback_url: str | None = None,
        rolling_config: RollingConfig | None = None,
        start_task: bool | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Send files from hosts or file sources to hosts; it is sent once.

        *file_source_list* holds `FileSource` values; local files (`FileSourceType.LOCAL`) are uploaded first, to
        the URLs of `generate_local_file_upload_url`. *file_target_path* is a directory on the hosts of
        *target_server*, *file_target_name* renames a single file on its way. The account is named by
        *account_alias* or *account_id*. *transfer_mode* is a `TransferMode`; *timeout* is the transfer's, in
        seconds; *upload_speed_limit* and *download_speed_limit* are megabytes per second, None for no limits.

        *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *rolling_config*
        is a `RollingConfig`. With *start_task* False the job waits, pending, for `operate_job_instance`. Raises a
        `CallFailed`, `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`).
        Documents: `fast_transfer_file`, in `esb-job` `fast_push_file`.

        >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
        >>> launch = client.fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.fast_transfer_file(
                file_source_list,
                file_target_path,
                target_server,
                file_target_name=file_target_name,
                account_alias=account_alias,
                account_id=account_id,
                transfer_mode=transfer_mode,
                timeout=timeout,
                upload_speed_limit=upload_speed_limit,
                download_speed_limit=download_speed_limit,
                task_name=task_name,
                callback_url=callback_url,
                rolling_config=rolling_config,
                start_task=start_task,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def push_config_file(
        self,
        file_list: Mapping[str, str | bytes],
        file_target_path: str,
        target_server: TargetsLike,
        *,
        account_alias: str | None = None,
        account_id: int | None = None,
        task_name: str | None = None,
        callback_url: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Put small text files onto hosts; it is sent once.

        *file_list* maps file names to contents, text or bytes, encoded once on the way. *file_target_path* is a
        directory on the hosts of *target_server*. *account_alias* or *account_id* names the account. *scope* owns
        the job, *task_name* is its name, and *callback_url*, which `esb-job` does not take, is called when it
        ends. In `esb-job` targets are either hosts or groups and nodes; its current backend reads hosts by
        address only and refuses all others (bk-job's `EsbPushConfigFileResourceImpl`). Raises a `CallFailed`,
        `OutcomeUnknown` when there is no clear response. Not in `gateway-v4` (`NotSupported`). Document:
        `push_config_file`.

        >>> launch = client.push_config_file({"motd": b"Hello"}, "/etc/", [1, 2], account_alias="root")
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.push_config_file(
                file_list,
                file_target_path,
                target_server,
                account_alias=account_alias,
                account_id=account_id,
                task_name=task_name,
                callback_url=callback_url,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def get_job_template_list(
        self,
        *,
        creator: str | None = None,
        create_time_start: datetime | None = None,
        create_time_end: datetime | None = None,
        last_modify_user: str | None = None,
        last_modify_time_start: datetime | None = None,
        last_modify_time_end: datetime | None = None,
        name: str | None = None,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[JobTemplate]:
        """Return the job templates whose name contains *name*, for `for`.

        *scope* owns the templates. *creator* and *last_modify_user* are users; each pair of times, which carry a
        zone, encloses the creation (*create_time_start*, *create_time_end*) or the last change
        (*last_modify_time_start*, *last_modify_time_end*). *length* is that of the page. Times are given in
        pairs. Raises a `CallFailed` when iterated. Document: `get_job_template_list`.

        >>> [template.name for template in client.get_job_template_list()]
        ['usual jobs']
        """
        return PagedList(
            self._thread,
            self._client.get_job_template_list(
                creator=creator,
                create_time_start=create_time_start,
                create_time_end=create_time_end,
                last_modify_user=last_modify_user,
                last_modify_time_start=last_modify_time_start,
                last_modify_time_end=last_modify_time_end,
                name=name,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_job_plan_list(
        self,
        *,
        creator: str | None = None,
        create_time_start: datetime | None = None,
        create_time_end: datetime | None = None,
        last_modify_user: str | None = None,
        last_modify_time_start: datetime | None = None,
        last_modify_time_end: datetime | None = None,
        job_template_id: int | None = None,
        name: str | None = None,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[JobPlan]:
        """Return the job plans whose name contains *name*, or those of a template, for `for`.

        *scope* owns the plans, *job_template_id* names their template. *creator* and *last_modify_user* are
        users; each pair of times, which carry a zone, encloses the creation (*create_time_start*,
        *create_time_end*) or the last change (*last_modify_time_start*, *last_modify_time_end*). *length* is that
        of the page. Times are given in pairs. Raises a `CallFailed` when iterated. Document: `get_job_plan_list`.

        >>> [(plan.id, plan.name) for plan in client.get_job_plan_list(name="release")]
        [(1001, 'release')]
        """
        return PagedList(
            self._thread,
            self._client.get_job_plan_list(
                creator=creator,
                create_time_start=create_time_start,
                create_time_end=create_time_end,
                last_modify_user=last_modify_user,
                last_modify_time_start=last_modify_time_start,
                last_modify_time_end=last_modify_time_end,
                job_template_id=job_template_id,
                name=name,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_job_plan_detail(
        self, job_plan_id: int, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> JobPlan:
        """Return a job plan with its steps and its global variables.

        *scope* owns the plan, *job_plan_id* is its number. Scripts are plain text. Raises a `CallFailed`:
        `NotFound` or `InvalidRequest` for an unknown plan. Document: `get_job_plan_detail`.

        >>> plan = client.get_job_plan_detail(1000)
        >>> [step.name for step in plan.steps]
        ['step 1']
        """
        return self._thread.run(
            self._client.get_job_plan_detail(job_plan_id, scope=scope, request_timeout=request_timeout)
        )

    def get_account_list(
        self,
        *,
        category: int | None = None,
        account: str | None = None,
        alias: str | None = None,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[StoredAccount]:
        """Return the accounts that scripts and SQL may run as, for `for`.

        *scope* owns the accounts. *account* is the name on the host, *alias* the name on the platform. *start*
        counts items from 0, and *length* is that of the page. *category* is an `AccountCategory`. Raises a
        `CallFailed` when iterated. Document: `get_account_list`.

        >>> [account.alias for account in client.get_account_list()]
        ['root', 'system', 'dba']
        """
        return PagedList(
            self._thread,
            self._client.get_account_list(
                category=category,
                account=account,
                alias=alias,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_public_script_list(
        self,
        *,
        name: str | None = None,
        script_language: int | None = None,
        length: int = USUAL_PAGE,
        request_timeout: float | None = None,
    ) -> PagedList[Script]:
        """Return the public scripts whose name contains *name*, for `for`.

        *script_language* is a `ScriptLanguage`. *length* is that of the page. *script_language* is a
        `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_public_script_list`.

        >>> [script.name for script in client.get_public_script_list()]
        ['clean up']
        """
        return PagedList(
            self._thread,
            self._client.get_public_script_list(
                name=name, script_language=script_language, length=length, request_timeout=request_timeout
            ),
        )

    def get_script_list(
        self,
        *,
        name: str | None = None,
        script_language: int | None = None,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[Script]:
        """Return the scripts whose name contains *name*, for `for`.

        *scope* owns the scripts. *script_language* is a `ScriptLanguage`. *length* is that of the page.
        *script_language* is a `ScriptLanguage`. Raises a `CallFailed` when iterated. Document: `get_script_list`.

        >>> [(script.id, script.name) for script in client.get_script_list()]
        [('c0ffee00000000000000000000000001', 'show the load')]
        """
        return PagedList(
            self._thread,
            self._client.get_script_list(
                name=name,
                script_language=script_language,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_public_script_version_list(
        self,
        script_id: str | int,
        *,
        return_script_content: bool = False,
        length: int = USUAL_PAGE,
        request_timeout: float | None = None,
    ) -> PagedList[ScriptVersion]:
        """Return the versions of a public script, for `for`.

        *script_id* names the script; *return_script_content* asks for its texts, too. *length* is that of the
        page. Their contents come only with *return_script_content*. Raises a `CallFailed` when iterated.
        Document: `get_public_script_version_list`.

        >>> versions = client.get_public_script_version_list("c0ffee00000000000000000000000002")
        >>> [version.id for version in versions]
        [510]
        """
        return PagedList(
            self._thread,
            self._client.get_public_script_version_list(
                script_id,
                return_script_content=return_script_content,
                length=length,
                request_timeout=request_timeout,
            ),
        )

    def get_script_version_list(
        self,
        script_id: str | int,
        *,
        return_script_content: bool = False,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[ScriptVersion]:
        """Return the versions of a script, for `for`.

        *scope* owns the script, *script_id* names it; *return_script_content* asks for its texts, too. *start*
        counts items from 0, and *length* is that of the page. Their contents come only with
        *return_script_content*. Raises a `CallFailed` when iterated. Document: `get_script_version_list`.

        >>> versions = client.get_script_version_list("c0ffee00000000000000000000000001")
        >>> [(version.id, version.version) for version in versions]
        [(501, '2.0'), (500, '1.0')]
        """
        return PagedList(
            self._thread,
            self._client.get_script_version_list(
                script_id,
                return_script_content=return_script_content,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_public_script_version_detail(
        self,
        *,
        id: int | None = None,
        script_id: str | None = None,
        version: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> ScriptVersion:
        """Return one version of a public script, by *id*, or by *script_id* and *version*.

        Its content is plain text. *scope* is any that the user may see, by default the client's: `esb-job` needs
        one. Raises a `CallFailed`. Document: `get_public_script_version_detail`.

        >>> version = client.get_public_script_version_detail(id=510)
        >>> version.name
        'clean up'
        """
        return self._thread.run(
            self._client.get_public_script_version_detail(
                id=id, script_id=script_id, version=version, scope=scope, request_timeout=request_timeout
            )
        )

    def get_script_version_detail(
        self,
        *,
        id: int | None = None,
        script_id: str | None = None,
        version: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> ScriptVersion:
        """Return one version of a script, by *id*, or by *script_id* and *version*.

        *scope* owns the script. Its content is plain text. Raises a `CallFailed`. Document:
        `get_script_version_detail`.

        >>> version = client.get_script_version_detail(id=501)
        >>> version.version, version.content
        ('2.0', 'uptime')
        """
        return self._thread.run(
            self._client.get_script_version_detail(
                id=id, script_id=script_id, version=version, scope=scope, request_timeout=request_timeout
            )
        )

    def get_cron_list(
        self,
        *,
        creator: str | None = None,
        create_time_start: datetime | None = None,
        create_time_end: datetime | None = None,
        last_modify_user: str | None = None,
        last_modify_time_start: datetime | None = None,
        last_modify_time_end: datetime | None = None,
        name: str | None = None,
        id: int | None = None,
        status: int | None = None,
        length: int = USUAL_PAGE,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> PagedList[CronJob]:
        """Return the crons of a scope, for `for`; an *id* makes the platform ignore every other filter.

        *name* is a part of their name. *scope* owns the crons; *status* 1 is on, 2 off. *creator* and
        *last_modify_user* are users; each pair of times, which carry a zone, encloses the creation
        (*create_time_start*, *create_time_end*) or the last change (*last_modify_time_start*,
        *last_modify_time_end*). *length* is that of the page. Times are given in pairs. Raises a `CallFailed`
        when iterated. Document: `get_cron_list`.

        >>> [(cron.name, cron.expression) for cron in client.get_cron_list(id=300)]
        [('every night', '0 4 * * ?')]
        """
        return PagedList(
            self._thread,
            self._client.get_cron_list(
                creator=creator,
                create_time_start=create_time_start,
                create_time_end=create_time_end,
                last_modify_user=last_modify_user,
                last_modify_time_start=last_modify_time_start,
                last_modify_time_end=last_modify_time_end,
                name=name,
                id=id,
                status=status,
                length=length,
                scope=scope,
                request_timeout=request_timeout,
            ),
        )

    def get_cron_detail(
        self, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> CronJob:
        """Return a cron with its global variables.

        *scope* owns the cron, *id* is its number. Raises a `CallFailed`: `NotFound` or `InvalidRequest` for an
        unknown one. Document: `get_cron_detail`.

        >>> cron = client.get_cron_detail(300)
        >>> cron.expression, cron.execute_time_zone
        ('0 4 * * ?', 'Asia/Shanghai')
        """
        return self._thread.run(
            self._client.get_cron_detail(id, scope=scope, request_timeout=request_timeout)
        )

    @hide_call_arguments
    def save_cron(
        self,
        *,
        job_plan_id: int | None = None,
        id: int | None = None,
        name: str | None = None,
        expression: str | None = None,
        execute_time: datetime | None = None,
        execute_time_zone: str | None = None,
        global_var_list: GlobalVarsLike = (),
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> CronJob:
        """Create a cron that starts a plan at set times, or change the one with *id*; it is sent once.

        A new cron is off: `update_cron_status` starts it. It needs *job_plan_id*, *name*, and *expression*
        (minute, hour, day, month, day of the week: `"0/5 * * * *"`) or *execute_time*, the one time at which it
        runs, which carries a zone. *execute_time_zone* is that of the expression, such as `"Asia/Shanghai"`, by
        default that of the business. *global_var_list* are values as `execute_job_plan` takes them. *scope* owns
        the cron.

        Raises a `CallFailed`: `InvalidRequest` for an expression, a plan or a variable that cannot be,
        `OutcomeUnknown` when there is no clear response. Document: `save_cron`.

        >>> cron = client.save_cron(job_plan_id=1000, name="every morning", expression="30 6 * * *")
        >>> cron.name, cron.status
        ('every morning', 2)
        """
        return self._thread.run(
            self._client.save_cron(
                job_plan_id=job_plan_id,
                id=id,
                name=name,
                expression=expression,
                execute_time=execute_time,
                execute_time_zone=execute_time_zone,
                global_var_list=global_var_list,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def update_cron_status(
        self, id: int, status: int, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> None:
        """Turn a cron on or off; it is sent once.

        *id* is its number, *status* 1 for on, 2 for off, *scope* owns it. Raises a `CallFailed`: `NotFound` for
        an unknown cron, `OutcomeUnknown` when there is no clear response. Document: `update_cron_status`.

        >>> client.update_cron_status(301, 1)
        >>> (client.get_cron_detail(301)).status
        1
        """
        self._thread.run(
            self._client.update_cron_status(id, status, scope=scope, request_timeout=request_timeout)
        )

    def delete_cron(
        self, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> None:
        """Delete a cron; it is sent once.

        *id* is its number, *scope* owns it. Raises a `CallFailed`: `NotFound` for an unknown cron,
        `OutcomeUnknown` when there is no clear response. Document: `delete_cron`.

        >>> client.delete_cron(301)
        >>> [cron.id for cron in client.get_cron_list()]
        [300]
        """
        self._thread.run(self._client.delete_cron(id, scope=scope, request_timeout=request_timeout))

    @hide_call_arguments
    def check_script(
        self,
        content: str,
        *,
        script_language: int = ScriptLanguage.SHELL,
        request_timeout: float | None = None,
    ) -> tuple[ScriptCheckItem, ...]:
        """Return what the platform's rules for dangerous scripts find in a script; nothing is run.

        *content* is plain text, *script_language* a `ScriptLanguage`. Raises a `CallFailed`. Document:
        `check_script`.

        >>> found = client.check_script("rm -rf /")
        >>> [(item.line, item.level, item.match_content) for item in found]
        [(1, 3, 'rm -rf /')]
        """
        return self._thread.run(
            self._client.check_script(
                content, script_language=script_language, request_timeout=request_timeout
            )
        )

    def query_agent_info(
        self,
        host_id_list: int | Iterable[int],
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> tuple[AgentInfo, ...]:
        """Return state and version of the agents of hosts; a host without one is not among them.

        *host_id_list* has 1 to 5000 numbers of hosts, *scope* owns the hosts. In `gateway-v3` with `system=True`.
        Raises a `CallFailed`. Document: `query_agent_info`.

        >>> [(agent.bk_host_id, agent.status) for agent in system.query_agent_info([1, 2])]
        [(1, 1), (2, 1)]
        """
        return self._thread.run(
            self._client.query_agent_info(host_id_list, scope=scope, request_timeout=request_timeout)
        )

    def get_file_source_detail(
        self, code: str, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> StoredFileSource:
        """Return a file source.

        *code* names it, *scope* owns it. In `gateway-v3`. Raises a `CallFailed`: `NotFound` for an unknown one.
        Document: `get_file_source_detail`.

        >>> source = client.get_file_source_detail("releases")
        >>> source.alias, source.file_source_type_code
        ('releases', 'BLUEKING_ARTIFACTORY')
        """
        return self._thread.run(
            self._client.get_file_source_detail(code, scope=scope, request_timeout=request_timeout)
        )

    @hide_call_arguments
    def create_job_plan(
        self,
        job_template_id: int,
        name: str,
        *,
        enable_steps: int | Iterable[int] = (),
        variables: GlobalVarsLike = (),
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobPlan:
        """Create a plan of a template; it is sent once.

        *job_template_id* is the template, *name* the name of the plan, which no other plan of the template has.
        *enable_steps* has the numbers of the template's steps that the plan has, by default all. *variables* are
        values as `execute_job_plan` takes them; a `GlobalVar` with a name alone follows the template. *scope*
        owns both. In `gateway-v4`. Raises a `CallFailed`: `NotFound` for an unknown template, `OutcomeUnknown`
        when there is no clear response. Document: `create_job_plan`.

        >>> plan = v4.create_job_plan(100, "release of tonight", variables={"version": "1.3"})
        >>> plan.name, plan.job_template_id
        ('release of tonight', 100)
        """
        return self._thread.run(
            self._client.create_job_plan(
                job_template_id,
                name,
                enable_steps=enable_steps,
                variables=variables,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def get_job_template_detail(
        self, id: int, *, scope: Scope | None = None, request_timeout: float | None = None
    ) -> JobTemplate:
        """Return a job template with all of its steps and its global variables.

        Scripts are plain text. *id* is its number, *scope* owns it. In `gateway-v4`. Raises a `CallFailed`:
        `NotFound` for an unknown one. Document: `get_job_template_detail`.

        >>> template = v4.get_job_template_detail(100)
        >>> template.name, [variable.name for variable in template.global_vars]
        ('usual jobs', ['hosts', 'version'])
        """
        return self._thread.run(
            self._client.get_job_template_detail(id, scope=scope, request_timeout=request_timeout)
        )

    def get_user_authorized_scopes(
        self, *, length: int = USUAL_PAGE, request_timeout: float | None = None
    ) -> PagedList[AuthorizedScope]:
        """Return the scopes that the user may use, for `for`; those that the user has marked come first.

        *length* is that of a page, 200 at most. In `gateway-v4`. Raises a `CallFailed` when iterated. Document:
        `get_user_authorized_scopes`.

        >>> [(str(each.scope), each.favor) for each in v4.get_user_authorized_scopes()]
        [('2', True), ('biz_set:3', False)]
        """
        return PagedList(
            self._thread,
            self._client.get_user_authorized_scopes(length=length, request_timeout=request_timeout),
        )

    def get_step_instance_detail(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> StepDetail:
        """Return what a step does: script or files, account, hosts, timeout in seconds.

        *job_instance_id* names the step, or its job beside a *step_instance_id*. In `gateway-v3`. Raises a
        `CallFailed`, elsewhere `NotSupported`. Document: `get_step_instance_detail`.

        >>> detail = client.get_step_instance_detail(step)
        >>> detail.name, detail.script.timeout
        ('restart', 7200.0)
        """
        return self._thread.run(
            self._client.get_step_instance_detail(
                job_instance_id, step_instance_id, scope=scope, request_timeout=request_timeout
            )
        )

    def query_gse_task(
        self, step_instance_id: StepRef | int, *, request_timeout: float | None = None
    ) -> tuple[GseTask, ...]:
        """Return the agent's tasks behind a step, one for each batch of each execution.

        *step_instance_id* is a `StepRef` or the step's own id. In `gateway-v3` with `system=True`. Raises a
        `CallFailed`, elsewhere `NotSupported`. Document: `query_gse_task`.

        >>> [task.gse_task_id for task in system.query_gse_task(step)]
        ['GSETASK:30000000001:0:0']
        """
        return self._thread.run(
            self._client.query_gse_task(step_instance_id, request_timeout=request_timeout)
        )

    def query_job_instance(self, gse_task_id: str, *, request_timeout: float | None = None) -> GseTask:
        """Return which step of which job an agent's task belongs to.

        *gse_task_id* is the agent's id of the task. In `gateway-v3` with `system=True`. Raises a `CallFailed`,
        elsewhere `NotSupported`. Document: `query_job_instance`.

        >>> task = system.query_job_instance("GSETASK:30000000001:0:0")
        >>> print(task.ref)
        2:20000000001/30000000001
        """
        return self._thread.run(self._client.query_job_instance(gse_task_id, request_timeout=request_timeout))

    def generate_local_file_upload_url(
        self,
        file_name_list: str | Iterable[str],
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> tuple[LocalFileUpload, ...]:
        """Return where to PUT local files, and the paths that name them to `fast_transfer_file` afterwards.

        *scope* owns the files, *file_name_list* has their names. Send them with
        `FileSource(files=..., file_type=FileSourceType.LOCAL)`. The URLs carry credentials and do not show. In
        `esb-jobv3`, and in `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`.
        Document: `generate_local_file_upload_url`.

        >>> (upload,) = system.generate_local_file_upload_url("app.tar.gz")
        >>> upload.file_name, upload.path
        ('app.tar.gz', '2/00000000-0000-0000-0000-019b76daa800/admin/app.tar.gz')
        """
        return self._thread.run(
            self._client.generate_local_file_upload_url(
                file_name_list, scope=scope, request_timeout=request_timeout
            )
        )

    @hide_call_arguments
    def get_script_task_context(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        host: HostLike,
        execute_count: int = 0,
        batch: int | None = None,
        content: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> tuple[TaskContextField, ...]:
        """Return what a host was to run and what it logged as its error, as named fields.

        *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* has a `bk_host_id`, or is
        a container with its id; *content* is the part of its log to take as the error. *execute_count* is the
        execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without `system=True`. Raises a
        `CallFailed`, elsewhere `NotSupported`. Document: `get_script_task_context`.

        >>> fields = v4.get_script_task_context(step, host=2)
        >>> [field.name for field in fields]
        ['scriptType', 'scriptContent', 'secureParam', 'scriptParams', 'errorLog']
        """
        return self._thread.run(
            self._client.get_script_task_context(
                job_instance_id,
                step_instance_id,
                host=host,
                execute_count=execute_count,
                batch=batch,
                content=content,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def get_file_task_context(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        host: HostLike,
        mode: int,
        execute_count: int = 0,
        batch: int | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> tuple[TaskContextField, ...]:
        """Return which files could not be transferred at a host, as named fields.

        *job_instance_id* names the step, or its job beside a *step_instance_id*. *host* has a `bk_host_id`, or is
        a container with its id; *mode* is a `FileMode`, the side of the transfer. *execute_count* is the
        execution, from 0; *batch* that of a rolling step. In `gateway-v4`, without `system=True`. Raises a
        `CallFailed`, elsewhere `NotSupported`. Document: `get_file_task_context`.

        >>> sent = client.send_file("/etc/hosts", "/tmp/", 1, source=2)
        >>> fields = v4.get_file_task_context(sent.steps[0].ref, host=1, mode=bkjob.codes.FileMode.DOWNLOAD)
        >>> [field.name for field in fields]
        ['errorSource', 'uploadFileErrorData', 'downloadFileErrorData']
        """
        return self._thread.run(
            self._client.get_file_task_context(
                job_instance_id,
                step_instance_id,
                host=host,
                mode=mode,
                execute_count=execute_count,
                batch=batch,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def bkci_plugin_fast_execute_script(
        self,
        script_content: str | None,
        execute_target: TargetsLike,
        *,
        script_language: int | None = None,
        script_param: str | None = None,
        script_id: str | int | None = None,
        script_version_id: int | None = None,
        account_alias: str | None = None,
        account_id: int | None = None,
        timeout: int | None = None,
        is_param_sensitive: bool = False,
        task_name: str | None = None,
        callback_url: str | None = None,
        rolling_config: RollingConfig | None = None,
        windows_interpreter: str | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Run a script on hosts or containers; it is sent once. See `fast_execute_script`.

        *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends. *execute_target*
        names hosts or containers. *script_content* and *script_param* are plain text; or *script_id* or
        *script_version_id* names a stored script. *script_language* is a `ScriptLanguage`, SHELL unless given.
        *account_alias* or *account_id* names the account. *timeout* is the script's, in seconds.
        *is_param_sensitive* hides the parameters on the platform, *rolling_config* is a `RollingConfig`,
        *windows_interpreter* a path on Windows hosts.

        In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
        response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_execute_script`.

        >>> launch = system.bkci_plugin_fast_execute_script("uptime", [1, 2], account_alias="root")
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.bkci_plugin_fast_execute_script(
                script_content,
                execute_target,
                script_language=script_language,
                script_param=script_param,
                script_id=script_id,
                script_version_id=script_version_id,
                account_alias=account_alias,
                account_id=account_id,
                timeout=timeout,
                is_param_sensitive=is_param_sensitive,
                task_name=task_name,
                callback_url=callback_url,
                rolling_config=rolling_config,
                windows_interpreter=windows_interpreter,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    @hide_call_arguments
    def bkci_plugin_fast_transfer_file(
        self,
        file_source_list: FileSource | Iterable[FileSource],
        file_target_path: str,
        execute_object: TargetsLike,
        *,
        file_target_name: str | None = None,
        account_alias: str | None = None,
        account_id: int | None = None,
        transfer_mode: int | None = None,
        timeout: int | None = None,
        upload_speed_limit: int | None = None,
        download_speed_limit: int | None = None,
        task_name: str | None = None,
        callback_url: str | None = None,
        rolling_config: RollingConfig | None = None,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobLaunch:
        """Send files to hosts or containers; it is sent once. See `fast_transfer_file`.

        *scope* owns the job, *task_name* is its name, and *callback_url* is called when it ends.
        *file_source_list* holds `FileSource` values; *file_target_path* is a directory on the hosts or containers
        of *execute_object*, *file_target_name* renames a single file. *account_alias* or *account_id* names the
        account. *transfer_mode* is a `TransferMode`, *timeout* is the transfer's, in seconds;
        *upload_speed_limit* and *download_speed_limit* are megabytes per second. *rolling_config* is a
        `RollingConfig`.

        In `gateway-v3` with `system=True`. Raises a `CallFailed`: `OutcomeUnknown` when there is no clear
        response; elsewhere `NotSupported`. Document: `bkci_plugin_fast_transfer_file`.

        >>> source = bkjob.FileSource(files="/etc/hosts", server=2, account_alias="root")
        >>> launch = system.bkci_plugin_fast_transfer_file(source, "/tmp/", [1, 3], account_alias="root")
        >>> print(launch.ref)
        2:20000000002
        """
        return self._thread.run(
            self._client.bkci_plugin_fast_transfer_file(
                file_source_list,
                file_target_path,
                execute_object,
                file_target_name=file_target_name,
                account_alias=account_alias,
                account_id=account_id,
                transfer_mode=transfer_mode,
                timeout=timeout,
                upload_speed_limit=upload_speed_limit,
                download_speed_limit=download_speed_limit,
                task_name=task_name,
                callback_url=callback_url,
                rolling_config=rolling_config,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def bkci_plugin_get_job_instance_status(
        self,
        job_instance_id: JobRefLike,
        *,
        include_execute_object_task_result: bool = False,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobSnapshot:
        """Return a job's status and steps; with *include_execute_object_task_result* their hosts and containers.

        *job_instance_id* names the job. In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere
        `NotSupported`. Document: `bkci_plugin_get_job_instance_status`.

        >>> system.bkci_plugin_get_job_instance_status(job)
        <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
        """
        return self._thread.run(
            self._client.bkci_plugin_get_job_instance_status(
                job_instance_id,
                include_execute_object_task_result=include_execute_object_task_result,
                scope=scope,
                request_timeout=request_timeout,
            )
        )

    def bkci_plugin_batch_get_job_instance_execute_object_log(
        self,
        job_instance_id: RefLike,
        step_instance_id: int | None = None,
        *,
        hosts: HostLike | Iterable[HostLike],
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> StepLogs:
        """Return the logs of at most 500 hosts or containers of a step, all named by id.

        *job_instance_id* names the step, or its job beside a *step_instance_id*, *hosts* the hosts or containers.
        In `gateway-v3` with `system=True`. Raises a `CallFailed`, elsewhere `NotSupported`. Document:
        `bkci_plugin_batch_get_job_instance_execute_object_log`.

        >>> logs = system.bkci_plugin_batch_get_job_instance_execute_object_log(step, hosts=[1, 2])
        >>> [str(log.host) for log in logs.hosts]
        ['0:10.0.0.1', '0:10.0.0.2']
        """
        return self._thread.run(
            self._client.bkci_plugin_batch_get_job_instance_execute_object_log(
                job_instance_id, step_instance_id, hosts=hosts, scope=scope, request_timeout=request_timeout
            )
        )

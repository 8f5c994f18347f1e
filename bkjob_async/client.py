"""The client: what people import, plain verbs over everything below."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self

import aiohttp

from bkjob_async.dialects.base import Dialect
from bkjob_async.dialects.registry import dialect as dialect_named
from bkjob_async.engine.cadence import Cadence
from bkjob_async.engine.conditions import Condition
from bkjob_async.engine.limit import Limit
from bkjob_async.engine.retry import Retries
from bkjob_async.errors import (
    BkJobError,
    ClientClosed,
    NeverTrue,
    OutcomeUnknown,
    TargetLost,
    UsageError,
    WrongEventLoop,
)
from bkjob_async.model.credentials import Credentials
from bkjob_async.model.events import Finished, Lost, Trouble
from bkjob_async.model.operations import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    Operated,
    OperateStepInstance,
    Operation,
    R,
)
from bkjob_async.model.refs import JobRef, Ref, Scope, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.observe.observer import Observer
from bkjob_async.observe.to_logging import log
from bkjob_async.watch.stream import Watch
from bkjob_async.watch.watcher import Watcher
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.session import Session
from bkjob_async.wire.transport import Transport

Deadline = float | timedelta | None


def connect(
    url: str,
    credentials: Credentials,
    *,
    dialect: str | Dialect = "gateway-v3",
    scope: Scope | None = None,
    request_timeout: float = 30.0,
    max_in_flight: int = 32,
    requests_per_second: float | None = None,
    interval: float | None = None,
    retries: Retries | None = None,
    http: HttpOptions | None = None,
    session: aiohttp.ClientSession | None = None,
    transport: Transport | None = None,
    observers: Iterable[Observer] = (),
) -> JobClient:
    """Return a client of the platform at *url*; open it with `async with`.

    *url* is the gateway's stage (`https://bkapi.example.com/api/bk-job/prod`) or the ESB's root
    (`https://paas.example.com`); *dialect* one of `gateway-v3`, `esb-job`, … or a dialect of your own. *scope* is
    the default where a bare job id is given. *request_timeout* is seconds for one call, once it is under way.
    *max_in_flight* and *requests_per_second* bound all requests of this client together. *interval* fixes the seconds
    between two looks at a job; without it the platform's own rhythm is followed. A lent aiohttp *session* is never
    closed; *transport* replaces HTTP altogether.
    Raises `UsageError` for what cannot work.
    """
    if session is not None and transport is not None:
        raise UsageError("give a session or a transport, not both")
    return JobClient(
        Session(
            url,
            transport=transport or AiohttpTransport(http, session=session),
            dialect=dialect_named(dialect) if isinstance(dialect, str) else dialect,
            credentials=credentials,
            limit=Limit(max_in_flight=max_in_flight, rate=requests_per_second),
            retries=retries,
            request_timeout=request_timeout,
        ),
        scope=scope,
        cadence=Cadence(interval=interval),
        workers=max_in_flight,
        observers=(log, *observers),
    )


class JobClient:
    """A client of one platform, in one event loop; see `connect`.

    Platform operations keep the platform's names and parameters. A few verbs above them do what people want in one
    line. It may be opened in one task and closed in another.
    """

    def __init__(
        self,
        session: Session,
        *,
        scope: Scope | None,
        cadence: Cadence,
        workers: int,
        observers: Iterable[Observer],
    ) -> None:
        """Join the parts; `connect` is the way to make one."""
        self.scope = scope
        self._session = session
        self._watcher = Watcher(session, cadence=cadence, workers=workers, observers=observers)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._loop else "new"
        return f"<JobClient {state}: {self._session.dialect.name} at {self._session.base_url}>"

    # Opening and closing --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._closed or self._loop is not None:
            raise ClientClosed("a client is opened once; make another with connect()")
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every watch and let go of connections; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._watcher.aclose()
        finally:
            await self._session.aclose()

    def _check(self) -> None:
        """Refuse what cannot work: not open, another loop, another process."""
        if self._closed:
            raise ClientClosed("the client is closed; make another with connect()")
        if self._loop is None:
            raise ClientClosed("open the client first: async with bkjob_async.connect(...) as client")
        if os.getpid() != self._pid:
            raise WrongEventLoop("the process was forked; connect() anew in the child")
        if asyncio.get_running_loop() is not self._loop:
            raise WrongEventLoop("the client belongs to another event loop; connect() once per loop")

    # Naming things --------------------------------------------------------------------------------------------------

    def job(self, job: JobRef | int, *, scope: Scope | None = None) -> JobRef:
        """Name a job instance; a bare id is in *scope* or the client's own."""
        if isinstance(job, JobRef):
            return job
        return JobRef(self._scope(scope), job)

    def step(
        self, job: StepRef | JobRef | int, step_instance_id: int | None = None, *, scope: Scope | None = None
    ) -> StepRef:
        """Name a step instance, by a ref or by job and step id."""
        if isinstance(job, StepRef):
            return job
        if step_instance_id is None:
            raise UsageError("a step needs a StepRef, or a job and a step_instance_id")
        return self.job(job, scope=scope).step(step_instance_id)

    def _scope(self, scope: Scope | None) -> Scope:
        chosen = scope or self.scope
        if chosen is None:
            raise UsageError("a bare id needs a scope: give one here, or to connect()")
        return chosen

    # Platform operations --------------------------------------------------------------------------------------------

    async def call(self, operation: Operation[R], *, request_timeout: float | None = None) -> R:
        """Carry *operation* to the platform and return its typed answer; raise a `CallFailed`."""
        self._check()
        return await self._session.call(operation, request_timeout=request_timeout)

    async def get_job_instance_status(
        self,
        job_instance_id: JobRef | int,
        *,
        return_ip_result: bool = False,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> JobSnapshot:
        """Return a job's status and steps; with *return_ip_result* all hosts of their latest executions.

        Raises a `CallFailed`. Documents: `get_job_instance_status`.
        """
        ref = self.job(job_instance_id, scope=scope)
        question = GetJobInstanceStatus(ref=ref, return_ip_result=return_ip_result)
        return await self.call(question, request_timeout=request_timeout)

    async def get_step_instance_status(
        self,
        job_instance_id: StepRef | JobRef | int,
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

        *batch* 0 is all batches of a rolling step, None the latest only. *status* and *tag* name the one group whose
        hosts are listed; *max_host_num_per_group* cuts each list.
        Raises a `CallFailed`. Documents: `get_step_instance_status`.
        """
        question = GetStepInstanceStatus(
            ref=self.step(job_instance_id, step_instance_id, scope=scope),
            execute_count=execute_count,
            batch=batch,
            max_host_num_per_group=max_host_num_per_group,
            keyword=keyword,
            search_ip=search_ip,
            status=status,
            tag=tag,
        )
        return await self.call(question, request_timeout=request_timeout)

    async def operate_step_instance(
        self,
        job_instance_id: StepRef | JobRef | int,
        step_instance_id: int | None = None,
        operation_code: int | None = None,
        *,
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> Operated:
        """Retry, ignore, confirm, skip a step; *operation_code* is a `StepOperation` or an int.

        It goes out once. Watches and waits of this client look again at once, and take a final status for provisional
        until it changes. Raises a `CallFailed`, `OutcomeUnknown` when no clear answer came back.
        Documents: `operate_step_instance`.
        """
        if operation_code is None:
            raise UsageError("operate_step_instance needs an operation_code")
        ref = self.step(job_instance_id, step_instance_id, scope=scope)
        command = OperateStepInstance(ref=ref, operation_code=operation_code)
        return await self._operate(command, ref, request_timeout)

    async def _operate(self, command: Operation[R], ref: Ref, request_timeout: float | None) -> R:
        """Send a command, and look at its target again if it can have happened."""
        self._check()
        try:
            answer = await self._session.call(command, request_timeout=request_timeout)
        except OutcomeUnknown:
            self._watcher.operated(ref)
            raise
        self._watcher.operated(ref)
        return answer

    # Verbs ----------------------------------------------------------------------------------------------------------

    def watch(
        self, refs: Iterable[Ref] | Ref, *, deadline: Deadline = None, linger: float | None = 0.0
    ) -> Watch:
        """Watch jobs and steps; `async with` the watch, then iterate it.

        *deadline* is seconds from its opening: then its iterators deliver what there is and raise `DeadlineExceeded`.
        The watch ends *linger* seconds after all targets have settled; None keeps it open until it is left.
        """
        self._check()
        targets = (refs,) if isinstance(refs, JobRef | StepRef) else tuple(refs)
        return Watch(self._watcher, targets, deadline=seconds(deadline), linger=linger)

    async def wait(self, ref: Ref, *, until: Condition | None = None, deadline: Deadline = None) -> JobResult:
        """Wait until a job or step is over; return how it ended, well or not.

        With *until* (`HostsDone`, `FirstFailure`, or a condition of your own) it returns as soon as that is true, with
        the result so far. Raises `NeverTrue` when it no longer can be, `DeadlineExceeded` with the last snapshot,
        `TargetLost` when the target cannot be read any more, and the error itself when credentials do not work before
        anything was seen. The job is never touched.
        """
        async with self.watch(ref, deadline=deadline) as watch:
            async for batch in watch.batches():
                for event in batch.events:
                    if isinstance(event, Lost):
                        raise TargetLost(ref, event.reason.value, event.message)
                    if isinstance(event, Trouble) and watch.snapshot(ref) is None:
                        self._raise_if_hopeless()
                ended = [e.result for e in batch.events if isinstance(e, Finished) and e.ref == ref]
                result = reached(watch, ref, until, ended)
                if result is not None:
                    return result
        raise BkJobError(f"the watch of {ref} ended without a result")

    def _raise_if_hopeless(self) -> None:
        error = self._watcher.client_error
        if error is not None:
            raise error


def seconds(deadline: Deadline) -> float | None:
    """Return a deadline in seconds; raise `UsageError` for one that is not positive."""
    if deadline is None:
        return None
    value = deadline.total_seconds() if isinstance(deadline, timedelta) else float(deadline)
    if not value > 0:
        raise UsageError("a deadline is a positive number of seconds")
    return value


def reached(watch: Watch, ref: Ref, until: Condition | None, ended: list[JobResult]) -> JobResult | None:
    """Return the result that a wait is over with, None while it goes on; raise `NeverTrue`."""
    if until is None:
        return ended[-1] if ended else None
    holds = until.holds(watch.counts(ref), over=bool(ended))
    if holds is None and ended:
        raise NeverTrue(ended[-1], repr(until))
    return watch.progress(ref) if holds else None

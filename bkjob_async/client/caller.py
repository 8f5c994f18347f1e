"""The base of a client: resolves refs, sends operations, and has the jobs polled that they change."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, overload

from attrs import field, frozen, validators
from msgspec.structs import replace

from bkjob_async.client.lifetime import Lifetime
from bkjob_async.client.operation_reports import reported
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.errors import InvalidRequest, OutcomeUnknown, UsageError
from bkjob_async.model.base_error import check_number, check_type, in_range, one_of
from bkjob_async.model.operations.base import (
    OperateJobInstance,
    OperateStepInstance,
    Operation,
    R,
    StepOperation,
    check_fields,
)
from bkjob_async.model.operations.launches import PushConfigFile
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.operations.responses import Envelope, JobLaunch
from bkjob_async.model.ref_input import JobRefLike, RefLike, as_job_ref, as_ref, as_step_ref
from bkjob_async.model.refs import JobRef, Ref, Scope, StepRef, check_optional_scope
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.wire.base_url import readable_url
from bkjob_async.wire.credentials import CredentialsCache, CredentialsSource, PerCall
from bkjob_async.wire.session import Session
from bkjob_async.wire.tracebacks import hide_arguments

P = ParamSpec("P")
T = TypeVar("T")

Priority = Literal["urgent", "background"]
# Words in the platform's messages that reject a callback URL, in its languages.
CALLBACK_WORDS = ("callback", "回调")
# After one of these was accepted, a step that waits for a user waits anew.
CONFIRMATIONS = frozenset(
    {StepOperation.CONFIRM_CONTINUE, StepOperation.RESTART_CONFIRM, StepOperation.ROLLING_CONTINUE}
)
SCOPE_KEYS = frozenset({"bk_scope_type", "bk_scope_id", "bk_biz_id"})


@frozen(kw_only=True)
class CallOptions:
    """How a view of a client sends its requests; None means as the client does."""

    request_timeout: float | None = field(
        default=None, validator=validators.optional(in_range(0, whole=False, above=True))
    )
    retries: Retries | None = None
    priority: Priority = field(default="urgent", validator=one_of(("urgent", "background")))
    credentials: CredentialsCache | PerCall | None = field(default=None, repr=False)


class Caller:
    """Sends operations, and names jobs and steps; every method of a client is a function of a `Caller`."""

    def __init__(
        self,
        session: Session,
        poller: Poller,
        *,
        scope: Scope | None,
        callbacks: CallbackReceiver | None = None,
    ) -> None:
        """Create a caller of its parts; `connect` does so."""
        self._callbacks = callbacks
        self.scope = scope
        self._session = session
        self._poller = poller
        self._lifetime = Lifetime()
        self._options = CallOptions()
        self._is_view = False

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
        >>> await patient.get_job_instance_status(job)
        <JobSnapshot 2:20000000001 FAIL 'restart nginx' 1 step: 30000000001 FAIL>
        """
        check_optional_scope(scope)
        check_type("retries", retries, Retries | None, "retries=Retries(attempts=3)")
        old = self._options
        view = copy.copy(self)
        view._options = build(
            CallOptions,
            request_timeout=old.request_timeout if request_timeout is None else request_timeout,
            retries=retries or old.retries,
            priority=priority or old.priority,
            credentials=old.credentials if credentials is None else self._credentials_of(credentials),
        )
        view.scope = scope or self.scope
        view._is_view = True
        return view

    def _credentials_of(self, source: CredentialsSource | PerCall) -> CredentialsCache | PerCall:
        return source if isinstance(source, PerCall) else self._session.credentials_of(source)

    # Naming things --------------------------------------------------------------------------------------------------

    def job(self, job: JobRefLike, *, scope: Scope | None = None) -> JobRef:
        """Name a job instance; the default scope is *scope*, else the client's.

        *job* is a `JobRef`, a job id, text such as `"2:100"`, a link of the web console, or what a launch returned.
        Raises `UsageError` for anything else.

        >>> print(client.job(100), client.job("https://job.example.com/api_execute/100"))
        2:100 2:100
        """
        return as_job_ref(job, self._scope(scope))

    def step(
        self, job: RefLike, step_instance_id: int | None = None, *, scope: Scope | None = None
    ) -> StepRef:
        """Name a step instance, by itself or by job and step id; the default scope is *scope*, else the client's.

        *job* is anything that `job` takes, or a `StepRef`, text such as `"2:100/200"`, a link to a step, or what a
        quick launch returned. Raises `UsageError` for anything else.

        >>> print(client.step(100, 200), client.step("2:100/200"))
        2:100/200 2:100/200
        """
        return as_step_ref(job, step_instance_id, self._scope(scope))

    def _ref(self, value: RefLike) -> Ref:
        return as_ref(value, self.scope)

    def _scope(self, scope: Scope | None) -> Scope | None:
        """Return *scope*, else the client's."""
        check_optional_scope(scope)
        return scope or self.scope

    def _needed_scope(self, scope: Scope | None) -> Scope:
        chosen = self._scope(scope)
        if chosen is None:
            raise UsageError("a scope is needed: pass scope=, here or to connect()")
        return chosen

    # Calls ----------------------------------------------------------------------------------------------------------

    @overload
    async def call(self, operation: Operation[R], *, request_timeout: float | None = None) -> R: ...
    @overload
    async def call(
        self,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        method: Literal["GET", "POST"] = "POST",
        scope: Scope | None = None,
        request_timeout: float | None = None,
    ) -> Any: ...
    @hide_arguments
    async def call(
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

        >>> data = await client.call("get_job_instance_status", {"job_instance_id": 20000000001}, method="GET")
        >>> data["finished"]
        True
        """
        request = self._named(operation, parameters, method, scope)
        return await self._send(request, request_timeout)

    @hide_arguments
    async def call_raw(
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

        >>> envelope = await client.call_raw("get_job_instance_status", {"job_instance_id": 20000000001}, method="GET")
        >>> envelope.http_status, envelope.data["finished"]
        (200, True)
        """
        request = self._named(operation, parameters, method, scope)
        envelope: Envelope = await self._send(request, request_timeout, is_raw=True)
        return envelope

    def _named(
        self,
        operation: Operation[Any] | str,
        parameters: Mapping[str, Any] | None,
        method: Literal["GET", "POST"],
        scope: Scope | None,
    ) -> Operation[Any]:
        check_type("operation", operation, str | Operation, "'get_job_instance_status'")
        if not isinstance(operation, str):
            if parameters is not None or scope is not None:
                raise UsageError(
                    "an operation has its own parameters; pass parameters and scope only with the name of one"
                )
            return operation
        check_type("parameters", parameters, Mapping | None, "{'job_instance_id': 100}")
        given = dict(parameters or {})
        chosen = self._scope(scope)
        where = None if SCOPE_KEYS & given.keys() else chosen
        return build(RawCall, name=operation, parameters=given, method=method, scope=where)

    def _callback_url(self, given: str | None, launch: type[Operation[Any]]) -> str | None:
        """Return the URL that the platform is to call back when what *launch* starts ends, None for none."""
        # The oldest dialect cannot call back about configuration files; the receiver of the client is no reason to refuse
        # them.
        can_call_back = (
            launch is not PushConfigFile or self._session.dialect.capabilities.config_file_callback
        )
        if given is None and self._callbacks is not None and can_call_back:
            return self._callbacks.url()
        return given or None

    async def _call(self, operation: Operation[R], request_timeout: float | None) -> R:
        """Send an operation and return its typed result."""
        answer: R = await self._send(operation, request_timeout)
        return answer

    async def _send(
        self, operation: Operation[Any], request_timeout: float | None, *, is_raw: bool = False
    ) -> Any:
        """Send an operation; poll its target at once if it may have been carried out."""
        self._lifetime.check()
        check_fields(operation)
        if request_timeout is not None:
            check_number("request_timeout", request_timeout, 0, whole=False, above=True)
        options = self._options
        changed = target_of(operation)
        waits = None if changed is None else self._poller.waits_of(changed)
        credentials = options.credentials
        if isinstance(credentials, PerCall):
            credentials = self._session.credentials_of(credentials.provider)
        try:
            answer = await reported(
                self._session.observe,
                operation,
                self._session.call(
                    operation,
                    request_timeout=options.request_timeout if request_timeout is None else request_timeout,
                    retries=options.retries,
                    urgent=options.priority == "urgent",
                    credentials=credentials,
                    is_raw=is_raw,
                ),
            )
        except InvalidRequest as error:
            said = about_callback(operation, error)
            if said is None:
                raise
            failure = type(error)(replace(error.details, message=said))
        except (OutcomeUnknown, asyncio.CancelledError):
            if changed is not None:
                self._poller.on_operation(changed)
            raise
        else:
            if changed is not None:
                self._poller.on_operation(changed, confirms=ends_wait(operation), waits=waits)
            elif isinstance(answer, JobLaunch):
                self._poller.on_launch(answer.ref)
            return answer
        raise failure


def about_callback(operation: Operation[Any], error: InvalidRequest) -> str | None:
    """Return the message for a launch whose callback URL was rejected, None for another error.

    Platforms may have a list of allowed URLs, and reject a launch with another. The last part of the path and
    the query may be secrets, and are hidden.
    """
    given = getattr(operation, "callback_url", None)
    text = error.details.message.lower()
    if not given or not any(word in text for word in CALLBACK_WORDS):
        return None
    url = readable_url(given)
    shown: object = "one without a host that can be read"
    if url is not None and url.host:
        shown = url.with_user(None).with_query(None).with_fragment(None).parent / "***"
    return (
        f"{error.details.message}: the callback URL is {shown}; have the platform's administrator allow it,"
        " or launch without a callback: callback_url=''"
    )


def target_of(operation: Operation[Any]) -> Ref | None:
    """Return the job or step that *operation* may restart, None where it does not change an existing one."""
    if isinstance(operation, OperateStepInstance | OperateJobInstance):
        return operation.ref
    if isinstance(operation, RawCall) and not operation.repeatable and operation.scope is not None:
        job = operation.parameters.get("job_instance_id")
        return JobRef(operation.scope, job) if type(job) is int and job > 0 else None
    return None


def ends_wait(operation: Operation[Any]) -> bool:
    """Return True if the platform accepts *operation* only while the step waits for a user, or has refused to wait on."""
    return isinstance(operation, OperateStepInstance) and operation.operation_code in CONFIRMATIONS


def build(make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what *make* returns; its TypeError or ValueError becomes a `UsageError`."""
    try:
        return make(*args, **kwargs)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
        raise UsageError(reason) from error


Method = Callable[Concatenate[Caller, P], Coroutine[Any, Any, T]]


def surrounded(method: Method[P, T]) -> Method[P, T]:
    """Let observers surround each call of *method*, which may send several requests, under its name."""
    verb = method.__name__

    @wraps(method)
    async def called(client: Caller, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with client._session.observe.around(verb):
            return await method(client, *args, **kwargs)

    return called

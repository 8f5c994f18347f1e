"""Create a client, with the dialect, limits and transport that its options name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from importlib import import_module
from typing import Any, Literal

import aiohttp
from attrs import evolve
from yarl import URL

from bkjob_async.client.client import JobClient
from bkjob_async.client.limits import USUAL_TIMEOUT, check_positive
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import OptionTypes, WrongType, check_options, kind_of
from bkjob_async.model.refs import Scope, check_optional_scope
from bkjob_async.model.request_limit import RequestLimit
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import Observer
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.wire.aiohttp_transport import AiohttpTransport, HttpOptions
from bkjob_async.wire.credentials import CredentialsSource
from bkjob_async.wire.session import Session
from bkjob_async.wire.transport import Transport


def connect(
    url: str | None = None,
    credentials: CredentialsSource | None = None,
    *,
    profile: str | None = None,
    dialect: str | Dialect | None = None,
    scope: Scope | None = None,
    request_timeout: float = USUAL_TIMEOUT,
    max_in_flight: int = 32,
    requests_per_second: float | None = None,
    interval: float | None = None,
    target_lag: float | None = None,
    duration_stats: Mapping[str, Any] | None = None,
    callbacks: CallbackReceiver | None = None,
    retries: Retries | None = None,
    timezone: tzinfo | None = None,
    tenant: str | None = None,
    language: str | None = None,
    system: bool | None = None,
    acting_user: str | None = None,
    credentials_in: Literal["header", "body"] | None = None,
    http: HttpOptions | None = None,
    session: aiohttp.ClientSession | None = None,
    transport: Transport | None = None,
    observers: Iterable[Observer] = (),
    name: str | None = None,
) -> JobClient:
    """Return a client of the platform at *url*; open it with `async with`.

    >>> credentials = bkjob.AppCredentials(bk_app_code="ops", bk_app_secret="...", bk_username="admin")
    >>> bkjob.connect("https://bkapi.example.com/api/bk-job/prod", credentials, scope=bkjob.Scope.biz(2))
    <JobClient new: gateway-v3 at https://bkapi.example.com/api/bk-job/prod>

    Without *url* or *credentials*, or with the name of a *profile*, what is not given is read from where the command line
    reads it: from the environment (`BKJOB_URL`, `BKJOB_APP_CODE`, `BKJOB_APP_SECRET` and so on), then from that
    profile or the default one. So are dialect, scope, tenant, CA file, proxy, *request_timeout* and the limit of requests;
    what is given wins. A profile's program or keyring is asked for a secret at the first call.
    With both, and without a *profile*, nothing is read.

    *url* is the gateway's stage (`https://bkapi.example.com/api/bk-job/prod`) or the ESB's root
    (`https://paas.example.com`); *dialect* one of `gateway-v3` (the usual one), `gateway-v4`, `esb-jobv3`, `esb-job`, or a
    dialect of your own. *credentials* are `AppCredentials` or an `AccessToken`, or an async callable that
    returns them: it is called once for all calls, at first use, in the context of this call, and again when the
    platform rejects its credentials. Those of the caller of each call are an option of `with_options`. *scope* is
    the default where a bare job id is given. *request_timeout* is seconds for one attempt, once it is sent.
    *max_in_flight* and *requests_per_second* limit all requests of this client together; where a response
    takes L seconds, at most *max_in_flight* / L requests a second are possible. *retries* says how reads are
    retried.

    A job is polled when a change is likely: at the platform's own rhythm while nothing is known of it, less
    often while earlier runs of the same name show that it will not end soon. Where *requests_per_second* does
    not suffice, the jobs most likely to have ended are polled first. With *target_lag* there are as few polls
    as are needed to see ends so many seconds late on average; *interval* sets the seconds between two polls
    instead. *duration_stats* is what `client.export_durations()` returned before. With *callbacks*, a
    receiver with a base URL, every launch has a callback URL, and each callback makes all watches and waits
    of that job poll it.

    *timezone* is that of times without one; *tenant* (`X-Bk-Tenant-Id`) and *language* (`en`, `zh-cn`) go
    into headers. Gateways: *system* calls the `/system/` twins, for *acting_user* where given. ESB:
    *credentials_in* puts credentials into `header` or `body`. *http* has TLS, client certificates, proxy and
    further headers. An aiohttp *session* that is passed is never closed; *transport* replaces HTTP
    altogether. *observers* receive what happens inside the client (see `Observer`); *name* is what they, logs
    and metrics call it, by default its dialect's name. Raises `UsageError` for arguments that cannot work.
    """
    check_options(
        OPTIONS,
        profile=profile,
        dialect=dialect,
        callbacks=callbacks,
        retries=retries,
        http=http,
        session=session,
        name=name,
    )
    check_optional_scope(scope)
    check_transport(transport)
    if session is not None and transport is not None:
        raise UsageError("give a session or a transport, not both")
    if url is None or credentials is None or profile is not None:
        # Profiles take a while to import; most programs have none.
        read = import_module("bkjob_async.configuration.connecting").from_settings
        credentials, found = read(url, credentials, profile, http)
        url, scope, tenant = found["url"], scope or found["scope"], tenant or found["tenant"]
        dialect, http = dialect or found["dialect"], found["http"]
        if request_timeout is USUAL_TIMEOUT:
            request_timeout = found["request_timeout"] or USUAL_TIMEOUT
        if requests_per_second is None:
            requests_per_second = found["requests_per_second"]
    dialect = dialect or "gateway-v3"
    assert url is not None  # noqa: S101 - settings without one raise
    assert credentials is not None  # noqa: S101
    check_url(url)
    check_positive(
        request_timeout=request_timeout,
        max_in_flight=max_in_flight,
        requests_per_second=requests_per_second,
        interval=interval,
        target_lag=target_lag,
    )
    if interval is not None and target_lag is not None:
        raise UsageError("give an interval or a target_lag, not both")
    if callbacks is not None and not callbacks.base:
        raise UsageError(
            "the client's callback receiver needs the URL at which the platform reaches it: CallbackReceiver(base=...)"
        )
    options = {
        "timezone": timezone,
        "tenant": tenant,
        "language": language,
        "system": system,
        "acting_user": acting_user,
        "credentials_in": credentials_in,
    }
    given = {option: value for option, value in options.items() if value is not None}
    own_dialect = make_dialect(dialect, given)
    at_once = in_flight(max_in_flight, http, session)
    bound_by = RequestLimit.MAX_IN_FLIGHT if at_once == max_in_flight else RequestLimit.CONNECTIONS
    limit = RateLimiter(max_in_flight=at_once, rate=requests_per_second, bound_by=bound_by)
    own_session = Session(
        url,
        transport=transport
        or AiohttpTransport(evolve(http or HttpOptions(), connections=at_once), session=session),
        dialect=own_dialect,
        credentials=credentials,
        limit=limit,
        retries=retries,
        request_timeout=request_timeout,
        observe=ObserverDispatch(observers, client=own_dialect.name if name is None else name),
    )
    durations = DurationTable.imported(duration_stats) if duration_stats is not None else DurationTable()
    poll_planner = PollPlanner(PollIntervals(interval=interval, target_lag=target_lag), durations)
    poller = Poller(own_session, poll_planner=poll_planner)
    return JobClient(own_session, poller, scope=scope, callbacks=callbacks)


# What `connect` takes of each class, and how that is written.
OPTIONS: OptionTypes = {
    "profile": (str, "profile='prod'"),
    "dialect": (str | Dialect, "dialect='gateway-v3'"),
    "callbacks": (CallbackReceiver, "callbacks=CallbackReceiver(base=...)"),
    "retries": (Retries, "retries=Retries(attempts=3)"),
    "http": (HttpOptions, "http=HttpOptions(proxy=...)"),
    "session": (aiohttp.ClientSession, "session=aiohttp.ClientSession()"),
    "name": (str, "name='billing'"),
}


def check_transport(transport: object) -> None:
    """Raise `UsageError` for a transport that has no methods of one."""
    methods = (getattr(transport, name, None) for name in ("send", "aclose"))
    if transport is not None and (isinstance(transport, type) or not all(map(callable, methods))):
        raise WrongType(
            f"transport must have the methods send and aclose of a Transport, not {kind_of(transport)}"
        )


def check_url(url: object) -> None:
    """Raise `UsageError` for a URL that is no text, as a missing variable of the environment is."""
    if not isinstance(url, str | URL):
        raise WrongType(f"the URL must be a text, not {type(url).__name__}")


def in_flight(most: int, http: HttpOptions | None, session: aiohttp.ClientSession | None) -> int:
    """Return the limit of requests in flight: *most*, or the number of connections.

    A request that waits for a connection would use up its own timeout.
    """
    bounds = [most]
    if session is not None and session.connector is not None:
        # All requests go to one host. 0 is no limit.
        bounds += filter(None, (session.connector.limit, session.connector.limit_per_host))
    elif http is not None and http.connections is not None:
        bounds.append(http.connections)
    return min(bounds)


def make_dialect(dialect: str | Dialect, options: dict[str, Any]) -> Dialect:
    """Return the dialect of this name with its options; a dialect object takes none."""
    if isinstance(dialect, str):
        return dialect_by_name(dialect, **options)
    if options:
        raise UsageError(f"give {', '.join(options)} to the dialect itself: it is made already")
    return dialect

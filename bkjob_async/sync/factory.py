"""Create a client of the twin; written by `python -m tests.generate`: change bkjob_async/client/factory.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, Literal

from bkjob_async.client import factory
from bkjob_async.client.limits import USUAL_TIMEOUT
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.model.refs import Scope
from bkjob_async.observe.observer import Observer
from bkjob_async.sync.client import JobClient
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.wire.aiohttp_transport import HttpOptions
from bkjob_async.wire.credentials import CredentialsSource
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
    transport: Transport | None = None,
    observers: Iterable[Observer] = (),
    name: str | None = None,
) -> JobClient:
    """Return a client of the platform at *url*; open it with `with`, or use it and `close` it.

    >>> credentials = bkjob.AppCredentials(bk_app_code="ops", bk_app_secret="...", bk_username="admin")
    >>> bkjob_async.sync.connect("https://bkapi.example.com/api/bk-job/prod", credentials, scope=bkjob.Scope.biz(2))
    <synchronous JobClient new: gateway-v3 at https://bkapi.example.com/api/bk-job/prod>

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
    further headers. *transport* replaces HTTP altogether. *observers* receive what happens inside the client (see `Observer`); *name* is what they, logs
    and metrics call it, by default its dialect's name. They are called in the client's own thread.
    Raises `UsageError` for arguments that cannot work.
    """
    return JobClient(
        factory.connect(
            url,
            credentials,
            profile=profile,
            dialect=dialect,
            scope=scope,
            request_timeout=request_timeout,
            max_in_flight=max_in_flight,
            requests_per_second=requests_per_second,
            interval=interval,
            target_lag=target_lag,
            duration_stats=duration_stats,
            callbacks=callbacks,
            retries=retries,
            timezone=timezone,
            tenant=tenant,
            language=language,
            system=system,
            acting_user=acting_user,
            credentials_in=credentials_in,
            http=http,
            transport=transport,
            observers=observers,
            name=name,
        )
    )

"""Check the way to the platform, step by step: what is found, and who must act."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from time import monotonic

from aiohttp.helpers import get_env_proxy_for_url
from attrs import frozen
from yarl import URL

from bkjob_async.client.client import JobClient
from bkjob_async.client.factory import check_url, connect
from bkjob_async.client.probes import ProxyRefused, reach, resolve
from bkjob_async.configuration.connecting import from_settings
from bkjob_async.configuration.proxies import is_this_machine
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    BkJobError,
    InvalidRequest,
    InvalidResponse,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotSupported,
    PlatformTrouble,
    Throttled,
    TransportFailed,
    UsageError,
)
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import Envelope
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.wire.aiohttp_transport import HttpOptions
from bkjob_async.wire.base_url import checked_base_url
from bkjob_async.wire.credentials import CredentialsSource
from bkjob_async.wire.fast_http.pool import tls_context as usual_tls_context
from bkjob_async.wire.limits.rate_limit_headers import parse_rate_limit_headers

# A step that differs by more than this shows wrong times; tokens and certificates may be refused.
CLOCK_TOLERANCE = 5.0
CERTIFICATE_DAYS = 14
# What a call of an API that is granted may raise for a job that is not there.
FROM_BEHIND_THE_GATEWAY = (InvalidRequest, NotAllowed, NotFound, NotSupported, PlatformTrouble)


class FindingState(StrEnum):
    """How a step of a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@frozen
class Finding:
    """One step of the way to the platform, as `check` found it.

    *step* names it (`settings`, `DNS`, `TLS`, `credentials` and so on), *state* is a `FindingState`, *text* what was
    found, *act* who must do what, "" for nobody.
    """

    step: str
    state: FindingState
    text: str
    act: str = ""


@frozen(kw_only=True)
class Way:
    """The way to a platform: its *url*, and what `connect` is given beside it; *client* makes a client when it is needed."""

    url: str
    dialect: str = "gateway-v3"
    scope: Scope | None = None
    rate: float | None = None
    http: HttpOptions | None = None
    client: Callable[[], JobClient]


async def check(
    url: str | None = None,
    credentials: CredentialsSource | None = None,
    *,
    profile: str | None = None,
    dialect: str | Dialect = "gateway-v3",
    scope: Scope | None = None,
    requests_per_second: float | None = None,
    http: HttpOptions | None = None,
) -> tuple[Finding, ...]:
    """Check the way to the platform step by step; return what each step found, and who must act.

    Arguments are those of `connect`; what is not given is read as `connect` reads it. It looks at name, proxy, TLS and clock,
    and sends three calls with the credentials where a *scope* is known. It ends behind the first step that failed.
    Raises `UsageError` where settings are missing or wrong.
    """
    if url is None or credentials is None or profile is not None:
        credentials, found = from_settings(url, credentials, profile, http)
        url = str(found["url"])
        dialect = found["dialect"] if dialect == "gateway-v3" else dialect
        scope, http = scope or found["scope"], found["http"]
        requests_per_second = requests_per_second or found["requests_per_second"]
    check_url(url)
    used = url, credentials
    way = Way(
        url=url,
        dialect=dialect if isinstance(dialect, str) else dialect.name,
        scope=scope,
        rate=requests_per_second,
        http=http,
        client=lambda: connect(
            *used, dialect=dialect, scope=scope, requests_per_second=requests_per_second, http=http
        ),
    )
    return tuple([finding async for finding in findings(way)])


async def findings(way: Way) -> AsyncIterator[Finding]:
    """Yield what each step of the way amounts to; end after the first that failed."""
    async for finding in on_the_network(way):
        yield finding
        if finding.state is FindingState.FAILED:
            return
    async for finding in at_the_platform(way):
        yield finding


async def on_the_network(way: Way) -> AsyncIterator[Finding]:
    """Yield what is found without credentials."""
    url = checked_base_url(way.url)
    host, is_tls = url.raw_host or "", url.scheme == "https"
    yield Finding("settings", FindingState.OK, f"{way.url} by {way.dialect}")
    proxy = await asyncio.to_thread(proxy_of, way)
    near = (host, url.port or (443 if is_tls else 80))
    if proxy is not None:
        at = URL(proxy)
        near = (at.host or "", at.port or 0)
        yield Finding("proxy", FindingState.OK, f"through {at.scheme}://{near[0]}:{near[1]}")
    try:
        addresses = await resolve(*near)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        what = "the URL (--url)" if proxy is None else "the proxy"
        act = f"you: correct {what}; else whoever runs the DNS of this machine"
        yield Finding("DNS", FindingState.FAILED, f"{near[0]}: {why}", act)
        return
    yield Finding("DNS", FindingState.OK, f"{near[0]} is {', '.join(addresses[:3])}")
    try:
        reached = await reach(url, tls_context(way) if is_tls else None, proxy)
    except ProxyRefused as error:
        yield proxy_finding(error.status)
        return
    except ssl.SSLCertVerificationError as error:
        act = "you: give the platform's own authority with --ca-file; else the platform's operators: correct the certificate"
        yield Finding("TLS", FindingState.FAILED, error.verify_message or str(error), act)
        return
    except ssl.SSLError as error:
        act = "you: correct --url; this port does not speak TLS as it must"
        yield Finding("TLS", FindingState.FAILED, error.reason or "it fails", act)
        return
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer within 10 s"
        act = "whoever runs the network and its firewalls between here and the platform, or the platform"
        yield Finding("connection", FindingState.FAILED, f"{near[0]}:{near[1]}: {why}", act)
        return
    now = datetime.now(UTC)
    if is_tls:
        yield certificate_finding(reached.tls, reached.certificate_ends, now)
    else:
        yield plain_finding(
            host,
            is_loopback=proxy is None and (is_this_machine(host) or all(map(is_this_machine, addresses))),
        )
    yield clock_finding(reached.date, now, reached.seconds)


def proxy_of(way: Way) -> str | None:
    """Return the proxy to the platform, None for the direct way; the client finds it in the same places."""
    http = way.http or HttpOptions()
    if http.proxy is not None or not http.trust_env:
        return http.proxy
    try:
        proxy, user = get_env_proxy_for_url(URL(way.url))
    except LookupError:
        return None
    return str(proxy if user is None else proxy.with_user(user.login).with_password(user.password))


def tls_context(way: Way) -> ssl.SSLContext:
    """Return how certificates are verified, as the client does."""
    given = (way.http or HttpOptions()).ssl
    return usual_tls_context(given) if isinstance(given, bool) else given


async def at_the_platform(way: Way) -> AsyncIterator[Finding]:
    """Yield what the first calls amount to: credentials, scope, permission, limits."""
    scope = way.scope
    if scope is None:
        act = "you: give --biz or --biz-set, or a default in the profile"
        yield Finding("scope", FindingState.WARNING, "none was given; nothing was called", act)
        return
    try:
        async with way.client() as client:
            began = monotonic()
            envelope = await first_call(client, scope, way)
            took = monotonic() - began
            permission = await permission_finding(client, scope)
    except UsageError as error:
        yield Finding("credentials", FindingState.FAILED, str(error), f"you: {error.advice or 'set them'}")
        return
    except BkJobError as error:
        yield finding_of(error)
        return
    yield Finding("credentials", FindingState.OK, "accepted")
    yield Finding("scope", FindingState.OK, f"{scope} can be read, in {took * 1000:.0f} ms")
    yield permission
    if permission.state is FindingState.OK:
        yield limits_finding(envelope, way.rate)


async def first_call(client: JobClient, scope: Scope, way: Way) -> Envelope | None:
    """Read something that every user of the scope may read; None where it is known not to be there."""
    if way.dialect == "esb-job":
        try:
            return await client.call_raw(GetJobInstanceStatus(ref=JobRef(scope, 1)))
        except NotFound:
            return None
    now = datetime.now(UTC)
    query = GetJobInstanceList(
        scope=scope, create_time_start=now - timedelta(minutes=10), create_time_end=now, length=1
    )
    return await client.call_raw(query)


async def permission_finding(client: JobClient, scope: Scope) -> Finding:
    """Say whether the APIs that watches poll may be called: at a gateway each one is granted by itself.

    They are asked for a job that is hardly there: an error of the platform's own about it comes from behind the gateway.
    """
    job = JobRef(scope, 1)
    for operation in (GetJobInstanceStatus(ref=job), GetStepInstanceStatus(ref=job.step(1))):
        try:
            await client.call_raw(operation)
        except BkJobError as error:
            is_refused = isinstance(error, ApiNotFound | ApplicationNotAllowed)
            if is_refused or not isinstance(error, FROM_BEHIND_THE_GATEWAY):
                return finding_of(error)
    return Finding("permission", FindingState.OK, "the status of jobs and steps may be requested")


def limits_finding(envelope: Envelope | None, rate: float | None) -> Finding:
    """Say how many requests are allowed, as the gateway announces it, and as this user limits them."""
    announced = None if envelope is None else parse_rate_limit_headers(envelope.headers)
    own = "" if rate is None else f"; --rate allows {rate:g} a second"
    if announced is None:
        text = f"the gateway announces none{own}"
    else:
        of = "" if announced.limit is None else f" of {announced.limit}"
        text = f"{announced.remaining}{of} requests are left for {announced.reset:.0f} s{own}"
    return Finding("limits", FindingState.OK, text)


# What is found --------------------------------------------------------------------------------------------------------


# Which step an error belongs to, and who must act how: of the first class that fits, from the most special one on.
MEANINGS: tuple[tuple[type[BkJobError], str, str], ...] = (
    (ApiNotFound, "API", "you: correct --url or --dialect; this API is not there"),
    (
        ApplicationNotAllowed,
        "permission",
        "you: apply for the API at the gateway, for this application; its manager must agree",
    ),
    (NotAllowed, "permission", "you: apply for access to this business; its administrator must agree"),
    (NotAuthenticated, "credentials", "you: correct the application's code, its secret or the user"),
    (NotFound, "scope", "you: correct --biz or --biz-set"),
    (InvalidRequest, "scope", "you: correct --biz or --biz-set: the platform rejects it"),
    (Throttled, "API", "wait, or have the platform's operators raise the limit"),
    (PlatformTrouble, "API", "the platform's operators: give them the request ids"),
    (
        InvalidResponse,
        "API",
        "you: correct --url or --dialect; else whoever runs the proxy in between",
    ),
    (TransportFailed, "API", "whoever runs the network between here and the platform"),
    (BkJobError, "credentials", "you: see the message"),
)


def finding_of(error: BkJobError) -> Finding:
    """Return what the error of a first call means, and who must act."""
    step, act = next((step, act) for kind, step, act in MEANINGS if isinstance(error, kind))
    if isinstance(error, NotAuthenticated) and not error.details.sent:
        act = "you: repair what gives the credentials; nothing was sent"
    return Finding(step, FindingState.FAILED, str(error), act)


def clock_finding(date: datetime | None, now: datetime, took: float) -> Finding:
    """Compare the server's clock, in whole seconds, with ours."""
    if date is None:
        return Finding("clock", FindingState.SKIPPED, "the server does not send its time")
    # The second that was reported may have begun up to a second before, and the answer was under way.
    ahead = (now - date).total_seconds() - 0.5
    off = max(0.0, abs(ahead) - 0.5 - took)
    text = f"the server's clock and this one differ by {off:.0f} s at least"
    if off <= CLOCK_TOLERANCE:
        return Finding("clock", FindingState.OK, "the server's clock agrees with this one")
    return Finding(
        "clock", FindingState.WARNING, text, "whoever runs this machine or the server: set the clock by NTP"
    )


def certificate_finding(version: str, ends: datetime | None, now: datetime) -> Finding:
    """Say which TLS is spoken, and until when the certificate is valid."""
    if ends is None:
        text = f"{version}, the certificate is not verified"
        act = "you: give HttpOptions(ssl=...) the platform's own authority, in place of no verification"
        return Finding("TLS", FindingState.WARNING, text, act)
    days = (ends - now).days
    text = f"{version}, the certificate is valid for {days} days"
    if days >= CERTIFICATE_DAYS:
        return Finding("TLS", FindingState.OK, text)
    return Finding("TLS", FindingState.WARNING, text, "the platform's operators: renew the certificate")


def plain_finding(host: str, *, is_loopback: bool) -> Finding:
    """Say that nothing is encrypted, which matters unless the platform is on this machine."""
    if is_loopback:
        return Finding("TLS", FindingState.SKIPPED, "not encrypted, on this machine")
    return Finding(
        "TLS",
        FindingState.WARNING,
        f"http: everybody between here and {host} can read the credentials",
        "you: use https://, or the platform's operators: offer it",
    )


def proxy_finding(status: int | None) -> Finding:
    """Say why a proxy opened no way."""
    act = "whoever runs the proxy; or you: name the platform in NO_PROXY, if it can be reached directly"
    if status == 407:
        act = "you: give user and password, as HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    text = "the proxy gives no answer" if status is None else f"the proxy refuses: HTTP {status}"
    return Finding("proxy", FindingState.FAILED, text, act)

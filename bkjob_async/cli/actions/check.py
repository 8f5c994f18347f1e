"""Check the way to the platform, step by step: what is found, and who must act."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from time import monotonic
from urllib.parse import urlsplit

from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.cli.actions.probes import ProxyRefused, reach, resolve
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_out
from bkjob_async.configuration.connecting import http_options
from bkjob_async.configuration.gathering import DEFAULT_DIALECT
from bkjob_async.configuration.proxies import is_this_machine, proxy_for
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import printable
from bkjob_async.wire.limits.rate_limit_headers import parse_rate_limit_headers

# A step that differs by more than this shows wrong times; tokens and certificates may be refused.
CLOCK_TOLERANCE = 5.0
CERTIFICATE_DAYS = 14


class State(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@frozen
class Finding:
    """One *step* of the way: how it went, what was found, and who must do what."""

    step: str
    state: State
    text: str
    act: str = ""


async def check(settings: Settings, *, as_json: bool) -> ExitCode:
    """Write a line for each step; stop where the next one cannot succeed."""
    code = ExitCode.ALL_SUCCEEDED
    async for finding in findings(settings):
        if finding.state is State.FAILED:
            code = ExitCode.COULD_NOT_WATCH
        for line in finding_lines(finding, as_json=as_json):
            write_out(line)
    return code


def finding_lines(finding: Finding, *, as_json: bool) -> Iterator[str]:
    """Yield a finding as JSON, or as text and who must act."""
    if as_json:
        yield json_text(bkjob.to_json(finding))
        return
    yield f"{finding.state:<8} {finding.step:<12} {printable(finding.text)}".rstrip()
    if finding.act:
        yield f"{'':<8} {'':<12} → {finding.act}"


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what each step of the way amounts to; end after the first that failed."""
    async for finding in on_the_network(settings):
        yield finding
        if finding.state is State.FAILED:
            return
    async for finding in at_the_platform(settings):
        yield finding


async def on_the_network(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found without credentials."""
    url = settings.url
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    if parts.scheme not in ("http", "https") or not host:
        raise bkjob.UsageError("the URL must be absolute: http:// or https://, with a host")
    yield Finding("settings", State.OK, f"{url} by {settings.get('dialect', DEFAULT_DIALECT)}")
    proxy = proxy_for(url)
    near = (host, port) if proxy is None else (proxy.host, proxy.port)
    if proxy is not None:
        yield Finding("proxy", State.OK, f"through {proxy.shown}, as the environment says")
    try:
        addresses = await resolve(*near)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        what = "--url" if proxy is None else "the proxy in the environment"
        act = f"you: correct {what}; else whoever runs the DNS of this machine"
        yield Finding("DNS", State.FAILED, f"{near[0]}: {why}", act)
        return
    yield Finding("DNS", State.OK, f"{near[0]} is {', '.join(addresses[:3])}")
    try:
        reached = await reach(host, port, parts.path or "/", tls_context(settings) if is_tls else None, proxy)
    except ProxyRefused as error:
        yield proxy_finding(error.status)
        return
    except ssl.SSLCertVerificationError as error:
        act = "you: give the platform's own authority with --ca-file; else the platform's operators: correct the certificate"
        yield Finding("TLS", State.FAILED, error.verify_message or str(error), act)
        return
    except ssl.SSLError as error:
        act = "you: correct --url; this port does not speak TLS as it must"
        yield Finding("TLS", State.FAILED, error.reason or "it fails", act)
        return
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer within 10 s"
        act = "whoever runs the network and its firewalls between here and the platform, or the platform"
        yield Finding("connection", State.FAILED, f"{near[0]}:{near[1]}: {why}", act)
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


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how certificates are verified, as the client does."""
    options = http_options(settings)
    if options is not None and isinstance(options.ssl, ssl.SSLContext):
        return options.ssl
    return ssl.create_default_context()


async def at_the_platform(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what a first call amounts to: credentials, permission, scope, limits."""
    scope = settings.scope
    if scope is None:
        act = "you: give --biz or --biz-set, or a default in the profile"
        yield Finding("scope", State.WARNING, "none was given; nothing was called", act)
        return
    try:
        async with client_of(settings) as client:
            began = monotonic()
            envelope = await first_call(client, scope, settings)
            took = monotonic() - began
    except bkjob.UsageError as error:
        yield Finding("credentials", State.FAILED, str(error), "you: set them")
        return
    except bkjob.BkJobError as error:
        yield finding_of(error)
        return
    yield Finding("credentials", State.OK, "accepted")
    yield Finding("scope", State.OK, f"{scope} can be read, in {took * 1000:.0f} ms")
    yield limits_finding(envelope, settings.get("rate"))


async def first_call(
    client: bkjob.JobClient, scope: bkjob.Scope, settings: Settings
) -> bkjob.responses.Envelope | None:
    """Read something that every user of the scope may read; None where it is known not to be there."""
    if settings.get("dialect") == "esb-job":
        try:
            return await client.call_raw(bkjob.operations.GetJobInstanceStatus(ref=bkjob.JobRef(scope, 1)))
        except bkjob.NotFound:
            return None
    now = datetime.now(UTC)
    query = bkjob.operations.GetJobInstanceList(
        scope=scope, create_time_start=now - timedelta(minutes=10), create_time_end=now, length=1
    )
    return await client.call_raw(query)


def limits_finding(envelope: bkjob.responses.Envelope | None, rate: float | None) -> Finding:
    """Say how many requests are allowed, as the gateway announces it, and as this user limits them."""
    announced = None if envelope is None else parse_rate_limit_headers(envelope.headers)
    own = "" if rate is None else f"; --rate allows {rate:g} a second"
    if announced is None:
        text = f"the gateway announces none{own}"
    else:
        of = "" if announced.limit is None else f" of {announced.limit}"
        text = f"{announced.remaining}{of} requests are left for {announced.reset:.0f} s{own}"
    return Finding("limits", State.OK, text)


# What is found --------------------------------------------------------------------------------------------------------


# Which step an error belongs to, and who must act how: of the first class that fits, from the most special one on.
MEANINGS: tuple[tuple[type[bkjob.BkJobError], str, str], ...] = (
    (bkjob.ApiNotFound, "API", "you: correct --url or --dialect; this API is not there"),
    (
        bkjob.ApplicationNotAllowed,
        "permission",
        "you: apply for the API at the gateway, for this application; its manager must agree",
    ),
    (bkjob.NotAllowed, "permission", "you: apply for access to this business; its administrator must agree"),
    (bkjob.NotAuthenticated, "credentials", "you: correct the application's code, its secret or the user"),
    (bkjob.NotFound, "scope", "you: correct --biz or --biz-set"),
    (bkjob.InvalidRequest, "scope", "you: correct --biz or --biz-set: the platform rejects it"),
    (bkjob.Throttled, "API", "wait, or have the platform's operators raise the limit"),
    (bkjob.PlatformTrouble, "API", "the platform's operators: give them the request ids"),
    (bkjob.InvalidResponse, "API", "you: correct --url or --dialect; else whoever runs the proxy in between"),
    (bkjob.TransportFailed, "API", "whoever runs the network between here and the platform"),
    (bkjob.BkJobError, "credentials", "you: see the message"),
)


def finding_of(error: bkjob.BkJobError) -> Finding:
    """Return what the error of a first call means, and who must act."""
    step, act = next((step, act) for kind, step, act in MEANINGS if isinstance(error, kind))
    return Finding(step, State.FAILED, str(error), act)


def clock_finding(date: datetime | None, now: datetime, took: float) -> Finding:
    """Compare the server's clock, in whole seconds, with ours."""
    if date is None:
        return Finding("clock", State.SKIPPED, "the server does not send its time")
    # The second that was reported may have begun up to a second before, and the answer was under way.
    ahead = (now - date).total_seconds() - 0.5
    off = max(0.0, abs(ahead) - 0.5 - took)
    text = f"the server's clock and this one differ by {off:.0f} s at least"
    if off <= CLOCK_TOLERANCE:
        return Finding("clock", State.OK, "the server's clock agrees with this one")
    return Finding(
        "clock", State.WARNING, text, "whoever runs this machine or the server: set the clock by NTP"
    )


def certificate_finding(version: str, ends: datetime | None, now: datetime) -> Finding:
    """Say which TLS is spoken, and until when the certificate is valid."""
    if ends is None:
        return Finding("TLS", State.OK, version)
    days = (ends - now).days
    text = f"{version}, the certificate is valid for {days} days"
    if days >= CERTIFICATE_DAYS:
        return Finding("TLS", State.OK, text)
    return Finding("TLS", State.WARNING, text, "the platform's operators: renew the certificate")


def plain_finding(host: str, *, is_loopback: bool) -> Finding:
    """Say that nothing is encrypted, which matters unless the platform is on this machine."""
    if is_loopback:
        return Finding("TLS", State.SKIPPED, "not encrypted, on this machine")
    return Finding(
        "TLS",
        State.WARNING,
        f"http: everybody between here and {host} can read the credentials",
        "you: use https://, or the platform's operators: offer it",
    )


def proxy_finding(status: int | None) -> Finding:
    """Say why a proxy opened no way."""
    act = "whoever runs the proxy; or you: name the platform in NO_PROXY, if it can be reached directly"
    if status == 407:
        act = "you: give user and password, as HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    text = "the proxy gives no answer" if status is None else f"the proxy refuses: HTTP {status}"
    return Finding("proxy", State.FAILED, text, act)

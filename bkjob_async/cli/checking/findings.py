"""What a step of the way to the platform amounts to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import frozen

import bkjob_async as bkjob

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

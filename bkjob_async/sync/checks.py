"""Check the way to the platform; written by `python -m tests.generate`: change bkjob_async/client/checks.py."""

from __future__ import annotations

from bkjob_async.client import checks
from bkjob_async.client.checks import Finding
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.model.refs import Scope
from bkjob_async.sync.run_alone import run_alone
from bkjob_async.wire.aiohttp_transport import HttpOptions
from bkjob_async.wire.credentials import CredentialsSource


def check(
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
    return run_alone(
        checks.check(
            url,
            credentials,
            profile=profile,
            dialect=dialect,
            scope=scope,
            requests_per_second=requests_per_second,
            http=http,
        )
    )

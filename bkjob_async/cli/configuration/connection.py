"""Open a client as the settings say."""

from __future__ import annotations

import asyncio
import ssl

from bkjob_async import Credentials, CredentialsProvider, HttpOptions, JobClient, UsageError, connect
from bkjob_async.cli.configuration.options import DEFAULT_DIALECT, scope_of
from bkjob_async.cli.configuration.proxies import proxy_for
from bkjob_async.cli.configuration.secret_lookup import SecretLookup
from bkjob_async.cli.configuration.settings import SECRETS, Settings
from bkjob_async.cli.terminal import ask_secret, can_ask


def client_of(settings: Settings, *, interval: float | None = None) -> JobClient:
    """Return a client, not yet open; raise `UsageError` for what is missing.

    Secrets are looked up now. What a program gave is asked of it again when the platform rejects it.
    """
    url = settings.url
    lookup = SecretLookup(ask_secret if can_ask() else None)
    credentials = lookup.credentials(settings)
    return connect(
        url,
        renewing(credentials, settings) if can_renew(settings) else credentials,
        dialect=settings.get("dialect", DEFAULT_DIALECT),
        scope=scope_of(settings),
        tenant=settings.get("tenant"),
        request_timeout=settings.get("request_timeout", 30.0),
        requests_per_second=settings.get("rate"),
        interval=interval,
        http=http_options(settings),
        name="bkjob",
    )


def can_renew(settings: Settings) -> bool:
    """Return True when a program is asked for a secret: it may give another one later."""
    sources = (settings.get(name) for name in SECRETS)
    return any(source.kind == "command" for found in sources if isinstance(found, tuple) for source in found)


def renewing(first: Credentials, settings: Settings) -> CredentialsProvider:
    """Return a provider that gives *first*, and asks every source again when that was rejected."""
    fresh: list[Credentials] = [first]

    async def provide() -> Credentials:
        if fresh:
            return fresh.pop()
        return await asyncio.to_thread(SecretLookup(None).credentials, settings)

    return provide


def http_options(settings: Settings) -> HttpOptions | None:
    """Return how to reach the platform, None for the usual way."""
    ca_file, proxy = settings.get("ca_file"), proxy_for(settings.get("url", ""))
    if ca_file is None and proxy is None:
        return None
    return HttpOptions(
        ssl=True if ca_file is None else trusting(ca_file), proxy=None if proxy is None else proxy.url
    )


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return how certificates are verified by the authorities in a file; raise `UsageError`."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {ca_file}: {getattr(error, 'strerror', None) or error}") from None

"""What `connect` is given by the settings of this process."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from attrs import evolve

from bkjob_async.configuration.gathering import DEFAULT_DIALECT, gather
from bkjob_async.configuration.proxies import proxy_for
from bkjob_async.configuration.secret_lookup import SecretLookup
from bkjob_async.configuration.settings import SECRETS, Settings
from bkjob_async.model.base_error import UsageError
from bkjob_async.model.credentials import Credentials
from bkjob_async.wire.aiohttp_transport import HttpOptions
from bkjob_async.wire.credentials import CredentialsProvider, CredentialsSource


def from_settings(
    url: str | None,
    credentials: CredentialsSource | None,
    profile: str | None,
    http: HttpOptions | None = None,
) -> tuple[CredentialsSource, dict[str, Any]]:
    """Return the credentials and the options of `connect`; *url*, *credentials* and *http* are those of the call, if any.

    Raises `UsageError` for what is missing or wrong.
    """
    settings = gather({"url": url}, profile)
    if "url" not in settings.found:
        raise UsageError("which platform: give its url, set BKJOB_URL, or name it in a profile")
    options = connect_options(settings, http)
    return credentials_from(settings) if credentials is None else credentials, options


def connect_options(settings: Settings, http: HttpOptions | None = None) -> dict[str, Any]:
    """Return the options of `connect` that *settings* have, beside *http*; raise `UsageError` for what is missing or wrong."""
    return {
        "url": settings.url,
        "dialect": settings.get("dialect", DEFAULT_DIALECT),
        "scope": settings.scope,
        "tenant": settings.get("tenant"),
        "request_timeout": settings.get("request_timeout"),
        "requests_per_second": settings.get("rate"),
        "http": http_options(settings, http),
    }


def credentials_from(settings: Settings) -> CredentialsSource:
    """Return the credentials themselves where all are texts, else what looks them up; raise `UsageError`.

    A program or a keyring may take a while: it is asked at the first call, in a thread, and again when the platform
    rejects what it gave.
    """
    if not any(isinstance(settings.get(name), tuple) for name in SECRETS):
        return SecretLookup().credentials(settings)
    return provider_of(settings, [])


def renewing(first: Credentials, settings: Settings) -> CredentialsSource:
    """Return *first*, or where a program gave it a provider that asks again when it was rejected."""
    sources = (settings.get(name) for name in SECRETS)
    if not any(source.kind == "command" for found in sources if isinstance(found, tuple) for source in found):
        return first
    return provider_of(settings, [first])


def provider_of(settings: Settings, fresh: list[Credentials]) -> CredentialsProvider:
    """Return a provider of the credentials that were looked up already, if any, and then of what is found anew."""

    async def provide() -> Credentials:
        if fresh:
            return fresh.pop()
        return await asyncio.to_thread(SecretLookup().credentials, settings)

    return provide


def http_options(settings: Settings, given: HttpOptions | None = None) -> HttpOptions | None:
    """Return how to reach the platform: as *given*, and as *settings* where that has the usual way; None for the usual way."""
    ca_file, proxy = settings.get("ca_file"), proxy_for(settings.get("url", ""))
    if ca_file is None and proxy is None:
        return given
    own = given or HttpOptions()
    return evolve(
        own,
        ssl=trusting(ca_file) if ca_file is not None and own.ssl is True else own.ssl,
        proxy=proxy if own.proxy is None and not own.trust_env else own.proxy,
    )


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return how certificates are verified by the authorities in a file; raise `UsageError`."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError, ValueError) as error:  # also a name that no file can have
        raise UsageError(f"--ca-file {ca_file}: {getattr(error, 'strerror', None) or error}") from None

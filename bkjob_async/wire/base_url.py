"""The URL of a platform."""

from __future__ import annotations

from yarl import URL

from bkjob_async.errors import UsageError


def checked_base_url(given: str | URL) -> URL:
    """Return the URL of a platform; raise `UsageError`, which shows nothing of it, for one that cannot be used."""
    try:
        url: URL | None = URL(given)
    except ValueError:
        url = None
    # Raised here: the context of the other error has a part of a password where one is written wrongly.
    if url is None:
        raise UsageError(
            "the host or port of the URL cannot be read; it contains no user and no password: give"
            " credentials as credentials"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError("the URL must be absolute: http:// or https://, with a host")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise UsageError(
            "the URL must contain no user, password, query or fragment; give credentials as credentials"
        )
    return url

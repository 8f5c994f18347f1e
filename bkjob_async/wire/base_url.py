"""The URLs that a user gives: that of a platform, of a proxy to it, of a receiver of callbacks."""

from __future__ import annotations

from yarl import URL

from bkjob_async.errors import UsageError


def readable_url(given: str | URL) -> URL | None:
    """Return the URL that is *given*, None where its host or port cannot be read.

    Nothing is raised: the error of the parser has a part of a password where one is written wrongly.
    """
    try:
        url = URL(given)
        URL.build(scheme="http", host=url.host or "")  # `URL` itself takes a host with a space, for example
    except ValueError:  # a UnicodeError is one
        return None
    return url


def checked_base_url(given: str | URL) -> URL:
    """Return the URL of a platform; raise `UsageError`, which shows nothing of it, for one that cannot be used."""
    url = readable_url(given)
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

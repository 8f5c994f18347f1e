"""The headers in which a gateway announces its quota.

Source: blueking-apigateway-apisix, bk-rate-limit. A site may leave them out; values that make no sense are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from multidict import istr

from bkjob_async.dialects.common.retry_after import parse_number, parse_reset

PREFIX = "x-bkapi-ratelimit-"
# aiohttp's headers find an `istr` without folding its case each time.
LIMIT, REMAINING, PLUGIN = (istr(PREFIX + name) for name in ("limit", "remaining", "plugin"))


class RateLimitHeaders(Struct, frozen=True, kw_only=True):
    """Of *limit* requests *remaining* may still be sent in the next *reset* seconds.

    *per_resource* is True when this is the quota of the requested resource, not of the whole stage.
    """

    limit: int | None
    remaining: int
    reset: float
    per_resource: bool


def parse_rate_limit_headers(headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Return what *headers* announce, None when they announce nothing."""
    text = headers.get(REMAINING)
    if text is None:
        return None
    remaining, reset = parse_number(text), parse_reset(headers)
    if remaining is None or not reset:
        return None
    limit = parse_number(headers.get(LIMIT))
    return RateLimitHeaders(
        limit=limit or None,
        remaining=remaining,
        reset=reset,
        per_resource="resource" in headers.get(PLUGIN, ""),
    )

"""What a gateway says about its quota, in the headers of any answer.

Source: blueking-apigateway-apisix, bk-rate-limit. Sites may leave them out; what makes no sense is not there.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
from multidict import istr

from bkjob_async.dialects.common.retry_after import parse_number, parse_reset

PREFIX = "x-bkapi-ratelimit-"
# Headers of aiohttp find an `istr` without folding its case each time.
LIMIT, REMAINING, PLUGIN = (istr(PREFIX + word) for word in ("limit", "remaining", "plugin"))


@frozen(kw_only=True)
class RateLimitHeaders:
    """So many of *limit* requests are *remaining*, for *reset* seconds more.

    *of_resource*: they are those of the resource that was asked for, not of the whole stage.
    """

    limit: int | None
    remaining: int
    reset: float
    of_resource: bool


def parse_rate_limit_headers(headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Return what *headers* say, None when they say nothing that makes sense."""
    said = headers.get(REMAINING)
    if said is None:
        return None
    remaining, reset = parse_number(said), parse_reset(headers)
    if remaining is None or not reset:
        return None
    limit = parse_number(headers.get(LIMIT))
    return RateLimitHeaders(
        limit=limit or None, remaining=remaining, reset=reset, of_resource=is_of_resource(headers)
    )


def is_of_resource(headers: Mapping[str, str]) -> bool:
    """Whether the plugin that counts says that it counts one resource only."""
    return "resource" in headers.get(PLUGIN, "")

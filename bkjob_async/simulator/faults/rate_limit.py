"""Limit requests in fixed windows, as the gateway does."""

from __future__ import annotations

from math import ceil, floor

from attrs import define


@define
class RateLimit:
    """At most *limit* requests in each *window* of whole seconds; announced in headers, never in `Retry-After`. `refused` counts the others.

    Source: blueking-apigateway-apisix, bk-rate-limit.
    """

    limit: int
    window: int = 1
    refused: int = 0
    _began: float = -1.0
    _used: int = 0

    def take(self, now: float) -> bool:
        """Count a request; return True if it is within the limit."""
        began = floor(now / self.window) * self.window
        if began != self._began:
            self._began, self._used = began, 0
        if self._used >= self.limit:
            self.refused += 1
            return False
        self._used += 1
        return True

    def headers(self, now: float) -> dict[str, str]:
        """Return the gateway's headers about the limit."""
        return {
            "x-bkapi-ratelimit-limit": str(self.limit),
            "x-bkapi-ratelimit-remaining": str(max(0, self.limit - self._used)),
            "x-bkapi-ratelimit-reset": str(max(1, ceil(self._began + self.window - now))),
            "x-bkapi-ratelimit-plugin": "bk-stage-rate-limit",
        }

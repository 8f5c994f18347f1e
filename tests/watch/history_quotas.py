"""A gateway in random histories that limits requests: all of them together, or those for each resource by itself."""

from __future__ import annotations

from msgspec.structs import replace

from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.protocol.api_errors import ApiError
from bkjob_async.simulator.protocol.requests import ParsedRequest


class QuotaPerResource(Platform):
    """The platform behind a gateway with a quota for each resource."""

    quota: tuple[int, int] = (1, 1)
    limits: dict[str, RateLimit]

    def _enforce_rate_limit(self, request: ParsedRequest, now: float) -> None:
        """Raise `ApiError` above the quota of the requested resource."""
        self.rate_limit = self.limits.setdefault(request.operation, RateLimit(*self.quota))
        if not self.rate_limit.take(now):
            raise ApiError(1642903, "Request rate exceeds the limit", status=429, by="gateway")

    def _with_rate_limit_headers(self, response: HttpResponse, now: float) -> HttpResponse:
        """Announce that quota."""
        said = super()._with_rate_limit_headers(response, now)
        self.rate_limit = None
        if said is response:
            return response
        return replace(said, headers={**said.headers, "x-bkapi-ratelimit-plugin": "bk-resource-rate-limit"})


def limit(platform: Platform, dialect: str, quota: tuple[int, int] | None, *, per_resource: bool) -> Platform:
    """Let a gateway pass so many requests in so many seconds only; an ESB announces nothing."""
    if quota is None or not dialect.startswith("gateway"):
        return platform
    if not per_resource:
        platform.rate_limit = RateLimit(*quota)
        return platform
    limited = QuotaPerResource(platform.world, platform.site)
    limited.quota, limited.limits = quota, {}
    return limited

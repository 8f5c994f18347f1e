"""The simulated platform: turns a request at a given time into a response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from random import Random

from msgspec.structs import replace

from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.faults.faults import ActiveFault, Delivery, Fault, apply_faults, fault_named
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.auth import authorize
from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.protocol.api_errors import ApiError
from bkjob_async.simulator.protocol.envelopes import failure, success
from bkjob_async.simulator.protocol.requests import ParsedRequest, parse_request
from bkjob_async.simulator.world.world import World


class Platform:
    """Responds to requests in all dialects about one world.

    *site* is the configuration. `request_counts` counts requests by (dialect, operation); `rate_limit` can be
    set and removed at any time.
    """

    def __init__(
        self, world: World, site: SiteConfig | None = None, *, rate_limit: RateLimit | None = None
    ) -> None:
        """Respond about *world*."""
        self.world = world
        self.site = site or SiteConfig()
        self.rate_limit = rate_limit
        self.request_counts: Counter[tuple[str, str]] = Counter()
        self.faults: list[ActiveFault] = []
        self._rng = Random(f"{world.seed}/faults")

    def respond(self, http_request: HttpRequest, now: float) -> HttpResponse:
        """Return the platform's response at a time, after all events before it."""
        self.world.advance(now)
        request_id = self._request_id(http_request, now)
        dialect, language = "gateway-v3", "en"
        try:
            request = parse_request(http_request)
            dialect, language = request.dialect, request.language
            self.request_counts[dialect, request.operation] += 1
            self._enforce_rate_limit(request, now)
            route = authorize(request, http_request, self.site)
            data = route.handle(RequestContext(world=self.world, site=self.site, now=now), request)
            response = success(dialect, data, request_id)
        except ApiError as error:
            response = failure(dialect, error, request_id, language)
        return self._with_rate_limit_headers(response, now)

    def deliver(self, http_request: HttpRequest, now: float) -> Delivery:
        """Return the response and how it is sent, with all faults applied."""
        if not self.faults:
            return Delivery(response=self.respond(http_request, now))
        try:
            request: ParsedRequest | None = parse_request(http_request)
        except ApiError:
            request = None
        applied = [active for active in self.faults if active.should_apply(request, self._rng)]
        replacement = next((active.fault for active in applied if active.fault.replacement is not None), None)
        if replacement is None or replacement.replacement is None:
            response = self.respond(http_request, now)
        else:
            if replacement.still_executed:
                self.respond(http_request, now)
            self.world.advance(now)
            response = replacement.replacement(request, self._request_id(http_request, now))
        return apply_faults(applied, response, self._rng)

    @contextmanager
    def fault(
        self,
        fault: Fault | str,
        *,
        share: float = 1.0,
        times: int | None = None,
        operations: Iterable[str] | None = None,
        jobs: Iterable[int] | None = None,
    ) -> Iterator[ActiveFault]:
        """Inject a fault within a `with` block.

        It applies to a *share* of the requests, at most so many *times*, of these *operations* or about these
        *jobs* only. Several blocks add up.
        """
        active = ActiveFault(
            fault_named(fault) if isinstance(fault, str) else fault,
            share,
            times,
            None if operations is None else frozenset(operations),
            None if jobs is None else frozenset(jobs),
        )
        self.faults.append(active)
        try:
            yield active
        finally:
            if active in self.faults:
                self.faults.remove(active)

    def _enforce_rate_limit(self, request: ParsedRequest, now: float) -> None:
        """Raise `ApiError` above the rate limit, as the gateway or the ESB does."""
        if self.rate_limit is None or self.rate_limit.take(now):
            return
        if request.dialect.startswith("esb"):
            raise ApiError(1306429, "Access frequency limit", by="esb")
        raise ApiError(1642902, "Request rate exceeds the limit", status=429, by="gateway")

    def _with_rate_limit_headers(self, response: HttpResponse, now: float) -> HttpResponse:
        """Add the gateway's headers about the rate limit."""
        if self.rate_limit is None or "x-bkapi-request-id" not in response.headers:
            return response
        return replace(response, headers={**response.headers, **self.rate_limit.headers(now)})

    def _request_id(self, http_request: HttpRequest, now: float) -> str:
        """Return an id that is the same for the same request at the same time, in process and over HTTP."""
        said = f"{self.world.seed}|{now:.6f}|{http_request.method}|{http_request.url.raw_path_qs}".encode()
        return blake2b(said, digest_size=16).hexdigest()

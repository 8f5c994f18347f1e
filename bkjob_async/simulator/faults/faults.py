"""The faults that can be injected between a request and its response."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from attrs import define, evolve, field, frozen
from msgspec.structs import replace

from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.faults.bodies import (
    add_unknown_fields,
    drop_rows,
    duplicate_rows,
    encode_as_gbk,
    garble,
    use_unknown_codes,
)
from bkjob_async.simulator.protocol.api_errors import ApiError
from bkjob_async.simulator.protocol.envelopes import failure
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.plans import DurationRange, exactly

HTML = "text/html"

# In how many pieces a slow response is sent.
PIECES = 20
NO_TIME = exactly(0.0)


@frozen(kw_only=True)
class Delivery:
    """How a response is sent: late, in pieces, in part, or never.

    *cut* is how much of the body arrives before the connection ends, *drip* the seconds between pieces.
    """

    response: HttpResponse
    delay: float = 0.0
    cut: float | None = None
    drip: float | None = None
    reset: bool = False
    hang: bool = False


ResponseMaker = Callable[[ParsedRequest | None, str], HttpResponse]


@frozen(kw_only=True)
class Fault:
    """One kind of fault.

    *replacement* returns the response in place of the platform: nothing happens in the world, unless
    *still_executed*. *change* changes a real response. The other fields say how the response is sent;
    *callback* how callbacks are.
    """

    name: str
    replacement: ResponseMaker | None = field(default=None, repr=False)
    still_executed: bool = False
    change: Callable[[HttpResponse], HttpResponse] | None = field(default=None, repr=False)
    delay: DurationRange = NO_TIME
    cut: float | None = None
    drip: float | None = None
    reset: bool = False
    hang: bool = False
    callback: str | None = None


@define(eq=False)
class ActiveFault:
    """An injected fault: for which share of requests, how many times, of which requests; `hits` counts."""

    fault: Fault
    share: float = 1.0
    times: int | None = None
    operations: frozenset[str] | None = None
    jobs: frozenset[int] | None = None
    hits: int = 0

    def should_apply(self, request: ParsedRequest | None, rng: Random) -> bool:
        """Return True if the fault applies to this request, and count it."""
        if self.fault.callback is not None or (self.times is not None and self.hits >= self.times):
            return False
        if self.operations is not None and (request is None or request.operation not in self.operations):
            return False
        if self.jobs is not None and (request is None or job_of(request) not in self.jobs):
            return False
        if self.share < 1.0 and rng.random() >= self.share:
            return False
        self.hits += 1
        return True

    def should_apply_to_callback(self) -> bool:
        """Return True if the fault applies to a callback, and count it."""
        if self.fault.callback is None or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


def job_of(request: ParsedRequest) -> int | None:
    """Return the job that a request is about."""
    try:
        return request.integer("job_instance_id")
    except ApiError:
        return None


def apply_faults(applied: Iterable[ActiveFault], response: HttpResponse, rng: Random) -> Delivery:
    """Return how a response is sent, with all faults applied."""
    delivery = Delivery(response=response)
    for active in applied:
        fault = active.fault
        changed = fault.change(delivery.response) if fault.change is not None else delivery.response
        delivery = evolve(
            delivery,
            response=changed,
            delay=delivery.delay + fault.delay.sample(rng),
            cut=delivery.cut if fault.cut is None else fault.cut,
            drip=delivery.drip if fault.drip is None else fault.drip,
            reset=delivery.reset or fault.reset,
            hang=delivery.hang or fault.hang,
        )
    return delivery


def error_response(
    code: int, message: str, *, status: int = 200, by: str = "job", **headers: str
) -> ResponseMaker:
    """Return an error response, in the envelope of the part that responds."""

    def respond(request: ParsedRequest | None, request_id: str) -> HttpResponse:
        dialect = request.dialect if request is not None else "gateway-v3"
        response = failure(dialect, ApiError(code, message, status=status, by=by), request_id)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(response, headers={**response.headers, **named})

    return respond


def html_page(status: int, title: str) -> ResponseMaker:
    """Return a proxy's error page."""
    text = f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
    response = HttpResponse(status=status, headers={"content-type": HTML}, body=text.encode())
    return lambda _request, _request_id: response


def rate_limited(code: int) -> ResponseMaker:
    """Return the gateway's response to too many requests."""
    return error_response(
        code,
        "Request rate exceeds the limit",
        status=429,
        by="gateway",
        x_bkapi_ratelimit_limit="10",
        x_bkapi_ratelimit_remaining="0",
        x_bkapi_ratelimit_reset="2",
        x_bkapi_ratelimit_plugin="bk-stage-rate-limit",
    )


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(name="latency", delay=DurationRange(0.05, 2.0, skew=3.0)),
        Fault(name="gateway-rate-limit", replacement=rate_limited(1642902)),
        Fault(name="gateway-concurrency", replacement=rate_limited(1642904)),
        Fault(name="esb-rate-limit", replacement=error_response(1306429, "Access frequency limit", by="esb")),
        Fault(
            name="esb-timeout",
            replacement=error_response(1306201, "Request third-party interface error", by="esb"),
        ),
        Fault(name="internal-error", replacement=error_response(1240002, "Internal Server Error")),
        Fault(name="database-away", replacement=error_response(1252001, "DB is not available")),
        Fault(name="iam-away", replacement=error_response(1215001, "IAM API data unexpected")),
        Fault(name="cmdb-away", replacement=error_response(1211002, "CMDB API returned data exception")),
        Fault(
            name="gateway-timeout-json",
            replacement=error_response(1650401, "Request backend timeout", status=504, by="gateway"),
            still_executed=True,
        ),
        Fault(name="bad-gateway", replacement=html_page(502, "Bad Gateway")),
        Fault(name="gateway-timeout", replacement=html_page(504, "Gateway Time-out"), still_executed=True),
        Fault(name="login-page", replacement=html_page(200, "Login")),
        Fault(name="empty-401", replacement=lambda _request, _request_id: HttpResponse(status=401)),
        Fault(name="half-body", cut=0.5),
        Fault(name="half-json", change=lambda r: replace(r, body=r.body[: len(r.body) // 2])),
        Fault(name="garbage", change=garble),
        Fault(name="slow-drip", drip=0.2),
        Fault(name="reset", reset=True),
        Fault(name="hang", hang=True),
        Fault(name="wrong-charset", change=encode_as_gbk),
        Fault(name="duplicate-rows", change=duplicate_rows),
        Fault(name="missing-rows", change=drop_rows),
        Fault(name="unknown-codes", change=use_unknown_codes),
        Fault(name="unknown-fields", change=add_unknown_fields),
        Fault(name="callback-lost", callback="lost"),
        Fault(name="callback-doubled", callback="doubled"),
        Fault(name="callback-form", callback="form"),
        Fault(name="callback-early", callback="early"),
    )
}


def fault_named(name: str) -> Fault:
    """Return a fault by its name; raise a KeyError that lists the names there are."""
    if name not in FAULTS:
        raise KeyError(f"no such fault: {name}; there are: {', '.join(FAULTS)}")
    return FAULTS[name]


def fault_json(active: ActiveFault) -> dict[str, Any]:
    """Return an injected fault as JSON values."""
    return {
        "name": active.fault.name,
        "share": active.share,
        "times": active.times,
        "operations": sorted(active.operations) if active.operations is not None else None,
        "jobs": sorted(active.jobs) if active.jobs is not None else None,
        "hits": active.hits,
    }


def parse_fault(text: str) -> ActiveFault:
    """Read a fault from a command line: `NAME`, `NAME:SHARE`, or `NAME:SHARE:TIMES`; ValueError, KeyError."""
    name, _, rest = text.partition(":")
    share, _, times = rest.partition(":")
    active = ActiveFault(fault_named(name), float(share or 1.0), int(times) if times else None)
    if not 0.0 < active.share <= 1.0:
        raise ValueError(f"a fault's share is between 0 and 1, not {active.share:g}")
    return active

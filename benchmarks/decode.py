"""CPU of decoding one step response: the poll decoder, compared with cattrs and orjson into all thirteen fields.

*poll view* is the dialect's poll decoder: bytes in, a checked `StepPollView` out. *1 % details* also reads the details
of one host in a hundred, as a poll does after which one host in a hundred changed; *all details* reads those of every
host. *first response* is read in full at once; *known response* says what the last one said, and is not decoded.
*snapshot* is `decode`, whose result a user's call returns; *all hosts* reads each of its hosts. All run in this process
in turn, without garbage collection.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median

import msgspec
from cattrs.preconf.orjson import make_converter

from benchmarks.compare.bodies import STEP, step_body
from benchmarks.compare.full_read import StepResponse
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import NOTHING_READ, KnownRows
from bkjob_async.model.refs import JobRef, Scope

ROUNDS = scaled(9, 1)
SIZES = scaled((1, 100, 1_000, 10_000), (1, 10))
REQUEST = GetStepInstanceStatus(ref=JobRef(Scope.biz(2), 1).step(STEP))
DIALECT = dialect_by_name("gateway-v3")
CATTRS = make_converter()


def poll_view(response: HttpResponse, every: int = 0) -> None:
    """Decode a response as a poll does; read the details of one in *every* hosts (0: of none)."""
    seen = decode_poll(DIALECT, REQUEST, response)
    if every:
        rows = [row for group in seen.groups or () for row in group.rows or ()]
        for row in seen.named(rows[::every]):
            row.details()


def ways(body: bytes) -> dict[str, Callable[[], object]]:
    """Return the ways to decode *body*."""
    response = HttpResponse(status=200, body=body)
    seen = decode_poll(DIALECT, REQUEST, response, NOTHING_READ)
    known = KnownRows(seen.status, seen.execute_count, seen.name, seen.digest)
    return {
        "cattrs": lambda: CATTRS.loads(body, StepResponse),
        "poll view": lambda: poll_view(response),
        "first response": lambda: decode_poll(DIALECT, REQUEST, response, NOTHING_READ),
        "known response": lambda: decode_poll(DIALECT, REQUEST, response, known),
        "1 % details": lambda: poll_view(response, 100),
        "all details": lambda: poll_view(response, 1),
        "snapshot": lambda: DIALECT.decode(REQUEST, response),
        "snapshot, all hosts": lambda: list(DIALECT.decode(REQUEST, response).hosts or ()),
        "msgspec, untyped": lambda: msgspec.json.decode(body),
    }


def timed(way: Callable[[], object], times: int) -> float:
    """Return the CPU seconds per run, of *times* runs."""
    started = time.process_time()
    for _ in range(times):
        way()
    return (time.process_time() - started) / times


def measured(body: bytes, hosts: int) -> dict[str, float]:
    """Return the median CPU seconds of each way."""
    found: dict[str, list[float]] = {name: [] for name in ways(body)}
    for _ in range(ROUNDS):
        for name, way in ways(body).items():
            gc.collect()
            found[name].append(timed(way, scaled(max(3, 2_000 // hosts), 2)))
    return {name: median(times) for name, times in found.items()}


def main() -> None:
    """Measure and print."""
    rows = []
    gc.disable()
    for hosts in SIZES:
        body = step_body(hosts, moved=range(0, hosts, 2))
        found = measured(body, hosts)
        rows += [
            (
                hosts,
                name,
                f"{seconds * 1e6:.1f}",
                f"{seconds * 1e9 / hosts:.0f}",
                f"{seconds / found['cattrs']:.3f}",
            )
            for name, seconds in found.items()
        ]
    gc.enable()
    show("decode: CPU of decoding one response", ("hosts", "way", "µs", "ns/host", "ratio"), rows)

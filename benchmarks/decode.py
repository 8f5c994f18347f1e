"""What decoding one answer costs: our look at a step, beside cattrs with orjson into all thirteen fields.

*look* is the dialect's own `look`: bytes in, a `StepPollView` out, checks and all. *1 % asked* also asks for the details of
one host in a hundred, as a poll does of which one host in a hundred moved; *all asked* for those of every host. *model*
is `decode`, the snapshot that a user's call returns. All run in this process in turn, garbage collection off.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median

import msgspec
from cattrs.preconf.orjson import make_converter

from benchmarks.compare.bodies import STEP, step_body
from benchmarks.compare.naive import Answer
from benchmarks.table import show
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.refs import JobRef, Scope

ROUNDS = 9
SIZES = (1, 100, 1_000, 10_000)
QUESTION = GetStepInstanceStatus(ref=JobRef(Scope.biz(2), 1).step(STEP))
SPOKEN = dialect_by_name("gateway-v3")
CATTRS = make_converter()


def look(response: HttpResponse, every: int = 0) -> None:
    """Look at an answer; ask for the details of each of *every* hosts."""
    seen = SPOKEN.decode_poll(QUESTION, response)
    if every:
        rows = [row for group in seen.groups or () for row in group.rows or ()]
        for row in rows[::every]:
            seen.details(seen.named(row))


def ways(body: bytes) -> dict[str, Callable[[], object]]:
    """Return the ways to decode *body*."""
    response = HttpResponse(status=200, body=body)
    return {
        "cattrs": lambda: CATTRS.loads(body, Answer),
        "look": lambda: look(response),
        "1 % asked": lambda: look(response, 100),
        "all asked": lambda: look(response, 1),
        "model": lambda: SPOKEN.decode(QUESTION, response),
        "msgspec, untyped": lambda: msgspec.json.decode(body),
    }


def timed(way: Callable[[], object], times: int) -> float:
    """Return the seconds of CPU that one of *times* runs takes."""
    started = time.process_time()
    for _ in range(times):
        way()
    return (time.process_time() - started) / times


def measured(body: bytes, hosts: int) -> dict[str, float]:
    """Return the median seconds of each way."""
    found: dict[str, list[float]] = {name: [] for name in ways(body)}
    for _ in range(ROUNDS):
        for name, way in ways(body).items():
            gc.collect()
            found[name].append(timed(way, max(3, 2_000 // hosts)))
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
    show("decode: CPU of decoding one answer", ("hosts", "way", "µs", "ns/host", "ratio"), rows)

"""Polling a step of 10 000 hosts from start to end: bytes, requests and CPU, compared with a full read at every poll.

The simulated platform answers the engine's own requests, with filters and quirks. The full read takes place at the same
polls, is decoded by cattrs with orjson into all fields and compared as dicts; its CPU is measured at every tenth poll.
*CPU* is decoding and comparing, with all state that the engine keeps. *all* adds choosing the requests, and creating
the events of all hosts that changed, with the host names and details that only events need. *strong* is what a strong
engineer writes in sixty lines (`compare/strong.py`): a full read at every poll, of ids and statuses only, and a tuple
for each change. All ways poll the same lifecycle at the same times and take turns at being first. Garbage collection is
on, except for objects that existed after the first two polls: the simulated platform's memory is not part of the
measurement.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import exp, log
from statistics import mean, median

from attrs import define, field
from cattrs.preconf.orjson import make_converter
from msgspec.structs import replace
from yarl import URL

from benchmarks.compare import strong
from benchmarks.compare.full_read import Host, StepResponse, changed_hosts, hosts_by_id
from benchmarks.lifecycles import HOSTS, LIFECYCLES, POLLS, simulated
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.group_polling.group_poller import read_mode_of
from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.responses.job_tracker import apply_job, apply_step
from bkjob_async.engine.responses.unchanged import note_unchanged_job, note_unchanged_step
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest, next_request, plan_follow_ups, step_request
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.credentials import AppCredentials
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, HostChanged
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.platform import Platform

ROUNDS, SAMPLED, SETTLING, FIRST_POLLS = scaled(5, 1), 10, 20, 2
PLATFORM = URL("http://simulator/api/bk-job/prod/")
STILL_RUNNING = b'"status":2,'
CONVERTER = make_converter()
DIALECT = dialect_by_name("gateway-v3")
CREDENTIALS = AppCredentials(bk_app_code="bench", bk_app_secret="bench", bk_username="bench")  # noqa: S106 - made up

Transition = tuple[int, int, int | None, int]
"""Poll number, host id, status before and after."""


# Counting -----------------------------------------------------------------------------------------------------------


@define
class Costs:
    """The costs of polling one lifecycle; `records` counts host rows."""

    sizes: list[int] = field(factory=list)
    records: int = 0
    seconds: float = 0.0
    other_seconds: float = 0.0
    transitions: list[Transition] = field(factory=list)

    @property
    def all_seconds(self) -> float:
        """CPU seconds, with choosing requests and creating events."""
        return self.seconds + self.other_seconds


class FullRead:
    """A full read at every poll; every tenth is decoded and compared, or every one when *checked*."""

    def __init__(self, *, checked: bool) -> None:
        self.costs = Costs()
        self._checked = checked
        self._known: dict[int, Host] = {}
        self._sampled: list[float] = []
        self.is_over = False

    def poll(self, number: int, ask: Callable[[PollRequest], bytes], ref: StepRef) -> None:
        """Poll once."""
        body = ask(step_request(ref))
        self.costs.sizes.append(len(body))
        self.is_over = STILL_RUNNING not in body[:1000]
        if self._checked or self.is_over or number % SAMPLED == 0:
            start = time.process_time()
            hosts = hosts_by_id(CONVERTER.loads(body, StepResponse))
            changes = changed_hosts(self._known, hosts)
            self._sampled.append(time.process_time() - start)
            self._known = hosts
            self.costs.records += len(hosts)
            self.costs.transitions += [(number, *change) for change in changes]

    def end(self) -> Costs:
        """Return the costs of the whole lifecycle."""
        self.costs.seconds = mean(self._sampled) * len(self.costs.sizes)
        self.costs.records = self.costs.records * len(self.costs.sizes) // len(self._sampled)
        return self.costs


class StrongRead:
    """A full read at every poll, as a strong engineer decodes and compares it."""

    def __init__(self, _ref: StepRef) -> None:
        self.costs = Costs()
        self._known: dict[int, int] = {}
        self.is_over = False

    def poll(self, number: int, ask: Callable[[PollRequest], bytes], ref: StepRef) -> None:
        """Poll once."""
        body = ask(step_request(ref))
        changes: list[strong.Change] = []
        start = time.process_time()
        step = strong.decode(body).data
        strong.compare(0, self._known, step, changes.append)
        self.costs.seconds += time.process_time() - start
        self.costs.sizes.append(len(body))
        self.costs.records += len(self._known)
        self.costs.transitions += [
            (number, host or 0, before, after or 0) for _, host, before, after in changes
        ]
        self.is_over = step.status not in strong.OPEN

    def end(self) -> Costs:
        """Return the costs of the whole lifecycle."""
        return self.costs


class EnginePolls:
    """The engine chooses requests, the dialect decodes, the job tracker compares."""

    def __init__(
        self, ref: StepRef, *, detail_level: DetailLevel = DetailLevel.EVERY_CHANGE, guess: bool = False
    ) -> None:
        """Poll *ref* at *detail_level*; *guess* saves requests rather than bytes."""
        self.costs = Costs()
        self._ref = ref
        self._guess = guess
        self._tracker = JobState(ref.job)
        self._tracker.add_target(ref)
        self._tracker.detail_level = detail_level
        self._machines = Machines()

    @property
    def is_over(self) -> bool:
        """Return True if the step is over, as the tracker sees it."""
        return self._tracker.is_over(self._ref)

    def poll(self, number: int, ask: Callable[[PollRequest], bytes], _ref: StepRef) -> None:
        """Poll once, with all requests that this takes."""
        at = PollStamp(float(number), number + 1, "", machines=self._machines)
        while True:
            start = time.process_time()
            request = next_request(self._tracker, DIALECT.capabilities, requests_are_scarce=self._guess)
            self.costs.other_seconds += time.process_time() - start
            body = ask(request)
            start = time.process_time()
            events = self._apply(request, body, at)
            self.costs.seconds += time.process_time() - start
            self.costs.sizes.append(len(body))
            self.costs.records += body.count(b'"bk_host_id"')
            self._count_transitions(number, events)
            if not self._tracker.pending:
                return

    def _apply(self, request: PollRequest, body: bytes, at: PollStamp) -> Sequence[Event]:
        response = HttpResponse(status=200, body=body)
        job, events = self._tracker, list[Event]()
        if isinstance(request, GetJobInstanceStatus):
            seen = decode_poll(DIALECT, request, response)
            if not note_unchanged_job(job, seen, at.now):
                events = apply_job(job, seen, at)
        else:
            shown, mode = decode_poll(DIALECT, request, response), read_mode_of(request)
            if not note_unchanged_step(job, shown, at.now, mode):
                events = apply_step(job, shown, at, mode)
        plan_follow_ups(self._tracker, request, DIALECT.capabilities)
        return events

    def _count_transitions(self, number: int, applied: Iterable[Event]) -> None:
        self.costs.transitions += [
            (number, e.host.bk_host_id or 0, e.before.code if e.before else None, e.after.code)
            for e in applied
            if isinstance(e, HostChanged)
        ]

    def end(self) -> Costs:
        """Return the costs of the whole lifecycle."""
        return self.costs


WAYS: dict[str, Callable[[StepRef], EnginePolls | StrongRead]] = {
    "exact": EnginePolls,
    "exact, guessed limit": partial(EnginePolls, guess=True),
    "strong": StrongRead,
    "final": partial(EnginePolls, detail_level=DetailLevel.COALESCED),
}


def polled(platform: Platform, ref: StepRef, *, checked: bool) -> dict[str, Costs]:
    """Poll one lifecycle in every way, all of them at the same times."""
    full_read = FullRead(checked=checked)
    ways: dict[str, FullRead | StrongRead | EnginePolls] = {"full read": full_read}
    ways |= {name: way(ref) for name, way in WAYS.items()}
    for number in range(POLLS + SETTLING):

        def ask(request: PollRequest, now: float = float(number)) -> bytes:
            http = DIALECT.sign(DIALECT.encode(request), CREDENTIALS)
            return platform.respond(replace(http, url=PLATFORM.join(http.url)), now).body

        if number < FIRST_POLLS:
            gc.freeze()
        first = number % len(ways)
        order = list(ways.values())
        for way in order[first:] + order[:first]:
            if not way.is_over:
                way.poll(number, ask, ref)
    return {name: way.end() for name, way in ways.items()}


# Showing ------------------------------------------------------------------------------------------------------------


def measured() -> Iterator[tuple[str, list[dict[str, Costs]]]]:
    """Yield the costs of every lifecycle, round by round; the first round compares every poll."""
    rounds: dict[str, list[dict[str, Costs]]] = {name: [] for name in LIFECYCLES}
    for number in range(ROUNDS):
        for name, lifecycle in LIFECYCLES.items():
            rounds[name].append(polled(*simulated(lifecycle), checked=number == 0))
            gc.unfreeze()
            gc.collect()
    yield from rounds.items()


def lag(seen: Iterable[Transition], truth: Iterable[Transition]) -> tuple[float, int]:
    """Return how many polls late the ends of hosts were seen: mean and maximum."""
    ended = {host: poll for poll, host, _, after in truth if after not in (5, 7)}
    lags = [poll - ended[host] for poll, host, _, after in seen if after not in (5, 7)]
    return mean(lags), max(lags)


def part(ratio: float) -> str:
    """Return a ratio below one as a fraction, such as `1/8.5`."""
    return f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f}"


def main() -> None:
    """Measure and print."""
    rows: list[tuple[str, ...]] = []
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for lifecycle, rounds in measured():
        truth = rounds[0]["full read"]
        for name in WAYS:
            costs = rounds[0][name]
            cpu = median(r[name].seconds / r["full read"].seconds for r in rounds)
            in_all = median(r[name].all_seconds / r["full read"].seconds for r in rounds)
            shares[name].append((cpu, in_all))
            late, most = lag(costs.transitions, truth.transitions)
            different = set(costs.transitions) ^ set(truth.transitions)
            rows.append(
                (
                    f"{lifecycle}, {name}",
                    part(sum(costs.sizes) / sum(truth.sizes)),
                    f"{len(costs.sizes) / len(truth.sizes):.2f}",
                    part(costs.records / truth.records),
                    part(cpu),
                    part(in_all),
                    f"{late:.2f} / {most}",
                    "the same" if not different else f"{len(different)} differ",
                )
            )
    for name, found in shares.items():
        means = [exp(mean(log(each) for each in column)) for column in zip(*found, strict=True)]
        rows.append((f"all five, {name}", "", "", "", *(part(share) for share in means), "", ""))
    columns = (
        "lifecycle, way",
        "bytes ratio",
        "requests ratio",
        "records ratio",
        "CPU ratio",
        "all ratio",
        "lag in polls, mean / most",
        "transitions",
    )
    show(f"lifecycle: {HOSTS} hosts, {POLLS} polls, compared with a full read at each", columns, rows)

"""Following a step of 10 000 hosts through its life: bytes, requests and CPU beside reading everything at every look.

The simulated platform answers the engine's own questions, filters and quirks and all. Beside it everything is read at
the same looks, decoded by cattrs with orjson into all fields and compared as dicts; its CPU is that of every tenth look.
CPU is decoding and comparing, with all that the engine takes note of; *all* adds deciding what to ask, and making the
events of all hosts that moved, with the names and details that are read for them only. All ways follow a life side by side, and
take turns to be the first at a look. Garbage is collected as in any process, but for what was there at the first two looks: the
simulated platform is nobody's garbage.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import exp, log
from statistics import mean, median

from attrs import define, evolve, field
from yarl import URL

from benchmarks.compare.whole import Host, hosts_in, moves_between
from benchmarks.lifecycles import LIVES, LOOKS, lived
from benchmarks.table import show
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.group_polling.group_poller import read_mode_of
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy, LazyHostEvents
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.next_request import Question, ask_step, begin_follow_ups, next_request
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.credentials import AppCredentials
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.platform import Platform

ROUNDS, SAMPLED, SETTLING, FIRST_LOOKS = 5, 10, 20, 2
PLATFORM = URL("http://simulator/api/bk-job/prod/")
STILL_RUNS = b'"status":2,'
SPOKEN = dialect_by_name("gateway-v3")
CREDENTIALS = AppCredentials(bk_app_code="bench", bk_app_secret="bench", bk_username="bench")  # noqa: S106 - made up

Transition = tuple[int, int, int | None, int]
"""The look, the host, its code before and after."""


# Counting -----------------------------------------------------------------------------------------------------------


@define
class Bill:
    """What following one life took."""

    sizes: list[int] = field(factory=list)
    records: int = 0
    seconds: float = 0.0
    seconds_beside: float = 0.0
    transitions: list[Transition] = field(factory=list)

    @property
    def seconds_in_all(self) -> float:
        """CPU seconds, questions chosen and events made."""
        return self.seconds + self.seconds_beside


class Everything:
    """Everything is read at every look; decoded and compared at every tenth, at all of them when *checked*."""

    def __init__(self, *, checked: bool) -> None:
        self.bill = Bill()
        self._checked = checked
        self._known: dict[int, Host] = {}
        self._sampled: list[float] = []
        self.is_over = False

    def look(self, number: int, ask: Callable[[Question], bytes], ref: StepRef) -> None:
        """Look once."""
        body = ask(ask_step(ref))
        self.bill.sizes.append(len(body))
        self.is_over = STILL_RUNS not in body[:1000]
        if self._checked or self.is_over or number % SAMPLED == 0:
            start = time.process_time()
            seen = hosts_in(body)
            moves = moves_between(self._known, seen)
            self._sampled.append(time.process_time() - start)
            self._known = seen
            self.bill.records += len(seen)
            self.bill.transitions += [(number, *move) for move in moves]

    def end(self) -> Bill:
        """Return the bill."""
        self.bill.seconds = mean(self._sampled) * len(self.bill.sizes)
        self.bill.records = self.bill.records * len(self.bill.sizes) // len(self._sampled)
        return self.bill


class Ours:
    """The engine asks, the dialect looks, the story compares."""

    def __init__(
        self, ref: StepRef, *, detail_level: DetailLevel = DetailLevel.EVERY_CHANGE, guess: bool = False
    ) -> None:
        """Follow *ref* as closely as *grade* says; *guess*: by few requests rather than few bytes."""
        self.bill = Bill()
        self._ref = ref
        self._guess = guess
        self._story = JobTracker(ref.job)
        self._story.want(ref)
        self._story.detail_level = detail_level

    @property
    def is_over(self) -> bool:
        """Whether the step was told as over."""
        return self._story.is_over(self._ref)

    def look(self, number: int, ask: Callable[[Question], bytes], _ref: StepRef) -> None:
        """Look once, with all the questions that this takes."""
        at = PollStamp(float(number), number + 1, "")
        while True:
            start = time.process_time()
            question = next_request(self._story, SPOKEN.capabilities, requests_are_scarce=self._guess)
            self.bill.seconds_beside += time.process_time() - start
            body = ask(question)
            start = time.process_time()
            news = self._take(question, body, at)
            self.bill.seconds += time.process_time() - start
            self.bill.sizes.append(len(body))
            self.bill.records += body.count(b'"bk_host_id"')
            self._note(number, news)
            if not self._story.pending:
                return

    def _take(self, question: Question, body: bytes, at: PollStamp) -> Sequence[EventOrLazy]:
        response = HttpResponse(status=200, body=body)
        if isinstance(question, GetJobInstanceStatus):
            news = self._story.apply_job(SPOKEN.decode_poll(question, response), at)
        else:
            news = self._story.apply_step(SPOKEN.decode_poll(question, response), at, read_mode_of(question))
        begin_follow_ups(self._story, question, SPOKEN.capabilities)
        return news

    def _note(self, number: int, news: Iterable[EventOrLazy]) -> None:
        moved = [part for part in news if isinstance(part, LazyHostEvents)]
        start = time.process_time()
        events = [event for part in moved for event in part.materialize()]
        self.bill.seconds_beside += time.process_time() - start
        self.bill.transitions += [
            (number, e.host.bk_host_id or 0, e.before.code if e.before else None, e.after.code)
            for e in events
        ]

    def end(self) -> Bill:
        """Return the bill."""
        return self.bill


WAYS: dict[str, Callable[[StepRef], Ours]] = {
    "exact": Ours,
    "exact, guessed limit": partial(Ours, guess=True),
    "final": partial(Ours, detail_level=DetailLevel.COALESCED),
}


def followed(platform: Platform, ref: StepRef, *, checked: bool) -> dict[str, Bill]:
    """Follow one life in every way, all of them at the same looks."""
    everything = Everything(checked=checked)
    ways: dict[str, Everything | Ours] = {"everything": everything}
    ways |= {name: way(ref) for name, way in WAYS.items()}
    for number in range(LOOKS + SETTLING):

        def ask(question: Question, now: float = float(number)) -> bytes:
            request = SPOKEN.sign(SPOKEN.encode(question), CREDENTIALS)
            return platform.answer(evolve(request, url=PLATFORM.join(request.url)), now).body

        if number < FIRST_LOOKS:
            gc.freeze()
        first = number % len(ways)
        in_turn = list(ways.values())
        for way in in_turn[first:] + in_turn[:first]:
            if not way.is_over:
                way.look(number, ask, ref)
    return {name: way.end() for name, way in ways.items()}


# Showing ------------------------------------------------------------------------------------------------------------


def measured() -> Iterator[tuple[str, list[dict[str, Bill]]]]:
    """Yield the bills of every life, round by round; the first round compares every look."""
    rounds: dict[str, list[dict[str, Bill]]] = {name: [] for name in LIVES}
    for number in range(ROUNDS):
        for name, life in LIVES.items():
            rounds[name].append(followed(*lived(life), checked=number == 0))
            gc.unfreeze()
            gc.collect()
    yield from rounds.items()


def lag(told: Iterable[Transition], truth: Iterable[Transition]) -> tuple[float, int]:
    """Return by how many looks the ends of hosts were told later than they could be seen: mean and most."""
    seen = {host: look for look, host, _, after in truth if after not in (5, 7)}
    lags = [look - seen[host] for look, host, _, after in told if after not in (5, 7)]
    return mean(lags), max(lags)


def part(ratio: float) -> str:
    """Return a ratio below one as people say it."""
    return f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f}"


def main() -> None:
    """Measure and print."""
    rows: list[tuple[str, ...]] = []
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for life, rounds in measured():
        truth = rounds[0]["everything"]
        for name in WAYS:
            bill = rounds[0][name]
            cpu = median(r[name].seconds / r["everything"].seconds for r in rounds)
            in_all = median(r[name].seconds_in_all / r["everything"].seconds for r in rounds)
            shares[name].append((cpu, in_all))
            late, most = lag(bill.transitions, truth.transitions)
            different = set(bill.transitions) ^ set(truth.transitions)
            rows.append(
                (
                    f"{life}, {name}",
                    part(sum(bill.sizes) / sum(truth.sizes)),
                    f"{len(bill.sizes) / len(truth.sizes):.2f}",
                    part(bill.records / truth.records),
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
        "life, way",
        "bytes ratio",
        "requests ratio",
        "records ratio",
        "CPU ratio",
        "all ratio",
        "lag in looks, mean / most",
        "transitions",
    )
    show("lifecycle: 10 000 hosts, 200 looks, beside reading everything", columns, rows)

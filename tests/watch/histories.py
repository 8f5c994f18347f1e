"""Random histories: worlds, faults, and what people do meanwhile; each runs in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from random import Random
from unittest import mock

import looptime
from attrs import evolve, field, frozen
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.engine.plan import next_question
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.desk import Site
from bkjob_async.simulator.platform import Platform
from bkjob_async.simulator.world import World
from bkjob_async.simulator.world_codes import CONFIRM, FILE
from bkjob_async.simulator.world_plans import (
    DEAF,
    HANGS,
    INVALID,
    NO_AGENT,
    Fate,
    JobPlan,
    Rolling,
    Span,
    StepPlan,
)
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.stage import DIALECTS, client_of

QUICK = Fate(runs=Span(0.0, 4.0), waits=Span(0.0, 2.0))
LONG = Fate(runs=Span(5.0, 60.0))
FAILS = Fate(status=104, exit_code=2, runs=Span(0.0, 9.0), tag="full")
KILLED = Fate(status=403, runs=Span(0.0, 5.0))
STRANGE = Fate(status=777, runs=Span(0.0, 5.0))
FATES = (QUICK, QUICK, QUICK, LONG, FAILS, KILLED, STRANGE, NO_AGENT, INVALID, HANGS, DEAF)

fates = st.lists(st.sampled_from(FATES), min_size=1, max_size=3).map(tuple)
rollings = st.builds(
    Rolling,
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    mode=st.integers(1, 3),
    kind=st.integers(1, 2),
    parallel=st.booleans(),
)
script_steps = st.builds(
    StepPlan,
    hosts=st.integers(1, 7),
    kind=st.sampled_from([1, FILE]),
    fates=fates,
    retry_fates=fates,
    ignore_error=st.booleans(),
    rolling=st.none() | rollings,
    abnormal_after=st.none() | st.none() | st.floats(0.5, 20.0),
    abnormal_status=st.sampled_from([9, 14]),
)
confirm_steps = st.just(StepPlan(kind=CONFIRM, hosts=0))
steps = st.lists(st.one_of(script_steps, script_steps, script_steps, confirm_steps), min_size=1, max_size=3)
jobs = st.builds(
    JobPlan,
    steps=steps.map(tuple),
    created=st.just(0.0),
    start_task=st.sampled_from([True, True, True, False]),
)

ACTIONS = (
    "add",
    "drop",
    "operate",
    "operate",
    "operate",
    "operate",
    "stop",
    "stop",
    "start",
    "nudge",
    "leave early",
)
OPERATIONS = (2, 2, 2, 8, 8, 3, 6, 9, 10, 11, 12, 13)
HTML = HttpResponse(status=502, body=b"<html>bad gateway</html>")
FAULTS: dict[str, HttpResponse | bkjob.BkJobError] = {
    "html": HTML,
    "half": HttpResponse(status=200, body=b'{"result": true, "code": 0, "data": {"jo'),
    "timeout": bkjob.RequestTimedOut(bkjob.CallFacts(message="no answer")),
    "refused": bkjob.TransportFailed(bkjob.CallFacts(message="refused", sent=False)),
    "throttled": HttpResponse(status=200, body=b'{"result": false, "code": 1306429, "message": "slow down"}'),
    "internal": HttpResponse(status=200, body=b'{"result": false, "code": 1240002, "message": "oops"}'),
    "credentials": HttpResponse(
        status=400, body=b'{"result": false, "code": 1640001, "message": "who are you"}'
    ),
}


@frozen(kw_only=True)
class FaultWindow:
    """From *start* on, for *length* seconds, a *share* of answers is spoilt; *kind* torn spoils rows only."""

    kind: str
    start: float
    length: float
    share: float

    def covers(self, now: float) -> bool:
        """Tell whether *now* lies in it."""
        return self.start <= now < self.start + self.length


@frozen(kw_only=True)
class History:
    """One random history: the world, what people do and when, what goes wrong, how it is watched.

    *survey* says how steps are read: `small` ones whole; as if they were large by `counts`, or with a `guess` of how
    many hosts to ask for, and jobs of which only the end is wanted by lists; then the platform takes its time between two groups of one answer, too.
    """

    seed: int
    dialect: str
    plans: tuple[JobPlan, ...]
    actions: tuple[tuple[float, str, int], ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interval: float | None = None
    latency: float = 0.0
    slow_reader: float = 0.0
    single_steps: bool = False
    log_limit: int = field(default=100_000)
    grade: bkjob.Grade = bkjob.Grade.EXACT
    survey: str = "small"


windows = st.builds(
    FaultWindow,
    kind=st.sampled_from([*FAULTS, "torn", "torn", "missing", "missing"]),
    start=st.floats(0, 60),
    length=st.floats(0.5, 30),
    share=st.floats(0.1, 0.5),
)
histories = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(DIALECTS),
    plans=st.lists(jobs, min_size=1, max_size=3).map(tuple),
    actions=st.lists(
        st.tuples(st.floats(0, 90), st.sampled_from(ACTIONS), st.integers(0, 11)), max_size=6
    ).map(lambda actions: tuple(sorted(actions))),
    faults=st.lists(windows, max_size=2).map(tuple),
    interval=st.none() | st.floats(0.3, 8.0),
    latency=st.sampled_from([0.0, 0.0, 0.05, 1.5]),
    slow_reader=st.sampled_from([0.0, 0.0, 0.0, 7.0]),
    single_steps=st.booleans(),
    log_limit=st.sampled_from([100_000, 100_000, 25]),
    grade=st.sampled_from([*bkjob.Grade, bkjob.Grade.EXACT]),
    survey=st.sampled_from(["small", "counts", "counts", "guess"]),
)

# Histories of one kind, for bugs that show in that kind only.
retried = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(DIALECTS),
    plans=st.just((JobPlan(steps=(StepPlan(hosts=3, fates=(FAILS,)),)),)),
    actions=st.floats(20, 90).map(lambda moment: ((moment, "operate", 0),)),
)
skipped = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(DIALECTS),
    plans=st.just((JobPlan(steps=(StepPlan(hosts=3, fates=(DEAF,)), StepPlan(hosts=1))),)),
    actions=st.floats(5, 60).map(lambda moment: ((moment, "stop", 0), (moment + 4, "operate", 10))),
)
rolled = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(DIALECTS),
    plans=st.just(
        (JobPlan(steps=(StepPlan(hosts=6, fates=(FAILS,), rolling=Rolling(sizes=(2, 2, 2), mode=2)),)),)
    ),
    interval=st.floats(0.2, 0.4),
)

slowly_read = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(DIALECTS),
    plans=st.lists(jobs, min_size=9, max_size=9).map(tuple),
    slow_reader=st.sampled_from([0.5, 3.0]),
    log_limit=st.just(8),
)


def run(history: History) -> list[str]:
    """Run a history to its end; return every promise that a reader saw broken."""
    with ExitStack() as patches:
        if history.survey != "small":
            patches.enter_context(mock.patch("bkjob_async.engine.survey.SURVEYED", 0))
            patches.enter_context(mock.patch("bkjob_async.engine.sweep.FEWEST", 1))
            patches.enter_context(mock.patch("bkjob_async.engine.hosts.MANY_NAMES", 0))
            patches.enter_context(mock.patch("bkjob_async.simulator.render_groups.READ_AT_ONCE", 0))
        if history.survey == "guess":
            scarce = partial(next_question, requests_are_scarce=True)
            ask = lambda story, capabilities, **_: scarce(story, capabilities)  # noqa: E731
            patches.enter_context(mock.patch("bkjob_async.watch.polling.next_question", ask))
        if history.log_limit < 100:
            patches.enter_context(mock.patch("bkjob_async.watch.stream.PORTION", 3))
        runner = asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0))
        return patches.enter_context(runner).run(_run(history))


async def _run(history: History) -> list[str]:
    world = World(history.seed)
    refs = [world.add(plan) for plan in history.plans]
    dice = Random(history.seed)
    platform = Platform(world, site=Site(group_pace=0.2 if history.latency else 0.002))
    async with client_of(platform, history.dialect, latency=history.latency, interval=history.interval) as (
        client,
        door,
    ):
        door.spoil = spoiler(history, dice)
        door.tear = tearer(history, dice)
        watch = client.watch([], deadline=240.0, linger=None, grade=history.grade)
        watch._log._limit = history.log_limit
        async with watch:
            for ref in refs:
                watch.add(*targets(ref, world, history))
            actor = asyncio.create_task(act(history, client, watch, world, refs))
            batches: list[bkjob.Batch] = []
            try:
                async for batch in watch.batches():
                    batches.append(batch)
                    if history.slow_reader:
                        await asyncio.sleep(history.slow_reader)
            except bkjob.DeadlineExceeded:
                pass
            left_early = asyncio.get_running_loop().time() < 239.0
            actor.cancel()
            await asyncio.wait([actor])
            if not actor.cancelled() and actor.exception() is not None:
                raise actor.exception() or AssertionError
    left = asyncio.all_tasks() - {asyncio.current_task()}
    orphans = [f"{task} was left behind" for task in left]
    missed = [] if left_early or history.slow_reader else unseen(history, watch, world, batches)
    world.advance(asyncio.get_running_loop().time())  # nobody may have asked since its jobs were dropped
    # A watch for the end alone owes nobody the hosts of an execution that was retried before it was read.
    truth = None if history.grade is bkjob.Grade.FINISH else truth_of(world.history())
    return orphans + broken_promises(batches, truth=truth) + missed


def unseen(history: History, watch: bkjob.Watch, world: World, batches: list[bkjob.Batch]) -> list[str]:
    """Return what has been so for long at the end, undisturbed, and was never told."""
    quiet = max([60.0, *(window.start + window.length + 70.0 for window in history.faults)])
    told = {e.ref: e.after.code for batch in batches for e in batch.events if isinstance(e, bkjob.JobChanged)}
    lost = {e.ref for batch in batches for e in batch.events if isinstance(e, bkjob.Lost)}
    missed = []
    for ref in watch.targets - lost:
        moves = world.history().jobs.get(ref.job, ())
        if (
            isinstance(ref, bkjob.JobRef)
            and moves
            and moves[-1][0] < 240.0 - quiet
            and told.get(ref) != moves[-1][1]
        ):
            missed.append(
                f"{ref} is {moves[-1][1]} since {moves[-1][0]:.0f} s, and was last told as {told.get(ref)}"
            )
    return missed


def targets(ref: bkjob.JobRef, world: World, history: History) -> list[bkjob.Ref]:
    """Return what is watched of a job: itself, or also its first step by itself."""
    job = world.jobs.get(ref.job_instance_id)
    if job is None or not history.single_steps:
        return [ref]
    return [ref, job.steps[0].ref] if history.seed % 2 else [step.ref for step in job.steps]


async def act(
    history: History, client: bkjob.JobClient, watch: bkjob.Watch, world: World, refs: list[bkjob.JobRef]
) -> None:
    """Do what people do, at its time; what the platform refuses is refused."""
    now = 0.0
    for moment, action, number in history.actions:
        await asyncio.sleep(moment - now)
        now = moment
        ref = refs[number % len(refs)]
        job = world.jobs.get(ref.job_instance_id)
        if watch._state != "open" or job is None:
            continue
        try:
            match action:
                case "add":
                    refs.append(world.add(evolve(history.plans[0], created=0.0)))
                    watch.add(refs[-1])
                case "drop":
                    watch.drop(ref)
                case "nudge":
                    watch.nudge(ref)
                case "operate":
                    code = OPERATIONS[number % len(OPERATIONS)]
                    await client.operate_step_instance(job.current_step.ref, operation_code=code)
                case "stop" | "start":
                    world.operate_job(job, 1 if action == "stop" else 2)
                    client._watcher.operated(ref)
                case _:
                    await watch.aclose()
        except Exception as error:
            if not isinstance(error, bkjob.CallFailed) and type(error).__name__ != "Refused":
                raise


def spoiler(
    history: History, dice: Random
) -> Callable[[HttpRequest, float], HttpResponse | bkjob.BkJobError | None]:
    """Return what puts errors in place of answers while a fault lasts."""

    def spoil(_request: HttpRequest, now: float) -> HttpResponse | bkjob.BkJobError | None:
        for window in history.faults:
            if window.kind in FAULTS and window.covers(now) and dice.random() < window.share:
                return FAULTS[window.kind]
        return None

    return spoil


def tearer(history: History, dice: Random) -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what tears answers: a host in two groups, or a row left out."""
    last: dict[tuple[object, ...], int] = {}

    def tear(response: HttpResponse, now: float) -> HttpResponse:
        if b"step_result_group_list" not in response.body:
            return response
        answer = json.loads(response.body)
        data = answer.get("data") or {}
        lists = [
            g["host_result_list"]
            for g in data.get("step_result_group_list") or ()
            if g.get("host_result_list")
        ]
        run = (data.get("step_instance_id"), data.get("execute_count"))
        # Groups are read one after the other: a host that moved on since the last look stands where it was, too.
        stale = [
            (row, other)
            for rows in lists
            for row in rows
            for other in lists
            if other is not rows and other[0]["status"] == last.get((*run, row["bk_host_id"]))
        ]
        for rows in lists:
            for row in rows:
                last[*run, row["bk_host_id"]] = row["status"]
        kinds = {w.kind for w in history.faults if w.covers(now) and dice.random() < w.share}
        if "missing" in kinds and lists:
            rows = dice.choice(lists)
            rows.pop(dice.randrange(len(rows)))
        elif "torn" in kinds and stale:
            row, other = dice.choice(stale)
            other.append({**row, "status": other[0]["status"]})
            group = next(g for g in data["step_result_group_list"] if g.get("host_result_list") is other)
            group["host_size"] += 1
        else:
            return response
        return HttpResponse(status=200, body=json.dumps(answer).encode())

    return tear

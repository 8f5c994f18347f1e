"""Run a random history in virtual time and record what every watch and reader received."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import looptime
from attrs import define, evolve, field

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.plans import SimulatedJob
from bkjob_async.simulator.world.records import Job
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of
from tests.watch.histories import CONDITIONS, HORIZON, OPERATIONS, History, WatchPlan, site_of
from tests.watch.history_backup import Backup, backup_of, broken_after_restore
from tests.watch.history_checks import PROMPT, Cut, Past, WatchRecord, broken
from tests.watch.history_faults import delays, launch_spoiler, spoiler, tearer
from tests.watch.history_hosts import registered_anew, with_shown_hosts
from tests.watch.history_quotas import limit
from tests.watch.history_replica import LaggingReplica
from tests.watch.history_users import confirm, in_time, now, operate, parts_of
from tests.watch.history_waits import Waited
from tests.watch.inside import limit_log, polled_by
from tests.watch.interrupted import interrupted
from tests.watch.small_bounds import small_bounds

# Where callbacks are received.
HERE = "http://127.0.0.1/callbacks"


def run(history: History) -> list[str]:
    """Run a history to its end; return every promise that a reader saw broken."""
    runner = asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0))
    with small_bounds(history.group_polling, history.log_limit), runner:
        return runner.run(_run(history))


async def _run(history: History) -> list[str]:
    world = World(history.seed)
    refs = [world.add(plan_in(history, plan)) for plan in history.plans]
    dice = Random(history.seed)
    site = site_of(history.seed, history.latency)
    platform = limit(
        Platform(world, site=site), history.dialect, history.quota, per_resource=history.per_resource
    )
    backup = backup_of(history, site)
    options: dict[str, Any] = {
        "latency": history.latency,
        "interval": history.interval,
        "max_in_flight": history.in_flight,
        "requests_per_second": history.rate,
    }
    receiver = None if history.callbacks is None else bkjob.CallbackReceiver(base=HERE)
    async with client_of(platform, history.dialect, callbacks=receiver, **options) as (client, transport):
        transport.spoil = spoiler(history, dice, refs[0].job_instance_id)
        transport.tear = registered_anew(history, tearer(history, dice))
        transport.delay = delays(history.faults, Random(f"{history.seed}/slow"))
        replica = LaggingReplica(history, dice, partial(knows_later, client))
        outdate, spoil_launch = replica.outdate if backup is None else backup.outdate, launch_spoiler(history)
        transport.outdate = lambda request, response, at: spoil_launch(
            request, outdate(request, response, at), at
        )
        transport.clock.now()  # the world begins with the history, whenever the first watch is opened
        stage = Stage(history, world, client, refs, receiver, backup)
        calling_back = asyncio.create_task(stage.call_back(dice))
        await asyncio.gather(*(stage.watch(plan) for plan in history.watches), stage.act())
        calling_back.cancel()
        await asyncio.wait([calling_back])
        stage.past.requests = list(zip(transport.times, transport.urls, transport.spoilt, strict=True))
        stage.past.exchanges = transport.exchanges
        for seen in stage.past.watches:
            await reread(seen)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    orphans = [f"{task} was left behind" for task in left]
    if backup is not None:
        backup.world.advance(now())
        return orphans + broken_after_restore(history, backup, stage.past)
    world.advance(now())  # nobody may have asked since its jobs were dropped
    return orphans + broken(history, world.history(), stage.past)


def plan_in(history: History, plan: SimulatedJob) -> SimulatedJob:
    """Return a job's plan with a callback where somebody expects it, and with the hosts that the dialect can show."""
    plan = with_shown_hosts(history.dialect, plan)
    return plan if history.callbacks is None else evolve(plan, callback_url=HERE)


def knows_later(client: bkjob.JobClient, step_instance_id: int, execute_count: int) -> bool:
    """Whether a client has seen a later execution of a step than this one."""
    steps = (target.find_step(step_instance_id) for target in polled_by(client))
    return any(
        step is not None and step.status_code is not None and step.execute_count > execute_count
        for step in steps
    )


@define
class Stage:
    """The world, its client, and what people do with them."""

    history: History
    world: World
    client: bkjob.JobClient
    refs: list[bkjob.JobRef]
    receiver: bkjob.CallbackReceiver | None = None
    backup: Backup | None = None
    past: Past = field(factory=Past)

    # Watches --------------------------------------------------------------------------------------------------------

    async def watch(self, plan: WatchPlan) -> None:
        """Open a watch at its time, and read it to its end."""
        await asyncio.sleep(plan.opens)
        self.world.advance(now())
        picked = [(self.refs[number % len(self.refs)], part) for number, part in plan.picks]
        refs = [ref for job, part in picked for ref in parts_of(self.world, job, part)]
        watch = self.client.watch(
            refs, deadline=HORIZON - plan.opens, linger=plan.linger, detail_level=plan.detail_level
        )
        limit_log(watch, self.history.log_limit)
        after = self.cursor_of_an_earlier() if plan.resumes else None
        seen = WatchRecord(plan=plan, watch=watch, after=after or "")
        self.past.watches.append(seen)
        seen.followed.note(self.world, *refs)
        async with watch:
            readers = [self.read(seen, after)]
            if plan.slow:
                readers.append(self.read_slowly(seen))
            if plan.confirms and self.history.dialect != "gateway-v4":
                readers.append(self.confirm(seen))
            if plan.cut is not None:
                readers.append(self.read_in_two(seen, *plan.cut))
            await asyncio.gather(*readers)
        if self.history.log_limit > 1000:
            seen.whole = []
            with suppress(bkjob.DeadlineExceeded):
                async for event in watch:
                    seen.whole.append(event)
        if seen.left is None:
            seen.results = await results_of(watch)

    def cursor_of_an_earlier(self) -> str | None:
        """Return the cursor of some event that an earlier watch delivered."""
        events = [event for seen in self.past.watches for batch in seen.batches for event in batch.events]
        return events[self.history.seed % len(events)].cursor if events else None

    async def read(self, seen: WatchRecord, after: str | None) -> None:
        """Read a watch at once; record when each batch came."""
        try:
            reader = seen.watch.batches(after=after)
            async for batch in reader:
                seen.batches.append(batch)
                seen.times.append(now())
                if after is None:
                    seen.count(reader, batch, PROMPT)
        except bkjob.DeadlineExceeded as error:
            seen.late = set(error.snapshots)
        seen.ended = now()

    async def read_slowly(self, seen: WatchRecord) -> None:
        """Read a watch a batch at a time, and at once when it is over; some of the reads are cancelled."""
        with suppress(bkjob.DeadlineExceeded):
            reader = seen.watch.batches()
            async for batch in interrupted(reader, Random(self.history.seed)):
                seen.slowly.append(batch)
                seen.count(reader, batch, "the gauge of the slow reader")
                if seen.ended is None:
                    await asyncio.sleep(seen.plan.slow)

    async def read_in_two(self, seen: WatchRecord, events: int, pause: float, kind: str) -> None:
        """Read some events, and the others behind the cursor of the last."""
        about = min(seen.followed.targets, key=str, default=None)
        open_reader: Callable[[str | None], Any] = {
            "events": lambda after: seen.watch.events(after=after),
            "hosts": lambda after: seen.watch.hosts(after=after),
            "about": lambda after: seen.watch.events(ref=about, after=after),
        }[kind]
        first: list[bkjob.Event] = []
        rest: list[bkjob.Event] = []
        seen.cut = Cut(kind=kind, about=about, first=first, rest=rest)
        with suppress(bkjob.DeadlineExceeded):
            async for event in open_reader(None):
                first.append(event)
                if len(first) == events:
                    break
            await asyncio.sleep(pause)
            if len(first) == events:
                async for event in open_reader(first[-1].cursor):
                    rest.append(event)

    async def confirm(self, seen: WatchRecord) -> None:
        """Confirm each wait that a watch reports, again where the request fails."""
        with suppress(bkjob.DeadlineExceeded):
            async for event in seen.watch.events():
                if isinstance(event, bkjob.StepWaiting):
                    await confirm(self.world, self.client, event.ref, self.past.operations)

    # What people do -------------------------------------------------------------------------------------------------

    async def act(self) -> None:
        """Do what people do, at its time; what the platform refuses is refused."""
        waits: list[asyncio.Task[None]] = []
        async for job, (_, action, number, which) in in_time(self.world, self.refs, self.history.actions):
            if action == "wait here":
                found = [seen for seen in self.past.watches if seen.is_open and job.ref in seen.watch.targets]
                until = (None, *CONDITIONS)[which % (1 + len(CONDITIONS))]
                waits += [asyncio.create_task(self.wait_here(seen, job.ref, until)) for seen in found]
                continue
            if action == "wait":
                waits.append(asyncio.create_task(self.wait(job.ref)))
                continue
            if action == "wait until":
                target = parts_of(self.world, job.ref, ("job", "job", "first", "last")[number % 4])[0]
                until = CONDITIONS[which % len(CONDITIONS)]
                waits.append(asyncio.create_task(self.wait(target, until)))
                continue
            if action == "callback" and self.receiver is not None:
                # Nobody signs callbacks: this one may be false, or of a job that is unknown.
                self.receiver.receive(body_of(job.ref.job_instance_id + number // 6, 3))
                continue
            with suppress(bkjob.CallFailed, bkjob.NotSupported, OperationNotAllowed):
                await self.operate(action, number, job)
            if action == "launch" and self.backup is None:
                await self.launch()
            watches = [seen for seen in self.past.watches if seen.is_open]
            if watches:
                await self.change(action, number, watches[which % len(watches)], job.ref)
        for wait in waits:
            await wait

    async def operate(self, action: str, number: int, job: Job) -> None:
        """Operate on a job or its current step, through the client or elsewhere."""
        verb = action.split(maxsplit=1)[0]
        elsewhere = action.endswith("elsewhere") or self.history.dialect == "gateway-v4"
        if verb not in ("operate", "stop", "start"):
            return
        self.past.operations.append((now(), job.ref, not elsewhere))
        if self.backup is not None and elsewhere:
            self.backup.operate_elsewhere(job.ref, verb, OPERATIONS[number % len(OPERATIONS)], now())
        try:
            await operate(self.world, None if elsewhere else self.client, job, verb, number)
        finally:
            self.past.operations.append((now(), job.ref, not elsewhere))  # a slow request was sent long ago

    async def launch(self) -> None:
        """Launch a job; where its outcome is unknown, it is among those of the platform, or was not launched."""
        known, said = set(self.world.jobs), "returns"
        try:
            await self.client.fast_execute_script("true", "0:10.0.0.1", account_alias="root")
        except bkjob.OutcomeUnknown:
            said = "does not know its outcome"
        except bkjob.CallFailed:
            said = "fails"
        launched = sorted(set(self.world.jobs) - known)
        self.refs += [self.world.jobs[number].ref for number in launched]
        allowed = {"returns": (1,), "does not know its outcome": (0, 1), "fails": (0,)}[said]
        if len(launched) not in allowed:
            self.past.launches.append(f"a launch {said}, and the jobs {launched} were launched")

    async def change(self, action: str, number: int, seen: WatchRecord, ref: bkjob.JobRef) -> None:
        """Change what a watch watches."""
        match action:
            case "add" if number % 3 == 0:
                plan = evolve(plan_in(self.history, self.history.plans[0]), created=0.0)
                self.refs.append(self.world.add(plan))
                seen.followed.note(self.world, self.refs[-1])
                seen.watch.add(self.refs[-1])
            case "add":
                parts = parts_of(self.world, ref, ("job", "first", "last", "both")[number % 4])
                seen.followed.note(self.world, *parts)
                seen.watch.add(*parts)
            case "launch":
                seen.followed.note(self.world, self.refs[-1])
                seen.watch.add(self.refs[-1])
            case "drop":
                refs = [target for target in sorted(seen.followed.targets, key=str) if target.job == ref]
                if refs:
                    dropped = refs[number % len(refs)]
                    seen.followed.drop(dropped, seen.batches)
                    seen.dropped.append((now(), dropped))
                    seen.watch.drop(dropped)
                    seen.drop(dropped)
            case "nudge":
                seen.watch.nudge(ref)
            case "leave" if number % 2:
                seen.left = now()
                await seen.watch.aclose()
            case _:
                pass

    async def wait(self, ref: bkjob.Ref, until: bkjob.Condition | None = None) -> None:
        """Wait for a target that may be over already, or for a condition that may hold already."""
        waited = Waited(ref=ref, begun=now(), until=until)
        self.past.waits.append(waited)
        try:
            waited.result = await self.client.wait(ref, until=until, deadline=60.0)
        except (
            bkjob.DeadlineExceeded,
            bkjob.TargetLost,
            bkjob.CallFailed,
            bkjob.ConditionUnreachable,
        ) as error:
            waited.error = error
        waited.ended = now()

    async def wait_here(
        self, seen: WatchRecord, ref: bkjob.JobRef, until: bkjob.Condition | None = None
    ) -> None:
        """Wait in a watch for one of its targets, which may be over already."""
        ends_only = seen.plan.detail_level is bkjob.DetailLevel.END_ONLY
        waited = Waited(ref=ref, begun=now(), until=until, here=True, reads_ends_only=ends_only)
        self.past.waits.append(waited)
        try:
            async with asyncio.timeout(60.0):
                waited.result = await seen.watch.wait(ref, until=until)
        except TimeoutError:
            waited.error = bkjob.DeadlineExceeded("the wait was cancelled", snapshots={})
            state = seen.states.get(PROMPT)
            waited.was_lost = state is not None and isinstance(state.ends.get(ref), bkjob.Lost)
        except (
            bkjob.TargetLost,
            bkjob.CallFailed,
            bkjob.ConditionUnreachable,
            bkjob.UsageError,  # the target may be dropped, and the watch closed
        ) as error:
            waited.error = error
        waited.ended = now()

    async def call_back(self, dice: Random) -> None:
        """Send the callbacks of jobs that have ended: one in six never, and one in six twice."""
        while self.receiver is not None:
            self.world.advance(now())
            due, self.world.callbacks = self.world.callbacks, []
            for callback in due:
                for again in range((0, 1, 1, 1, 1, 2)[dice.randrange(6)]):
                    asyncio.get_running_loop().call_later(
                        (self.history.callbacks or 0.0) + 0.3 * again,
                        self.receiver.receive,
                        body_of(callback.job_instance_id, callback.status),
                    )
            await asyncio.sleep(0.5)


def body_of(job_instance_id: int, status: int) -> bytes:
    """Return the body of a callback."""
    return json.dumps({"job_instance_id": job_instance_id, "status": status}).encode()


async def reread(seen: WatchRecord) -> None:
    """Read a watch again that ended long ago, though other watches went on with its jobs."""
    with suppress(bkjob.DeadlineExceeded):
        async for batch in seen.watch.batches():
            seen.again.append(batch)
    if seen.left is None:
        seen.results_again = await results_of(seen.watch)


async def results_of(watch: bkjob.Watch) -> dict[bkjob.Ref, bkjob.JobResult | bkjob.Lost] | None:
    """Return how the targets of a watch ended, None where its deadline passed."""
    try:
        return await watch.results()
    except bkjob.DeadlineExceeded:
        return None

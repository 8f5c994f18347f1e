"""Run a history of several lives in virtual time, and hold what the lives delivered together against the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from functools import partial
from random import Random
from typing import Any
from unittest import mock

import looptime
from attrs import define, evolve, field
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.errors import FleetNotFound, JournalUnavailable, Superseded
from bkjob_async.journal.follow import Follower
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Checkpoint
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.records import Job
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.clients import client_of
from tests.watch.gauge import Gauge, has_read_all_there_is
from tests.watch.histories import History, site_of
from tests.watch.history_faults import delays, spoiler, tearer
from tests.watch.history_hosts import registered_anew, with_shown_hosts
from tests.watch.history_users import FollowedTargets, in_time, now, operate, parts_of
from tests.watch.inside import fleets_in, has_stored_all, limit_log, takes_targets
from tests.watch.interrupted import interrupted
from tests.watch.lost_records import IN_SYNC_AGAIN
from tests.watch.resume_histories import END, Life, Resumption
from tests.watch.small_bounds import small_bounds

# How long a store takes nothing.
AWAY_SECONDS = 4.0


class MortalStore(MemoryStore):
    """A process's way to a store that others have as well; a process that was killed has none."""

    def __init__(self, shared: MemoryStore, keep: Keep) -> None:
        super().__init__(keep)
        self._fleets = fleets_in(shared)
        self.is_dead = False
        self.is_away = False
        self.loses_answers = False

    async def append(self, name: str, **written: Any) -> None:
        """Append, unless the process is dead."""
        self._check()
        if self.is_away:
            raise JournalUnavailable("no connection")
        await super().append(name, **written)
        if self.loses_answers:
            raise JournalUnavailable("no answer")

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Write a checkpoint, unless the process is dead."""
        self._check()
        await super().write_checkpoint(name, checkpoint, term=term, all_behind=all_behind)

    async def give_sign_of_life(self, name: str, *, term: int) -> int:
        """Live, unless the process is dead."""
        self._check()
        return await super().give_sign_of_life(name, term=term)

    async def release(self, name: str, *, term: int) -> None:
        """End in order, unless the process is dead."""
        self._check()
        await super().release(name, term=term)

    def _check(self) -> None:
        if self.is_dead:
            raise JournalUnavailable("the process was killed")


def run(history: Resumption) -> list[str]:
    """Run a history to its end; return every promise that was broken."""
    runner = asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0))
    with small_bounds(history.group_polling, history.log_limit, checkpoints=history.checkpoints), runner:
        return runner.run(_run(history))


async def _run(history: Resumption) -> list[str]:
    stage = Stage(history)
    async with AsyncExitStack() as stack:
        stack.enter_context(mock.patch("time.time", stage.wall_clock))
        actions = asyncio.create_task(stage.act())
        uncut = asyncio.create_task(stage.watch_uncut())
        sittings = asyncio.create_task(stage.read_in_sittings())
        for life in (*history.lives, Life(seconds=END, pause=0.0, ends="last")):
            await stage.live(life, stack)
        await actions
        await uncut
        await asyncio.gather(*stage.ending)
        await sittings
        if history.sittings is not None:
            await stage.read_stored(Journal(stage.store).follow("fleet", after=stage.sat_cursor, live=False))
        with suppress(FleetNotFound):
            other = Journal(stage.store).follow("other", live=False)
            stage.other += [batch async for batch in other]
    stage.world.advance(now())
    return stage.broken()


@define
class Stage:
    """The world, the store, and what the lives of the fleet have delivered so far."""

    history: Resumption
    world: World = field(init=False)
    platform: Platform = field(init=False)
    refs: list[bkjob.JobRef] = field(init=False)
    store: MemoryStore = field(factory=MemoryStore)
    delivered: list[bkjob.Batch] = field(factory=list)
    cursor: str = ""
    sat: list[bkjob.Batch] = field(factory=list)
    sat_cursor: str = ""
    other: list[bkjob.Batch] = field(factory=list)
    wall_time: float = 1e9
    watch: bkjob.Watch | None = None
    client: bkjob.JobClient | None = None
    first: list[bkjob.Ref] = field(factory=list)
    followed: FollowedTargets = field(factory=FollowedTargets)
    problems: list[str] = field(factory=list)
    results: dict[bkjob.Ref, Any] = field(factory=dict)
    uncut: dict[bkjob.Ref, bkjob.Event] = field(factory=dict)
    ending: list[asyncio.Task[None]] = field(factory=list)
    clock: WorldClock = field(factory=WorldClock)
    begun: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        history = self.history
        self.world = World(history.seed)
        self.refs = [self.world.add(with_shown_hosts(history.dialect, plan)) for plan in history.plans]
        site = site_of(history.seed, history.latency)
        self.platform = Platform(self.world, site=site)

    def wall_clock(self) -> float:
        """Return what the clock on the wall shows."""
        return self.wall_time + now()

    def open_client(self) -> Any:
        """Return a client of the platform, as every process has its own."""
        options: dict[str, Any] = {"latency": self.history.latency, "interval": self.history.interval}
        return client_of(self.platform, self.history.dialect, **options)

    # Lives ----------------------------------------------------------------------------------------------------------

    async def live(self, life: Life, stack: AsyncExitStack) -> None:
        """Open the fleet in a new process, and read it until the process ends."""
        history, store = self.history, MortalStore(self.store, Keep(bytes=self.history.kept))
        self.wall_time += life.jump
        client, door = await stack.enter_async_context(self.open_client())
        door.clock = self.clock  # there is one world
        self.clock.now()
        self.world.advance(now())
        if not self.first:
            picked = [(ref, history.parts[n % len(history.parts)]) for n, ref in enumerate(self.refs)]
            self.first = [ref for job, part in picked for ref in parts_of(self.world, job, part)]
            self.followed.note(self.world, *self.first)
            self.begun.set()
        as_history = History(
            seed=history.seed,
            dialect=history.dialect,
            plans=history.plans,
            faults=history.faults,
            anew=history.anew,
        )
        door.spoil = spoiler(as_history, Random(history.seed), self.refs[0].job_instance_id)
        door.tear = registered_anew(as_history, tearer(as_history, Random(history.seed)))
        door.delay = delays(history.faults, Random(f"{history.seed}/slow"))
        beside = asyncio.create_task(self.watch_beside(client, store, life.beside, stack))
        if history.companion and life.beside < 0:
            await asyncio.sleep(min(-life.beside, life.seconds / 2))
        watch = client.watch(
            () if await self.is_stored() else sorted(self.followed.targets, key=str),
            journal=Journal(store),
            name="fleet",
            linger=None,
            deadline=life.seconds if life.ends == "deadline" else None,
        )
        limit_log(watch, history.log_limit)
        await watch.__aenter__()
        self.watch, self.client = watch, client
        reader = asyncio.create_task(self.read(watch, life))
        outage = asyncio.create_task(self.cut_off(store, life.away))
        is_last = life.ends == "last"
        left = max(0.0, END - now())
        # The last process has the time to read everything once more.
        await asyncio.sleep(max(40.0, left) if is_last else min(life.seconds, left))
        store.loses_answers = life.ends == "answer lost"
        if store.loses_answers:
            await asyncio.sleep(1.0)
        if is_last:
            self.results = {
                ref: result
                for ref in self.followed.targets
                if (result := watch.progress(ref)) is not None and watch.snapshot(ref).is_finished
            }
        if life.ends in ("in order", "deadline"):
            await self.end_in_order(
                watch, reader, life if left >= life.seconds else evolve(life, ends="in order")
            )
            await client.aclose()
        else:
            is_killed = store.is_dead = life.ends != "taken over"
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            ends = watch.aclose() if is_killed else self.go_on(watch, self.cursor, life.pause)
            self.ending.append(asyncio.create_task(ends))
        outage.cancel()
        store.is_away = False
        beside.cancel()
        self.forget_unread(life)
        self.watch = self.client = None
        await asyncio.sleep(life.pause)

    async def cut_off(self, store: MortalStore, seconds: float) -> None:
        """Let the store take nothing for some time, after so many *seconds*."""
        if seconds >= 0:
            await asyncio.sleep(seconds)
            store.is_away = True
            await asyncio.sleep(AWAY_SECONDS)
            store.is_away = False

    async def end_in_order(self, watch: bkjob.Watch, reader: asyncio.Task[None], life: Life) -> None:
        """Leave a watch, or note when it goes on for longer than a second behind its deadline, whatever its store does."""
        if life.ends == "deadline":
            await asyncio.sleep(1.0)
            if not reader.done():
                self.problems.append(f"a watch with a deadline of {life.seconds} s goes on")
        await watch.aclose()
        with suppress(bkjob.DeadlineExceeded):
            await reader

    async def go_on(self, watch: bkjob.Watch, cursor: str, pause: float) -> None:
        """Read on in a process whose fleet is taken over after a *pause*: what it delivers is stored, until it is refused."""
        delivered: list[bkjob.Batch] = []
        is_refused = False
        try:
            async with asyncio.timeout(pause + max(30.0, END - now())):
                async for batch in watch.batches(after=cursor):
                    delivered.append(batch)
        except Superseded:
            is_refused = True
        except TimeoutError:
            pass
        if not is_refused:
            self.problems.append("a process whose fleet was taken over was not refused")
        await watch.aclose()
        stored = {record.sequence for record in (await self.store.read("fleet", 0, limit=1 << 20)).records}
        removed_to = (await self.store.read("fleet", 0, limit=1)).removed_to
        self.problems += [
            f"batch {batch.cursor} was delivered by a process whose fleet was taken over, and is not stored"
            for batch in delivered
            if batch.sequence > removed_to and batch.sequence not in stored and not is_local(batch)
        ]

    async def is_stored(self) -> bool:
        """Return whether the journal has the targets: what was given to a process that stored nothing is given again."""
        with suppress(FleetNotFound):
            page = await self.store.read("fleet", 0, limit=1)
            return bool(page.records) or page.removed_to > 0
        return False

    async def watch_beside(
        self, client: bkjob.JobClient, store: MortalStore, seconds: float, stack: AsyncExitStack
    ) -> None:
        """Open another watch of the client, which follows parts of the jobs by itself."""
        kinds = self.history.companion
        if kinds:
            refs = [
                part
                for n, job in enumerate(self.refs)
                for part in parts_of(self.world, job, kinds[n % len(kinds)])
            ]
            await asyncio.sleep(seconds)
            fleet: dict[str, Any] = (
                {"journal": Journal(store), "name": "other"} if self.history.is_recorded else {}
            )
            await stack.enter_async_context(client.watch(refs, linger=None, **fleet))

    async def read_in_sittings(self) -> None:
        """Read the journal as another process does, now and then until the end of the history."""
        plan = self.history.sittings
        await self.begun.wait()
        while plan is not None and now() < END:
            await asyncio.sleep(plan.pause)
            follower = Journal(self.store).follow("fleet", after=self.sat_cursor)
            with suppress(TimeoutError, FleetNotFound):
                async with asyncio.timeout(min(20.0, max(0.1, END - now()))):
                    await self.read_stored(follower, plan.batches, plan.reads)

    async def read_stored(self, follower: Follower, count: int | None = None, reads: str = "batches") -> None:
        """Read so many batches of the journal, and half of the next if the cursors of events are kept.

        Some of the reads are cancelled.
        """
        portions: list[bkjob.Batch] = []
        async for batch in interrupted(follower, Random(self.history.seed)):
            if count is not None and count <= 0:
                half = batch.events[: len(batch.events) // 2]
                if reads == "events" and half and half[-1].cursor != self.sat_cursor:
                    self.sat.append(bkjob.Batch(batch.sequence, tuple(half), half[-1].cursor))
                    self.sat_cursor = half[-1].cursor
                break
            portions.append(batch)
            if batch.cursor != self.sat_cursor:  # else it comes once more if the reader stops here
                self.sat += portions
                self.sat_cursor = batch.cursor
                portions = []
                count = None if count is None else count - 1

    async def read(self, watch: bkjob.Watch, life: Life) -> None:
        """Read on behind what an earlier life has read, and count the hosts."""
        gauge = Gauge()
        for event in (event for batch in self.delivered for event in batch.events):
            gauge.count(event)
        reader = watch.batches(after=self.cursor)
        async for batch in reader:
            self.delivered.append(batch)
            self.cursor = batch.cursor
            for event in batch.events:
                gauge.count(event)
            self.compare_counts(watch, reader, gauge)

    def compare_counts(self, watch: bkjob.Watch, reader: bkjob.Reader[bkjob.Batch], gauge: Gauge) -> None:
        """Compare the hosts that the lives were given with those that a watch counts, where all was read.

        Who drops targets has to do more than these readers do. What was recorded of a job that another watch reads is counted
        once it was read for this one, which trouble may delay until after `InSync`.
        """
        has_read_all = has_stored_all(watch) and has_read_all_there_is(reader, watch)
        is_comparable = has_read_all and watch.targets == self.followed.targets
        is_read = watch.is_in_sync and None not in map(watch.snapshot, watch.targets)
        if (
            not is_comparable
            or (self.history.companion and not is_read)
            or any(action == "drop" for _, action, _ in self.history.actions)
        ):
            return
        counted, truly = gauge.total(self.followed.targets), Counter(watch.counts())
        if self.history.companion:
            # What only its own response lists of a step that never began, read for the other watch, is not reported.
            counted[bkjob.Phase.PENDING] = truly[bkjob.Phase.PENDING] = 0
        if counted != truly:
            self.problems.append(f"the readers count {counted} at {self.cursor}, the watch {truly}")

    def forget_unread(self, life: Life) -> None:
        """Take back what the reader has not read, and put the cursor behind the last event that it has."""
        unread = life.unread
        while self.delivered and unread >= len(self.delivered[-1].events):
            unread -= len(self.delivered.pop().events)
        if self.delivered and unread and life.reads == "events":
            last = self.delivered[-1]
            events = tuple(last.events[:-unread])
            self.delivered[-1] = bkjob.Batch(last.sequence, events, events[-1].cursor)
        while self.delivered and not self.delivered[-1].cursor.startswith(f"{self.delivered[-1].sequence}-"):
            self.delivered.pop()  # a portion that comes once more, as the reader has not had the last one
        self.cursor = self.delivered[-1].cursor if self.delivered else ""

    async def watch_uncut(self) -> None:
        """Watch the same targets in one process, and keep how each ended last."""
        async with self.open_client() as (client, door):
            door.clock = self.clock
            await self.begun.wait()
            async with client.watch(self.first, linger=None) as watch:

                async def read() -> None:
                    async for event in watch:
                        if isinstance(event, bkjob.Finished | bkjob.Reopened | bkjob.Lost):
                            self.uncut[event.ref] = event

                with suppress(TimeoutError):
                    async with asyncio.timeout(max(1.0, END - now())):
                        await read()

    # What users do --------------------------------------------------------------------------------------------------

    async def act(self) -> None:
        """Do what users do, at its time; what the platform refuses is refused."""
        async for job, (_, action, number) in in_time(self.world, self.refs, self.history.actions):
            with suppress(bkjob.CallFailed, bkjob.NotSupported, OperationNotAllowed, bkjob.UsageError):
                await self.do(action, number, job)

    async def do(self, action: str, number: int, job: Job) -> None:
        """Do one thing that users do; steps are operated on through the client where one is open."""
        match action.split(maxsplit=1)[0]:
            case "operate" | "stop" | "start" as verb:
                elsewhere = action != "operate" or self.history.dialect == "gateway-v4"
                await operate(self.world, None if elsewhere else self.client, job, verb, number)
            case "add" if self.watch is not None and takes_targets(self.watch):
                parts = parts_of(self.world, job.ref, ("job", "first", "last", "both")[number % 4])
                self.followed.note(self.world, *parts)
                self.watch.add(*parts)
            case "drop" if self.watch is not None and takes_targets(self.watch):
                refs = [target for target in sorted(self.followed.targets, key=str) if target.job == job.ref]
                if refs:
                    self.followed.drop(refs[number % len(refs)], self.delivered)
                    self.watch.drop(refs[number % len(refs)])
            case "nudge" if self.watch is not None:
                self.watch.nudge(job.ref)
            case _:
                pass

    # Checks ---------------------------------------------------------------------------------------------------------

    def broken(self) -> list[str]:
        """Return every promise that the lives together broke."""
        # Dialects name containers without a name in different ways, so those are compared with the uncut watch only.
        has_containers = any(
            not isinstance(step.hosts, int) and any(is_nameless(host) for host in step.hosts)
            for plan in self.history.plans
            for step in plan.steps
        )
        truth = None if has_containers else truth_of(self.world.history())
        found = list(self.problems)
        for who, delivered in (("", self.delivered), ("the reader of the journal: ", self.sat)):
            broken = broken_promises(
                delivered, truth=truth, watch_starts=self.followed.joins, target_starts=self.followed.added
            )
            # A present state that is given in place of records says that it is in sync, too, or has no `Resumed`.
            known = IN_SYNC_AGAIN if delivered is self.sat else ""
            found += [who + each for each in broken if each != known and not self.is_excused(each)]
        found += [
            f"the other fleet: {each}" for each in broken_promises(self.other) if not self.is_excused(each)
        ]
        if not (self.history.faults or self.history.actions or self.history.anew):
            found += self.differing_results()
        return found

    def is_excused(self, broken: str) -> bool:
        """Return True for what each life says by itself, and for what faults bring about that hide the hosts of a step.

        Each life says that it cannot store; two that store nothing say so in batches of the same number, which are not
        stored either. A step whose hosts could not be listed ends without them; where the other watch lists them later,
        it runs again.
        """
        if "JournalUnavailable" in broken:
            return True
        if broken in {
            f"batch {batch.sequence} comes after batch {batch.sequence}" for batch in self.outages()
        }:
            return True
        hides_hosts = any(window.kind == "internal" for window in self.history.faults)
        return bool(hides_hosts and self.history.companion) and "reported as over too early" in broken

    def outages(self) -> list[bkjob.Batch]:
        """Return the batches that say that nothing can be stored."""
        return [
            batch
            for batch in self.delivered
            if any(isinstance(e, bkjob.Trouble) and e.error == "JournalUnavailable" for e in batch.events)
        ]

    def differing_results(self) -> list[str]:
        """Return which targets ended otherwise than in the uncut watch."""
        found = []
        for ref, event in self.uncut.items():
            result = self.results.get(ref)
            if not isinstance(event, bkjob.Finished):
                continue
            has_codes = self.history.dialect != "gateway-v3"
            if comparable(result, error_codes=has_codes) != comparable(event.result, error_codes=has_codes):
                found.append(f"{ref} ended {result}, and uncut {event.result}")
        return found


def is_nameless(host: Host) -> bool:
    """Return True for a container without a name."""
    return host.container_id is not None and host.container_name is None


def is_local(batch: bkjob.Batch) -> bool:
    """Return True for what is reported of the store to the readers of one process only."""
    return any(
        isinstance(event, bkjob.Trouble | bkjob.Recovered) and event.error == "JournalUnavailable"
        for event in batch.events
    )


def comparable(result: object, *, error_codes: bool) -> object:
    """Return a result without what depends on how the job was polled.

    That is which hosts a step or batch that never began shows (another watch may follow it by itself, and they are listed
    only before the step begins), whether it is over with its job, the order of hosts, and whether a host without an error has
    no code or 0. Without *error_codes* also these: gateway-v3 leaves them out of a step's own status, and has them in a job's.
    """
    if not isinstance(result, bkjob.JobResult):
        return result
    steps = [
        evolve(
            step,
            hosts_visible=step.hosts_visible or step.status.code == 1,
            is_finished=step.is_finished or step.status.code == 1,
            hosts={
                phase: hosts
                for phase, hosts in step.hosts.items()
                if phase is not bkjob.Phase.PENDING and hosts
            },
            unfinished=in_order(
                host for host in step.unfinished if host.status.phase is not bkjob.Phase.PENDING
            ),
            failed=tuple(
                replace(host, error_code=(error_codes and host.error_code) or None)
                for host in in_order(step.failed)
            ),
        )
        for step in result.steps
    ]
    return evolve(result, steps=tuple(steps))


def in_order(hosts: Iterable[bkjob.HostSnapshot]) -> tuple[bkjob.HostSnapshot, ...]:
    """Return *hosts* in the order of their names."""
    return tuple(sorted(hosts, key=lambda host: host.host.label))

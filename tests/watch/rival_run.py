"""Run a history of one fleet with several watches at the same time, and hold each of them against the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from random import Random
from typing import Any

import looptime
from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.engine.journaling.decoding import decode_record
from bkjob_async.errors import FleetNotFound, JournalUnavailable, Superseded
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.memory.store import MemoryFleet, MemoryStore
from bkjob_async.journal.store import Checkpoint, Opened, Page
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import Truth, broken_promises, truth_of
from tests.watch.clients import client_of
from tests.watch.histories import History
from tests.watch.history_faults import delays, spoiler, tearer
from tests.watch.history_hosts import with_shown_hosts
from tests.watch.history_users import FollowedTargets, in_time, now, operate, parts_of
from tests.watch.inside import cursors_of, fleets_in, journal_of, limit_log
from tests.watch.interrupted import interrupted
from tests.watch.lost_records import IN_SYNC_AGAIN, broken_in_parts, copied, go_back, missing, state_in
from tests.watch.resume_run import is_local
from tests.watch.rival_histories import END, Opening, Rivalry
from tests.watch.small_bounds import small_bounds

NAME = "fleet"
CLIENTS = 3
# After the end each watch that lives has so many seconds to store what it has.
STORING_SECONDS = 120.0
# After so many seconds everybody has noticed what happened, however slow the store is.
NOTICED = 100.0


class RemoteStore(MemoryStore):
    """A process's way to a store that is far away: all that is read and written takes time, and answers are lost."""

    def __init__(self, shared: MemoryStore, history: Rivalry, dice: Random, terms: list[int]) -> None:
        super().__init__(Keep(bytes=history.kept))
        self._fleets = fleets_in(shared)
        self._history = history
        self._dice = dice
        self._terms = terms
        self.found: MemoryFleet | None = None  # the fleet as it was opened last
        self.newest_term = 0  # that it was opened in, known here before the process knows it

    async def open(self, name: str, holder: Any, **options: Any) -> Opened:
        """Take a fleet."""
        await self._travel()
        opened = await super().open(name, holder, **options)
        self.found = copied(self._fleets[name])
        self._terms.append(opened.term)
        self.newest_term = opened.term
        await self._travel()
        return opened

    async def append(self, name: str, **written: Any) -> None:
        """Append records."""
        await self._travel()
        self._lose()
        await super().append(name, **written)
        await self._travel()
        self._lose()

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Write a checkpoint."""
        await self._travel()
        self._lose()
        await super().write_checkpoint(name, checkpoint, term=term, all_behind=all_behind)
        await self._travel()
        self._lose()

    async def read(self, name: str, after: int, *, limit: int = 1000, text: bytes = b"") -> Page:
        """Read records."""
        await self._travel()
        page = await super().read(name, after, limit=limit, text=text)
        await self._travel()
        return page

    async def _travel(self) -> None:
        if self._history.delay:
            await asyncio.sleep(self._dice.uniform(0.0, self._history.delay))

    def _lose(self) -> None:
        if self._dice.random() * 100 < self._history.losses:
            raise JournalUnavailable("no answer")


def run(history: Rivalry) -> list[str]:
    """Run a history to its end; return every promise that was broken."""
    runner = asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0))
    with small_bounds(history.group_polling, history.log_limit, checkpoints=history.checkpoints), runner:
        return runner.run(Stage(history).play())


@define(eq=False)
class Rival:
    """One watch of the fleet: what its reader was given, behind which cursor, and how that ended."""

    plan: Opening
    watch: bkjob.Watch
    store: RemoteStore
    number: int
    after: str | None = None
    had: Sequence[bkjob.Batch] = ()  # by its reader, in front of what it was given here
    given: list[bkjob.Batch] = field(factory=list)
    is_refused: bool = False
    is_left: bool = False
    opened_at: float = field(factory=now)

    @property
    def term(self) -> int:
        """Which opening of the fleet this is."""
        journal = journal_of(self.watch)
        assert journal is not None
        term: int = journal.records.term
        return term


@define
class Stage:
    """The world, the store, the clients, and their watches."""

    history: Rivalry
    world: World = field(init=False)
    refs: list[bkjob.JobRef] = field(init=False)
    store: MemoryStore = field(factory=MemoryStore)
    clients: list[bkjob.JobClient] = field(factory=list)
    opened: list[Rival] = field(factory=list)
    follower_batches: list[bkjob.Batch] = field(factory=list)
    followed: FollowedTargets = field(factory=FollowedTargets)
    operated: set[bkjob.JobRef] = field(factory=set)
    problems: list[str] = field(factory=list)
    recorded: Collection[bkjob.Ref] = ()
    terms: list[int] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.world = World(self.history.seed)
        plans = (with_shown_hosts(self.history.dialect, plan) for plan in self.history.plans)
        self.refs = [self.world.add(plan) for plan in plans]

    async def play(self) -> list[str]:
        """Open the clients, let all of them do what they do, and check what they were given."""
        history, platform = (
            self.history,
            Platform(self.world, site=SiteConfig(legacy_esb=self.history.seed % 2 == 1)),
        )
        clock, dice = WorldClock(), Random(history.seed)
        as_history = History(
            seed=history.seed, dialect=history.dialect, plans=history.plans, faults=history.faults
        )
        async with AsyncExitStack() as stack:
            for _ in range(CLIENTS):
                options: dict[str, Any] = {"latency": history.latency, "interval": history.interval}
                client, door = await stack.enter_async_context(
                    client_of(platform, history.dialect, **options)
                )
                door.clock = clock
                door.spoil = spoiler(as_history, dice, self.refs[0].job_instance_id)
                door.tear = tearer(as_history, dice)
                door.delay = delays(history.faults, Random(f"{history.seed}/slow"))
                cursors_of(client).name = f"{dice.getrandbits(32):08x}"
                self.clients.append(client)
            clock.now()
            self.world.advance(now())
            opening: list[asyncio.Task[None]] = []
            following = asyncio.create_task(self.follow())
            acting = asyncio.create_task(self.act())
            for moment, seconds in history.goes_back:
                going_back = asyncio.create_task(go_back(self.store, moment, min(moment, seconds)))
                opening.append(going_back)
            for number, plan in enumerate(history.openings):
                await asyncio.sleep(plan.pause)
                opening.append(asyncio.create_task(self.open(plan, number)))
            await asyncio.sleep(max(1.0, END - now()))
            await acting
            for seen in self.opened:
                await seen.watch.aclose()
            await asyncio.gather(*opening)
            await asyncio.sleep(10.0)
            following.cancel()
            await asyncio.wait([following])
        self.world.advance(now())
        return await self.broken()

    async def open(self, plan: Opening, number: int) -> None:
        """Open the fleet and read it, until another one has it or it is left."""
        dice = Random(self.history.seed + number)
        client = self.clients[plan.client]
        picked = [(ref, self.history.parts[n % len(self.history.parts)]) for n, ref in enumerate(self.refs)]
        first = [ref for job, part in picked for ref in parts_of(self.world, job, part)]
        self.followed.note(self.world, *first)
        store = RemoteStore(self.store, self.history, dice, self.terms)
        watch = client.watch(first, journal=Journal(store), name=NAME, linger=None)
        limit_log(watch, self.history.log_limit)
        seen = Rival(plan, watch, store, number)
        await watch.__aenter__()
        self.opened.append(seen)
        assert store.found is not None
        seen.had = await stored_in(store.found)
        reading = asyncio.create_task(self.read(seen))
        await asyncio.wait([reading], timeout=min(plan.seconds, max(0.0, END - now())))
        if not reading.done() and plan.seconds < END:
            seen.is_left = True
            await watch.aclose()
        await asyncio.wait([reading], timeout=END + STORING_SECONDS)
        if not reading.done():
            self.problems.append(f"the reader of watch {number} did not end")
            reading.cancel()
        else:
            await reading

    async def read(self, seen: Rival) -> None:
        """Read a watch to its end."""
        newest = max(
            (
                (batch.sequence, other.number, batch)
                for other in self.opened
                for batch in other.given[-1:]
                if other.term <= seen.term and not is_local(batch)
            ),
            default=None,
        )
        match seen.plan.begins:
            case "given" if newest is not None:
                _, number, batch = newest
                other = next(each for each in self.opened if each.number == number)
                events = batch.events[: len(batch.events) // 2 + 1]
                seen.after = events[-1].cursor
                last = bkjob.Batch(batch.sequence, events, seen.after)
                seen.had = [*other.had, *other.given[:-1], last] if seen.after else ()
            case "all":
                seen.after, seen.had = "", ()
            case _:
                pass
        try:
            reader = self.reader_of(seen)
            await asyncio.sleep(seen.plan.late)
            async for batch in interrupted(reader, Random(self.history.seed + seen.number)):
                seen.given.append(batch)
        except Superseded:
            seen.is_refused = True

    def reader_of(self, seen: Rival) -> bkjob.Reader[bkjob.Batch]:
        """Return a reader behind its cursor, or without one if the store has lost all that its process wrote."""
        try:
            return seen.watch.batches(after=seen.after)
        except bkjob.UsageError:
            if not self.history.goes_back:
                raise
            seen.after, seen.had = "", ()
            return seen.watch.batches(after="")

    async def follow(self) -> None:
        """Read the journal as another process does, all the time."""
        while True:
            with suppress(FleetNotFound):
                follower = Journal(self.store).follow(NAME)
                async for batch in interrupted(follower, Random(self.history.seed)):
                    self.follower_batches.append(batch)
            # The store has lost all of the fleet: what is opened next is another one.
            self.follower_batches.clear()
            await asyncio.sleep(0.1)

    # What users do --------------------------------------------------------------------------------------------------

    async def act(self) -> None:
        """Do what users do, at its time; what the platform refuses is refused."""
        async for job, (_, action, number) in in_time(self.world, self.refs, self.history.actions):
            self.operated.add(job.ref)
            elsewhere = action != "operate" or self.history.dialect == "gateway-v4"
            client = None if elsewhere else self.clients[number % CLIENTS]
            with suppress(bkjob.CallFailed, bkjob.NotSupported, OperationNotAllowed, bkjob.UsageError):
                match action.split(maxsplit=1)[0]:
                    case "nudge":
                        for seen in self.opened:
                            seen.watch.nudge(job.ref)
                    case "add" | "drop" as verb:
                        if self.opened:
                            seen = self.opened[number % len(self.opened)]
                            self.change(verb, number, seen, job.ref)
                    case verb:
                        await operate(self.world, client, job, verb, number)

    def change(self, verb: str, number: int, seen: Rival, job: bkjob.JobRef) -> None:
        """Add or drop a target in some watch; in one that another took the fleet from, that changes nothing."""
        watch, fleet = seen.watch, fleets_in(self.store).get(NAME)
        is_holder = fleet is None or seen.store.newest_term >= fleet.term
        if verb == "add":
            refs = parts_of(self.world, job, ("job", "first", "last", "both")[number % 4])
            watch.add(*refs)
            if is_holder:
                self.followed.note(self.world, *refs)
        else:
            found = [target for target in sorted(self.followed.targets, key=str) if target.job == job]
            for target in found[:1]:
                watch.drop(target)
                if is_holder:
                    self.followed.targets.discard(target)

    # Checks ---------------------------------------------------------------------------------------------------------

    async def broken(self) -> list[str]:
        """Return every promise that was broken."""
        if await self.store.fleet(NAME) is None:
            return [*self.problems, *self.of_rivals((), truth_of(self.world.history()))]
        page = await self.store.read(NAME, 0, limit=1 << 20)
        terms = [decode_record(record.data).term for record in page.records]
        if terms != sorted(terms):
            self.problems.append(f"terms are {terms}")
        stored = [batch async for batch in Journal(self.store).follow(NAME, live=False)]
        self.recorded = (await load_fleet(self.store, NAME)).fold.targets
        truth = truth_of(self.world.history())
        found = list(self.problems)
        if len(self.terms) > len(set(self.terms)):
            # Of two watches with one term neither knows what the other has reported.
            return found + self.of_rivals(stored, truth)
        whole = [("the journal", stored), ("its follower", self.follower_batches)]
        for who, batches in whole[: 1 if self.history.goes_back else 2]:
            broken = broken_promises(
                batches, truth=truth, watch_starts=self.followed.joins, target_starts=self.followed.added
            )
            found += [f"{who}: {each}" for each in broken]
        if self.history.goes_back:
            found += self.lost_by_readers(stored, truth)
        elif page.removed_to == 0:
            found += self.differences(events_of(stored))
        return found + self.of_rivals(stored, truth)

    def differences(self, stored: list[bkjob.Event]) -> list[str]:
        """Return where readers were given something else than what is *stored*."""
        found = difference("the follower", events_of(self.follower_batches), stored, after="")
        if len(events_of(self.follower_batches)) != len(stored):
            found.append(f"the follower has {len(events_of(self.follower_batches))} of {len(stored)} events")
        for seen in self.opened:
            found += difference(f"watch {seen.number}", events_of(seen.given), stored, after=seen.after)
        return found

    def lost_by_readers(self, stored: Sequence[bkjob.Batch], truth: Truth) -> list[str]:
        """Return what readers missed, or were given twice, where the store has lost records."""
        state, losses = state_in(stored), len(self.history.goes_back)
        starts: dict[str, Any] = {"watch_starts": self.followed.joins, "target_starts": self.followed.added}
        found = missing("the follower", state_in(self.follower_batches), state)
        found += [
            f"the follower: {each}" for each in broken_in_parts(self.follower_batches, losses, **starts)
        ]
        last = self.last_holder()
        for seen in self.opened:
            who, given = f"watch {seen.number}", [*seen.had, *seen.given]
            if seen.is_left and seen.plan.late:
                continue  # what was lost after it had been left is nowhere any more
            # One that was opened before the store lost everything, and loaded after, begins with nothing: batch 0.
            is_emptied = any(batch.sequence == 0 for batch in seen.given)
            if is_emptied or (seen.plan.begins == "given" and seen.after):
                broken = broken_in_parts(given, losses, **starts)
            else:
                broken = broken_promises(given, truth=truth, **starts)
            # What left the log of trouble with the store is not recorded.
            found += [
                f"{who}: {each}"
                for each in broken
                if each != IN_SYNC_AGAIN and "JournalUnavailable" not in each
            ]
            if seen is last and not (seen.is_refused or seen.is_left):
                targets = seen.watch.targets
                of_targets = {key: value for key, value in state.items() if targets & set(parents_of(key))}
                found += missing(who, state_in(given), of_targets)
        return found

    def of_rivals(self, stored: Sequence[bkjob.Batch], truth: Truth) -> list[str]:
        """Return what is wrong with who was refused, and with what the last one stored."""
        last = self.last_holder()
        moments = [last.opened_at, *(moment for moment, _ in self.history.goes_back)]
        is_noticed = max(moments) < END - NOTICED
        found = [
            f"watch {seen.number} was not refused when watch {last.number} took its fleet at {max(moments)}"
            for seen in self.opened
            if seen is not last and is_noticed and not (seen.is_refused or seen.is_left)
            # Watches of one client write the same batches, and need not notice that the store gave both the same term.
            if not (self.history.goes_back and seen.plan.client == last.plan.client)
        ]
        # A store that goes back may give the fleet to another than who opened it last.
        rivals = self.opened if self.history.goes_back else [last]
        if all(seen.is_refused for seen in rivals):
            found.append(f"watch {last.number} was refused, and nobody opened the fleet after it")
        elif is_noticed and not (last.is_left or last.is_refused):
            found += self.unrecorded(last.watch.targets)
            if not self.history.faults:
                found += self.unseen(stored, truth, last.watch.targets)
        return found

    def last_holder(self) -> Rival:
        """Return who holds the fleet, or held it last."""
        fleet = fleets_in(self.store).get(NAME)
        holders = [seen for seen in self.opened if fleet is not None and seen.term == fleet.term]
        # Where a store gave a term out twice, who left it may have been the later one.
        return max(
            holders or self.opened,
            key=lambda seen: (not seen.is_refused, seen.term, not seen.is_left, seen.opened_at),
        )

    def unrecorded(self, targets: set[bkjob.Ref]) -> list[str]:
        """Return where the journal has other *targets* than the watch that wrote it last."""
        recorded = set(self.recorded)
        return [f"the journal has the targets {recorded}, not {targets}"] if recorded != targets else []

    def unseen(self, stored: Sequence[bkjob.Batch], truth: Truth, targets: set[bkjob.Ref]) -> list[str]:
        """Return which of the last *targets* and their steps are not what the journal says, at the end."""
        reported = {
            event.ref: event.after.code
            for event in events_of(stored)
            if isinstance(event, bkjob.JobChanged | bkjob.StepChanged)
        }
        return [
            f"{ref} is {codes[-1]} since {truth.since[ref][-1]:.0f} s, and was last reported as {reported.get(ref)}"
            for ref in self.followed.joins
            if ref in targets or ref.job in targets
            if (codes := truth.codes(ref)) and ref in truth.since
            if truth.since[ref][-1] < END - NOTICED and codes[-1] != reported.get(ref, 1)
            # What is over is not polled by time: an operation elsewhere is not noticed.
            if ref.job not in self.operated
        ]


def parents_of(key: Any) -> tuple[bkjob.Ref, ...]:
    """Return what a watch may have as its target to be given the state of a host, step or job with this *key*."""
    ref = key[0] if isinstance(key, tuple) else key
    return ref, ref.job


async def stored_in(found: MemoryFleet) -> list[bkjob.Batch]:
    """Return all that a fleet has reported."""
    store = MemoryStore()
    fleets_in(store)[NAME] = found
    return [batch async for batch in Journal(store).follow(NAME, live=False)]


def events_of(batches: Sequence[bkjob.Batch]) -> list[bkjob.Event]:
    """Return the events that a journal has."""
    return [event for batch in batches if not is_local(batch) for event in batch.events]


def difference(
    who: str, given: list[bkjob.Event], stored: list[bkjob.Event], *, after: str | None
) -> list[str]:
    """Return where *given* is not a part of *stored* without gaps, from a cursor on, or from anywhere with None."""
    if not given:
        return []
    begin = 0
    if after is None:
        begin = stored.index(given[0]) if given[0] in stored else -1
    elif after:
        cursors = [event.cursor for event in stored]
        begin = cursors.index(after) + 1 if after in cursors else -1
    if begin < 0:
        return [f"{who}: begins behind {after!r} with {given[0]}, which is not stored"]
    part = stored[begin : begin + len(given)]
    if part == given:
        return []
    n = next((n for n, pair in enumerate(zip(given, part, strict=False)) if pair[0] != pair[1]), len(part))
    return [f"{who}: event {n} behind {after!r} is {given[n : n + 1]}, not {part[n : n + 1]}"]

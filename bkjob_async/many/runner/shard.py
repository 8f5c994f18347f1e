"""Run one shard of a fleet: watch its targets, as long as no other runner does and nobody stops the fleet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from enum import Enum
from functools import partial

from attrs import evolve
from msgspec.structs import replace

from bkjob_async.client.client import JobClient
from bkjob_async.client.factory import check_transport, connect
from bkjob_async.errors import JournalUnavailable, Superseded, UsageError
from bkjob_async.journal.shards import ShardFigures, shard_name
from bkjob_async.journal.store import own_holder
from bkjob_async.many.environment import ENVIRONMENT_CREDENTIALS
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.duration_exchange import DurationExchange
from bkjob_async.many.runner.ending import RunnerSocket
from bkjob_async.many.runner.failures import failures_noted
from bkjob_async.many.runner.lent_transport import LentTransport
from bkjob_async.many.runner.shares import RequestShare, first_share
from bkjob_async.many.runner.waiting import while_away
from bkjob_async.many.settings import FleetSettings, agreed_function, check_platform, credentials_provider
from bkjob_async.many.status import ShardCondition, shortened
from bkjob_async.many.upkeep import WORKS_SECONDS
from bkjob_async.model.base_error import check_type
from bkjob_async.model.journal_errors import StoreBehind
from bkjob_async.observe.dispatch import as_observers
from bkjob_async.observe.observer import Observer
from bkjob_async.watch.watch import Watch
from bkjob_async.wire.transport import Transport

# Seconds between signs of life, and between looks whether something is due.
LIFE_SECONDS, LOOK_SECONDS = 2.0, 1.0
# The shortest time within which an answer may be asked for.
SHORTEST_TIMEOUT = 3.0
# Polling pauses when the store has not answered for so many seconds.
UNHEARD_SECONDS = 10.0
# So many events that wait are usual where the store keeps up.
USUALLY_UNSTORED = 1000

logger = logging.getLogger("bkjob_async")


class ShardEnd(Enum):
    """Why a runner of a shard ended."""

    STOPPED = "stopped"
    """The fleet was stopped."""
    SUPERSEDED = "superseded"
    """Another process runs the shard."""


async def run_shard(
    fleet: Fleet,
    shard: int,
    *,
    credentials: str = ENVIRONMENT_CREDENTIALS,
    url: str | None = None,
    takeover: bool = True,
    journal_timeout: float | None = None,
    transport: Transport | None = None,
    observers: Iterable[Observer] = (),
    on_condition: Callable[[ShardCondition], None] | None = None,
) -> ShardEnd:
    """Run one shard until the fleet is stopped or another process runs the shard; return which.

    This is all that an engine has to run, once for each shard: two on one shard cost requests, and the earlier one ends. It
    takes the shard over from whoever had it, continues where that one was, and takes up what is added within two seconds.
    Its share of the fleet's requests follows its share of the targets that are not over, and `Fleet.update` is followed within
    two seconds. While the store does not answer,
    polling pauses after ten seconds, and what is known waits. When it is cancelled, everything reported is stored first.

    *credentials* names the function, `module:function`, that is imported and called for credentials; it is the one that
    the fleet was created with. The journal alone has no function called: for another name this raises `UsageError`.
    Without it, it is the one that reads the environment: `bkjob_async.many.environment:credentials`.

    The platform is the one that the journal names. *url* is the only one to which this runner sends its credentials; without
    it, whoever can write the journal decides that.

    Without *takeover* it raises `FleetBusy` where a runner holds the shard that gave a sign of life within 25 seconds.

    With a *journal_timeout* a runner whose journal has not answered for so many seconds ends with `JournalUnavailable`, so
    that an engine can run the shard where the journal is reached; the next runner reports what waited here. Without it, it
    waits.

    *transport* and *observers* are those of `connect`. *on_condition* is called every two seconds with how the runner is,
    for health checks; it must return quickly. Raises `FleetNotFound`, `UsageError` for a shard that there is not, for
    another platform than *url* and for another function or one that cannot be imported, `JournalUnavailable` where the store
    is away when it begins, and other errors of `JournalError` where the journal cannot be used.
    """
    check_type("fleet", fleet, Fleet, "Fleet('night', journal='redis://localhost')")
    check_type("url", url, str | None, "url='https://bkapi.example.com/api/bk-job/prod'")
    check_type("journal_timeout", journal_timeout, float | None, "journal_timeout=30")
    check_transport(transport)
    observers = as_observers(observers)
    shards = (await fleet.settings()).placement.shards
    if type(shard) is not int or not 0 <= shard < shards:
        raise UsageError(f"the fleet {fleet.name!r} has the shards 0 to {shards - 1}, not {shard!r}")
    if journal_timeout is not None and not journal_timeout >= SHORTEST_TIMEOUT:
        raise UsageError(
            f"journal_timeout is at least {SHORTEST_TIMEOUT:g} seconds: the journal is asked every {LIFE_SECONDS:g}"
        )
    name = shard_name(fleet.name, shard)
    async with AsyncExitStack() as stack:
        if transport is not None:
            stack.push_async_callback(transport.aclose)
            transport = LentTransport(transport)
        await stack.enter_async_context(failures_noted(fleet.journal.shards, fleet.name, shard))
        record = await fleet.journal.shards.record(fleet.name)
        created = 0.0 if record is None else record.created
        # Closed when the watch has given its term back, or with the process.
        own_socket = stack.enter_context(RunnerSocket(fleet.name, created, shard, own_holder()))

        async def begin(term: AsyncExitStack, *, takeover: bool) -> ShardRunner | None:
            """Return a runner with a client and a watch that are open in *term*; None where the fleet was stopped."""
            settings = await fleet.settings()
            check_platform(settings, url)
            provider = credentials_provider(agreed_function(settings, credentials))
            if await fleet.is_stopped():
                return None
            share = await first_share(fleet, shard, settings)
            client = connect(
                settings.url,
                provider,
                dialect=settings.dialect,
                requests_per_second=None if share is None else share.rate,
                interval=settings.interval,
                transport=transport,
                observers=observers,
                name=name,
                **settings.dialect_options,
            )
            async with AsyncExitStack() as opening:
                await opening.enter_async_context(client)
                watch = await opening.enter_async_context(
                    client.watch(
                        (),
                        journal=fleet.journal,
                        name=name,
                        takeover=takeover,
                        linger=None,
                        detail_level=settings.detail_level,
                    )
                )
                term.push_async_exit(opening.pop_all())
            return ShardRunner(
                fleet,
                shard,
                client,
                watch,
                settings=settings,
                share=share,
                own_socket=own_socket,
                journal_timeout=journal_timeout,
                on_condition=on_condition,
            )

        async def begin_again(term: AsyncExitStack) -> ShardRunner | None:
            """Do the same in the next term; one that could not be given back is taken over, unless another has begun."""
            entry = await fleet.journal.store.fleet(name)
            is_own = entry is not None and entry.term == own_socket.term
            return await begin(term, takeover=takeover or is_own)

        has_begun = False
        while True:
            async with AsyncExitStack() as term:
                runner = await (
                    while_away(partial(begin_again, term), name, journal_timeout, on_condition)
                    if has_begun
                    else begin(term, takeover=takeover)
                )
                end = ShardEnd.STOPPED if runner is None else await runner.run()
            if end is not None:
                return end
            has_begun = True


class ShardRunner:
    """Keeps the watch of one shard in touch with the store: signs of life, settings, the share of the budget."""

    def __init__(
        self,
        fleet: Fleet,
        shard: int,
        client: JobClient,
        watch: Watch,
        *,
        settings: FleetSettings,
        share: RequestShare | None,
        journal_timeout: float | None,
        own_socket: RunnerSocket,
        on_condition: Callable[[ShardCondition], None] | None,
    ) -> None:
        """Prepare; *watch* is an open watch of *client*, opened with *settings*."""
        self._fleet = fleet
        self._name = shard_name(fleet.name, shard)
        self._shard = shard
        self._client = client
        self._watch = watch
        self._settings = settings
        self._share = share
        self._journal_timeout = journal_timeout
        self._limit = asyncio.timeout(None)
        self._socket = own_socket
        self._on_condition = on_condition
        self._works_at = 0.0  # when it is known to work
        # What the last sign of life ended with.
        self._unheard: JournalUnavailable | None = None
        self._store = fleet.journal.shards
        self._is_stopped = self._is_outdated = False
        self._has_restored = False
        self._pausing: asyncio.TimerHandle | None = None
        self._durations = DurationExchange(fleet, shard, settings.placement.shards, client)

    async def run(self) -> ShardEnd | None:
        """Run until the fleet is stopped or the shard is run elsewhere; raise what else ended the watch.

        Returns None where the fleet's settings have changed, and ask for another client or watch.
        """
        try:
            async with self._limit:
                return await self._run()
        except TimeoutError:
            if not self._limit.expired():
                raise
            raise JournalUnavailable(
                f"the journal has not answered for {self._journal_timeout:g} s, and the runner of shard {self._name} has"
                " ended: run the shard where the journal is reached"
            ) from self._unheard

    async def _run(self) -> ShardEnd | None:
        loop = asyncio.get_running_loop()
        life_at = loop.time()
        self._works_at = life_at + WORKS_SECONDS
        self._keep()
        self._on_answer()
        try:
            while True:
                begun = loop.time()
                if begun >= life_at:
                    life_at = begun + LIFE_SECONDS
                    await self._give_sign_of_life()
                    if self._on_condition is not None and self._watch.is_open and self._has_restored:
                        self._on_condition(self._condition())
                if self._is_stopped:
                    await self._durations.store()
                    return ShardEnd.STOPPED
                if self._is_outdated:
                    logger.info("the settings of shard %s were changed: its watch begins again", self._name)
                    await self._durations.store()
                    return None
                if not self._watch.is_open:
                    return self._end_of_watch()
                self._durations.go_on(begun)
                await asyncio.sleep(max(0.0, begun + LOOK_SECONDS - loop.time()))
        finally:
            if self._pausing is not None:
                self._pausing.cancel()
            await self._durations.aclose()

    def _condition_beside(self, before: str) -> str:
        """Return the condition as text, with the failure in the one that the store had *before*.

        One that has worked for a minute is not held to what ended the one before, or another process that tried meanwhile.
        """
        failure = None if self._has_worked() else ShardCondition.decode(before).failure
        return replace(self._condition(), failure=failure).encode()

    def _has_worked(self) -> bool:
        return asyncio.get_running_loop().time() >= self._works_at

    def _condition(self) -> ShardCondition:
        recording, outage = self._watch.recording, self._client.outage()
        if recording is None:
            return ShardCondition()
        trouble, unstored = recording.trouble or self._unheard, recording.unstored
        return ShardCondition(
            recording.term,
            None if trouble is None else shortened(trouble),
            None if outage is None else shortened(outage.message),
            unstored if trouble is not None or unstored > USUALLY_UNSTORED else 0,
        )

    def _end_of_watch(self) -> ShardEnd:
        error = self._watch.error
        if isinstance(error, Superseded):
            logger.info("shard %s is run elsewhere: %s", self._name, error)
            return ShardEnd.SUPERSEDED
        raise error or UsageError(f"the watch of shard {self._name} was closed")

    # Signs of life --------------------------------------------------------------------------------------------------

    async def _give_sign_of_life(self) -> None:
        """Tell the store what the shard has; learn whether the term is still our own, and what the others have."""
        recording = self._watch.recording
        if recording is None or not self._watch.is_open:
            return
        self._socket.follow(recording.term)
        self._has_restored = self._has_restored or not self._watch.is_changing
        if not self._has_restored:
            self._on_answer()  # the journal was read just now
            return
        share, active = self._share, self._watch.active
        claim, limit = (0, 0) if share is None else (share.claim, share.limit)
        figures = ShardFigures(recording.term, recording.targets, active, claim)
        try:
            reply = await self._store.report(
                self._fleet.name, self._shard, figures, limit=limit, condition=self._condition_beside
            )
        except JournalUnavailable as error:
            logger.debug("no sign of life for shard %s: %s", self._name, error)
            self._unheard = error
            return
        except (StoreBehind, Superseded):
            return  # the watch finds out what the store has: where it stores all anew, the later term is the runner's own
        self._on_answer()
        if self._has_worked():
            self._works_at = asyncio.get_running_loop().time() + WORKS_SECONDS
        self._is_stopped = reply.is_stopped
        self._follow_settings(FleetSettings.decode(reply.settings))
        if self._share is not None and share is not None:
            before = share.rate
            self._share.on_answer(reply.granted, own=active, everyone=reply.active)
            if self._share.rate != before:
                self._client.set_requests_per_second(self._share.rate)

    def _follow_settings(self, settings: FleetSettings) -> None:
        """Follow another rate, and what is to be kept; note that other settings ask for another client or watch."""
        if settings == self._settings:
            return
        before, rate = self._settings.requests_per_second, settings.requests_per_second
        if self._share is not None and rate not in (None, before):
            self._share, before = self._share.at(rate), rate
        self._settings = evolve(self._settings, requests_per_second=before, keep=settings.keep)
        self._is_outdated = self._settings != settings
        self._keep()

    def _keep(self) -> None:
        """Have this process keep as much of the shard as the fleet says."""
        keeps = self._fleet.journal.store.keeps
        keeps.set(self._name, self._settings.keep_of_shard(keeps.of_others))

    def _on_answer(self) -> None:
        """Poll; pause when the next answer is late, and end when it does not come."""
        if self._journal_timeout is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._journal_timeout)
        self._unheard = None
        if self._watch.is_paused:
            logger.info("the journal answers again: polling of shard %s goes on", self._name)
            self._watch.is_paused = False
        if self._pausing is not None:
            self._pausing.cancel()
        self._pausing = asyncio.get_running_loop().call_later(UNHEARD_SECONDS, self._pause)

    def _pause(self) -> None:
        logger.warning(
            "the journal has not answered for %g s: polling of shard %s pauses", UNHEARD_SECONDS, self._name
        )
        self._watch.is_paused = True

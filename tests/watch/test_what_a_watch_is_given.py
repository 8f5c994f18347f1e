"""What a watch is given of a target, by how it came to it, how the target stands then, and whether polls of it fail.

A watch comes to a job one minute after its launch. The first table says what it is given of it from then on, the second
what it is told of the polls. Failing polls delay what is given and change nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.world.plans import HANGS, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of, keeps_its_promise

pytestmark = pytest.mark.looptime

# The watch comes at this time. Where polls fail, they do from a little before until a little after it.
COMES, ENDS = 60.0, 500.0
FAILING = (52.0, 70.0)
# When a watch that had the target before is without it, and when it cannot read it.
AWAY_SINCE, REFUSED = 30.0, (5.0, 58.0)
HTML = HttpResponse(status=500, body=b"<html>oops</html>")
NO_PERMISSION = HttpResponse(
    status=200, body=b'{"result": false, "code": 1238001, "message": "no permission"}'
)

LONG = HostOutcome(duration=exactly(300.0))
SHORT = HostOutcome(status=104, exit_code=1, duration=exactly(15.0))
PLANS = {
    "running": StepPlan(hosts=2, outcomes=(LONG,)),
    # Its engine fails: the step ends, its hosts stay as they are.
    "settling": StepPlan(hosts=2, outcomes=(HANGS,), abnormal_after=50.0),
    "over": StepPlan(hosts=2, outcomes=(SHORT,)),
    "reopened": StepPlan(hosts=2, outcomes=(SHORT,), retry_outcomes=(LONG,)),
}
RETRIED_AT = 48.0


@define
class Scene:
    """A platform with a job, and one that never ends; a client, and what the watch under test has reported."""

    plan: StepPlan
    failing: bool
    refused: bool = False
    world: World = field(factory=lambda: World(1), init=False)
    job: bkjob.JobRef = field(init=False)
    company: bkjob.JobRef = field(init=False)
    clock: WorldClock = field(factory=WorldClock, init=False)
    given: list[bkjob.Batch] = field(factory=list, init=False)
    had: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.job = self.world.add(SimulatedJob(steps=(self.plan,)))
        self.company = self.world.add(SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(HANGS,)),)))

    def spoil(self, request: HttpRequest, now: float) -> HttpResponse | None:
        """Return what is said in place of the platform's response."""
        if str(self.job.job_instance_id) not in str(request.url):
            return None
        if self.refused and REFUSED[0] < now < REFUSED[1]:
            return NO_PERMISSION
        return HTML if self.failing and FAILING[0] < now < FAILING[1] else None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[bkjob.JobClient]:
        """Open a client."""
        async with client_of(Platform(self.world)) as (client, transport):
            transport.spoil = self.spoil
            transport.clock = self.clock  # that of the world, through all processes
            transport.clock.now()
            yield client

    async def until(self, time: float) -> None:
        """Wait until it is *time*; somebody else retries the job meanwhile, if that is planned."""
        now = asyncio.get_running_loop().time()
        if now < RETRIED_AT <= time and self.plan is PLANS["reopened"]:
            await asyncio.sleep(RETRIED_AT - now)
            self.world.advance(RETRIED_AT)
            self.world.operate_step(self.world.jobs[self.job.job_instance_id].steps[0], 2)
        await asyncio.sleep(time - asyncio.get_running_loop().time())

    async def read(self, watch: bkjob.Watch) -> None:
        """Read a watch until it ends."""
        async for batch in watch.batches():
            self.given.append(batch)

    @asynccontextmanager
    async def reading(self, watch: bkjob.Watch) -> AsyncIterator[None]:
        """Read a watch in the background."""
        task = asyncio.create_task(self.read(watch))
        yield
        await watch.aclose()
        await task

    def comes(self) -> None:
        """Note that the watch comes to its target now."""
        self.had = sum(len(batch.events) for batch in self.given)

    def events(self) -> list[bkjob.Event]:
        """Return what the watch was given of the job, and of all targets, since it came to it."""
        events = [event for batch in self.given for event in batch.events][self.had :]
        return [event for event in events if event.ref is None or event.ref.job == self.job]


def changes_in(events: Sequence[bkjob.Event]) -> list[str]:
    """Return what is said of the job, of its step and of each host, one line each: `step: 4 reopened 2 3.`.

    It begins with what was known, and a dot stands behind a status that is over.
    """
    lines: dict[tuple[int, str], list[str]] = {}
    last: dict[tuple[int, str], int | None] = {}
    for event in events:
        match event:
            case bkjob.HostChanged():
                about, text = (2, event.host.label), str(event.after.code)
            case bkjob.StepChanged() | bkjob.JobChanged():
                about = (0, "job") if isinstance(event, bkjob.JobChanged) else (1, "step")
                text = f"{event.after.code}{'.' if event.is_finished else ''}"
            case bkjob.Reopened() | bkjob.Finished() | bkjob.Lost():
                about = (0, "job") if isinstance(event.ref, bkjob.JobRef) else (1, "step")
                lines.setdefault(about, []).append(event.kind)
                continue
            case _:
                continue
        before = None if event.before is None else event.before.code
        line = lines.setdefault(about, [])
        if about not in last or last[about] != before:
            line.append("-" if before is None else str(before))
        line.append(text)
        last[about] = event.after.code
    return [f"{name}: {' '.join(line)}" for (_, name), line in sorted(lines.items())]


def signals_in(events: Sequence[bkjob.Event]) -> str:
    """Return everything else that was said, in order."""
    kinds = bkjob.InSync | bkjob.Resumed | bkjob.Trouble | bkjob.Recovered | bkjob.Stalled
    return " ".join(event.kind for event in events if isinstance(event, kinds))


# How a watch comes to its target -------------------------------------------------------------------------------------


async def joins(scene: Scene) -> None:
    """Join the job, which another watch has followed from the beginning."""
    async with scene.client() as client, client.watch(scene.job, linger=None):
        await scene.until(COMES)
        async with client.watch(scene.job, linger=None) as watch, scene.reading(watch):
            await scene.until(ENDS)


async def is_added(scene: Scene) -> None:
    """Add the job to an open watch, which has another target; a second watch has followed it."""
    async with (
        scene.client() as client,
        client.watch(scene.job, linger=None),
        client.watch(scene.company, linger=None) as watch,
        scene.reading(watch),
    ):
        await scene.until(COMES)
        scene.comes()
        watch.add(scene.job)
        await scene.until(ENDS)


async def is_added_again(scene: Scene) -> None:
    """Drop it, and add it again; another watch has followed it all the time."""
    async with scene.client() as client, client.watch(scene.job, linger=None):
        await drop_and_add(scene, client)


async def is_added_again_alone(scene: Scene) -> None:
    """Drop it, and add it again; nobody has watched it in between."""
    async with scene.client() as client:
        await drop_and_add(scene, client)


async def drop_and_add(scene: Scene, client: bkjob.JobClient) -> None:
    """Watch the job for a while, and then again."""
    async with client.watch([scene.job, scene.company], linger=None) as watch, scene.reading(watch):
        await scene.until(AWAY_SINCE)
        watch.drop(scene.job)
        await scene.until(COMES)
        scene.comes()
        watch.add(scene.job)
        await scene.until(ENDS)


async def resumes(scene: Scene) -> None:
    """Open a journal again, the process of which has ended."""
    store = MemoryStore()
    for until in (AWAY_SINCE, ENDS):
        async with (
            scene.client() as client,
            client.watch(scene.job, linger=None, journal=Journal(store), name="night") as watch,
            scene.reading(watch),
        ):
            await scene.until(until)
        if until == AWAY_SINCE:
            scene.comes()
            await scene.until(COMES)


async def resumes_beside(scene: Scene) -> None:
    """Open it again in a process in which another watch has followed the job for a while."""
    store = MemoryStore()
    async with (
        scene.client() as client,
        client.watch(scene.job, linger=None, journal=Journal(store), name="night") as watch,
        scene.reading(watch),
    ):
        await scene.until(AWAY_SINCE)
    scene.comes()
    async with scene.client() as client, client.watch(scene.job, linger=None):
        await scene.until(COMES)
        async with (
            client.watch(scene.job, linger=None, journal=Journal(store), name="night") as watch,
            scene.reading(watch),
        ):
            await scene.until(ENDS)


async def has_lost(scene: Scene) -> None:
    """Lose the job to a refusal; then another watch joins, and can read it."""
    scene.refused = True
    async with scene.client() as client, client.watch(scene.job, linger=None) as watch, scene.reading(watch):
        await scene.until(COMES)
        scene.comes()
        async with client.watch(scene.job, linger=None):
            await scene.until(ENDS)


async def joins_what_another_lost(scene: Scene) -> None:
    """Join a job that another watch has lost to a refusal, and that can be read again."""
    scene.refused = True
    async with scene.client() as client, client.watch(scene.job, linger=None):
        await joins_later(scene, client)


async def joins_later(scene: Scene, client: bkjob.JobClient) -> None:
    """Watch the job from now on."""
    await scene.until(COMES)
    async with client.watch(scene.job, linger=None) as watch, scene.reading(watch):
        await scene.until(ENDS)


# What is given --------------------------------------------------------------------------------------------------------

HOSTS = ("0:10.0.0.1", "0:10.0.0.2")


def lines(job: str, step: str, hosts: str = "") -> list[str]:
    """Return what is said of the job, of its step and of both hosts."""
    return [f"job: {job}", f"step: {step}", *(f"{host}: {hosts}" for host in HOSTS if hosts)]


# The present state, as of something new, and what changes afterwards.
PRESENT = {
    "running": lines("- 2 3. finished", "- 2 3.", "- 7 9"),
    "settling": lines("- 9. finished", "- 9.", "- 7"),
    "over": lines("- 4. finished", "- 4.", "- 104"),
    "reopened": lines("- 2 3. finished", "- 2 3.", "- 7 9"),
}
# What has changed since the watch was given something of it last.
DIFFERENCE = {
    "running": lines("2 3. finished", "2 3.", "7 9"),
    "settling": lines("2 9. finished", "2 9."),
    "over": [],
    "reopened": lines("reopened 4 2 3. finished", "reopened 4 2 3.", "- 7 9"),
}
NOTHING: dict[str, list[str]] = {target: [] for target in PLANS}

# How it comes to its target: what it is given, what it is told, and what it is told where polls fail.
Comes = Callable[[Scene], Awaitable[None]]
TABLE: dict[Comes, tuple[dict[str, list[str]], str, str]] = {
    joins: (PRESENT, "in_sync", "trouble in_sync recovered"),
    is_added: (PRESENT, "", "trouble recovered"),
    is_added_again: (PRESENT, "", "trouble recovered"),
    is_added_again_alone: (PRESENT, "", "trouble recovered"),
    resumes: (DIFFERENCE, "resumed in_sync", "resumed trouble in_sync recovered"),
    resumes_beside: (DIFFERENCE, "resumed in_sync", "resumed trouble in_sync recovered"),
    has_lost: (NOTHING, "", ""),
    # Nothing was received of it since before it was lost.
    joins_what_another_lost: (PRESENT, "in_sync", "trouble in_sync stalled recovered"),
}
# A target that had ended for the watch is told to be in no trouble: its end stands.
ENDED = {(resumes_beside, "over"), (resumes_beside, "reopened")}
# It is not read again when the first read fails, so that what was done with it meanwhile is never told.
# These streams have one beginning, so that the promise can be checked for all of what they gave.
FROM_THE_BEGINNING = {joins, is_added, has_lost, joins_what_another_lost}

ROWS = [
    pytest.param(
        comes,
        target,
        failing,
        id=f"{comes.__name__}-{target}-{'failing' if failing else 'read'}",
    )
    for comes in TABLE
    for target in PLANS
    for failing in (False, True)
]


@pytest.mark.parametrize(("comes", "target", "failing"), ROWS)
async def test_a_watch_is_given_what_is_new_to_it(comes: Comes, target: str, *, failing: bool) -> None:
    """The present of what it did not know, the difference to what it did, nothing of what it has lost."""
    scene = Scene(PLANS[target], failing)
    expected, told, told_failing = TABLE[comes]

    await comes(scene)

    assert changes_in(scene.events()) == expected[target]
    assert signals_in(scene.events()) == (told_failing if failing and (comes, target) not in ENDED else told)
    if comes in FROM_THE_BEGINNING:
        assert keeps_its_promise(scene.given, scene.world)
    if comes is has_lost:
        assert [event.ref for batch in scene.given for event in batch.events if event.kind == "lost"] == [
            scene.job
        ]

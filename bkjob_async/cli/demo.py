"""`bkjob demo`: a simulated platform and a real watch of it, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from attrs import frozen

from bkjob_async import (
    AppCredentials,
    Event,
    Finished,
    JobClient,
    JobRef,
    StepOperation,
    Watch,
    connect,
)
from bkjob_async.cli import demo_jobs as demo_story
from bkjob_async.cli.demo_check import Seen, disagreements, figures_seen, figures_true
from bkjob_async.cli.demo_text import closing, opening, table
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import say
from bkjob_async.simulator.simulator import Simulator

# Anybody may use the simulated platform; it only wants to be told some name and some secret.
CREDENTIALS = AppCredentials(bk_app_code="demo", bk_app_secret="demo", bk_username="admin")  # noqa: S106 - see above
INTERVAL = 0.5
# Long enough for the retry to go out when its job happens to be the last one.
LINGER = 0.5

View = Callable[[], AbstractContextManager[Callable[[Event], None]]]


@frozen(kw_only=True)
class Size:
    """How much of a demo is wanted."""

    jobs: int = 24
    hosts: int = 24
    seed: int = 1
    speed: float = 1.0


async def demo(size: Size, view: View) -> ExitCode:
    """Run the whole evening, and compare both sets of books at its end."""
    simulator = Simulator(seed=size.seed, speed=size.speed)
    jobs = [simulator.add(plan) for plan in demo_story.tell(size.jobs, size.hosts, size.seed)]
    started = asyncio.get_running_loop().time()
    seen = Seen()
    async with simulator.serve() as server:
        say(opening(size.jobs, size.hosts, server.url))
        interval = INTERVAL / size.speed
        client = connect(server.url, CREDENTIALS, interval=interval)
        async with client, client.watch(jobs, linger=LINGER) as watch:
            with view() as show:
                await follow(client, watch, jobs[0], (seen.take, show))
            polls = watch.stats().polls
    history = simulator.history(jobs)
    say(table(figures_seen(seen), figures_true(history)))
    wrong = [*disagreements(seen, history, jobs)]
    agree = not wrong and figures_seen(seen) == figures_true(history)
    moved = sum(map(len, history.hosts.values()))
    took = asyncio.get_running_loop().time() - started
    say(closing(agree=agree, wrong=wrong, seen=seen.moves, moved=moved, polls=polls, seconds=took))
    return ExitCode.ALL_SUCCEEDED if agree else ExitCode.SOMETHING_FAILED


async def follow(
    client: JobClient, watch: Watch, to_retry: JobRef, takers: Iterable[Callable[[Event], None]]
) -> None:
    """Hand every event to *takers*; retry the failed hosts of one job, once."""
    retried = False
    async for event in watch:
        for take in takers:
            take(event)
        if isinstance(event, Finished) and event.ref == to_retry and not retried:
            retried = True
            failed = [step.ref for step in event.result.steps if step.failed]
            for step in failed:
                await client.operate_step_instance(step, operation_code=StepOperation.RETRY_FAILED_HOSTS)

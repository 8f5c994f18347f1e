"""`bkjob demo`: a simulated platform and a real watch of it, in one process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import click
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
from bkjob_async.cli import demo_jobs, views
from bkjob_async.cli.demo_check import Seen, disagreements, figures_seen, figures_true
from bkjob_async.cli.demo_text import closing, opening, table
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_out
from bkjob_async.cli.running import run_to_end
from bkjob_async.simulator.simulator import Simulator

# The simulated platform accepts any name and secret.
CREDENTIALS = AppCredentials(bk_app_code="demo", bk_app_secret="demo", bk_username="admin")  # noqa: S106 - see above
INTERVAL = 0.5
# Seconds that the watch stays open after the last end, so that the retry is sent even if its job ends last.
LINGER = 0.5

View = Callable[[], AbstractContextManager[Callable[[Event], None]]]


@frozen(kw_only=True)
class DemoOptions:
    """How many jobs and hosts a demo has, and how fast it runs."""

    jobs: int = 24
    hosts: int = 24
    seed: int = 1
    speed: float = 1.0


@click.command(name="demo")
@click.option(
    "--jobs", type=click.IntRange(1, 1000), default=24, show_default=True, help="How many jobs run."
)
@click.option(
    "--hosts", type=click.IntRange(1, 1000), default=24, show_default=True, help="On how many hosts each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same run.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 20),
    default=1.0,
    show_default=True,
    help="How fast the platform's clock runs.",
)
@click.option("--plain", is_flag=True, help="Write lines, no live board.")
def demo_command(*, jobs: int, hosts: int, seed: int, speed: float, plain: bool) -> ExitCode:
    """Watch a simulated platform for half a minute.

    The exit code is 0 when the watch saw what the simulator did, even if jobs failed.
    """
    view = views.plain if plain or not sys.stdout.isatty() else views.live
    return run_to_end(run_demo(DemoOptions(jobs=jobs, hosts=hosts, seed=seed, speed=speed), view))


async def run_demo(options: DemoOptions, view: View) -> ExitCode:
    """Run the demo; compare what the watch saw with what the simulator did."""
    simulator = Simulator(seed=options.seed, speed=options.speed)
    jobs = [simulator.add(plan) for plan in demo_jobs.make_plans(options.jobs, options.hosts, options.seed)]
    started = asyncio.get_running_loop().time()
    seen = Seen()
    async with simulator.serve() as server:
        write_out(opening(options.jobs, options.hosts, server.url))
        interval = INTERVAL / options.speed
        client = connect(server.url, CREDENTIALS, interval=interval)
        async with client, client.watch(jobs, linger=LINGER) as watch:
            with view() as show:
                await follow(client, watch, jobs[0], (seen.apply, show))
            polls = watch.stats().polls
    history = simulator.history(jobs)
    write_out(table(figures_seen(seen), figures_true(history)))
    wrong = [*disagreements(seen, history, jobs)]
    agree = not wrong and figures_seen(seen) == figures_true(history)
    moved = sum(map(len, history.hosts.values()))
    took = asyncio.get_running_loop().time() - started
    write_out(closing(agree=agree, wrong=wrong, seen=seen.moves, moved=moved, polls=polls, seconds=took))
    return ExitCode.ALL_SUCCEEDED if agree else ExitCode.SOMETHING_FAILED


async def follow(
    client: JobClient, watch: Watch, to_retry: JobRef, handlers: Iterable[Callable[[Event], None]]
) -> None:
    """Call *handlers* with every event; retry the failed hosts of one job, once."""
    retried = False
    async for event in watch:
        for handle in handlers:
            handle(event)
        if isinstance(event, Finished) and event.ref == to_retry and not retried:
            retried = True
            failed = [step.ref for step in event.result.steps if step.failed]
            for step in failed:
                await client.operate_step_instance(step, operation_code=StepOperation.RETRY_FAILED_HOSTS)

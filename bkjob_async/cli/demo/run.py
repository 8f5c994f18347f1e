"""Run the demonstration: simulate, watch, compare."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from bkjob_async import AppCredentials, Finished, JobRef, StepOperation, connect
from bkjob_async.cli.board.consumer import BoardConsumer
from bkjob_async.cli.demo import jobs as demo_jobs
from bkjob_async.cli.demo.check import Seen, disagreements, figures_seen, figures_true
from bkjob_async.cli.demo.disturbances import Disturbances
from bkjob_async.cli.demo.text import closing, opening, table
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note, write_out
from bkjob_async.cli.terminal import can_ask, can_redraw
from bkjob_async.cli.watching.consumers import LineWriter, OpenWatch, WatchConsumer, run_consumers
from bkjob_async.simulator.simulator import Simulator

# The simulated platform accepts any name and secret.
CREDENTIALS = AppCredentials(bk_app_code="demo", bk_app_secret="demo", bk_username="admin")  # noqa: S106 - see above
INTERVAL = 0.5
# Seconds that the watch stays open after the last end, so that the retry is sent even if its job ends last.
LINGER = 0.5

Say = Callable[[str], None]


class EventReader:
    """Keeps what the watch reports, and retries the failed hosts of one job, once."""

    def __init__(self, to_retry: JobRef, say: Say) -> None:
        """Retry *to_retry*; *say* is given what happens, for people."""
        self.seen = Seen()
        self._to_retry = to_retry
        self._say = say
        self._is_retried = False

    async def consume(self, opened: OpenWatch) -> None:
        """Read every event."""
        async for event in opened.watch:
            self.seen.apply(event)
            if isinstance(event, Finished) and event.ref == self._to_retry and not self._is_retried:
                self._is_retried = True
                for step in event.result.steps:
                    if step.failed:
                        self._say(f"{event.result.name} has failed: its failed hosts are retried")
                        await opened.client.operate_step_instance(
                            step.ref, operation_code=StepOperation.RETRY_FAILED_HOSTS
                        )


async def demo(*, jobs: int, hosts: int, seed: int, speed: float, is_plain: bool) -> ExitCode:
    """Run the demo: a board on a terminal, lines elsewhere."""
    has_board = not is_plain and can_ask() and can_redraw(sys.stdout)
    board = BoardConsumer() if has_board else None
    return await run_demo(board, job_count=jobs, hosts=hosts, seed=seed, speed=speed)


async def run_demo(
    board: BoardConsumer | None, *, job_count: int = 24, hosts: int = 24, seed: int = 1, speed: float = 1.0
) -> ExitCode:
    """Run the demo with a *board*, or as lines; compare what the watch saw with what the simulator did."""
    plans = demo_jobs.make_plans(job_count, hosts, seed)
    simulator = Simulator(seed=seed, speed=speed)
    jobs = [simulator.add(plan) for plan in plans]
    say = write_nothing if board is None else board.say
    reader = EventReader(jobs[0], say)
    disturbances = Disturbances(simulator.platform, speed, say)
    consumers: list[WatchConsumer] = [
        reader,
        disturbances,
        LineWriter(as_json=False) if board is None else board,
    ]
    started = asyncio.get_running_loop().time()
    async with simulator.serve() as server:
        write_out(opening(job_count, hosts, server.url, with_legend=board is None))
        client = connect(
            server.url,
            CREDENTIALS,
            interval=INTERVAL / speed,
            duration_stats=demo_jobs.earlier_durations(plans),
        )
        async with client, client.watch(jobs, linger=LINGER) as watch:
            opened = OpenWatch(client, watch)
            await run_consumers(consumers, opened)
            polls = watch.stats().polls
    if opened.is_left:
        write_note("left before the end: there is nothing to compare")
        return ExitCode.INTERRUPTED
    took = asyncio.get_running_loop().time() - started
    return compare(reader.seen, simulator, jobs, disturbances, polls=polls, seconds=took)


def compare(
    seen: Seen,
    simulator: Simulator,
    jobs: list[JobRef],
    disturbances: Disturbances,
    *,
    polls: int,
    seconds: float,
) -> ExitCode:
    """Write what the watch saw beside what the simulator did; return the exit code."""
    history = simulator.history(jobs)
    watched, happened = figures_seen(seen), figures_true(history)
    write_out(table(watched, happened))
    wrong = [*disagreements(seen, history, jobs)]
    agree = not wrong and watched == happened
    moved = sum(map(len, history.hosts.values()))
    write_out(
        closing(
            agree=agree,
            wrong=wrong,
            seen=seen.moves,
            moved=moved,
            polls=polls,
            seconds=seconds,
            on_the_way=disturbances.summary(),
        )
    )
    return ExitCode.ALL_SUCCEEDED if agree else ExitCode.SOMETHING_FAILED


def write_nothing(_text: str) -> None:
    """Leave to the lines what is reported."""

"""Run the demonstration: simulate, watch, compare."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping

from bkjob_async import AppCredentials, Batch, Finished, JobRef, JobResult, Phase, Ref, StepOperation, connect
from bkjob_async.cli.board.consumer import BoardConsumer
from bkjob_async.cli.demo import jobs as demo_jobs
from bkjob_async.cli.demo.check import DemoFigures, figures_seen, figures_true
from bkjob_async.cli.demo.disturbances import Disturbances
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import program_name, write_note, write_out
from bkjob_async.cli.terminal import can_ask, can_redraw
from bkjob_async.cli.watching.consumers import OpenWatch, run_consumers, write_lines
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.testing.promise import broken_promises
from bkjob_async.testing.results import observed_codes
from bkjob_async.testing.truth import truth_of

# The simulated platform accepts any name and secret.
CREDENTIALS = AppCredentials(bk_app_code="demo", bk_app_secret="demo", bk_username="admin")  # noqa: S106 - see above
INTERVAL = 0.5
# Seconds that the watch stays open after the last end, so that the retry is sent even if its job ends last.
LINGER = 0.5

MAX_DISAGREEMENTS = 10
# How to read the lines that follow, where no board is drawn.
LEGEND = """A line has the time; business, job and step (2:100/200); from the second execution on its number (#1); the host, as network
area and address (0:10.0.0.1); its status before (∅: not seen yet) and after. "trouble" is about requests, never about a job.
"""
AGREEMENT = """The simulator's own records agree: every host's last status is right, and no other status was reported.
What came and went between two polls is not seen: it is replaced by what came next, never lost."""

Say = Callable[[str], None]


class EventReader:
    """Keeps what the watch reports, and retries the failed hosts of one job, once."""

    def __init__(self, to_retry: JobRef, say: Say) -> None:
        """Retry *to_retry*; *say* is given what happens, for people."""
        self.batches: list[Batch] = []
        self.results: dict[Ref, JobResult] = {}
        self._to_retry = to_retry
        self._say = say
        self._is_retried = False

    async def consume(self, opened: OpenWatch) -> None:
        """Read every batch."""
        async for batch in opened.watch.batches():
            self.batches.append(batch)
            for event in batch.events:
                if isinstance(event, Finished):
                    self.results[event.ref] = event.result
                    await self._retry(opened, event.result)

    async def _retry(self, opened: OpenWatch, result: JobResult) -> None:
        if result.ref != self._to_retry or self._is_retried:
            return
        self._is_retried = True
        for step in result.steps:
            if step.failed:
                self._say(f"{result.name} has failed: its failed hosts are retried")
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
    show = write_lines if board is None else board.consume
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
            await run_consumers([reader.consume, disturbances.consume, show], opened)
            polls = watch.stats().polls
    if opened.is_left:
        write_note("left before the end: there is nothing to compare")
        return ExitCode.INTERRUPTED
    took = asyncio.get_running_loop().time() - started
    return compare(reader, simulator, jobs, disturbances, polls=polls, seconds=took)


def compare(
    reader: EventReader,
    simulator: Simulator,
    jobs: list[JobRef],
    disturbances: Disturbances,
    *,
    polls: int,
    seconds: float,
) -> ExitCode:
    """Write what the watch saw beside what the simulator did; return the exit code."""
    history = simulator.history(jobs)
    watched, happened = figures_seen(reader.batches, reader.results.values()), figures_true(history)
    wrong = broken_promises(reader.batches, truth=truth_of(history))
    agree = not wrong and watched == happened
    seen, moved = (sum(map(len, codes.values())) for codes in (observed_codes(reader.batches), history.hosts))
    write_out(table(watched, happened))
    write_out(f"\n{seen} of {moved} host transitions seen, with {polls} requests, in {seconds:.1f} s.")
    write_out(disturbances.summary())
    write_out(AGREEMENT if agree else "The simulator's own records DISAGREE:")
    for sentence in wrong[:MAX_DISAGREEMENTS]:
        write_out(f"  {sentence}")
    write_out(what_is_next())
    return ExitCode.ALL_SUCCEEDED if agree else ExitCode.SOMETHING_FAILED


def write_nothing(_text: str) -> None:
    """Leave to the lines what is reported."""


# Texts ----------------------------------------------------------------------------------------------------------------


def opening(jobs: int, hosts: int, url: str, *, with_legend: bool) -> str:
    """Return two lines that say what is shown, and how lines are read."""
    return (
        f"A simulated BlueKing Job platform at {url} runs {jobs} jobs of 2 steps on {hosts} hosts each.\n"
        "A client watches them over real HTTP, shows every host as its status changes, and retries a job that fails.\n"
        + (LEGEND if with_legend else "")
    )


def table(watched: DemoFigures, happened: DemoFigures) -> str:
    """Return the figures of the watch and of the simulator, side by side."""
    rows = [("", "watched", "happened")]
    rows += compared("jobs", watched.jobs, happened.jobs)
    rows.append(("steps", str(watched.steps), str(happened.steps)))
    rows.append(("executions of steps", str(watched.executions), str(happened.executions)))
    rows += compared("hosts of steps", watched.hosts, happened.hosts)
    return "\n" + "\n".join(f"{name:<28}{left:>10}{right:>10}".rstrip() for name, left, right in rows)


def compared(
    what: str, watched: Mapping[Phase, int], happened: Mapping[Phase, int]
) -> list[tuple[str, str, str]]:
    """Return a total and one row per phase."""
    rows = [(what, str(sum(watched.values())), str(sum(happened.values())))]
    rows += [
        (f"  {phase}", str(watched.get(phase, 0)), str(happened.get(phase, 0)))
        for phase in Phase
        if watched.get(phase) or happened.get(phase)
    ]
    return rows


def what_is_next() -> str:
    """Return what to try after the demo."""
    simulate, watch = f"{program_name()} simulate", f"{program_name()} watch --url URL --biz 2 JOB"
    width = len(watch)
    return (
        f"\nNext:  {simulate:<{width}}  a platform of your own to try things on"
        f"\n       {watch:<{width}}  watch a job there, or on your real platform"
        f"\n       {'README.md':<{width}}  a first program in Python"
    )

"""A watch in this process with and without a board, which draws on a terminal that another process reads."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any

import bkjob_async as bkjob
from benchmarks.compare.heartbeat import Heartbeat
from benchmarks.compare.processes import print_figures
from benchmarks.scale import scaled
from bkjob_async.cli.watching.consumers import OpenWatch
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, DurationRange, HostOutcome, SimulatedJob, StepPlan

CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
BIZ = bkjob.Scope.biz(2)
FIRST_JOB = 20_000_000_001
FAIL_EVERY = 50
WARM_UP = scaled(1.5, 0.5)


def serve_small_jobs(jobs: int, hosts: int, seconds: float) -> None:
    """Serve *jobs* whose hosts end within so many seconds; print the URL, and end with stdin."""

    async def serve() -> None:
        simulator = Simulator(seed=1)
        ends = DurationRange(1.0, seconds)
        good = HostOutcome(duration=ends)
        bad = HostOutcome(status=FAILS.status, exit_code=1, duration=ends, weight=1 / FAIL_EVERY)
        for number in range(jobs):
            step = StepPlan(name="restart", hosts=hosts, outcomes=(good, bad))
            simulator.add(SimulatedJob(name=f"deploy app-{number % 40} zone {number // 40}", steps=(step,)))
        async with simulator.serve() as server:
            print(server.url, flush=True)
            await asyncio.to_thread(sys.stdin.read)

    asyncio.run(serve())


@contextmanager
def running_small_jobs(jobs: int, hosts: int, seconds: float) -> Iterator[str]:
    """Serve them in another process; yield the URL."""
    code = f"from benchmarks.compare.boards import serve_small_jobs; serve_small_jobs({jobs}, {hosts}, {seconds})"
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().strip() + "/api/bk-job/prod"
        finally:
            process.kill()


@contextmanager
def terminal(width: int, height: int) -> Iterator[int]:
    """Make stdin and stderr of this process a terminal that another process reads; yield where keys are typed."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    os.environ.update(COLUMNS=str(width), LINES=str(height), TERM="xterm-256color", COLORTERM="truecolor")
    stdin, stderr = os.dup(0), os.dup(2)
    with subprocess.Popen(["/bin/cat"], stdin=master, stdout=subprocess.DEVNULL) as reader:
        os.dup2(slave, 0)
        os.dup2(slave, 2)
        try:
            yield master
        finally:
            os.dup2(stdin, 0)
            os.dup2(stderr, 2)
            reader.kill()


async def measure(
    client: bkjob.JobClient, refs: list[bkjob.Ref], *, seconds: float, keys: Sequence[str], master: int
) -> None:
    """Watch *refs* for so many seconds, with a board if there is a terminal; print what that took."""
    loop = asyncio.get_running_loop()
    first_rows = float("nan")
    async with client, client.watch(refs, linger=None) as watch:
        opened = OpenWatch(client, watch)

        async def read() -> None:
            async for _ in watch.batches():
                pass

        tasks = [asyncio.create_task(read())]
        if master >= 0:
            from bkjob_async.cli.board.app import BoardApp  # noqa: PLC0415 - the import is measured as well
            from bkjob_async.cli.board.consumer import BoardConsumer  # noqa: PLC0415

            began, draw = loop.time(), BoardApp.draw_frame

            def draw_and_note(app: BoardApp) -> None:
                nonlocal first_rows
                draw(app)
                if isnan(first_rows) and any(row.phase for row in app.source.model.rows.values()):
                    first_rows = loop.time() - began

            measured: Any = BoardApp
            measured.draw_frame = draw_and_note
            tasks.append(asyncio.create_task(BoardConsumer(read_only=True).consume(opened)))
        await asyncio.sleep(WARM_UP)
        used, since = time.process_time(), loop.time()
        figures = {}
        if keys:
            async with Heartbeat() as heart:
                for key in keys:
                    await asyncio.sleep(seconds / (len(keys) + 1))
                    if master >= 0:
                        os.write(master, key.encode())
                await asyncio.sleep(seconds / (len(keys) + 1))
            figures = {"block": heart.cpu, "block without collections": heart.own}
        else:
            await asyncio.sleep(seconds)
        cores = (time.process_time() - used) / (loop.time() - since)
        polls = watch.stats().polls
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    print_figures(cores=cores, first_rows=first_rows, polls=polls, **figures)


def child(
    server: str,
    refs: list[bkjob.Ref],
    *,
    size: tuple[int, int] | None,
    seconds: float,
    keys: Sequence[str] = (),
) -> None:
    """Measure a watch of *refs*, with a board of a *size* or without one."""

    def run(master: int) -> None:
        client = bkjob.connect(server, CREDENTIALS, requests_per_second=100)
        asyncio.run(measure(client, refs, seconds=seconds, keys=keys, master=master))

    if size is None:
        run(-1)
        return
    with terminal(*size) as master:
        run(master)

"""A deadline ends a watch whose store is really away: a Redis that is stopped, an SQLite file that is locked or full."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import pytest

import bkjob_async as bkjob
from bkjob_async.testing import DurationRange, HostOutcome, SimulatedJob, Simulator, StepPlan
from tests.client.clients import client_of
from tests.journal.redis_server import RedisServer
from tests.journal.stores import sqlite_url

resource = pytest.importorskip("resource", reason="limits of processes are POSIX's")
pytestmark = pytest.mark.slow

# Hosts end all the time, far beyond the deadline.
BUSY = SimulatedJob(steps=(StepPlan(hosts=200, outcomes=(HostOutcome(duration=DurationRange(0.1, 60.0)),)),))
AWAY_AFTER, DEADLINE, PATIENCE = 1.0, 3.0, 30.0

Break = Callable[[], None]


@contextmanager
def locked(path: Path) -> Iterator[Break]:
    """Give what locks an SQLite file, until the end."""
    with ExitStack() as opened:

        def lock() -> None:
            other = opened.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            other.execute("BEGIN EXCLUSIVE")

        yield lock


@contextmanager
def full(path: Path) -> Iterator[Break]:
    """Give what lets no file of this process grow, until the end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


async def deadline_passes(url: str, take_away: Break) -> bkjob.DeadlineExceeded:
    """Watch until a deadline over a store that is taken away before; return the error that ends the watch."""
    simulator = Simulator(at_once=True)
    job = simulator.add(BUSY)
    loop = asyncio.get_running_loop()
    async with bkjob.open_journal(url) as journal, client_of(simulator, interval=0.2) as (client, _):
        async with (
            asyncio.timeout(PATIENCE),
            client.watch(job, journal=journal, name="night", deadline=DEADLINE) as watch,
        ):
            loop.call_later(AWAY_AFTER, take_away)
            with pytest.raises(bkjob.DeadlineExceeded) as late:
                await watch.results()
        return late.value


@pytest.mark.parametrize("away", [locked, full])
async def test_a_file_that_takes_nothing(
    away: Callable[[Path], AbstractContextManager[Break]], tmp_path: Path
) -> None:
    """What is not stored is counted, and the store said why."""
    url = sqlite_url(tmp_path)
    with away(tmp_path / "fleet.db") as take_away:
        late = await deadline_passes(url, take_away)

    assert late.unstored
    assert isinstance(late.__cause__, bkjob.JournalUnavailable)


async def test_a_server_that_is_stopped(redis_server: RedisServer) -> None:
    """It takes what was sent, and answers nothing."""
    redis_server.flush()
    try:
        late = await deadline_passes(redis_server.url, lambda: redis_server.signal(signal.SIGSTOP))
    finally:
        redis_server.signal(signal.SIGCONT)

    assert late.unstored

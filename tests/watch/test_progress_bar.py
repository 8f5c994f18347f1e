"""The progress of a watch in a script, on a terminal and elsewhere, and in a notebook."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

import bkjob_async as bkjob
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World
from tests.watch.clients import client_of

pytestmark = pytest.mark.looptime

SHOW_CURSOR = "\x1b[?25h"
PLAN = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(25.0), status=11),)),))


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


async def test_elsewhere_it_is_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one at the end; no escape sequences."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    world, out = World(1), io.StringIO()
    async with (
        client_of(world) as (client, _),
        client.watch([world.add(PLAN), world.add(PLAN)]) as watch,
        bkjob.progress_bar(watch, file=out),
    ):
        await watch.results()

    lines = out.getvalue().splitlines()
    assert 3 <= len(lines) <= 5
    assert lines[0] == "0 of 2 targets over; hosts: 4 RUNNING"
    assert lines[-1] == "2 of 2 targets over; hosts: 4 FAILED"


async def test_on_a_terminal_it_is_a_bar() -> None:
    """Drawn again and again, to its end, also when the block is left by an error."""
    world, out = World(1), Terminal()
    async with client_of(world) as (client, _), client.watch([world.add(PLAN)]) as watch:
        with pytest.raises(TimeoutError):
            async with bkjob.progress_bar(watch, file=out), asyncio.timeout(5.0):
                await watch.results()

    assert out.getvalue().count("0/1") > 3
    assert "RUNNING" in out.getvalue()
    assert not [task for task in asyncio.all_tasks() if "progress" in task.get_name()]


async def test_a_bar_that_is_cancelled_as_it_ends_gives_the_terminal_back() -> None:
    """The cursor is shown again, and what is printed goes where it went before."""
    world, out, stdout = World(1), Terminal(), sys.stdout
    async with client_of(world) as (client, _), client.watch([world.add(PLAN)]) as watch:

        async def show() -> None:
            async with bkjob.progress_bar(watch, file=out):
                await asyncio.sleep(1.0)

        showing = asyncio.create_task(show())
        await asyncio.sleep(0.5)
        while not showing.done():
            showing.cancel()
            await asyncio.sleep(0)
        is_given_back, sys.stdout = sys.stdout is stdout, stdout

    assert showing.cancelled()
    assert is_given_back
    assert SHOW_CURSOR in out.getvalue()


async def test_a_notebook_shows_the_failed_hosts_of_a_watch() -> None:
    """With counts of targets and hosts."""
    world = World(1)
    async with client_of(world) as (client, _), client.watch([world.add(PLAN) for _ in range(30)]) as watch:
        await watch.results()
        page = watch._repr_html_()

    assert "30 of 30 over" in page
    assert "60 FAILED" in page
    assert page.count("<tr>") == 1 + 20
    assert len(page) <= 20_000

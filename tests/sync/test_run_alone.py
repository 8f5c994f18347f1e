"""The check and the report need no client: each runs in an event loop that ends with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import assert_type

import pytest

import bkjob_async as bkjob
from bkjob_async import sync
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import CREDENTIALS, FAILING, SCOPE
from tests.sync.clients import connected, fast_simulator


def test_the_way_to_the_platform_is_checked() -> None:
    """What is found is what the asynchronous check finds."""
    with Simulator().serve_in_thread() as platform:
        found = assert_type(sync.check(platform.url, CREDENTIALS, scope=SCOPE), tuple[bkjob.Finding, ...])
        awaited = asyncio.run(bkjob.check(platform.url, CREDENTIALS, scope=SCOPE))

    assert [(each.step, each.state) for each in found] == [(each.step, each.state) for each in awaited]
    assert found[-1].step == "limits"


def test_a_report_of_a_watch_and_of_its_journal_are_one(tmp_path: Path) -> None:
    """Batches are applied as the watch gives them; a journal has the same."""
    simulator = fast_simulator()
    job = bkjob.JobRef(SCOPE, simulator.add(FAILING).job_instance_id)
    url = f"sqlite:///{tmp_path}/night.db"
    watched, stored = sync.RunReport(), sync.RunReport([job])
    with (
        connected(simulator, interval=0.02) as client,
        client.watch(job, deadline=60, journal=url, name="night") as watch,
    ):
        for batch in watch.batches():
            watched.apply(batch)

    assert_type(stored.read_journal(url, "night"), None)

    assert str(watched) == str(stored) != ""
    assert assert_type(stored.is_empty, bool) is False
    assert assert_type(stored.text("md"), str).count("\n") > 3
    with pytest.raises(bkjob.FleetNotFound):
        sync.RunReport().read_journal(url, "day")


async def test_in_an_event_loop_the_error_says_what_to_do() -> None:
    """And no coroutine is left that was never awaited, which would be a warning."""
    with pytest.raises(bkjob.WrongEventLoop, match="await the same function of bkjob_async"):
        sync.check("http://127.0.0.1:9", CREDENTIALS)
    with pytest.raises(bkjob.WrongEventLoop):
        sync.RunReport().read_journal("memory:", "night")

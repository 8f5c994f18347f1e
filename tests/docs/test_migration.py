"""The page on migration: old code and new code return the same, on the same platform."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.docs.site import PAGES
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.servers.thread import ServerInThread
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, SimulatedJob, StepPlan
from tests.client.clients import client_of
from tests.docs.examples import component_new, component_old, gateway_new, gateway_old, loop_new

HEADERS = {"X-Bkapi-Authorization": '{"bk_app_code": "any", "bk_app_secret": "any", "bk_username": "admin"}'}


def world() -> Simulator:
    """Return a platform on which every launched host fails but the first, with two jobs."""
    simulator = Simulator(site=SiteConfig(outcomes=(FAILS,)), at_once=True)
    for _ in range(2):
        simulator.add(SimulatedJob(steps=(StepPlan(hosts=3, pinned={1: FAILS}, outcomes=(SUCCEEDS,)),)))
    return simulator


@pytest.fixture
def simulator() -> Simulator:
    """Return the platform."""
    return world()


@pytest.fixture
def server(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerInThread]:
    """Serve it; the old loops' pauses pass in its time."""
    with simulator.serve_in_thread() as server:
        monkeypatch.setattr(time, "sleep", lambda seconds: server.run(simulator.advance, seconds))
        yield server


def new(use: Callable[[bkjob.JobClient], Any], dialect: str = "gateway-v3") -> Callable[[], Any]:
    """Return a coroutine function that uses the new code on such a platform."""

    async def run() -> Any:
        async with client_of(world(), dialect) as (client, _):
            return await use(client)

    return run


@pytest.mark.looptime
async def test_the_new_script() -> None:
    """The failed hosts."""
    assert await new(lambda client: gateway_new.failed_hosts(client, "uptime", [1, 2]))() == [
        "10.0.0.1",
        "10.0.0.2",
    ]


def test_the_old_script(server: ServerInThread) -> None:
    """The same hosts."""
    sdks = pytest.importorskip("tests.simulator.test_sdks", reason="install the extra `sdk`")
    with sdks.gateway_client(server.url, "v3") as client:
        assert gateway_old.failed_hosts(client, "uptime", [1, 2]) == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.looptime
async def test_the_new_plan() -> None:
    """The plan succeeds, through the ESB."""
    assert await new(lambda client: component_new.run_plan(client, 1001, "1.4"), "esb-jobv3")() is True


def test_the_old_plan(server: ServerInThread) -> None:
    """The same outcome."""
    sdks = pytest.importorskip("tests.simulator.test_sdks", reason="install the extra `sdk`")
    with sdks.component_client(server.url) as client:
        assert component_old.run_plan(client, 1001, "1.4") is True


@pytest.mark.looptime
async def test_the_new_loop() -> None:
    """One failed host of each job."""
    reported: list[tuple[int, str]] = []

    async def use(client: bkjob.JobClient) -> None:
        await loop_new.watch(client, [20000000001, 20000000002], lambda *found: reported.append(found))

    await new(use)()

    assert sorted(reported) == [(20000000001, "10.0.0.2"), (20000000002, "10.0.0.2")]


def test_the_old_loop(server: ServerInThread) -> None:
    """The same hosts."""
    pytest.importorskip("requests")
    from tests.docs.examples import loop_old  # noqa: PLC0415 - an optional library

    reported: list[tuple[int, str]] = []
    loop_old.watch(
        f"{server.url}/api/bk-job/prod",
        HEADERS,
        [20000000001, 20000000002],
        lambda *found: reported.append(found),
    )

    assert sorted(reported) == [(20000000001, "10.0.0.2"), (20000000002, "10.0.0.2")]


def test_the_table_of_misreadings_is_right() -> None:
    """Each code of the table has the phase that it names."""
    page = (PAGES / "migration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (run|host) \| (\d+) \|.*\| `(\w+)` \|$", page, re.MULTILINE)
    statuses: dict[str, type[bkjob.RunStatus | bkjob.HostStatus]] = {
        "run": bkjob.RunStatus,
        "host": bkjob.HostStatus,
    }

    assert len(rows) >= 7
    assert [(kind, code) for kind, code, phase in rows if statuses[kind](int(code)).phase != phase] == []

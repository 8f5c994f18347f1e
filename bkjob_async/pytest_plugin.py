"""Fixtures for pytest: a simulated BlueKing Job platform, and a client in front of it.

It imports neither the client nor the simulator before a fixture is used, because every run of pytest loads
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

import bkjob_async

if TYPE_CHECKING:
    from bkjob_async.simulator.servers.clock import WorldClock
    from bkjob_async.simulator.servers.thread import ServerInThread
    from bkjob_async.testing import Simulator

URLS = {
    "gateway-v3": "http://simulator/api/bk-job/prod",
    "gateway-v4": "http://simulator/api/bk-job/prod",
    "esb-job": "http://simulator",
    "esb-jobv3": "http://simulator",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    line = (
        "bkjob(scenario=None, *, dialect='gateway-v3', latency=0.0, client={}, **simulator): "
        "how the platform of bkjob_simulator is set up; `client` goes to bkjob_async.connect"
    )
    config.addinivalue_line("markers", line)


@pytest.fixture
def bkjob_simulator(request: pytest.FixtureRequest) -> Simulator:
    """Return a simulated platform; the marker `bkjob` says which."""
    scenario, options = _marked(request)
    for name in ("dialect", "latency", "client"):
        options.pop(name, None)
    simulator: Simulator = import_module("bkjob_async.testing").Simulator(scenario, **options)
    return simulator


@pytest.fixture
def bkjob_clock(bkjob_simulator: Simulator) -> WorldClock:
    """Return the platform's clock: hold it, move it on, let it go on."""
    return bkjob_simulator.clock


@pytest.fixture
def bkjob_client(request: pytest.FixtureRequest, bkjob_simulator: Simulator) -> bkjob_async.JobClient:
    """Return a client of the platform, in process; open it with `async with`."""
    _, options = _marked(request)
    dialect = options.get("dialect", "gateway-v3")
    check_choice = import_module("bkjob_async.model.base_error").check_choice
    check_choice("dialect of the marker bkjob", dialect, tuple(URLS))
    return bkjob_async.connect(
        URLS[dialect],
        bkjob_async.AppCredentials(bk_app_code="tests", bk_app_secret="tests", bk_username="admin"),  # noqa: S106 - made up
        dialect=dialect,
        scope=bkjob_async.Scope.biz(2),
        transport=bkjob_simulator.transport(latency=options.get("latency", 0.0)),
        **options.get("client", {}),
    )


@pytest.fixture
def bkjob_server(bkjob_simulator: Simulator) -> Iterator[ServerInThread]:
    """Serve the platform over HTTP from a thread, for code that is not asynchronous."""
    with bkjob_simulator.serve_in_thread() as server:
        yield server


def _marked(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    marker = request.node.get_closest_marker("bkjob")
    if marker is None:
        return None, {}
    scenario = marker.args[0] if marker.args else marker.kwargs.get("scenario")
    return scenario, {name: value for name, value in marker.kwargs.items() if name != "scenario"}

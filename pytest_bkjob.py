"""Fixtures for pytest: a simulated BlueKing Job platform, and a client in front of it.

This file stands beside the package so that pytest loads nothing heavy until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bkjob_async import JobClient
    from bkjob_async.simulator.servers.clock import WorldClock
    from bkjob_async.simulator.servers.thread import ServerInThread
    from bkjob_async.simulator.simulator import Simulator

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
    from bkjob_async.simulator.simulator import Simulator  # noqa: PLC0415 - nothing heavy until used

    scenario, options = _marked(request)
    for name in ("dialect", "latency", "client"):
        options.pop(name, None)
    return Simulator(scenario, **options)


@pytest.fixture
def bkjob_clock(bkjob_simulator: Simulator) -> WorldClock:
    """Return the platform's clock: hold it, move it on, let it go on."""
    return bkjob_simulator.clock


@pytest.fixture
def bkjob_client(request: pytest.FixtureRequest, bkjob_simulator: Simulator) -> JobClient:
    """Return a client of the platform, in process; open it with `async with`."""
    from bkjob_async import AppCredentials, Scope, connect  # noqa: PLC0415 - nothing heavy until used

    _, options = _marked(request)
    dialect = options.get("dialect", "gateway-v3")
    return connect(
        URLS[dialect],
        AppCredentials(bk_app_code="tests", bk_app_secret="tests", bk_username="admin"),  # noqa: S106 - made up
        dialect=dialect,
        scope=Scope.biz(2),
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

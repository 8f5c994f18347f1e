"""A synchronous client of a simulated platform."""

from __future__ import annotations

from typing import Any

import bkjob_async.sync
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import CREDENTIALS, SCOPE, URLS


def connected(
    simulator: Simulator, dialect: str = "gateway-v3", **options: Any
) -> bkjob_async.sync.JobClient:
    """Return a client of a simulated platform."""
    options.setdefault("transport", simulator.transport())
    return bkjob_async.sync.connect(URLS[dialect], CREDENTIALS, dialect=dialect, scope=SCOPE, **options)


def fast_simulator(**options: Any) -> Simulator:
    """Return a platform that is two hundred times as fast; poll it with `interval=0.02`."""
    return Simulator(speed=200.0, at_once=True, **options)

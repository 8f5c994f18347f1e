"""Run the tests of real time in uvloop: a plugin of pytest, `-p tests.in_uvloop`.

Virtual time is a change of asyncio's own event loop, so that its tests are left out, as are tests without a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each asynchronous test a loop of uvloop."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that no loop of uvloop runs."""
    chosen = [
        item
        for item in items
        if item.get_closest_marker("asyncio") and not item.get_closest_marker("looptime")
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen

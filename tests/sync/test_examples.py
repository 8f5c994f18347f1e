"""The examples of the twin's docstrings run, each in virtual time on a simulated platform of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import looptime
import pytest

import bkjob_async
from bkjob_async import sync
from tests.docs.session import CLIENTS, failures, simulated
from tests.sync.clients import connected


def examples() -> dict[str, str]:
    """Return every docstring of the twin that has examples, by its place."""
    found = {"connect": inspect.getdoc(sync.connect) or ""}
    for owner in (sync.JobClient, sync.RunReport, sync.Watch):
        found[owner.__name__] = inspect.getdoc(owner) or ""
        for name in dir(owner):
            if name[0] != "_":
                found[f"{owner.__name__}.{name}"] = inspect.getdoc(getattr(owner, name)) or ""
    return {place: doc for place, doc in found.items() if ">>>" in doc}


class VirtualTime(asyncio.DefaultEventLoopPolicy):
    """Makes event loops whose time jumps to what comes next."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new loop."""
        return looptime.patch_event_loop(super().new_event_loop(), _enabled=True)  # type: ignore[arg-type]


@pytest.fixture
def _virtual_time() -> Iterator[None]:
    """Give every thread such loops."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(VirtualTime())
    yield
    asyncio.set_event_loop_policy(before)


@contextmanager
def platform() -> Iterator[dict[str, Any]]:
    """Yield the names that examples use, with clients of the twin."""
    names = {**simulated(), "bkjob_async": bkjob_async}
    with ExitStack() as stack:
        for name, (dialect, options) in CLIENTS.items():
            names[name] = stack.enter_context(connected(names["simulator"], dialect, **options))
        yield names


@pytest.mark.usefixtures("_virtual_time")
def test_the_examples_of_the_twin_run() -> None:
    """They print what they say."""
    found = []
    for place, doc in examples().items():
        with platform() as names:
            found += asyncio.run(failures(doc, names, place))

    assert found == []

"""What all tests share."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.examples import QUICK

# A busy machine is no failure: an example may take any time.
settings.register_profile("patient", settings(), deadline=None)
settings.register_profile("quick", settings(), deadline=None, max_examples=QUICK)
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Set the main thread's event loop to None, so that no code creates one by asking for it.

    looptime's plugin asks in every test that is not async; the loop that Python 3.11 then creates is never closed, and
    the warning about it fails whichever test runs when the garbage is collected.
    """
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def loop_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Fail the test when a callback of any event loop raises, or a task whose result nobody takes.

    An event loop only logs these. A test that means them to happen clears the list.
    """
    errors: list[dict[str, Any]] = []
    log = asyncio.BaseEventLoop.default_exception_handler

    def handle(loop: asyncio.BaseEventLoop, context: dict[str, Any]) -> None:
        errors.append(context)
        log(loop, context)

    monkeypatch.setattr(asyncio.BaseEventLoop, "default_exception_handler", handle)
    yield errors
    assert errors == []

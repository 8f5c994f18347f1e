"""What all tests share."""

import asyncio

from hypothesis import settings

# A busy machine is no failure: examples may take as long as they take.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Say that the main thread has no event loop, so that nobody creates one by asking for it.

    looptime's plugin asks in every test that is not async; the loop that Python 3.11 then creates is never closed, and
    the warning about it hits whichever test runs when the garbage is collected.
    """
    asyncio.set_event_loop(None)

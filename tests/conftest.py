"""What all tests share."""

import asyncio

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

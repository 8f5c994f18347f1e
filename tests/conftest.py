"""What all tests share."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from secrets import randbelow
from typing import Any

import pytest
from hypothesis import settings

from tests.examples import QUICK

# A busy machine is no failure: an example may take any time.
settings.register_profile("patient", settings(), deadline=None)
settings.register_profile("quick", settings(), deadline=None, max_examples=QUICK)
settings.load_profile("patient")

LONGEST = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that prints where the time went."""
    parser.addoption(
        "--times", action="store_true", help="print the seconds of each folder, and the longest tests"
    )


def pytest_configure() -> None:
    """Choose the seed of the random histories, before the workers of pytest-xdist inherit it."""
    os.environ.setdefault("BKJOB_SEED", str(randbelow(1_000_000)))
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # As under `nohup`. What is ignored is inherited, and tests send it to the commands that they start; a handler is not.
        signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_sessionstart() -> None:
    """Set the main thread's event loop to None, so that no code creates one by asking for it.

    looptime's plugin asks in every test that is not async; the loop that Python 3.11 then creates is never closed, and
    the warning about it fails whichever test runs when the garbage is collected.
    """
    asyncio.set_event_loop(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed of the random histories and, if asked, where the time went."""
    terminalreporter.write_line(f"random histories: BKJOB_SEED={os.environ['BKJOB_SEED']}")
    if not config.getoption("--times"):
        return
    tests, folders = Counter[str](), Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                tests[report.nodeid] += report.duration  # type: ignore[assignment]
                folders["/".join(report.nodeid.partition("::")[0].split("/")[:2])] += report.duration  # type: ignore[assignment]
    for title, counted in (("folders", folders), (f"the longest {LONGEST}", tests)):
        terminalreporter.write_line(f"seconds of tests, {title}:")
        for name, seconds in counted.most_common(None if counted is folders else LONGEST):
            terminalreporter.write_line(f"{seconds:8.1f} {name}")


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

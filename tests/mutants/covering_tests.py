"""Which tests run a line of the package, and how long each of them takes.

As a plugin of pytest (`-p tests.mutants.covering_tests`) it measures that, and writes it to the file that the
environment names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import coverage
import pytest
from attrs import asdict, frozen

MEASURED_TO = "BKJOB_COVERING_TESTS"
# What runs while tests are collected belongs to no test.
NO_TEST = ""


@frozen
class CoveringTests:
    """*lines* has the numbers of the tests that run each line of each file, as *names* and *seconds* count them."""

    names: list[str]
    seconds: list[float]
    lines: dict[str, dict[str, list[int]]]

    @classmethod
    def read(cls, path: Path) -> CoveringTests:
        """Return what was measured to *path*."""
        return cls(**json.loads(path.read_text()))

    @classmethod
    def joined(cls, parts: Sequence[CoveringTests]) -> CoveringTests:
        """Return what was measured in several *parts*."""
        whole = cls([], [], {})
        for part in parts:
            behind = len(whole.names)
            whole.names.extend(part.names)
            whole.seconds.extend(part.seconds)
            for file, lines in part.lines.items():
                known = whole.lines.setdefault(file, {})
                for line, tests in lines.items():
                    known.setdefault(line, []).extend(behind + test for test in tests)
        return whole

    def write(self, path: Path) -> None:
        """Write what was measured to *path*."""
        path.write_text(json.dumps(asdict(self)))

    def of(self, file: str, first: int, last: int, near: Sequence[str]) -> list[tuple[str, float]]:
        """Return the tests that run lines *first* to *last* of a file: those in the files *near*, then the quickest."""
        lines = self.lines.get(file, {})
        tests = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
        ordered = sorted(tests, key=lambda n: (self.names[n].partition("::")[0] not in near, self.seconds[n]))
        return [(self.names[n], self.seconds[n]) for n in ordered]


class Measuring:
    """Switches the context of coverage with each test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.coverage = coverage.Coverage(
            data_file=f"{path}.coverage", config_file=False, source=["bkjob_async"], data_suffix=None
        )
        self.seconds: dict[str, float] = {}
        self.coverage.erase()
        self.coverage.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Count what runs from here on for this test."""
        self.coverage.switch_context(item.nodeid)
        yield
        self.coverage.switch_context(NO_TEST)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add how long a part of the test took."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write what was measured."""
        self.coverage.stop()
        data = self.coverage.get_data()
        numbers = {name: number for number, name in enumerate(self.seconds)}
        lines = {
            Path(file).relative_to(Path.cwd()).as_posix(): {
                str(line): sorted(numbers[test] for test in tests if test != NO_TEST)
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        CoveringTests([*self.seconds], [*self.seconds.values()], lines).write(self.path)


def pytest_configure(config: pytest.Config) -> None:
    """Measure where the environment says so."""
    path = os.environ.get(MEASURED_TO)
    if path is not None:
        config.pluginmanager.register(Measuring(Path(path)))

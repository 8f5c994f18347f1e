"""Tries mutants: each in a copy of the project, against the tests that ought to notice it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.mutants.covering_tests import MEASURED_TO, CoveringTests
from tests.mutants.equivalents import EQUIVALENT
from tests.mutants.mutations import Mutant, mutants_of

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "bkjob_async"
# These are slow, or test the tests.
LEFT_OUT = ("test_planted.py", "test_many_targets.py", "test_promise.py")
# Pages and packages are not copied, so that the tests of them would fail without any mutant.
NOT_MEASURED = ("docs", "mutants")
# What a mutant is tried against last: random histories, where they can notice it.
WITHOUT_HISTORIES = ("cli", "docs", "many", "observe")
HISTORIES = ("tests/watch/test_promise.py", "tests/watch/test_resume.py")
HISTORIES_COUNT = "160"
# The quickest tests that run a mutant's line are tried first, then as many as take so many seconds.
FIRST, ALL_SECONDS = 30, 40.0
# A group of tests is given this many seconds, and more where it is known to take long.
LEAST_SECONDS, SLOWER = 60.0, 8.0
ENDED_BY_OTHERS = (-signal.SIGTERM, -signal.SIGKILL)
UNKNOWN_SECONDS = 40.0


class Group(NamedTuple):
    """Tests that are run together, and how many seconds they take."""

    tests: tuple[str, ...]
    seconds: float = UNKNOWN_SECONDS


class Trial(NamedTuple):
    """What became of a mutant: killed by a test, or survived."""

    mutant: Mutant
    killed: bool


def all_mutants() -> list[Mutant]:
    """Return the mutants of all rooms, without those that change nothing."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [mutant for path in files for mutant in mutants_of(path) if mutant.name not in EQUIVALENT]


def sampled(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return some mutants, the same ones for the same *seed*."""
    return Random(seed).sample(mutants, min(count, len(mutants)))


def groups_for(mutant: Mutant, covering: CoveringTests) -> list[Group]:
    """Return what should notice a mutant: the tests that run its lines, the quickest first, then random histories.

    Where no test is known to run them, as when they run while a file is imported or in a process, the tests of its file
    stand in, or of the nearest folder that has some.
    """
    relative = mutant.path.relative_to(ROOT)
    folder = Path("tests") / relative.parent.relative_to("bkjob_async")
    near = tests_near(folder, f"test_{relative.name}")
    tests = covering.of(relative.as_posix(), *mutant.lines, near)
    last = [] if relative.parts[1] in WITHOUT_HISTORIES else [Group(HISTORIES)]
    if not tests:
        return [Group(tuple(near)), *last]
    groups, rest = [grouped(tests[:FIRST])], []
    for name, seconds in sorted(tests[FIRST:], key=lambda test: test[1]):
        rest.append((name, seconds))
        if sum(seconds for _, seconds in rest) > ALL_SECONDS:
            break
    return [*groups, grouped(rest), *last]


def grouped(tests: Sequence[tuple[str, float]]) -> Group:
    """Return a group of tests of known duration."""
    return Group(tuple(name for name, _ in tests), sum(seconds for _, seconds in tests))


def measured(path: Path, processes: int) -> CoveringTests:
    """Return which tests run each line; measure it to *path*, in so many processes, where that does not exist yet."""
    if not path.exists():
        rooms = sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir())
        files = [
            name for room in rooms if room not in NOT_MEASURED for name in tests_in(Path("tests") / room)
        ]
        shares = [files[number::processes] for number in range(processes)]
        with TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(processes) as pool:
            found = [*pool.map(measured_share, [Path(folder) / str(n) for n in range(processes)], shares)]
        CoveringTests.joined(found).write(path)
    return CoveringTests.read(path)


def measured_share(folder: Path, files: Sequence[str]) -> CoveringTests:
    """Return which tests in some *files* run each line, measured in a copy of the project in *folder*."""
    options = (
        "-p",
        "tests.mutants.covering_tests",
        "--hypothesis-profile=quick",
        "-m",
        "not slow and not deep",
    )
    path = folder / "covering_tests.json"
    if not Copy(folder).passes(Group((*options, *files), 3600.0), **{MEASURED_TO: str(path)}):
        raise RuntimeError("the tests fail without any mutant")
    return CoveringTests.read(path)


def tests_near(folder: Path, name: str) -> list[str]:
    """Return the tests in files of a *name*, else all of them, in the nearest folder that has any."""
    while folder != Path("tests"):
        found = tests_in(folder)
        if found:
            return [path for path in found if path.endswith(f"/{name}")] or found
        folder = folder.parent
    return []


def tests_in(folder: Path) -> list[str]:
    """Return the tests of a folder and of those below it, without the slow ones."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("test_*.py"))
    return [path for path in found if not path.endswith(LEFT_OUT)]


def trials(
    mutants: Iterable[Mutant],
    groups: Callable[[Mutant], Sequence[Group]],
    *,
    processes: int,
    stop_at: float | None = None,
) -> Iterator[Trial]:
    """Try mutants, several at a time, each against its *groups* of tests; yield each result as soon as it is known.

    No mutant is started after *stop_at*, in seconds on the monotonic clock.
    """
    mutants = list(mutants)
    with TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(processes):
            copies.put(Copy(Path(folder) / str(number)))

        def attempt(mutant: Mutant) -> Trial:
            copy = copies.get()
            try:
                return Trial(mutant, copy.notices(mutant, groups(mutant)))
            finally:
                copies.put(copy)

        waiting, running = iter(mutants), set[Future[Trial]]()
        with ThreadPoolExecutor(processes) as pool:
            while True:
                while len(running) < processes and (stop_at is None or time.monotonic() < stop_at):
                    mutant = next(waiting, None)
                    if mutant is None:
                        break
                    running.add(pool.submit(attempt, mutant))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)


class Copy:
    """A copy of the project in which one mutant at a time lives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changes = 0
        root.mkdir(parents=True)
        for name in ("bkjob_async", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, root / name)

    def notices(self, mutant: Mutant, groups: Sequence[Group]) -> bool:
        """Whether any of the tests fails, or does not end, with a mutant in place."""
        path = self.root / mutant.path.relative_to(ROOT)
        self._write(path, mutant.source())
        try:
            return any(not self.passes(group) for group in groups if group.tests)
        finally:
            self._write(path, mutant.original.decode())

    def _write(self, path: Path, text: str) -> None:
        """Write a file so that no compiled copy of what it was can be taken for it."""
        path.write_text(text)
        self._changes += 1
        moment = path.stat().st_mtime + self._changes
        os.utime(path, (moment, moment))

    def passes(self, group: Group, **more_settings: str) -> bool:
        """Whether tests pass in time."""
        options = ("-x", "-q", "--no-header", "-p", "no:cacheprovider")
        settings = {
            "CI": "1",
            # What tests start as a process is the copy, too.
            "PYTHONPATH": str(self.root),
            "BKJOB_HISTORIES": HISTORIES_COUNT,
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.root / "h"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *group.tests],
            cwd=self.root,
            env={**unmeasured(), **settings, **more_settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(LEAST_SECONDS + SLOWER * group.seconds)
            # Somebody else ended them: nothing is known.
            return status == 0 if status not in ENDED_BY_OTHERS else self.passes(group, **more_settings)
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def unmeasured() -> dict[str, str]:
    """Return the environment without what makes coverage measure subprocesses: the copies are no part of the package."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

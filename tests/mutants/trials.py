"""Tries mutants: each in a copy of the project, against the tests that ought to notice it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.mutants.equivalents import EQUIVALENT
from tests.mutants.mutations import Mutant, mutants_of

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("engine", "watch", "dialects")
# Run after the tests of the mutant's folder and room: the shortest tests that run most of the package.
QUICK = ("tests/watch/test_scenarios.py", "tests/watch/test_promise.py", "tests/watch/test_lifetimes.py")
# These are slow, or test the tests.
LEFT_OUT = ("test_planted.py", "test_many_targets.py", "test_promise.py")
HISTORIES = "160"
TIMEOUT = 400.0


class Trial(NamedTuple):
    """What became of a mutant: killed by a test, or survived."""

    mutant: Mutant
    killed: bool


def all_mutants() -> list[Mutant]:
    """Return the mutants of all rooms that are worth it, without those that change nothing."""
    files = [path for room in ROOMS for path in sorted((ROOT / "bkjob_async" / room).rglob("*.py"))]
    return [mutant for path in files for mutant in mutants_of(path) if mutant.name not in EQUIVALENT]


def sampled(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return some mutants, the same ones for the same *seed*."""
    return Random(seed).sample(mutants, min(count, len(mutants)))


def tests_for(mutant: Mutant) -> list[list[str]]:
    """Return groups of tests that should notice a mutant: its folder's, its room's, and some of the whole."""
    relative = mutant.path.relative_to(ROOT / "bkjob_async")
    folder, room = tests_in(relative.parent), tests_in(Path(relative.parts[0]))
    rest = [path for path in room if path not in folder]
    return [folder, rest, [path for path in QUICK if path not in room and (ROOT / path).exists()]]


def tests_in(folder: Path) -> list[str]:
    """Return the tests of a folder of the package and of those below it, without the slow ones."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / folder).rglob("test_*.py"))
    return [path for path in found if not path.endswith(LEFT_OUT)]


def trials(
    mutants: Iterable[Mutant],
    *,
    processes: int,
    tests: list[list[str]] | None = None,
    stop_at: float | None = None,
) -> Iterator[Trial]:
    """Try mutants, several at a time; yield each result as soon as it is known.

    No mutant is started after *stop_at*, in seconds on the monotonic clock.
    """
    mutants = list(mutants)
    with TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(processes):
            copies.put(Copy(Path(folder) / str(number)))
        unchanged = Copy(Path(folder) / "unchanged")
        for group in {tuple(group) for mutant in mutants for group in tests or tests_for(mutant) if group}:
            if not unchanged.passes(group):
                raise RuntimeError(f"these fail without any mutant: {' '.join(group)}")

        def attempt(mutant: Mutant) -> Trial:
            copy = copies.get()
            try:
                return Trial(mutant, copy.notices(mutant, tests or tests_for(mutant)))
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

    def notices(self, mutant: Mutant, tests: list[list[str]]) -> bool:
        """Whether any of the tests fails, or does not end, with a mutant in place."""
        path = self.root / mutant.path.relative_to(ROOT)
        self._write(path, mutant.source())
        try:
            return any(not self.passes(group) for group in tests if group)
        finally:
            self._write(path, mutant.original.decode())

    def _write(self, path: Path, text: str) -> None:
        """Write a file so that no compiled copy of what it was can be taken for it."""
        path.write_text(text)
        self._changes += 1
        moment = path.stat().st_mtime + self._changes
        os.utime(path, (moment, moment))

    def passes(self, tests: Iterable[str]) -> bool:
        """Whether tests pass in time."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *tests,
        ]
        settings = {
            "CI": "1",
            "BKJOB_HISTORIES": HISTORIES,
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.root / "h"),
        }
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env={**unmeasured(), **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(TIMEOUT) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def unmeasured() -> dict[str, str]:
    """Return the environment without what makes coverage measure subprocesses: the copies are no part of the package."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}

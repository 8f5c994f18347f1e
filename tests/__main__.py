"""The checks of a change: `python -m tests quick` meanwhile, `python -m tests` before it goes in, `python -m tests deep` at night."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import randbelow

from attrs import field, frozen

ROOT = Path(__file__).parent.parent

# The pure rooms: their tests need no event loop, no socket and no subprocess.
PURE_TESTS = (
    "tests/model",
    "tests/engine",
    "tests/dialects",
    "tests/simulator/world",
    "tests/test_architecture.py",
    "tests/test_floors.py",
    "tests/test_public.py",
)
# Two cores, and tests that wait for something else than a core.
PARALLEL = ("--numprocesses", "3", "--dist", "worksteal")
QUICK = ("-m", "not slow and not deep", "--hypothesis-profile", "quick")
# The library may run in any event loop, commands run in asyncio's. With a hostile Redis a stream stays unclosed in uvloop.
IN_UVLOOP = (
    *(
        "tests/client",
        "tests/journal",
        "tests/many",
        "tests/observe",
        "tests/simulator",
        "tests/watch",
        "tests/wire",
    ),
    "--ignore=tests/journal/test_hostile_redis.py",
)
HISTORIES = ("tests/watch/test_promise.py", "tests/watch/test_resume.py", "tests/watch/test_rivals.py")
# Of all families: 20 000 of watches, 8 000 of journals, 4 000 of rivals; an eighth of them are the same ones every night.
FIXED_HISTORIES, FRESH_HISTORIES = 4000, 28_000
FIXED_SEED = 1
SEEDS = 1_000_000


@frozen
class Step:
    """A check: its *name*, the module and arguments that it runs, and what it adds to the *environment*.

    One that is *beside* runs at the same time as the one before it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(factory=dict)
    beside: bool = False


FORMAT = Step("format", ["ruff", "format", "--check", "."])
LINT = Step("lint", ["ruff", "check", "."])
MYPY = Step("types, by mypy", ["mypy"])
PYRIGHT = Step("types, by pyright", ["pyright", "--pythonpath", sys.executable], beside=True)


def steps() -> list[Step]:
    """Return what must pass before a change goes in: what `.ci/run` runs."""
    return [FORMAT, LINT, MYPY, PYRIGHT, Step("tests", ["pytest", "--times", *PARALLEL])]


def quick_steps(changed: Sequence[str]) -> list[Step]:
    """Return the checks for the inner loop; format and lint look at the *changed* files only."""
    lint = [
        Step("format of changed files", ["ruff", "format", "--check", *changed]),
        Step("lint of changed files", ["ruff", "check", *changed]),
    ]
    tests = Step("tests of the pure rooms", ["pytest", *QUICK, "-p", "no:cacheprovider", *PURE_TESTS])
    return [*(lint if changed else []), MYPY, tests]


def deep_steps() -> list[Step]:
    """Return what a night has time for, and whoever closes an issue about truth."""
    return [
        FORMAT,
        LINT,
        MYPY,
        PYRIGHT,
        Step("earlier measurements are removed", ["coverage", "erase"]),
        Step("tests", ["coverage", "run", "-m", "pytest", "--times", *PARALLEL]),
        Step("coverage", ["coverage", "combine", "--quiet"]),
        Step("coverage by room", ["tests.coverage_by_room"]),
        Step(
            "deep tests: planted defects, packaging, the site, Dask, a browser, small benchmarks",
            ["pytest", "--times", "--show-capture=stdout", "-m", "deep", *PARALLEL],
        ),
        Step(
            "tests of real time in uvloop",
            ["pytest", "--times", "-p", "tests.in_uvloop", *PARALLEL, *IN_UVLOOP],
        ),
        histories("histories of a fixed seed", FIXED_HISTORIES, FIXED_SEED),
        histories("histories of a fresh seed", FRESH_HISTORIES, int(os.environ["BKJOB_SEED"])),
        Step("the oldest aiohttp", ["tests.versions", "--oldest-aiohttp"]),
        Step("mutants", ["tests.mutants", "--count", "20", "--seed", os.environ["BKJOB_SEED"]]),
        Step("known vulnerabilities of the oldest requirements", ["tests.vulnerabilities"]),
    ]


def histories(name: str, count: int, seed: int) -> Step:
    """Return the check that runs so many random histories of one seed."""
    environment = {"BKJOB_HISTORIES": str(count), "BKJOB_SEED": str(seed)}
    return Step(name, ["pytest", "--times", *PARALLEL, *HISTORIES], environment)


def changed_files() -> list[str]:
    """Return the Python files that differ from git's HEAD or are untracked; all files outside a git checkout."""
    try:
        listed = f"{git('diff', '--name-only', 'HEAD')}\n{git('ls-files', '--others', '--exclude-standard')}"
    except (OSError, subprocess.CalledProcessError):
        return ["."]
    return sorted({name for name in listed.splitlines() if name.endswith(".py") and (ROOT / name).exists()})


def seed_of_commit() -> int:
    """Return the seed that git's HEAD gives: each commit draws histories of its own, the same ones wherever it is checked.

    Without git it is any number.
    """
    try:
        return int(git("rev-parse", "HEAD"), 16) % SEEDS
    except (OSError, subprocess.CalledProcessError):
        return randbelow(SEEDS)


def git(*words: str) -> str:
    """Return what git prints; raise OSError or CalledProcessError without git or outside a checkout."""
    command = ["git", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def run(steps: Sequence[Step]) -> int:
    """Run the steps; stop at the first that fails, print its name and return its exit code."""
    times, running = [], list[tuple[Step, float, subprocess.Popen[bytes]]]()
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        print(f"== {step.name}: {' '.join(step.command)}", flush=True)
        words, variables = [sys.executable, "-m", *step.command], {**environment(), **step.environment}
        running.append((step, time.monotonic(), subprocess.Popen(words, cwd=ROOT, env=variables)))
        if following is not None and following.beside:
            continue
        codes = [(each.name, process.wait()) for each, _, process in running]
        times += [f"{time.monotonic() - begun:8.1f} {each.name}" for each, begun, _ in running]
        running.clear()
        for name, code in codes:
            if code:
                print(f"== stopped: {name} (exit code {code})", file=sys.stderr, flush=True)
                return code
    print("\n".join(["== seconds:", *times]), flush=True)
    return 0


def environment() -> dict[str, str]:
    """Return the environment, with pyright silent about newer versions of itself.

    Modules are compiled once for all workers and for the commands that tests start, also where Python is told not to keep that.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


def main() -> int:
    """Run the checks of one size."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("size", nargs="?", choices=["quick", "usual", "deep"], default="usual")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="the steps with this in their name: histories"
    )
    options = parser.parse_args()
    # A shell has what it starts in the background ignore these, and so would the commands that tests send them to.
    for number in (signal.SIGINT, signal.SIGQUIT) if os.name == "posix" else ():
        signal.signal(number, signal.SIG_DFL)
    os.environ.setdefault(
        "BKJOB_SEED", str(seed_of_commit() if options.size == "usual" else randbelow(SEEDS))
    )
    sizes = {"quick": lambda: quick_steps(changed_files()), "usual": steps, "deep": deep_steps}
    return run([step for step in sizes[options.size]() if options.only in step.name])


if __name__ == "__main__":
    sys.exit(main())

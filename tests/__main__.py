"""The checks before a change goes in: `python -m tests`, or the quick ones: `python -m tests quick`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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
# Run without coverage, which would make them several times as long and sees nothing new in them.
UNMEASURED = (
    "tests/cli",
    "tests/docs/test_site.py",
    "tests/many/test_on_dask.py",
    "tests/watch/test_promise.py",
    "tests/watch/test_planted.py",
    "tests/watch/test_resume.py",
    "tests/watch/test_resume_planted.py",
    "tests/watch/test_rivals.py",
    "tests/test_benchmarks.py",
    "tests/test_mutants.py",
    "tests/test_packaging.py",
)
PARALLEL = ("--numprocesses", "2", "--dist", "worksteal")
COVERED = ("coverage", "run", "-m")

Step = tuple[str, Sequence[str]]


def all_steps() -> list[Step]:
    """Return every check: what `.ci/run` runs."""
    return [
        ("format", ["ruff", "format", "--check", "."]),
        ("lint", ["ruff", "check", "."]),
        ("types, by mypy", ["mypy"]),
        ("types, by pyright", ["pyright", "--pythonpath", sys.executable]),
        ("earlier coverage is removed", ["coverage", "erase"]),
        ("tests", [*COVERED, "pytest", "-v", *PARALLEL, *(f"--ignore={path}" for path in UNMEASURED)]),
        ("coverage", ["coverage", "combine", "--quiet"]),
        ("coverage by room", ["tests.coverage_by_room"]),
        ("tests without coverage", ["pytest", "-v", "--show-capture=stdout", *PARALLEL, *UNMEASURED]),
    ]


def quick_steps(changed: Sequence[str]) -> list[Step]:
    """Return the checks for the inner loop; format and lint look at the *changed* files only."""
    lint: list[Step] = [
        ("format of changed files", ["ruff", "format", "--check", *changed]),
        ("lint of changed files", ["ruff", "check", *changed]),
    ]
    selection = ["-m", "not slow", "--hypothesis-profile", "quick", "-p", "no:cacheprovider"]
    return [
        *(lint if changed else []),
        ("types, by mypy", ["mypy"]),
        ("tests of the pure rooms", ["pytest", *selection, *PARALLEL, *PURE_TESTS]),
    ]


def changed_files() -> list[str]:
    """Return the Python files that differ from git's HEAD or are untracked; all files outside a git checkout."""
    commands = (["git", "diff", "--name-only", "HEAD"], ["git", "ls-files", "--others", "--exclude-standard"])
    try:
        listed = [
            line
            for command in commands
            for line in subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout.splitlines()
        ]
    except (OSError, subprocess.CalledProcessError):
        return ["."]
    return sorted({name for name in listed if name.endswith(".py") and (ROOT / name).exists()})


def run(steps: Sequence[Step]) -> int:
    """Run the steps; stop at the first that fails, print its name and return its exit code."""
    for name, command in steps:
        print(f"== {name}: {' '.join(command)}", flush=True)
        code = subprocess.call([sys.executable, "-m", *command], cwd=ROOT, env=environment())
        if code:
            print(f"== stopped: {name} (exit code {code})", file=sys.stderr, flush=True)
            return code
    return 0


def environment() -> dict[str, str]:
    """Return the environment with pyright silent about newer versions of itself."""
    return {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


def main() -> int:
    """Run all checks, or the quick ones."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "quick"], default="all")
    what = parser.parse_args().what
    return run(quick_steps(changed_files()) if what == "quick" else all_steps())


if __name__ == "__main__":
    sys.exit(main())

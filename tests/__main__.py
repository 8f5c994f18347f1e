"""Everything that must hold before a change goes in: format, lint, types, floors, tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The floors are a test among the tests. The last line is pytest's own.
STEPS = [
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types, by mypy", ["mypy"]),
    ("types, by pyright", ["pyright", "--pythonpath", sys.executable]),
    ("tests", ["pytest", "-v", "--numprocesses", "2", "--dist", "worksteal"]),
]


def main() -> int:
    """Run every step; stop at the first that fails, and say which."""
    for name, command in STEPS:
        print(f"== {name}: {' '.join(command)}", flush=True)
        code = subprocess.call([sys.executable, "-m", *command], cwd=ROOT, env=environment())
        if code:
            print(f"== stopped: {name} (exit code {code})", file=sys.stderr, flush=True)
            return code
    return 0


def environment() -> dict[str, str]:
    """Return the environment with pyright silent about newer versions of itself."""
    return {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


sys.exit(main())

"""The console script, with and without what it needs."""

import subprocess
import sys

import pytest

import bkjob_async
from tests.cli import shell

BLOCKED = """
import sys
sys.modules[{missing!r}] = None
from bkjob_async.cli.entry import main
sys.argv = ["bkjob", "demo"]
sys.exit(main())
"""


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_it_says_in_one_line_what_to_install(missing: str) -> None:
    """Whoever installed the library alone is shown the way, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(missing=missing)],
        cwd=shell.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"bkjob needs {missing}: pip install 'bkjob-async[cli]'\n"


def test_another_missing_module_is_not_hidden() -> None:
    """A broken installation is not taken for a missing extra."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(missing="aiohttp.web")],
        cwd=shell.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "aiohttp.web" in done.stderr


def test_it_knows_its_version() -> None:
    """`python -m bkjob_async` is the command."""
    done = shell.run("--version")

    assert done.stdout == f"bkjob, version {bkjob_async.__version__}\n"

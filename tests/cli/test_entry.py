"""The console script, with and without what it needs."""

import os
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


INTERRUPTED = """
import signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from bkjob_async.cli.entry import main
sys.argv = ["bkjob", "watch", "2:1", "--url", "http://127.0.0.1:1", "--deadline", "0.1"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module",
    [
        *(
            "bkjob_async.cli.commands.group",
            "click",
            "bkjob_async.cli.commands.watch",
            "bkjob_async.cli.running",
        ),
        *("bkjob_async.cli.actions.watch", "aiohttp"),
    ],
)
def test_ctrl_c_while_modules_are_imported_has_no_traceback(module: str) -> None:
    """The first moments of a command are imports."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)],
        cwd=shell.ROOT,
        env={**os.environ, **shell.IDENTITY, "BKJOB_CONFIG": shell.NO_CONFIG},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 130
    assert "Traceback" not in done.stderr


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


@pytest.mark.parametrize(
    ("closed", "code", "complaint"),
    [
        ("<&-", 2, "which targets? - names none"),
        (">&-", 2, "which targets? - names none"),
        ("2>&-", 2, ""),
        ("<&- >&- 2>&-", 2, ""),
    ],
)
def test_a_closed_stream_is_an_empty_one(closed: str, code: int, complaint: str) -> None:
    """No socket takes its number, and nothing is written into that."""
    words = shell.start_words("status", "--url", "http://127.0.0.1:1", "--biz", "2", "-")
    script = f'"$@" {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *words],
        cwd=shell.ROOT,
        env={**os.environ, "BKJOB_CONFIG": shell.NO_CONFIG, **shell.IDENTITY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert complaint in done.stderr


@pytest.mark.slow
def test_a_watch_without_stdout_says_on_stderr_how_it_went() -> None:
    """As where stdout is the null device."""
    with shell.simulator("all-succeed", speed=50) as url:
        words = shell.start_words("watch", "--url", url, "--biz", "2", "20000000001")
        done = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&-', "sh", *words],
            cwd=shell.ROOT,
            env={**os.environ, "BKJOB_CONFIG": shell.NO_CONFIG, **shell.IDENTITY},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "1 succeeded\n")


def test_it_knows_its_version() -> None:
    """`python -m bkjob_async` is the command."""
    done = shell.ended(shell.start("--version"))

    assert done.stdout == f"bkjob, version {bkjob_async.__version__}\n"

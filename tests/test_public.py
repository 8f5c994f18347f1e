"""What is public, pinned: a change here is a change for users."""

import subprocess
import sys
from pathlib import Path

import bkjob_async

PINNED = Path(__file__).with_name("public.txt")


def test_the_public_names_are_these() -> None:
    """Every exported name is listed, and every listed name is exported."""
    assert sorted(bkjob_async.__all__) == PINNED.read_text().split()


def test_every_public_name_is_documented() -> None:
    """A class or function without a docstring is no contract."""
    undocumented = [
        name
        for name in bkjob_async.__all__
        if callable(getattr(bkjob_async, name)) and not getattr(bkjob_async, name).__doc__
    ]

    assert undocumented == []


def test_importing_it_brings_no_server_and_no_terminal() -> None:
    """A library embedded in other people's programs loads only what it needs."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import bkjob_async, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert not {"click", "rich", "aiohttp.web", "bkjob_async.simulator", "pytest", "redis"} & set(loaded)

"""What the page about journals shows is so: exactly once into a database of one's own, under kill -9."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.journal.examples.exactly_once import count_ends
from tests.journal.recording import Recorder
from tests.journal.redis_server import require_redis_server
from tests.journal.stores import opened, sqlite_url

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "bkjob_async" / "docs" / "journal.md").read_text(encoding="utf-8")
EXAMPLE = Path(__file__).parent / "examples" / "exactly_once.py"


def test_the_page_shows_the_example_that_is_tested() -> None:
    """Word for word."""
    (shown,) = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    assert shown == EXAMPLE.read_text(encoding="utf-8")


def ends_in(database: Path) -> int:
    """Return how many ends of hosts were counted."""
    with closing(sqlite3.connect(database)) as own:
        (tables,) = own.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'ended'").fetchone()
        (count,) = own.execute("SELECT coalesce(sum(hosts), 0) FROM ended").fetchone() if tables else (0,)
        return int(count)


@pytest.mark.slow
async def test_every_end_is_counted_once_by_a_reader_that_is_killed(tmp_path: Path) -> None:
    """At random, while hosts end; the writer takes a new term now and then as well."""
    dice, hosts, kills = random.Random(5), 240, 0
    database = tmp_path / "own.db"
    async with opened(sqlite_url(tmp_path)) as place:
        recorder = Recorder(place.open(), hosts=hosts)
        await recorder.open()
        await recorder.record(1)
        while recorder.rounds < hosts:
            reader = await asyncio.create_subprocess_exec(
                sys.executable, str(EXAMPLE), sqlite_url(tmp_path), "night", str(database)
            )
            already = ends_in(database)
            for _ in range(200):
                if ends_in(database) > already:
                    break
                await recorder.record(1 if recorder.rounds < hosts else 0)
                await asyncio.sleep(0.02)
            await asyncio.sleep(dice.random() * 0.05)
            reader.send_signal(signal.SIGKILL)
            kills += await reader.wait() == -signal.SIGKILL
            if dice.random() < 0.3:
                await recorder.open()

    await count_ends(sqlite_url(tmp_path), "night", str(database), live=False)
    assert kills >= 3
    assert ends_in(database) == hosts


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_a_watch_that_is_killed_loses_nothing(store: str) -> None:
    """`python -m tests.journal.kill` kills it a hundred times; here it is killed three times."""
    if store == "redis":
        require_redis_server()
    killing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journal.kill", "--store", store, "--times", "3", cwd=ROOT, stdout=PIPE
    )
    said, _ = await killing.communicate()

    assert said.decode().endswith("nothing lost, nothing twice\n"), said.decode()

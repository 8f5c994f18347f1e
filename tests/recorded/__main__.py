"""Record what this version writes, for the tests of later ones: `python -m tests.recorded`, before a release."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import bkjob_async as bkjob
from bkjob_async.watch.journaling import checkpoints
from tests.cli import shell
from tests.journal.redis_server import running
from tests.recorded.reading import read_all
from tests.recorded.redis_keys import dump
from tests.recorded.story import NAME, SHORT, platform, record_fleet, record_watches

HERE = Path(__file__).parent


async def record(url: str) -> dict[str, Any]:
    """Record all fleets in a journal; return what can be read of them."""
    await record_watches(platform(), url, NAME, bkjob.Keep())
    with small_checkpoints():
        gone = await record_watches(platform(), url, SHORT, bkjob.Keep(bytes=2000))
    place = await record_fleet(platform(), url)
    return await read_all(url, gone, place)


@contextmanager
def small_checkpoints() -> Iterator[None]:
    """Have a checkpoint written after a few records."""
    before, checkpoints.SMALLEST_WEIGHT = checkpoints.SMALLEST_WEIGHT, 2000
    try:
        yield
    finally:
        checkpoints.SMALLEST_WEIGHT = before


def main() -> int:
    """Record a journal of every durable store, its events, and the reports on both."""
    target = HERE / bkjob.__version__
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as temporary, running(Path(temporary)) as server:
        file = target / "fleets.db"
        read = {"sqlite": asyncio.run(record(f"sqlite:///{file}")), "redis": asyncio.run(record(server.url))}
        (target / "redis.json").write_text(json.dumps(dump(server.url), indent=0) + "\n")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (target / "read.json").write_text(json.dumps(read, indent=0, ensure_ascii=False) + "\n")
    events = target / "events.jsonl"
    events.write_text("".join(json.dumps(event) + "\n" for event in read["sqlite"][NAME]["events"]))
    for name, words in {"lines": [str(events)], "journal": [f"sqlite:///{file}", "--name", NAME]}.items():
        done = shell.run("report", *words, "--format", "json", "--title", NAME, "--output", "-")
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        (target / f"report-of-{name}.json").write_text(done.stdout)
    print(
        "\n".join(f"{path.stat().st_size:>8} {path.relative_to(HERE)}" for path in sorted(target.iterdir()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

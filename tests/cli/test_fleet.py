"""`bkjob fleet`: create, add, run, look, stop; each command in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bkjob_async import event_from_json, open_journal
from bkjob_async.cli.commands.fleet import shard_numbers
from tests.cli import shell
from tests.journal.stores import sqlite_url

pytestmark = pytest.mark.slow

JOB = "2:20000000001"


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    """Run a platform whose only job goes well, quickly."""
    with shell.simulator("all-succeed", speed=20) as url:
        yield url


@pytest.fixture
def journal(tmp_path: Path) -> dict[str, str]:
    """Give the environment of commands: a journal, and credentials."""
    return {"BKJOB_JOURNAL": sqlite_url(tmp_path), **shell.IDENTITY}


def wait_for(journal: dict[str, str], **wanted: object) -> None:
    """Wait until the only shard has these figures."""
    end = time.monotonic() + shell.PATIENCE
    shard: dict[str, object] = {}
    while any(shard.get(name) != value for name, value in wanted.items()):
        assert time.monotonic() < end, shard
        shard = json.loads(shell.run("fleet", "status", "night", "--json", env=journal).stdout)


def create(platform: str, journal: dict[str, str], *options: str) -> None:
    """Create a fleet of one shard."""
    words = ["--shards", "1", "--url", platform, "--interval", "0.2", *options]
    done = shell.run("fleet", "create", "night", *words, env=journal)
    assert (done.returncode, done.stderr) == (0, "the fleet night has 1 shard\n")


def test_a_fleet_is_run_from_the_command_line(platform: str, journal: dict[str, str]) -> None:
    """From its creation to its stop; what was reported is read without the platform."""
    create(platform, journal, "--rate", "50")
    runner = shell.start("fleet", "run", "night", "--shard", "0", env=journal)
    try:
        added = shell.run("fleet", "add", "night", JOB, env=journal)
        assert (added.returncode, added.stderr) == (0, "1 target added\n")
        wait_for(journal, targets=1, active=0, waiting=0)
        reported = shell.run("fleet", "follow", "night", "--once", "--json", env=journal)
        stopped = shell.run("fleet", "stop", "night", env=journal)
    finally:
        ended = shell.ended(runner)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "shard 0: stopped\n")
    assert (stopped.returncode, stopped.stderr) == (0, "the fleet night is stopped\n")
    events = [event_from_json(json.loads(line)) for line in reported.stdout.splitlines()]
    assert "Finished" in {type(event).__name__ for event in events}
    cursor = reported.stderr.removeprefix("cursor: ").strip()
    rest = shell.run("fleet", "follow", "night", "--once", "--after", cursor, env=journal)
    assert rest.stdout == ""


def test_7_another_process_runs_the_shard(platform: str, journal: dict[str, str]) -> None:
    """The later process wins; SIGTERM ends it in order."""
    create(platform, journal)
    first = shell.start("fleet", "run", "night", "--shard", "0", env=journal)
    wait_for(journal, term=1, is_held=True)
    second = shell.start("fleet", "run", "night", "--shard", "0", env=journal)
    ended = shell.ended(first)
    second.send_signal(signal.SIGTERM)
    terminated = shell.ended(second)

    assert ended.returncode == 7
    logged, said = ended.stderr.splitlines()
    assert "INFO shard night/0 is run elsewhere" in logged
    assert said == "shard 0: superseded"
    assert (terminated.returncode, terminated.stderr) == (143, "")
    wait_for(journal, term=2, is_held=False)


def test_2_what_cannot_be_is_wrong_usage(platform: str, journal: dict[str, str]) -> None:
    """Other values than the fleet was created with, missing shards, a function that cannot be imported, no lasting journal."""
    create(platform, journal)
    other = shell.run("fleet", "create", "night", "--shards", "4", "--url", platform, env=journal)
    beyond = shell.run("fleet", "run", "night", "--shard", "0-1", env=journal)
    words = ["--shards", "1", "--url", platform, "--credentials", "nowhere:credentials"]
    shell.run("fleet", "create", "unknown", *words, env=journal)
    lured = shell.run("fleet", "run", "unknown", "--shard", "0", env=journal)
    named = {**journal, "BKJOB_CREDENTIALS": "nowhere:credentials"}
    nobody = shell.run("fleet", "run", "unknown", "--shard", "0", env=named)
    asked = ["--shard", "0", "--credentials", "nowhere:credentials"]
    nobody_too = shell.run("fleet", "run", "unknown", *asked, env=journal)
    lost = shell.run("fleet", "create", "night", *words, "--journal", "memory:", env=journal)
    secret = ["--journal", f"redis://:{shell.SECRET}@localhost"]
    shown = shell.run("fleet", "status", "night", *secret, env=shell.IDENTITY)

    assert [done.returncode for done in (other, beyond, lured, nobody, nobody_too, lost, shown)] == [2] * 7
    assert "would end with this command" in lost.stderr
    assert "shards=1, not 4" in other.stderr
    assert "has the shards 0 to 0, not 1" in beyond.stderr
    assert "add --credentials nowhere:credentials" in lured.stderr
    assert "no function nowhere:credentials" in nobody.stderr
    assert "no function nowhere:credentials" in nobody_too.stderr
    assert shell.SECRET not in shown.stderr


def test_a_fleet_that_is_not_there_is_named(journal: dict[str, str]) -> None:
    """With what to do."""
    done = shell.run("fleet", "status", "night", env=journal)

    assert done.returncode == 3


def test_standing_by_is_for_those_that_claim() -> None:
    """A process with shards of its own takes them at once."""
    done = shell.run("fleet", "run", "night", "--shard", "0", "--standby")

    assert (done.returncode, "--standby goes with --claim" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "numbers"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0-1,8,1-2", (0, 1, 8, 2)), ("10-10", (10,))]
)
def test_shards_are_numbers_and_ranges(text: str, numbers: tuple[int, ...]) -> None:
    """Each once."""
    assert shard_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "x", "3-1", "-1", "1-", "1,,2"])
def test_other_shards_are_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(click.BadParameter):
        shard_numbers(text)


def test_a_fleet_is_changed_while_it_is_run(platform: str, journal: dict[str, str]) -> None:
    """What the command line gives, and nothing of the environment; what cannot be is wrong usage, with the remedy."""
    create(platform, journal, "--rate", "50")
    runner = shell.start("fleet", "run", "night", "--shard", "0", env=journal)
    try:
        wait_for(journal, is_held=True)
        env = {**journal, "BKJOB_URL": "https://of-the-environment.example.com"}
        rate = shell.run("fleet", "set", "night", "--rate", "none", env=env)
        wait_for(journal, term=2, is_held=True)
        kept = shell.run("fleet", "set", "night", "--keep", "12h,64M", env=env)
        status = shell.run("fleet", "status", "night", env=env)
        nothing = shell.run("fleet", "set", "night", env=env)
        endless = shell.run("fleet", "set", "night", "--keep", "1y", env=env)
        shards = shell.run("fleet", "set", "night", "--shards", "4", env=env)
        negative = shell.run("fleet", "set", "night", "--interval", "-1", env=env)
        again = shell.run("fleet", "create", "night", "--shards", "1", "--url", platform, env=journal)
        shell.run("fleet", "stop", "night", env=journal)
    finally:
        ended = shell.ended(runner)

    assert (rate.returncode, rate.stderr) == (
        0,
        "the fleet night is changed; its runners follow within about two seconds\n",
    )
    assert [done.returncode for done in (nothing, endless, shards, negative, again)] == [2] * 5
    assert kept.returncode == 0
    assert "MiB of records (at most 64 MiB and 0.5 days)" in status.stderr
    assert "--keep is an age, a size or both" in endless.stderr
    assert "give what is to be changed" in nothing.stderr
    assert "bkjob fleet copy OLD NEW --shards N" in shards.stderr
    assert "interval=0.2, not None" in again.stderr
    assert "Fleet.update or `bkjob fleet set` changes it" in again.stderr
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (0, "shard 0: stopped")


def test_a_fleet_is_copied_into_other_shards(platform: str, journal: dict[str, str]) -> None:
    """With what waits, which is said; a name that is taken is wrong usage."""
    create(platform, journal, "--rate", "50")
    shell.run("fleet", "add", "night", JOB, env=journal)
    copied = shell.run("fleet", "copy", "night", "day", "--shards", "3", env=journal)
    again = shell.run("fleet", "copy", "night", "day", "--shards", "3", env=journal)
    status = shell.run("fleet", "status", "day", "--json", env=journal)

    assert (copied.returncode, copied.stderr) == (
        0,
        "the fleet day has 3 shards, with 0 targets of night, and what waits in its inboxes\n",
    )
    assert (again.returncode, "there is a fleet 'day' already" in again.stderr) == (2, True)
    assert sum(json.loads(line)["waiting"] for line in status.stdout.splitlines()) == 1


def test_a_fleet_is_removed_once_nobody_runs_it(platform: str, journal: dict[str, str]) -> None:
    """Who runs it is named; without a terminal the answer is given as an option."""
    create(platform, journal)
    runner = shell.start("fleet", "run", "night", "--shard", "0", env=journal)
    try:
        wait_for(journal, is_held=True)
        unasked = shell.run("fleet", "forget", "night", env=journal)
        busy = shell.run("fleet", "forget", "night", "--yes", env=journal)
        shell.run("fleet", "stop", "night", env=journal)
    finally:
        shell.ended(runner)
    removed = shell.run("fleet", "forget", "night", "--yes", env=journal)
    again = shell.run("fleet", "forget", "night", "--yes", env=journal)

    assert (unasked.returncode, busy.returncode) == (2, 3)
    assert f"process {runner.pid}" in busy.stderr
    assert (removed.returncode, removed.stderr) == (0, "the fleet night is removed\n")
    assert (again.returncode, "there is no fleet" in again.stderr) == (3, True)


def test_a_removal_that_was_interrupted_is_repeated(platform: str, journal: dict[str, str]) -> None:
    """As the error of everything else says; a copy that was interrupted is removed so, too."""
    create(platform, journal)

    async def interrupt() -> None:
        async with open_journal(journal["BKJOB_JOURNAL"]) as opened:
            await opened.shards.begin_removal("night")

    asyncio.run(interrupt())
    status = shell.run("fleet", "status", "night", env=journal)
    unasked = shell.run("fleet", "forget", "night", env=journal)
    removed = shell.run("fleet", "forget", "night", "--yes", env=journal)

    assert (status.returncode, "forget it" in status.stderr) == (3, True)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert (removed.returncode, removed.stderr) == (0, "the fleet night is removed\n")
    create(platform, journal)


def test_an_age_alone_leaves_the_size_of_what_is_kept(platform: str, journal: dict[str, str]) -> None:
    """And a size the age; nothing is given twice."""
    create(platform, journal, "--keep", "7d,100M")
    said = []
    for keep in ("12h", "50M", "1d", "none"):
        assert shell.run("fleet", "set", "night", "--keep", keep, env=journal).returncode == 0
        said.append(shell.run("fleet", "status", "night", env=journal).stderr.partition("at most ")[2])
    twice = shell.run("fleet", "set", "night", "--keep", "1d,2d", env=journal)

    kept = ["100 MiB and 0.5 days", "50 MiB and 0.5 days", "50 MiB and 1 day", "1024 MiB and 7 days"]
    assert [text.partition(")")[0] for text in said] == kept
    assert (twice.returncode, "an age, a size or both" in twice.stderr) == (2, True)


def test_no_shard_of_a_fleet_that_was_stopped_is_ill(platform: str, journal: dict[str, str]) -> None:
    """What a monitor reads agrees with the exit code, however long nobody has run it."""
    create(platform, journal)

    async def forget_the_time() -> None:
        async with open_journal(journal["BKJOB_JOURNAL"]) as opened:
            await opened.store.change_keys("night", {"created": b"1700000000.0"}, expected={})

    asyncio.run(forget_the_time())
    running = shell.run("fleet", "status", "night", "--json", env=journal)
    shell.run("fleet", "stop", "night", env=journal)
    stopped = shell.run("fleet", "status", "night", "--json", env=journal)

    shards = [json.loads(done.stdout) for done in (running, stopped)]
    assert [done.returncode for done in (running, stopped)] == [3, 0]
    assert (
        [shard["is_ill"] for shard in shards] == [shard["is_unplaced"] for shard in shards] == [True, False]
    )
    assert [shard["is_stopped"] for shard in shards] == [False, True]

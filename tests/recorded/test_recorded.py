"""What earlier versions wrote is read by this one: journals of every store, cursors, events, and the reports on them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.testing import truth_of
from tests.cli import shell
from tests.client.clients import client_of
from tests.journal.conftest import redis_server
from tests.journal.redis_server import RedisServer
from tests.recorded.reading import events_of, read_all, says_as_much
from tests.recorded.redis_keys import restore
from tests.recorded.story import ALL_OVER, MANY, NAME, SECOND_ENDS, SHARDS, SHORT, platform

__all__ = ["redis_server"]

VERSIONS = sorted(path.parent for path in Path(__file__).parent.glob("*/read.json"))


@frozen
class Recorded:
    """A journal that a version wrote, in a place of its own, and what that version *read* of it."""

    url: str
    read: dict[str, Any]


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request: pytest.FixtureRequest) -> Path:
    """Give each folder of recorded data."""
    folder: Path = request.param
    return folder


@pytest.fixture(params=["sqlite", "redis"])
def recorded(request: pytest.FixtureRequest, version: Path, tmp_path: Path) -> Iterator[Recorded]:
    """Give each recorded journal."""
    read = json.loads((version / "read.json").read_text())
    if request.param == "sqlite":
        shutil.copy(version / "fleets.db", tmp_path)
        yield Recorded(f"sqlite:///{tmp_path}/fleets.db", read["sqlite"])
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    server.flush()
    restore(server.url, json.loads((version / "redis.json").read_text()))
    yield Recorded(server.url, read["redis"])
    server.flush()


async def test_a_journal_says_what_it_said(recorded: Recorded) -> None:
    """Whole, without what was not kept, behind a cursor of that, and in shards behind the cursor of a reader."""
    read = recorded.read
    now = await read_all(recorded.url, read[SHORT]["after"], read[MANY]["after"])

    for name in (NAME, SHORT, MANY):
        for part, before in read[name].items():
            assert says_as_much(now[name][part], before), f"{name}: {part}"


async def test_a_reader_goes_on_behind_every_cursor(recorded: Recorded) -> None:
    """Those of batches and those of events: what follows comes once."""
    before = recorded.read[NAME]
    async with bkjob.open_journal(recorded.url) as journal:
        for cursor in [*before["batches"], *(event["cursor"] for event in before["events"])]:
            rest = [batch async for batch in journal.follow(NAME, after=cursor, live=False)]
            place = max(
                index
                for index, event in enumerate(before["events"], 1)
                if event["cursor"] == cursor or event["cursor"].startswith(f"{cursor}.")
            )
            assert says_as_much(events_of(rest), before["events"][place:]), cursor


async def test_a_watch_goes_on(recorded: Recorded) -> None:
    """It knows what was reported, and reports the rest: what was over is not reported again."""
    simulator = platform()
    simulator.advance(SECOND_ENDS + ALL_OVER)
    over = {
        (event["ref"], event["execute_count"], event["host"]["label"])
        for event in recorded.read[NAME]["events"]
        if event["kind"] == "host_changed" and event["after"]["phase"] in ("succeeded", "failed")
    }
    async with client_of(simulator, interval=0.2) as (client, _), bkjob.open_journal(recorded.url) as journal:
        long = simulator.refs[3]
        async with client.watch(journal=journal, name=NAME, deadline=60, linger=None) as watch:
            events = []
            async for event in watch:
                events.append(event)
                if isinstance(event, bkjob.Finished) and event.ref == long:
                    break
            behind_first = await anext(aiter(watch.events(after=events[0].cursor)))
    truth = truth_of(simulator.world.history())

    assert isinstance(events[0], bkjob.Resumed)
    assert behind_first == events[1]
    changed = [event for event in events if isinstance(event, bkjob.HostChanged) and event.ref.job == long]
    assert [str(event.ref) for event in changed if key_of(event) in over] == []
    assert {event.after.code for event in changed} == {9}
    assert changed
    assert all(
        truth.hosts[event.ref, event.execute_count, event.host.label][-1] == event.after.code
        for event in changed
    )


def key_of(event: bkjob.HostChanged) -> tuple[str, int, str]:
    """Return what names a host in one execution of its step."""
    return str(event.ref), event.execute_count, event.host.label


async def test_a_fleet_in_shards_goes_on(recorded: Recorded) -> None:
    """It is started with its old settings, and takes up what waited in an inbox."""
    simulator = platform()
    simulator.advance(ALL_OVER)
    hangs = simulator.refs[4]
    async with bkjob.Fleet(MANY, journal=recorded.url, shards=SHARDS) as fleet:
        settings = await fleet.settings()
        await fleet.create(
            url=settings.url, credentials=settings.credentials, wide=dict(settings.placement.wide)
        )
        runners = [
            asyncio.create_task(
                bkjob.run_shard(
                    fleet, shard, credentials=settings.credentials, transport=simulator.transport()
                )
            )
            for shard in range(SHARDS)
        ]
        async with fleet.reader(after=recorded.read[MANY]["after"]) as reader:
            async for batch in reader:
                if any(event.ref == hangs for event in batch.events):
                    break
        await fleet.stop()
        ends = await asyncio.gather(*runners)

    assert ends == [bkjob.ShardEnd.STOPPED] * SHARDS


def test_every_event_is_read_and_written_again(version: Path) -> None:
    """A line of `bkjob watch --json`, or of a service that stored events, says what it said."""
    for line in (version / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        assert says_as_much(bkjob.event_to_json(bkjob.event_from_json(event)), event)


@pytest.mark.parametrize("source", ["lines", "journal"])
def test_a_report_says_what_it_said(source: str, version: Path, tmp_path: Path) -> None:
    """Of the lines, and of a journal that has the same fleet."""
    shutil.copy(version / "fleets.db", tmp_path)
    words = {
        "lines": [str(version / "events.jsonl")],
        "journal": [f"sqlite:///{tmp_path}/fleets.db", "--name", NAME],
    }[source]
    done = shell.run("report", *words, "--format", "json", "--title", NAME, "--output", "-")

    assert done.returncode == 0, done.stderr
    before = json.loads((version / f"report-of-{source}.json").read_text())
    assert says_as_much(json.loads(done.stdout), before)

"""`bkjob journal` reads what watches recorded, without the platform, and takes passwords from the environment only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bkjob_async import event_from_json
from tests.cli import shell
from tests.journal.recording import Recorder, events_of
from tests.journal.stores import opened, sqlite_url

pytestmark = pytest.mark.slow

PASSWORD = "opensesame"


@pytest.fixture
async def recorder(tmp_path: Path) -> Recorder:
    """Give a fleet of which three batches were recorded."""
    async with opened(sqlite_url(tmp_path)) as place:
        recorder = Recorder(place.open(), name="night shift")
        await recorder.open()
        await recorder.record(3)
    return recorder


def test_the_fleets_are_listed(recorder: Recorder, tmp_path: Path) -> None:
    """As a table, or as JSON."""
    table = shell.run("journal", "show", sqlite_url(tmp_path))
    lines = shell.run("journal", "show", "--json", env={"BKJOB_JOURNAL": sqlite_url(tmp_path)})

    assert table.returncode == lines.returncode == 0
    assert table.stdout.splitlines()[1].split()[:5] == ["night", "shift", "1", "1", "here:1"]
    assert table.stderr == "1 fleet\n"
    assert json.loads(lines.stdout)["name"] == "night shift"


def test_a_fleet_is_exported(recorder: Recorder, tmp_path: Path) -> None:
    """Every event as the line that `bkjob watch --json` writes; from a cursor on, or all."""
    whole = shell.run("journal", "export", sqlite_url(tmp_path), "--name", "night shift")
    after = recorder.recorded[0].cursor
    rest = shell.run("journal", "export", sqlite_url(tmp_path), "--name", "night shift", "--after", after)

    assert [event_from_json(json.loads(line)) for line in whole.stdout.splitlines()] == events_of(
        recorder.recorded
    )
    assert len(rest.stdout.splitlines()) == len(events_of(recorder.recorded[1:]))
    assert whole.returncode == rest.returncode == 0


def test_a_fleet_is_followed(recorder: Recorder, tmp_path: Path) -> None:
    """Lines come until it is interrupted."""
    process = shell.start("journal", "follow", sqlite_url(tmp_path), "--name", "night shift")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in events_of(recorder.recorded)]
    process.send_signal(2)

    assert "RUNNING" in lines[0]
    assert shell.ended(process).returncode == 130


@pytest.mark.parametrize("command", [["show"], ["follow", "--name", "n"], ["export", "--name", "n"]])
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "BKJOB_JOURNAL"),
        ([f"redis://me:{PASSWORD}@localhost"], "BKJOB_JOURNAL"),
        (["fleet.db"], "sqlite:///PATH"),
    ],
)
def test_a_wrong_place_is_refused(command: list[str], arguments: list[str], complaint: str) -> None:
    """A password on the command line as well, and it is not repeated."""
    done = shell.run("journal", *command, *arguments)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert PASSWORD not in done.stderr


def test_a_journal_that_is_not_there_could_not_be_read(tmp_path: Path, recorder: Recorder) -> None:
    """A missing file, a missing fleet: one line each."""
    missing = shell.run("journal", "show", sqlite_url(tmp_path, "other.db"))
    unknown = shell.run("journal", "export", sqlite_url(tmp_path), "--name", "day")

    assert (missing.returncode, unknown.returncode) == (3, 3)
    assert "no such file" in missing.stderr
    assert "no fleet 'day'" in unknown.stderr
    assert len(missing.stderr.splitlines()) == len(unknown.stderr.splitlines()) == 1

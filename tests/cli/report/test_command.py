"""`bkjob report`: from a journal or a file to a file, whole or not at all."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from hypothesis import given

import bkjob_async as bkjob
from benchmarks.compare.runs import SCOPE, Timed, run_of, write_journal, write_lines
from bkjob_async.cli.commands.group import bkjob as group
from bkjob_async.cli.writing import write_report
from bkjob_async.journal.keep import Keep
from bkjob_async.model.status import Phase
from bkjob_async.report.figures import by_phase
from bkjob_async.report.reading.read_journal import read_journal, store_of
from bkjob_async.report.reading.run_model import RunModel
from bkjob_async.report.run_report import FORMATS
from bkjob_async.simulator.world.plans import SimulatedJob
from bkjob_async.simulator.world.world import World
from tests.cli.report.reports import figures
from tests.journal.recording import Recorder
from tests.journal.stores import opened, sqlite_url
from tests.watch.test_event_cursors import a_few, all_of, in_virtual_time, operate, operations, plans

HOSTS = 60


@pytest.fixture(scope="module")
def timed() -> list[Timed]:
    """Give a run of three jobs."""
    return run_of(HOSTS)


@pytest.fixture
def lines(timed: list[Timed], tmp_path: Path) -> Path:
    """Give the run as lines of JSON."""
    write_lines(timed, tmp_path / "run.jsonl")
    return tmp_path / "run.jsonl"


@pytest.fixture
def journal(timed: list[Timed], tmp_path: Path) -> str:
    """Give the run as a journal."""
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    asyncio.run(write_journal(timed, url, "night"))
    return url


def run(*arguments: str) -> Result:
    """Run `bkjob report` in this process."""
    return CliRunner().invoke(group, ["report", *arguments], standalone_mode=False)


def plain(*arguments: str) -> dict[str, object]:
    """Return the report as JSON, without its title."""
    done = run(*arguments, "--format", "json", "--title", "same")
    assert (done.return_value, done.exception) == (0, None), done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_journal_and_its_lines_give_the_same_report(lines: Path, journal: str) -> None:
    """All figures, times included."""
    from_lines, from_journal = plain(str(lines)), plain(journal, "--name", "night")

    assert from_lines == from_journal
    assert sum(from_lines["hosts"].values()) == HOSTS  # type: ignore[attr-defined]
    assert from_lines["course"]


def test_hosts_of_all_kinds_have_the_same_names_in_both(tmp_path: Path) -> None:
    """Ids alone, addresses alone, IPv6, containers, names that no number stands for."""
    step = bkjob.JobRef(SCOPE, 100).step(200)
    keys = (
        bkjob.HostKey(bk_host_id=7),
        bkjob.HostKey(bk_host_id=0x7FFF_FFFF_FFFF_FFFF),
        bkjob.HostKey(bk_cloud_id=3, ip="10.0.0.1"),
        bkjob.HostKey(bk_host_id=8, bk_cloud_id=0, ip="10.0.0.2"),
        bkjob.HostKey(bk_host_id=9, bk_cloud_id=0, ipv6="fe80::1"),
        bkjob.HostKey(container_id=5, container_name="web-\x1b[1m"),
        bkjob.HostKey(ip="010.0.0.3"),
    )
    events = [
        bkjob.HostChanged(
            ref=step, host=key, execute_count=0, before=None, after=bkjob.HostStatus(code), tag="t"
        )
        for code, key in zip((104, 1, 104, 9, 104, 16, 104), keys, strict=True)
    ]
    timed: list[Timed] = [(0.0, 0, [*events]), (9.0, 0, [*events[:1]]), (10.0, 0, [*events[4:6]])]
    url, file = f"sqlite:///{tmp_path / 'fleet.db'}", tmp_path / "run.jsonl"
    write_lines(timed, file)
    asyncio.run(write_journal(timed, url, "night"))
    found = plain(url, "--name", "night")

    assert found == plain(str(file))
    assert sum(found["hosts"].values()) == len(keys)  # type: ignore[attr-defined]


@a_few
@given(plans, operations)
def test_counts_are_those_of_the_journal(
    plans: tuple[SimulatedJob, ...], operations: list[tuple[float, int, int]]
) -> None:
    """Of each step, as its snapshot says: hosts, and those that failed."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        url = f"memory:{uuid4().hex}"
        for deadline in (40.0, 100.0):
            async with client.watch(refs, deadline=deadline, linger=None, journal=url, name="night") as watch:
                acting = asyncio.create_task(operate(client, world, refs, operations))
                await all_of(watch.batches())
                await acting
        run = RunModel()
        await read_journal(run, store_of(url), "night")
        async with bkjob.open_journal(url) as journal:
            for step in figures(run).steps:
                hosts = await hosts_in(journal, step.row.key)
                assert step.hosts == len(hosts)
                assert step.failed == sum(
                    host.status.is_finished and not host.status.is_success for host in hosts
                )
        assert run.openings == 2
        assert len(run.gaps) <= 1

    in_virtual_time(plans, act)


async def hosts_in(journal: bkjob.Journal, step: str) -> Sequence[bkjob.HostSnapshot]:
    """Return the hosts of a step, as the journal has them."""
    snapshot = await journal.snapshot("night", step)
    assert isinstance(snapshot, bkjob.StepSnapshot)
    return snapshot.hosts or ()


async def test_a_journal_that_forgot_its_past_begins_with_its_present(tmp_path: Path) -> None:
    """What was reported before is there as it was then."""
    url = sqlite_url(tmp_path)
    async with opened(url) as place:
        recorder = Recorder(place.open(Keep(age=timedelta(days=1))))
        await recorder.open()
        await recorder.record(10, age=2 * 86400.0)
        await recorder.write_checkpoint()
        await recorder.record(10)
        run = RunModel()
        await read_journal(run, store_of(url), "night")

    assert by_phase(run.counts) == {Phase.SUCCESS: 20, Phase.PENDING: 10}
    assert run.began is not None
    assert run.now - run.began > 86400.0


def test_targets_limit_the_report(lines: Path, journal: str) -> None:
    """Whole names of jobs or steps."""
    job = str(bkjob.JobRef(SCOPE, 20_000_000_001))

    assert plain(str(lines), job) == plain(journal, "--name", "night", job)
    assert [step["job"]["ref"] for step in plain(str(lines), job)["steps"]] == [job]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "begin"),
    [("r.html", "<!doctype html>"), ("r.md", "**✗"), ("r.json", "{"), ("r.xml", "<?xml"), ("r", "<!doctype")],
)
def test_the_file_says_the_format(lines: Path, tmp_path: Path, name: str, begin: str) -> None:
    """Unless `--format` does."""
    assert run(str(lines), "-o", str(tmp_path / name)).return_value == 0

    assert (tmp_path / name).read_text().startswith(begin)
    assert [*tmp_path.glob(".*")] == []


def test_a_link_to_nothing_is_followed_by_force_only(lines: Path, tmp_path: Path) -> None:
    """Who made it chose what would be written; a link stays a link."""
    link, aim = tmp_path / "report.html", tmp_path / "aim.html"
    link.symlink_to(aim)
    refused = run(str(lines), "-o", str(link))

    assert refused.return_value == 2
    assert "--force" in refused.stderr
    assert not aim.exists()
    assert run(str(lines), "-o", str(link), "--force").return_value == 0
    assert link.is_symlink()
    assert aim.exists()


def test_a_file_is_overwritten_by_force_only(lines: Path, tmp_path: Path) -> None:
    """The old one is whole until then, and keeps its permissions."""
    target = tmp_path / "r.html"
    target.write_text("mine")
    target.chmod(0o600)
    refused = run(str(lines), "-o", str(target))

    assert refused.return_value == 2
    assert "--force" in refused.stderr
    assert target.read_text() == "mine"
    assert run(str(lines), "-o", str(target), "--force").return_value == 0
    assert target.read_text().startswith("<!doctype")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def broken() -> Iterator[str]:
    """Yield a piece, and fail."""
    yield "piece"
    raise ZeroDivisionError


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_report_that_fails_leaves_nothing(tmp_path: Path, overwrite: bool) -> None:  # noqa: FBT001 - a parameter
    """No half file, no temporary one, and the old one stays."""
    old = tmp_path / "old.html"
    if overwrite:
        old.write_text("mine")
    with pytest.raises(ZeroDivisionError):
        write_report(broken(), str(old), overwrite=overwrite)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == (
        {"old.html": "mine"} if overwrite else {}
    )


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it names is replaced."""
    (tmp_path / "real.md").write_text("old")
    (tmp_path / "link.md").symlink_to("real.md")
    write_report(["new"], str(tmp_path / "link.md"), overwrite=True)

    assert (tmp_path / "real.md").read_text() == "new"
    assert (tmp_path / "link.md").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "of what"),
        (["nowhere.jsonl"], "cannot be read"),
        (["sqlite:///x.db"], "--name"),
        (["--name", "n"], "BKJOB_JOURNAL"),
        (["redis://me:opensesame@localhost", "--name", "n"], "BKJOB_JOURNAL"),
        (["{lines}", "100"], "--biz"),
        (["{lines}", "-o", "/nowhere/r.html"], "no folder"),
        (["{lines}", "-o", "/"], "is a folder"),
        (["{empty}"], "no line"),
        (["{lines}", "2:99", "2:98/1", "-o", "{empty}.xml"], "none of 2:99, 2:98/1 is in"),
    ],
)
def test_wrong_usage_names_the_remedy(
    arguments: list[str], complaint: str, lines: Path, tmp_path: Path
) -> None:
    """And no secret."""
    (tmp_path / "empty").write_text("no\nevents\n")
    given = [each.format(lines=lines, empty=tmp_path / "empty") for each in arguments]
    done = run(*given)

    assert done.return_value == 2
    assert complaint in done.stderr
    assert "opensesame" not in done.stderr
    assert not (tmp_path / "empty.xml").exists()


def test_damaged_lines_are_counted(lines: Path) -> None:
    """The last line of a process that was killed is half a line; the rest counts."""
    whole = lines.read_bytes()
    lines.write_bytes(
        whole + b'\n{"kind":"host_changed","ref":"2:1/2","host":{"lab\n[]\n{"kind":"host_changed"}\n'
    )
    found = plain(str(lines))

    assert found["damaged_lines"] == 3
    assert sum(found["hosts"].values()) == HOSTS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event["after"].update(code="9"),
        lambda event: event["after"].update(code=[9]),
        lambda event: event.update(at="9999-12-31T23:59:59.999999-23:59"),
        lambda event: event.update(at="0001-01-01T00:00:00+23:59"),
        lambda event: event.update(kind="resumed", gap=float("inf")),
        lambda event: event.update(kind=["host_changed"]),
    ],
)
def test_lines_of_wrong_values_are_counted(lines: Path, change: Callable[[Any], None]) -> None:
    """And spoil nothing of the report, in any format."""
    damaged = json.loads(next(line for line in lines.read_text().splitlines() if "host_changed" in line))
    change(damaged)
    lines.write_bytes(json.dumps(damaged).encode() + b"\n" + lines.read_bytes())

    assert plain(str(lines))["damaged_lines"] == 1
    for form in FORMATS:
        assert run(str(lines), "--format", form).return_value == 0


def test_lines_without_times_have_no_course(lines: Path) -> None:
    """Counts and causes are known all the same."""
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    for event in events:
        del event["at"]
    lines.write_text("\n".join(json.dumps(event) for event in events))
    found = plain(str(lines))

    assert found["began"] is found["course"] is found["durations"] is None
    assert sum(found["hosts"].values()) == HOSTS  # type: ignore[attr-defined]


def test_lines_written_in_another_way_are_read(lines: Path) -> None:
    """Other spaces, another order of keys."""
    expected = plain(str(lines))
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    lines.write_text("\n".join(json.dumps(dict(reversed(event.items()))) for event in events))

    assert plain(str(lines)) == expected

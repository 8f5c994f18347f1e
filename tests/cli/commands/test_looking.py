"""One look at targets: tables, JSON, explanations, lists."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bkjob_async import UsageError
from bkjob_async.cli.actions.jobs import parse_since
from bkjob_async.cli.tables import table_lines
from bkjob_async.client.earlier_runs import earlier_runs, time_left
from bkjob_async.report.times import seconds_text
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.cli import shell
from tests.watch.clients import client_of

JOB = "20000000001"
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("2026-02-01T11:00+00:00", timedelta(hours=1)),
    ],
)
def test_times_are_spans_or_dates(text: str, before: timedelta) -> None:
    """As people say them."""
    assert parse_since(text, NOW) == NOW - before


@pytest.mark.parametrize("text", ["", "1", "1w", "yesterday", "999999999999d", "2027-01-01T00:00+00:00"])
def test_other_times_are_wrong_usage(text: str) -> None:
    """The future, too."""
    with pytest.raises(UsageError, match="--since"):
        parse_since(text, NOW)


def test_columns_line_up_whatever_their_script() -> None:
    """A Chinese character is two cells wide; nothing can steer the terminal."""
    lines = table_lines([("发布", "1"), ("ab\x1b[31m", "2")])

    assert lines == ["发布        1", "ab\\x1b[31m  2"]


def test_durations_are_short() -> None:
    """Two units at most."""
    assert [seconds_text(each) for each in (None, 0.4, 59, 61, 7261, 90000)] == [
        "",
        "0 s",
        "59 s",
        "1 min 1 s",
        "2 h 1 min",
        "1 d 1 h",
    ]


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    """Run a platform on which a job has failed."""
    with shell.simulator("some-fail") as url:
        shell.control(url, "advance", {"seconds": 60})
        yield {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2"}


@pytest.mark.slow
def test_status_is_a_line_or_an_object(env: dict[str, str]) -> None:
    """0 when it could be read, however it stands; 3 for what is not there."""
    table = shell.run("status", JOB, env=env)
    objects = shell.run("status", "--json", JOB, f"{JOB}/30000000001", env=env)
    lost = shell.run("status", JOB, "404", env=env)

    assert (table.returncode, table.stdout.split()[:6]) == (
        0,
        [f"2:{JOB}", "FAILED", "3", "failed,", "9", "success"],
    )
    job, step = map(json.loads, objects.stdout.splitlines())
    assert job["hosts"] == step["hosts"] == job["steps"][0]["hosts"] == {"FAILED": 3, "SUCCESS": 9}
    assert job["status"] == {"code": 4, "name": "FAIL", "phase": "FAILED"}
    assert lost.returncode == 3
    assert "lost: not found" in lost.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "explain"])
@pytest.mark.parametrize("targets", [[JOB], [JOB, "2", "3"]])
def test_nothing_is_shown_of_a_platform_that_is_away(
    command: str, targets: list[str], env: dict[str, str]
) -> None:
    """The reason is written to stderr, once, and long before the deadline."""
    begins = time.monotonic()
    away = shell.run(command, *targets, env={**env, "BKJOB_URL": "http://127.0.0.1:1"})

    assert away.returncode == 3
    assert away.stdout == ""
    assert away.stderr.startswith("bkjob: get_job_instance_status failed: cannot connect to")
    assert away.stderr.count("cannot connect to") == 1
    assert time.monotonic() - begins < 20.0


@pytest.mark.slow
def test_what_could_be_read_in_time_is_shown() -> None:
    """The others are said not to be seen, and the exit code is that of a deadline."""
    with shell.simulator("rolling") as url:
        shell.control(url, "faults", {"name": "hang", "jobs": [int(JOB) + 1]})
        at = ("--url", url, "--biz", "2", "--deadline", "2")
        done = shell.run("status", *at, JOB, f"{int(JOB) + 1}")

    first, second = done.stdout.splitlines()
    assert done.returncode == 4
    assert first.split()[0] == f"2:{JOB}"
    assert "not seen" not in first
    assert second.split() == [f"2:{int(JOB) + 1}", "not", "seen"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "explain"])
def test_a_lost_target_hides_none_that_was_not_seen(command: str) -> None:
    """Both are named, and the exit code is that of the deadline: the first that applies, from 6 down."""
    with shell.simulator("some-fail") as url:
        shell.control(url, "faults", {"name": "hang", "jobs": [int(JOB)]})
        done = shell.run(command, "--url", url, "--biz", "2", "--deadline", "2", "404", JOB)

    lost, unseen = done.stderr.splitlines()
    assert done.returncode == 4
    assert lost == "not readable: 2:404"
    assert unseen.startswith(f"not seen before the deadline: 2:{JOB}; next: ")


@pytest.mark.slow
def test_an_explanation_says_why_and_what_is_next(env: dict[str, str]) -> None:
    """The causes, and the commands."""
    text = shell.run("explain", JOB, env=env)
    (line,) = shell.run("explain", "--json", JOB, env=env).stdout.splitlines()

    assert text.returncode == 0
    assert "it is over" in text.stdout
    assert "1 host AGENT_NOT_INSTALLED: 0:10.0.0.6" in text.stdout
    assert f"retry 2:{JOB}" in text.stdout
    assert len(json.loads(line)["failures"]) == 3


@pytest.mark.slow
def test_jobs_are_listed_and_can_be_watched(env: dict[str, str]) -> None:
    """Each line begins with a name that other commands take."""
    listed = shell.run("jobs", "--name", "some", env=env)
    objects = shell.run("jobs", "--json", "--failed", env=env)
    running = shell.run("jobs", "--running", env=env)
    both = shell.run("jobs", "--running", "--failed", env=env)
    watched = shell.run("wait", "-", env=env, stdin=listed.stdout)

    assert listed.stdout.split()[:2] == [f"2:{JOB}", "FAILED"]
    assert watched.stdout.startswith(f"2:{JOB} finished FAILED")
    assert json.loads(objects.stdout)["status"]["phase"] == "FAILED"
    assert (running.stdout, running.returncode, both.returncode) == ("", 0, 2)


@pytest.mark.slow
def test_a_list_without_a_scope_names_the_options_that_give_one(env: dict[str, str]) -> None:
    """As every other command does; what a Python program passes is of no use in a shell."""
    done = shell.run("jobs", env={**env, "BKJOB_BIZ": ""})

    assert (done.returncode, done.stderr) == (2, "bkjob: in which scope? give --biz or --biz-set\n")


@pytest.mark.slow
@pytest.mark.parametrize(("dialect", "names"), [("gateway-v4", [f"2:{JOB}"]), ("gateway-v3", [])])
def test_only_a_platform_that_lists_30_days_has_its_list_cut(
    env: dict[str, str], dialect: str, names: list[str]
) -> None:
    """Through version 4 the newest jobs are in a list of any span."""
    listed = shell.run("jobs", "--since", "60d", "--dialect", dialect, env=env)

    assert [line.split()[0] for line in listed.stdout.splitlines()] == names
    assert ("30 days" in listed.stderr) is (not names)


@pytest.mark.slow
def test_nothing_is_looked_at_without_credentials_that_are_accepted(env: dict[str, str]) -> None:
    """One line on stderr says what to check."""
    shell.control(env["BKJOB_URL"], "faults", {"name": "empty-401"})
    done = shell.run("status", JOB, "--deadline", "5", env=env)

    assert done.returncode in (3, 4)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.looptime
async def test_an_end_is_expected_from_the_runs_that_the_platform_lists() -> None:
    """Of the same name but for dates, that succeeded; three at least."""
    world = World(1)
    plan = SimulatedJob(name="deploy 2026-01-01", steps=(StepPlan(hosts=1),))
    other = SimulatedJob(name="deploy all", steps=(StepPlan(hosts=1),))
    refs = [world.add(each) for each in (plan, plan, plan, other)]
    async with client_of(world) as (client, _):
        for ref in refs:
            await client.wait(ref, deadline=600)
        running = await client.get_job_instance_status(world.add(plan))
        few = await client.get_job_instance_status(world.add(other))
        known = await earlier_runs(client, [running, few], running.times.create_time or NOW)

    ends = time_left(known, running, 0.0)
    assert ends is not None
    assert 0.0 < ends[0] <= ends[1]
    assert time_left(known, few, 0.0) is None


@pytest.mark.slow
def test_what_was_not_seen_in_time_leads_to_a_check() -> None:
    """Requests that are refused for their number are no trouble of a target, so its row cannot say why."""
    with shell.simulator("some-fail", faults=["gateway-rate-limit"]) as url:
        done = shell.run("status", "--url", url, f"2:{JOB}", "--deadline", "1")
        words = done.stderr.partition("next: ")[2].split()
        checked = shell.run(*words[words.index("check") :])

    assert done.returncode == 4
    assert done.stderr.startswith(f"not seen before the deadline: 2:{JOB}; next: ")
    assert checked.returncode == 3
    assert "have the platform's operators raise the limit" in checked.stdout

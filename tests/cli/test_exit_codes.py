"""The exit codes of `bkjob watch`, and what it writes to stdout and stderr."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from bkjob_async.cli.entry import main
from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from tests.cli import shell

pytestmark = pytest.mark.slow

JOB = "20000000001"


@pytest.fixture(scope="module")
def green() -> Iterator[str]:
    """Run a platform whose only job goes well, quickly."""
    with shell.simulator("all-succeed", speed=50) as url:
        yield url


@pytest.fixture(scope="module")
def hanging() -> Iterator[str]:
    """Run a platform on which one host never ends."""
    with shell.simulator("one-hangs", speed=20) as url:
        yield url


def test_0_all_succeeded(green: str) -> None:
    """Events go to stdout, the sentence at the end to stderr."""
    done = shell.run("watch", "--url", green, "--biz", "2", JOB)

    assert done.returncode == 0
    assert f"2:{JOB} finished SUCCESS: 22 SUCCESS" in done.stdout
    assert done.stderr == "1 succeeded\n"


def test_1_something_failed() -> None:
    """One failed target among others is enough."""
    with shell.simulator("some-fail", speed=50) as url:
        done = shell.run("watch", "--url", url, f"2:{JOB}", f"2:{JOB}/30000000001")

    assert done.returncode == 1
    assert done.stderr.startswith("0 succeeded; 2 failed")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["watch"], "which jobs?"),
        (["watch", "--biz", "2", JOB], "which platform: give --url, BKJOB_URL"),
        (["watch", "--url", "http://127.0.0.1:9", JOB], "--biz or --biz-set"),
        (["watch", "--url", "http://127.0.0.1:9", "--biz", "2", "--biz-set", "3", JOB], "not both"),
        (["watch", "--url", "http://127.0.0.1:9", "--biz", "2", "many"], "neither a JOB nor a JOB/STEP"),
        (["watch", "--url", "http://127.0.0.1:9", "--biz", "2", "--deadline", "0", JOB], "--deadline"),
        (["watch", "--url", "http://127.0.0.1:9", "--dialect", "latin", "--biz", "2", JOB], "--dialect"),
        (["dance"], "No such command"),
    ],
)
def test_2_usage(
    arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What makes no sense is said, and nothing is sent."""
    monkeypatch.setattr("sys.argv", ["bkjob", *arguments])
    monkeypatch.setenv("BKJOB_CONFIG", "/nonexistent/config.toml")
    for name, value in shell.IDENTITY.items():
        monkeypatch.setenv(name, value)

    assert main() == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.out == ""


def test_2_a_url_that_is_none() -> None:
    """What the library refuses is usage, too."""
    done = shell.run("watch", "--url", "127.0.0.1", "--biz", "2", JOB)

    assert done.returncode == 2
    assert "http:// or https://" in done.stderr


def test_2_without_credentials(green: str) -> None:
    """The names of the variables that are missing are reported."""
    done = shell.run("watch", "--url", green, "--biz", "2", JOB, env={"BKJOB_APP_CODE": "tests"})

    assert done.returncode == 2
    assert "set BKJOB_APP_SECRET" in done.stderr


def test_3_a_target_that_is_not_there(green: str) -> None:
    """A lost target is not a failed one; the others are watched to their end."""
    done = shell.run("watch", "--url", green, "--biz", "2", "--interval", "0.1", JOB, "404")

    assert done.returncode == 3
    assert "2:404 lost: not found" in done.stdout
    assert f"2:{JOB} finished SUCCESS" in done.stdout


async def test_3_credentials_that_are_refused() -> None:
    """Nothing was seen and nothing will be: it does not wait for better times."""
    site = SiteConfig(app_code="tests", app_secret="another")
    async with Simulator("all-succeed", site=site).serve() as server:
        done = await asyncio.to_thread(shell.run, "watch", "--url", server.url, "--biz", "2", JOB)

    assert done.returncode == 3
    assert "could not watch" in done.stderr
    assert "check the application code, the secret and the user" in done.stderr
    assert shell.SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("command", [["status"], ["watch", "--interval", "0.1"], ["operate", "--yes"]])
async def test_3_a_permission_that_is_missing(command: list[str]) -> None:
    """It is named, for whoever applies for it."""
    site = SiteConfig(forbidden={Scope.biz(2)})
    async with Simulator("all-succeed", site=site).serve() as server:
        done = await asyncio.to_thread(
            shell.run, *command, "--url", server.url, "--biz", "2", JOB, *["terminate"][: "--yes" in command]
        )

    assert done.returncode == 3
    assert "apply for the permission: " in done.stdout + done.stderr


def test_4_the_deadline_passed(hanging: str) -> None:
    """What was seen until then is reported; what becomes of the job is unknown."""
    done = shell.run("watch", "--url", hanging, "--biz", "2", "--deadline", "2", JOB, "--json")
    kinds = {json.loads(line)["kind"] for line in done.stdout.splitlines()}

    assert done.returncode == 4
    assert {"job_changed", "host_changed"} <= kinds
    assert "not over after 2 s" in done.stderr


def test_the_url_may_come_from_the_environment(green: str) -> None:
    """Scripts set it once."""
    done = shell.run("watch", "--biz", "2", JOB, env={**shell.IDENTITY, "BKJOB_URL": green})

    assert done.returncode == 0


def test_a_reader_that_goes_away_ends_it(hanging: str) -> None:
    """A broken pipe is no error worth words; shells count it as 141."""
    with shell.unwritable(shell.closed_pipe()) as nobody:
        done = shell.ended(shell.start("watch", "--url", hanging, "--biz", "2", JOB, stdout=nobody))

    assert done.returncode == 141
    assert done.stderr == ""


def test_1_at_the_first_failed_host() -> None:
    """`--fail-fast` does not wait for the end of the job."""
    with shell.simulator("some-fail", speed=2) as url:
        done = shell.run("watch", "--url", url, "--interval", "0.2", "--fail-fast", f"2:{JOB}")

    assert done.returncode == 1
    assert "finished" not in done.stdout
    assert "failed hosts by cause:\n  1 host AGENT_NOT_INSTALLED: 0:10.0.0.6 (in" in done.stderr
    assert f"next: python -m bkjob_async logs --url {url} 2:{JOB} --failed\n" in done.stderr
    assert f"retry --url {url} 2:{JOB}" in done.stderr


def test_no_secret_is_ever_said(hanging: str) -> None:
    """Not in lines, not in errors."""
    done = shell.run("watch", "--url", hanging, "--biz", "2", "--deadline", "0.5", JOB, "404", "--json")

    assert shell.SECRET not in done.stdout + done.stderr

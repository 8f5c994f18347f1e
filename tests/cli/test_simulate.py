"""`bkjob simulate`: a simulated platform for any HTTP client."""

import signal
import socket
from collections.abc import Iterator

import pytest

from tests.cli import shell

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_interruption_is_its_clean_end(number: signal.Signals) -> None:
    """The first line is the URL; the rest is said on stderr; the exit code is 0."""
    process = shell.start("simulate", "--scenario", "all-succeed")
    assert process.stdout is not None
    url = process.stdout.readline()
    process.send_signal(number)
    done = shell.ended(process)

    assert url.startswith("http://127.0.0.1:")
    assert done.stdout == ""
    assert "python -m bkjob_async watch --biz 2 20000000001" in done.stderr
    assert done.returncode == 0


@pytest.fixture(scope="module")
def platform() -> Iterator[tuple[int, str]]:
    """Run a simulator with all its options; return the port that was asked for, and the URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ("--scenario", "all-succeed", "--speed", "500", "--rate-limit", "9")
    faults = ("--fault", "callback-lost:0.5", "--fault", "latency")
    with shell.simulator_process("--port", str(port), *options, *faults) as url:
        yield port, url


def test_the_port_is_the_one_asked_for(platform: tuple[int, str]) -> None:
    """A script can know the URL beforehand."""
    port, url = platform

    assert url == f"http://127.0.0.1:{port}"


def test_faults_and_limits_are_at_work_from_the_beginning(platform: tuple[int, str]) -> None:
    """A client can be tried against a bad evening."""
    faults = shell.control(platform[1], "faults")["active"]

    assert [(fault["name"], fault["share"]) for fault in faults] == [("callback-lost", 0.5), ("latency", 1.0)]


def test_world_time_can_hurry(platform: tuple[int, str]) -> None:
    """`--speed` is how many seconds pass in one."""
    before = shell.control(platform[1], "")["now"]
    after = shell.control(platform[1], "")

    assert after["speed"] == 500
    assert after["now"] > before


def test_its_jobs_are_of_today(platform: tuple[int, str]) -> None:
    """Commands that ask for the last hours find them."""
    done = shell.run("jobs", "--url", platform[1], "--biz", "2", "--since", "1h")

    assert done.returncode == 0
    assert "20000000001" in done.stdout


def test_a_port_that_is_taken_is_said() -> None:
    """It does not fall back to another one in silence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = shell.run("simulate", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert done.stdout == ""


def test_an_unknown_scenario_is_answered_with_those_there_are() -> None:
    """A typo costs one look."""
    done = shell.run("simulate", "--scenario", "sunshine")

    assert done.returncode == 2
    assert "ten-thousand-hosts" in done.stderr


@pytest.mark.parametrize("fault", ["rain", "latency:2", "latency:much"])
def test_a_fault_that_is_none_is_refused(fault: str) -> None:
    """A typo does not make a good evening."""
    done = shell.run("simulate", "--fault", fault)

    assert done.returncode == 2
    assert f"--fault {fault}" in done.stderr


def test_a_watch_of_a_platform_out_of_order_does_not_end_as_failed() -> None:
    """A poll that fails says something about the poll, never about the job."""
    with shell.simulator("all-succeed", faults=["bad-gateway"], speed=50) as url:
        done = shell.run("watch", "--url", url, "--deadline", "0.5", "2:20000000001")

    assert done.returncode == 4
    assert "trouble" in done.stdout

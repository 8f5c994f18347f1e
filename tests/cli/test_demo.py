"""The output of the demo."""

import re
from subprocess import CompletedProcess

import pytest

from bkjob_async.cli.demo import jobs as demo_jobs
from bkjob_async.cli.demo.disturbances import Disturbances
from bkjob_async.cli.demo.run import EventReader, compare, write_nothing
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.cli import shell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def output() -> CompletedProcess[str]:
    """Run a small and hurried demo."""
    return shell.run("demo", "--plain", "--jobs", "3", "--hosts", "4", "--speed", "10", "--seed", "5")


def test_it_shows_every_host_and_ends_well(output: CompletedProcess[str]) -> None:
    """Three jobs of two steps on four hosts: each of the 24 is seen to succeed or fail."""
    ends = set(
        re.findall(r"^\S+ (\S+/\S+)(?: #\d+)? (0:\S+) .* → (?:SUCCESS|FAILED)", output.stdout, re.MULTILINE)
    )

    assert len(ends) == 24
    assert output.returncode == 0
    assert output.stderr == ""


def test_it_says_first_what_there_is_to_be_seen(output: CompletedProcess[str]) -> None:
    """Four lines for whoever has never heard of it."""
    first, second, third, fourth, fifth = output.stdout.splitlines()[:5]

    assert re.search(r"simulated .* at http://127.0.0.1:\d+ runs 3 jobs of 2 steps on 4 hosts each", first)
    assert "real HTTP" in second
    assert "business, job and step (2:100/200)" in third
    assert '"trouble" is about requests' in fourth
    assert fifth == ""


def test_its_figures_stand_beside_the_simulators_own(output: CompletedProcess[str]) -> None:
    """Both columns are the same, and it says so."""
    figures = re.findall(r"^([\w ]+?)\s+(\d+)\s+(\d+)$", output.stdout, re.MULTILINE)

    assert ("hosts of steps", "24", "24") in figures
    assert all(watched == happened for _, watched, happened in figures)
    assert "The simulator's own records agree" in output.stdout


def test_a_failed_step_is_retried_and_seen_again(output: CompletedProcess[str]) -> None:
    """The first job fails, is retried through the client, and succeeds in its second execution."""
    first = [line.partition(" ")[2] for line in output.stdout.splitlines() if " 2:20000000001" in line]

    assert any("finished FAILED" in line for line in first)
    assert any(re.search(r"/30000000002 #1 0:\S+ .* → SUCCESS", line) for line in first)
    assert first.index("2:20000000001 reopened") < first.index("2:20000000001 finished SUCCESS: 8 SUCCESS")


def test_it_says_at_the_end_what_to_do_next(output: CompletedProcess[str]) -> None:
    """Nobody is left alone with a summary."""
    assert "bkjob_async simulate" in output.stdout.splitlines()[-3]
    assert "bkjob_async watch" in output.stdout.splitlines()[-2]


def test_the_whole_evening_is_seeded() -> None:
    """The same seed tells the same story, another one another."""
    assert demo_jobs.make_plans(6, 8, seed=1) == demo_jobs.make_plans(6, 8, seed=1)
    assert demo_jobs.make_plans(6, 8, seed=1) != demo_jobs.make_plans(6, 8, seed=2)


def test_what_was_not_reported_is_a_disagreement(capsys: pytest.CaptureFixture[str]) -> None:
    """A job happened, and the watch saw nothing."""
    simulator = Simulator(at_once=True)
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=1),)))
    simulator.world.advance_to_end()
    nothing = Disturbances(simulator.platform, 1.0, write_nothing)

    code = compare(EventReader(job, write_nothing), simulator, [job], nothing, polls=0, seconds=0.0)

    assert code is ExitCode.SOMETHING_FAILED
    assert "The simulator's own records DISAGREE:" in capsys.readouterr().out

"""The commands one after the other, as a person on call types them, wherever their output goes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.compare.runs import run_of, write_lines
from tests.cli import shell
from tests.cli.terminal import terminal

pytestmark = pytest.mark.slow

JOB = "20000000001"
PLACES = {
    "plain": {},
    "dumb": {"NO_COLOR": "1", "TERM": "dumb"},
    "continuous integration": {"CI": "true", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "LC_ALL": "en_US.ISO-8859-1"},
}


@pytest.fixture(scope="module")
def platform() -> Iterator[dict[str, str]]:
    """Run a platform; return the environment that reaches it."""
    # Slow enough for a second execution to be seen running: an end that is seen at once is doubted for a while.
    with shell.simulator("retry-succeeds", speed=20) as url:
        yield {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2", "BKJOB_REQUEST_TIMEOUT": "5"}


@pytest.fixture
def slow() -> Iterator[dict[str, str]]:
    """Run a platform on which a job takes minutes."""
    with shell.simulator("one-hangs") as url:
        yield {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2"}


@pytest.fixture
def failing(tmp_path: Path) -> str:
    """Return a script that fails everywhere."""
    script = tmp_path / "发布.sh"
    script.write_text("echo 部署失败\nexit 3\n", encoding="utf-8")
    return str(script)


@pytest.mark.parametrize("place", PLACES)
def test_run_watch_logs_retry_report(
    place: str, platform: dict[str, str], failing: str, tmp_path: Path
) -> None:
    """Each command gives what the next one needs; bytes are UTF-8 whatever the locale."""
    env = {**platform, **PLACES[place]}

    launched = shell.run("run", "script", failing, "--hosts", "0:10.0.0.1,0:10.0.0.2", "--detach", env=env)
    ref = launched.stdout.strip()
    watched = shell.run("watch", ref, "--json", "--interval", "0.1", env=env)
    logs = shell.run("logs", ref, "--failed", "--tail", "1", env=env)
    retried = shell.run("retry", ref, "--yes", "--interval", "0.1", env=env)
    lines = tmp_path / "run.jsonl"
    lines.write_text(watched.stdout, encoding="utf-8")
    reported = shell.run("report", str(lines), "--format", "md", env=env)

    assert launched.returncode == 0
    assert watched.returncode == 1
    assert {
        json.loads(line)["ref"].split("/")[0] for line in watched.stdout.splitlines() if '"2:' in line
    } == {ref}
    assert "2 hosts SCRIPT_NOT_ZERO_EXIT_CODE, exit code 3: 0:10.0.0.1, 0:10.0.0.2" in watched.stderr
    assert "      0:10.0.0.1 | 部署失败\n" in watched.stderr
    assert f"bkjob_async retry {ref}\n" in watched.stderr
    assert logs.stdout == "0:10.0.0.1 | 部署失败\n0:10.0.0.2 | 部署失败\n"
    assert retried.returncode == 1
    assert "retry-failed-hosts" in retried.stderr
    assert f"{ref} finished FAILED: 2 FAILED\n" in retried.stdout
    assert (reported.returncode, reported.stderr) == (0, "")
    assert "2 of 2 hosts failed" in reported.stdout
    assert "发布" in reported.stdout
    assert "\x1b" not in launched.stdout + watched.stdout + watched.stderr + logs.stdout + retried.stdout


def test_run_shows_the_job_that_it_launched(platform: dict[str, str]) -> None:
    """From stdin as well; the name of the job says so."""
    done = shell.run("run", "script", "-", "--hosts", "0:10.0.0.1", env=platform, stdin="echo hello\n")

    assert done.returncode == 0
    assert "finished SUCCESS: 1 SUCCESS" in done.stdout
    assert done.stderr.startswith("launched 2:")
    assert "bkjob script" in done.stderr


def test_a_plan_and_a_file_are_launched(platform: dict[str, str]) -> None:
    """A plan with its variables; a file from one host to others."""
    sent = shell.run(
        "run",
        "file",
        "/data/a.tar",
        "--from",
        "0:10.0.0.9",
        "--to",
        "/data/",
        "--hosts",
        "0:10.0.0.1",
        env=platform,
    )
    planned = shell.run("run", "plan", "1000", "--var", "version=1.4", "--detach", env=platform)

    assert sent.returncode == 0
    assert "finished SUCCESS" in sent.stdout
    assert planned.returncode in (0, 3), planned.stderr  # there is no such plan everywhere
    assert "Traceback" not in planned.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["watch", JOB],
        ["logs", JOB],
        ["status", JOB],
        ["explain", JOB],
        ["jobs"],
        ["--help"],
        ["check"],
        ["report", "{events}"],
        ["report", "{events}", "--format", "json"],
    ],
    ids=" ".join,
)
def test_a_closed_pipe_is_no_error_worth_words(
    arguments: list[str], platform: dict[str, str], tmp_path: Path
) -> None:
    """Shells count it as 141; nothing is written about it."""
    events = tmp_path / "run.jsonl"
    write_lines(run_of(200), events)
    arguments = [word.format(events=events) for word in arguments]
    with shell.unwritable(shell.closed_pipe()) as nobody:
        done = shell.run(*arguments, env=platform, stdout=nobody)

    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_a_reader_that_wants_one_line_gets_one(platform: dict[str, str], tmp_path: Path) -> None:
    """`| head -1`: the line, and no word about the rest."""
    events = tmp_path / "run.jsonl"
    write_lines(run_of(2000), events)
    for words in (["report", str(events), "--format", "json"], ["jobs"], ["watch", JOB]):
        done = subprocess.run(
            ["/bin/sh", "-c", '"$@" | head -1', "sh", *shell.start_words(*words)],
            env={**os.environ, "BKJOB_CONFIG": shell.NO_CONFIG, **platform},
            cwd=shell.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert len(done.stdout.splitlines()) == 1
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


def test_a_full_disk_is_reported(platform: dict[str, str]) -> None:
    """In one line."""
    with shell.unwritable(shell.full_disk()) as full:
        done = shell.ended(shell.start("watch", JOB, env=platform, stdout=full))

    assert done.returncode == 3
    assert done.stderr == "bkjob: stdout cannot be written: No space left on device\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("command", "again"),
    [(["watch"], "watch"), (["logs", "--follow"], "logs"), (["wait"], "wait")],
    ids=lambda words: words if isinstance(words, str) else None,
)
def test_an_interruption_says_how_to_go_on(
    number: int, code: int, command: list[str], again: str, slow: dict[str, str]
) -> None:
    """The jobs go on; no traceback."""
    process = shell.start(*command, JOB, env=slow)
    shell.wait_until_polled(slow["BKJOB_URL"])
    process.send_signal(number)
    done = shell.ended(process)

    assert done.returncode == code
    assert "the jobs go on" in done.stderr
    assert f"bkjob_async {again} 2:{JOB}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_launch_without_an_answer_is_not_repeated(failing: str) -> None:
    """The exit code is its own, and the command that looks for the job is reported."""
    with shell.simulator("all-succeed", faults=["gateway-timeout:1:1"]) as url:
        env = {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2"}
        done = shell.run("run", "script", failing, "--hosts", "0:10.0.0.1", env=env)
        sent = shell.control(url, "")["request_counts"]

    assert done.returncode == 6
    assert "it may have been executed" in done.stderr
    assert "look for it: " in done.stderr
    assert "jobs --since 10m --name" in done.stderr
    assert [count for name, count in sent.items() if "fast_execute_script" in name] == [1]


def test_an_operation_without_an_answer_is_not_repeated(platform: dict[str, str], failing: str) -> None:
    """The same."""
    ref = shell.run(
        "run", "script", failing, "--hosts", "0:10.0.0.1", "--detach", env=platform
    ).stdout.strip()
    assert shell.run("wait", ref, env=platform).returncode == 1
    url = platform["BKJOB_URL"]
    fault = {"name": "gateway-timeout", "times": 1, "operations": ["operate_step_instance"]}
    shell.control(url, "faults", fault)
    done = shell.run("retry", ref, "--yes", env=platform)

    assert done.returncode == 6
    assert "look at it first: " in done.stderr
    assert f"status {ref}/" in done.stderr


def test_a_step_that_is_named_twice_is_retried_once(platform: dict[str, str], failing: str) -> None:
    """By its job, by itself, in another spelling, and in a file."""
    launched = shell.run("run", "script", failing, "--hosts", "0:10.0.0.1", "--detach", env=platform)
    ref = launched.stdout.strip()
    shell.run("wait", ref, env=platform)
    status = shell.run("status", ref, "--json", env=platform)
    step = re.search(r'"(2:\d+/\d+)"', status.stdout)
    assert step is not None
    done = shell.run("retry", ref, step[1], ref.removeprefix("2:"), ref, "--yes", "--detach", env=platform)

    assert done.returncode == 0
    assert done.stderr.count("accepted") == 1


@pytest.mark.parametrize("words", [["retry"], ["operate", "ignore-error"]])
def test_a_step_that_its_job_does_not_have_is_no_step_that_succeeded(
    words: list[str], platform: dict[str, str], failing: str
) -> None:
    """The steps that there are are named, so that another one can be typed."""
    launched = shell.run("run", "script", failing, "--hosts", "0:10.0.0.1", "--detach", env=platform)
    ref = launched.stdout.strip()
    shell.run("wait", ref, env=platform)
    done = shell.run(words[0], f"{ref}/1", *words[1:], "--yes", env=platform)

    assert done.returncode == 2
    assert f"{ref} has no such step; it has {ref}/" in done.stderr


def test_a_step_that_waits_for_a_person_is_reported_and_confirmed() -> None:
    """The command that lets it go on stands in the message."""
    with shell.simulator("manual-confirm", speed=20) as url:
        env = {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2"}
        waiting = shell.run("watch", JOB, "--fail-on-waiting", "--interval", "0.1", env=env)
        words = waiting.stderr.partition("waits for a person: ")[2].splitlines()[0].split()
        explained = shell.run("explain", JOB, env=env)
        operated = shell.run(*words[words.index("operate") :], "--yes", env=env)
        over = shell.run("wait", JOB, "--deadline", "30", env=env)

    assert waiting.returncode == 5
    assert "confirm-continue" in words
    assert "waits for a person" in explained.stdout
    assert operated.returncode == 0
    assert "confirm-continue 2:" in operated.stderr
    assert (over.returncode, over.stdout.startswith(f"2:{JOB} finished SUCCESS")) == (0, True)


def test_without_a_terminal_nobody_is_asked(platform: dict[str, str], failing: str) -> None:
    """Usage, before anything is sent."""
    ref = shell.run(
        "run", "script", failing, "--hosts", "0:10.0.0.1", "--detach", env=platform
    ).stdout.strip()
    shell.run("wait", ref, env=platform)

    for command in (["retry", ref], ["operate", ref, "terminate"]):
        done = shell.run(*command, env=platform)
        assert done.returncode == 2
        assert "give --yes" in done.stderr


@pytest.mark.parametrize("place", ["dumb", "continuous integration"])
def test_a_terminal_that_shall_not_be_asked_is_not_asked(place: str, platform: dict[str, str]) -> None:
    """`TERM=dumb` and `CI` mean lines only."""
    with terminal("operate", JOB, "terminate", env={**platform, **PLACES[place]}) as shown:
        assert shown.ended() == 2

    assert "give --yes" in shown.written


def test_a_question_is_answered_on_the_terminal(platform: dict[str, str]) -> None:
    """No, and Ctrl-C, send nothing, and are told so."""
    for answer in ("n\n", "\x03"):
        with terminal("operate", JOB, "terminate", env=platform) as shown:
            shown.read_until("[y/N]")
            shown.type(answer)
            # `input` misses a signal that comes just before it reads; people press again.
            assert shown.ended(pressing=answer, every=5.0) == 130
        assert "accepted" not in shown.written
        assert f"send terminate to 2:{JOB}?" in shown.written
        assert "nothing was done" in shown.written
        assert "Traceback" not in shown.written


def test_a_secret_is_asked_for_and_not_shown(platform: dict[str, str]) -> None:
    """Only on a terminal, where no place has it."""
    env = {name: value for name, value in platform.items() if name != "BKJOB_APP_SECRET"}
    with terminal("status", JOB, env={**env, "BKJOB_APP_SECRET": ""}) as shown:
        shown.read_until("app secret:")
        shown.type(f"{shell.SECRET}\n")
        assert shown.ended() == 0

    assert shell.SECRET not in shown.written
    assert f"2:{JOB}" in shown.written


def test_a_terminal_in_another_encoding_is_written_in_that(slow: dict[str, str]) -> None:
    """The library's own arrow has a spelling in ASCII; Ctrl-C leaves as everywhere."""
    env = {**slow, "PYTHONIOENCODING": "latin-1", "TERM": "dumb"}
    with terminal("watch", JOB, env=env) as shown:
        shown.read_until("-> RUNNING")
        shown.type("\x03")
        assert shown.ended() == 130

    assert "the jobs go on" in shown.written


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}], ids=["colour", "no colour"])
def test_a_terminal_that_is_resized_while_a_job_runs(env: dict[str, str]) -> None:
    """To hardly anything and back."""
    with shell.simulator("all-succeed", speed=4) as url:
        place = {**shell.IDENTITY, "BKJOB_URL": url, "BKJOB_BIZ": "2", **env}
        with terminal("watch", JOB, "--interval", "0.2", env=place) as shown:
            shown.read_for(1.0)
            shown.resize(20, 5)
            shown.read_for(0.5)
            shown.resize(80, 24)
            shell.control(url, "advance", {"seconds": 120})
            shown.read_for(2.0)
            code = shown.ended(pressing="q")

    assert code == 0, shown.written[-2000:]
    assert "Traceback" not in shown.written


def test_a_profile_has_everything(platform: dict[str, str], tmp_path: Path) -> None:
    """But secrets, which a program writes; nothing else is in the environment, and nothing is shown."""
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
[profiles.test]
url = "{platform["BKJOB_URL"]}"
biz = 2
app_code = "tests"
app_secret = 'command:["echo", "{shell.SECRET}"]'
"""
    )
    env = {"BKJOB_CONFIG": str(config), "BKJOB_PROFILE": "test"}

    status = shell.run("status", JOB, env=env)
    settings = shell.run("config", "show", env=env)
    elsewhere = shell.run("config", "show", "--profile", "none", env=env)
    path = shell.run("config", "path", env=env)

    assert (status.returncode, status.stdout.split()[0]) == (0, f"2:{JOB}")
    assert settings.stdout.splitlines()[0].split() == ["url", platform["BKJOB_URL"], "(profile", "test)"]
    assert "command:echo" in settings.stdout
    assert shell.SECRET not in settings.stdout + status.stderr
    assert (elsewhere.returncode, path.stdout) == (2, f"{config}\n")


def test_ctrl_c_twice_is_quiet_as_well(slow: dict[str, str]) -> None:
    """People press it again."""
    process = shell.start("watch", JOB, env=slow)
    shell.wait_until_polled(slow["BKJOB_URL"])
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    done = shell.ended(process)

    assert done.returncode == 130
    assert "the jobs go on" in done.stderr
    assert [line for line in done.stderr.splitlines() if "watch them again" not in line] == []


def test_ctrl_c_a_second_time_ends_what_is_stuck() -> None:
    """Such as a command whose reader does not read."""
    with shell.simulator("thousand-small-jobs", speed=20) as url:
        targets = [str(20000000000 + number) for number in range(1, 400)]
        process = shell.start("watch", "--url", url, "--biz", "2", "--json", *targets)
        time.sleep(4.0)  # until the pipe is full
        process.send_signal(signal.SIGINT)
        time.sleep(1.2)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=5.0)
        process.communicate()

    assert code == 130


def test_nothing_that_the_platform_says_steers_a_terminal(platform: dict[str, str], tmp_path: Path) -> None:
    """Names of jobs and logs are written by users."""
    script = tmp_path / "evil.sh"
    script.write_text("echo 'a\x1b]0;title\x07b\x9b31m\u202ec'\nexit 3\n", encoding="utf-8")
    launch = ("run", "script", str(script), "--name", "\x1b[31mevil\u2028", "--hosts", "0:10.0.0.1")

    ref = shell.run(*launch, "--detach", env=platform).stdout.strip()
    written = [
        *(shell.run(command, ref, env=platform) for command in ("watch", "status", "explain", "logs")),
        *(shell.run(command, ref, "--json", env=platform) for command in ("explain", "logs")),
        shell.run("jobs", "--name", "evil", env=platform),
        shell.run("retry", ref, env=platform),
    ]

    texts = [done.stdout + done.stderr for done in written]
    assert [line for text in texts for line in text.split("\n") if not line.isprintable()] == []
    assert any("\\x1b]0;title\\x07b\\x9b31m\\u202ec" in text for text in texts)
    assert any("\\x1b[31mevil\\u2028" in text for text in texts)
    assert {done.returncode for done in written} == {0, 1, 2}


V4 = ("--dialect", "gateway-v4")


@pytest.mark.parametrize("command", ["watch", "explain"])
def test_no_command_is_recommended_that_the_dialect_cannot_carry_out(
    command: str, platform: dict[str, str], failing: str
) -> None:
    """Version 4 of the gateway operates no steps: the logs are the only next step there."""
    launched = shell.run("run", "script", failing, "--hosts", "0:10.0.0.1", "--detach", env=platform)
    ref = launched.stdout.strip()
    shell.run("wait", ref, env=platform)
    told = {}
    for name in ("gateway-v3", "gateway-v4"):
        done = shell.run(command, "--dialect", name, ref, env=platform)
        told[name] = done.stdout + done.stderr

    assert f"logs --dialect gateway-v4 {ref} --failed" in told["gateway-v4"]
    assert (" retry " in told["gateway-v3"], " retry " in told["gateway-v4"]) == (True, False)


@pytest.mark.parametrize("command", ["watch", "explain"])
def test_a_step_that_waits_where_no_command_lets_it_go_on_is_only_named(command: str) -> None:
    """The line ends where the command would stand."""
    more = ("--fail-on-waiting", "--interval", "0.1") if command == "watch" else ()
    with shell.simulator("manual-confirm") as url:
        shell.control(url, "advance", {"seconds": 60})
        done = shell.run(command, *V4, "--url", url, f"2:{JOB}", *more)

    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "waits for a person" in line]
    assert line.endswith("waits for a person")


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("retry", f"2:{JOB}"), "operate_step_instance"),
        (("operate", f"2:{JOB}/30000000001", "skip"), "operate_step_instance"),
        (("operate", f"2:{JOB}", "terminate"), "operate_job_instance"),
    ],
)
def test_an_operation_that_the_dialect_lacks_is_refused_before_anything_is_read(
    words: tuple[str, ...], missing: str
) -> None:
    """Nothing is listed and nobody is asked; the dialects that have it are named."""
    done = shell.run(*words, *V4, "--url", "http://127.0.0.1:1")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"bkjob: gateway-v4 has no {missing}; esb-job, esb-jobv3, gateway-v3 can\n"

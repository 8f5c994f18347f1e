"""The board on a real terminal: `bkjob` in a process of its own, watching `bkjob simulate`."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import shell
from tests.cli.terminal import terminal

pytestmark = pytest.mark.slow

JOB = "2:20000000001"
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
ENTERS, LEAVES = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve a job whose hosts fail, and one that hangs."""
    with shell.simulator("some-fail", speed=4) as url:
        yield url


@pytest.fixture(scope="module")
def hanging() -> Iterator[str]:
    """Serve a job that does not end."""
    with shell.simulator("one-hangs", speed=4) as url:
        yield url


def test_a_watch_on_a_terminal_draws_a_board(url: str) -> None:
    """It ends with the watch, gives the terminal back, and says what the watch amounts to."""
    with terminal("watch", JOB, "--url", url, "--interval", "0.2") as shown:
        code = shown.ended()

    before, _, after = shown.written.partition(LEAVES)
    assert code == 1
    assert ENTERS in before
    assert "SCRIPT_NOT_ZERO_EXIT_CODE" in after
    assert JOB in after
    assert "→" not in before


def test_json_goes_to_a_file_while_the_board_is_drawn(url: str, tmp_path: Path) -> None:
    """`watch --json --board > run.jsonl` has both."""
    run = tmp_path / "run.jsonl"
    with terminal("watch", JOB, "--url", url, "--interval", "0.2", "--json", "--board", stdout=run) as shown:
        code = shown.ended()
    lines = [json.loads(line) for line in run.read_text().splitlines()]

    assert code == 1
    assert ENTERS in shown.written
    assert {"host_changed", "finished"} <= {line["kind"] for line in lines}


def test_json_and_a_board_do_not_share_a_terminal(url: str) -> None:
    """One of them would destroy the other."""
    with terminal("watch", JOB, "--url", url, "--json", "--board") as shown:
        code = shown.ended()

    assert code == 2
    assert "send stdout to a file" in shown.written


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_leaving_says_that_the_jobs_go_on(hanging: str, key: str) -> None:
    """And how to resume."""
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2") as shown:
        shown.read_until("running")
        shown.type(key)
        code = shown.ended()

    after = shown.written.partition(LEAVES)[2]
    assert code == 130
    assert "the jobs go on" in after
    assert f"watch --url {hanging} {JOB}" in after


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)]
)
def test_a_signal_gives_the_terminal_back(hanging: str, number: signal.Signals, expected: int) -> None:
    """With its own exit code; keys are shown again."""
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2") as shown:
        shown.read_until("running")
        was_raw = shown.is_raw
        os.kill(shown.process.pid, number)
        code = shown.ended()
        is_raw = shown.is_raw

    assert (was_raw, is_raw, code) == (True, False, expected)
    assert LEAVES in shown.written


@pytest.mark.parametrize("controls", [True, False])
def test_a_terminal_that_goes_away_ends_the_board(hanging: str, *, controls: bool) -> None:
    """With a signal, or without one, which a terminal sends only to the process that it controls."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2", controls=controls) as shown:
        shown.read_until("running")
        shown.go_away()
        code = shown.process.wait(10)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert code == 129
    assert after.ru_utime - before.ru_utime < 5


def test_without_colour_none_is_set(hanging: str) -> None:
    """`NO_COLOR=1`: signs alone."""
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2", env={"NO_COLOR": "1"}) as plain:
        plain.read_until("running")
        plain.read_for(1.0)
        plain.type("q")
        plain.ended()
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2") as coloured:
        coloured.read_until("running")
        coloured.type("q")
        coloured.ended()

    assert COLOUR.search(coloured.written)
    assert not COLOUR.search(plain.written)
    assert "▸" in plain.written


def test_another_locale_has_ascii_signs(hanging: str) -> None:
    """What the terminal cannot show is not sent."""
    with terminal(
        "watch",
        JOB,
        "--url",
        hanging,
        "--interval",
        "0.2",
        env={"LC_ALL": "en_US.ISO-8859-1", "PYTHONIOENCODING": "latin-1"},
    ) as shown:
        shown.read_until("running")
        shown.read_for(1.0)
        shown.type("q")
        shown.ended()

    assert shown.written.isascii()
    assert "Enter" in shown.written


def test_a_resized_terminal_is_filled_again(hanging: str) -> None:
    """20x5 and back."""
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2") as shown:
        shown.read_until("running")
        shown.resize(20, 5)
        shown.read_for(1.0)
        shown.written = ""
        shown.resize(80, 24)
        shown.read_until("leave")
        shown.type("q")
        assert shown.ended() == 130


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"CI": "1"}])
def test_no_board_is_drawn_where_nothing_is_redrawn(url: str, env: dict[str, str]) -> None:
    """Lines instead, even where one is asked for."""
    with terminal("watch", JOB, "--url", url, "--interval", "0.2", "--board", env=env) as shown:
        code = shown.ended()

    assert code == 1
    assert "\x1b[" not in shown.written
    assert "there is no terminal for a board" in shown.written
    assert f"{JOB} finished FAILED" in shown.written


def test_the_demo_draws_a_board_and_proves_itself_afterwards() -> None:
    """With the exit code of the comparison."""
    with terminal("demo", "--jobs", "4", "--hosts", "4", "--speed", "10", columns=100, rows=30) as shown:
        code = shown.ended()

    before, _, after = shown.written.partition(LEAVES)
    assert code == 0
    assert "deploy login-1" in before
    assert "The simulator's own records agree" in after


def test_the_link_of_a_live_page_fits_on_eighty_columns(hanging: str) -> None:
    """It can be read nowhere else while the board is drawn, and cut it opens nothing."""
    with terminal("watch", JOB, "--url", hanging, "--interval", "0.2", "--web", "--read-only") as shown:
        board = shown.read_until("?token=")
        link = re.search(r"live page, the link works once: (\S+)", board)
        assert link is not None
        drawn = shown.read_until(f"live page: {link[1]}")
        shown.ended(pressing="q")

    assert drawn.rindex(link[1]) > drawn.index(ENTERS)

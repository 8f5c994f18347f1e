"""The board as an application: every key, pressed by textual's pilot, on a watch of a simulated platform."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define
from textual.pilot import Pilot

import bkjob_async as bkjob
from bkjob_async.cli.board.app import BoardApp
from bkjob_async.cli.board.consumer import BoardConsumer
from bkjob_async.cli.board.drawing.lines_widget import LinesWidget
from bkjob_async.cli.board.drawing.signs import UNICODE
from bkjob_async.cli.watching.consumers import OpenWatch
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    SUCCEEDS,
    HostOutcome,
    SimulatedJob,
    StepPlan,
    exactly,
)
from tests.cli.board.samples import text_of

CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="no", bk_username="admin")
SOON = exactly(1.0)
BAD = HostOutcome(status=104, exit_code=7, tag="port in use", duration=SOON, log="a\x1b[31mb\nbind: in use\n")
PATIENCE = 20.0


@define(eq=False)
class Shown:
    """A board that is shown, and what it is about."""

    app: BoardApp
    pilot: Pilot[None]
    opened: OpenWatch
    simulator: Simulator

    @property
    def text(self) -> str:
        """What is on the screen."""
        return text_of(self.app.query_one(LinesWidget).lines)

    async def until(self, text: str) -> None:
        """Wait until the screen matches *text*."""
        await eventually(lambda: bool(re.search(text, self.text)))

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until *holds* returns True."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what is drawn sets no event
            await asyncio.sleep(0.02)


def plans() -> list[SimulatedJob]:
    """Return one job that fails at once, one that hangs with a failure, and one that succeeds."""
    return [
        SimulatedJob(
            name="deploy login",
            steps=(
                StepPlan(
                    name="restart",
                    hosts=3,
                    pinned={1: BAD},
                    outcomes=(HostOutcome(duration=SOON),),
                    retry_outcomes=(SUCCEEDS,),
                ),
            ),
        ),
        SimulatedJob(
            name="deploy chat",
            steps=(StepPlan(name="restart", hosts=4, pinned={0: FAILS}, outcomes=(HANGS,)),),
        ),
        SimulatedJob(
            name="deploy mail",
            steps=(StepPlan(name="copy", hosts=5, outcomes=(HostOutcome(duration=SOON),)),),
        ),
    ]


@asynccontextmanager
async def board(
    *,
    size: tuple[int, int] = (100, 30),
    linger: float | None = None,
    deadline: float | None = None,
    jobs: list[SimulatedJob] | None = None,
    **options: Any,
) -> AsyncIterator[Shown]:
    """Show a board of the jobs of `plans` in a terminal that does not exist; it is left at the end."""
    simulator = Simulator(speed=20.0)
    refs = [simulator.add(plan) for plan in (plans() if jobs is None else jobs)]
    ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    is_done = asyncio.Event()
    client = bkjob.connect(
        "http://simulator/api/bk-job/prod", CREDENTIALS, transport=simulator.transport(), interval=0.05
    )
    async with client, client.watch(refs, linger=linger, deadline=deadline) as watch:
        opened = OpenWatch(client, watch)

        def run(app: BoardApp) -> asyncio.Task[None]:
            async def show() -> None:
                async with app.run_test(size=size) as pilot:
                    ready.set_result(Shown(app, pilot, opened, simulator))
                    await is_done.wait()

            return asyncio.create_task(show())

        consuming: asyncio.Future[Any] = asyncio.create_task(
            BoardConsumer(signs=UNICODE, run=run, **options).consume(opened)
        )
        await asyncio.wait({ready, consuming}, return_when=asyncio.FIRST_COMPLETED)
        if consuming.done():
            consuming.result()
        shown: Shown = ready.result()
        try:
            yield shown
        finally:
            is_done.set()
            await consuming


async def test_targets_come_in_their_order_with_their_failures() -> None:
    """As soon as they were seen."""
    async with board() as shown:
        await shown.until("✗ deploy login .*\n.*▸ deploy chat .*\n.*✓ deploy mail")
        await shown.until(r"✗ deploy login +10\.0\.0\.2 +SCRIPT_NOT_ZERO_EXIT_CODE exit 7 port in use")

        await shown.until("2 of 3 targets over")
        await shown.until("12 hosts  ✗ 2 failed")


async def test_enter_opens_the_hosts_and_then_the_log_of_a_host() -> None:
    """Failed hosts first; the log shows escapes, and is read only while it is open."""
    async with board() as shown:
        await shown.until("✗ deploy login")
        await shown.press("enter")
        await shown.until(r"✗ 10\.0\.0\.2 +SCRIPT_NOT_ZERO_EXIT_CODE.*exit 7  port in use\n.*✓ 10\.0\.0\.1")
        assert "hosts 1-3 of 3" in shown.text

        await shown.press("enter")
        await shown.until("bind: in use")
        assert "a\\x1b[31mb" in shown.text
        asked = log_requests(shown)
        assert asked >= 1

        await shown.press("escape")
        assert "hosts 1-3 of 3" in shown.text
        await asyncio.sleep(0.1)
        await shown.press("escape")
        assert "3 targets" in shown.text
        assert not [task for task in shown.app._tasks if "_read_log" in str(task.get_coro())]


def log_requests(shown: Shown) -> int:
    """Return how many logs were asked for."""
    counts = shown.simulator.platform.request_counts
    return sum(count for (_, operation), count in counts.items() if "log" in operation)


async def test_r_asks_then_retries() -> None:
    """Only `y` means yes."""
    async with board() as shown:
        await shown.until("✗ deploy login")
        await shown.press("r")
        assert "retry 1 failed host of deploy login: restart?" in shown.text
        await shown.press("n")
        assert "retry 1 failed host" not in shown.text

        await shown.press("r", "y")
        await shown.until("1 step retried")
        await shown.until("✓ deploy login")


async def test_r_while_the_step_runs_says_that_the_platform_refuses() -> None:
    """Nothing is sent."""
    async with board() as shown:
        await shown.until("▸ deploy chat .*✗1")
        await shown.press("down", "r")
        await shown.until("the step still runs: the platform refuses a retry until it is over")

        await shown.press("end", "r")
        await shown.until("deploy mail has no failed step")


async def test_a_retry_that_the_platform_refuses_is_reported() -> None:
    """With its error; one that was not answered is not sent again."""
    async with board() as shown:
        await shown.until("✗ deploy login")
        with shown.simulator.fault("internal-error", operations=["operate_step_instance"]):
            await shown.press("r", "y")
            await shown.until("is not retried|it is unknown whether")

        calls = shown.simulator.platform.request_counts
        assert sum(count for (_, name), count in calls.items() if name == "operate_step_instance") <= 1


async def test_f_shows_failed_only_and_slash_finds() -> None:
    """What is left out is counted; Esc shows all again."""
    async with board() as shown:
        await shown.until("✗ 2 failed")
        await shown.until("✓ deploy mail")
        await shown.press("f")
        assert "deploy mail" not in shown.text
        assert "1 left out by failed only" in shown.text
        await shown.press("f", "slash", *"chat", "enter")
        assert "2 left out by /chat" in shown.text
        assert "deploy login " not in shown.text.split("left out")[0]
        await shown.press("escape")
        assert "deploy mail" in shown.text


async def test_e_explains_and_question_mark_helps() -> None:
    """Esc goes back."""
    async with board() as shown:
        await shown.until("▸ deploy chat")
        await shown.press("e")
        await shown.until("next poll in|it is over|not due")
        assert "fewer than three runs of this name are known" in shown.text
        await shown.press("escape", "question_mark")
        assert "stop redrawing; polling goes on" in shown.text
        assert "waits for a person" in shown.text
        await shown.press("escape")
        assert "3 targets" in shown.text


async def test_q_does_what_the_help_says() -> None:
    """It goes back where there is a view before, and leaves among the targets."""
    async with board() as shown:
        await shown.until("▸ deploy chat")
        await shown.press("question_mark")
        assert "Esc, q      back to the view before; among the targets q leaves" in shown.text
        await shown.press("q")
        assert "3 targets" in shown.text
        assert not shown.app.is_left
        await shown.press("q")
        assert shown.app.is_left


async def test_notes_are_shown_at_first_and_in_the_help() -> None:
    """As the link of the live page, which stands where the board is drawn."""
    async with board(notes=["live page: http://127.0.0.1:1/?token=x"]) as shown:
        await shown.until("─ live page: http://127.0.0.1:1/")
        await shown.press("question_mark")
        assert "  live page: http://127.0.0.1:1/?token=x" in shown.text


async def test_p_stops_redrawing_while_polling_goes_on() -> None:
    """A key is still answered."""
    async with board() as shown:
        await shown.until("▸ deploy chat")
        await shown.press("p")
        await shown.until("PAUSED, polling goes on")
        frames, polls = shown.app.frames, shown.opened.watch.stats().polls
        await asyncio.sleep(1.2)
        assert shown.app.frames == frames
        assert shown.opened.watch.stats().polls > polls
        await shown.press("p")
        assert "PAUSED" not in shown.text


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_leaves_the_watch_for_all(key: str) -> None:
    """The readers of all end; the jobs go on."""
    async with board() as shown:
        await shown.until("▸ deploy chat")
        await shown.press(key)
        await eventually(lambda: shown.app._exit)

    assert shown.opened.is_left


async def test_the_board_ends_with_the_watch() -> None:
    """Unless the user is looking at something: then `q` ends it."""
    jobs = plans()[2:]
    async with board(jobs=jobs, linger=0.3) as shown:
        await shown.until("deploy mail")
        await eventually(lambda: shown.app._exit)
    assert not shown.opened.is_left

    async with board(jobs=jobs, linger=0.3) as shown:
        await shown.until("deploy mail")
        await shown.press("question_mark")
        await eventually(lambda: shown.app._is_over)
        await shown.press("escape")
        assert "the watch is over; q leaves" in shown.text
        await shown.press("q")
        await eventually(lambda: shown.app._exit)
    assert not shown.opened.is_left


async def test_a_selection_stays_on_its_target_when_the_order_changes() -> None:
    """The first line is another one."""
    async with board() as shown:
        await shown.until("✓ deploy mail")
        await shown.press("down", "up")
        assert "▌✗ deploy login" in shown.text
        await shown.press("r", "y")
        await shown.until("▌✓ deploy login")


async def test_a_terminal_may_become_tiny_and_large_again() -> None:
    """Nothing breaks at 20x5."""
    async with board(size=(80, 24)) as shown:
        await shown.until("✓ deploy mail")
        await shown.pilot.resize_terminal(20, 5)
        await shown.until("^.{1,20}\n")
        assert len(shown.text.split("\n")) <= 5
        await shown.pilot.resize_terminal(200, 60)
        await shown.until("waits for|running +|success +")
        assert max(map(len, shown.text.split("\n"))) == 200


async def test_what_is_written_to_stderr_waits_until_the_board_is_closed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And data goes to stdout at once."""
    async with board() as shown:
        await shown.until("▸ deploy chat")
        monkeypatch.setattr(shown.app, "_capture_stderr", shown.app._capture_stderr)
        shown.app._capture_stderr.write("a warning\n")

    assert capsys.readouterr().err == "a warning\n"


async def test_the_end_of_the_watch_is_raised_as_it_is() -> None:
    """A deadline that passes closes the board, whatever is open."""
    with pytest.raises(bkjob.DeadlineExceeded):
        async with board(deadline=0.6) as shown:
            await shown.until("▸ deploy chat")
            await shown.press("question_mark")
            await eventually(lambda: shown.app._exit)


async def test_an_error_of_a_frame_ends_the_board_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not printed over the screen."""
    with pytest.raises(ZeroDivisionError):
        async with board() as shown:
            await shown.until("▸ deploy chat")
            monkeypatch.setattr(shown.app._jobs, "draw", lambda *_: 1 / 0)
            await eventually(lambda: shown.app.error is not None)


async def test_an_error_of_a_key_ends_the_board_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a frame."""
    with pytest.raises(ZeroDivisionError):
        async with board() as shown:
            await shown.until("▸ deploy chat")
            monkeypatch.setattr(shown.app._jobs, "press", lambda *_: 1 / 0)
            await shown.pilot.press("x")
            await eventually(lambda: shown.app.error is not None)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.parametrize("has_colour", [True, False])
async def test_pictures_have_colours_or_none(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, *, has_colour: bool
) -> None:
    """With `NO_COLOR` every sign is still there, and no colour is set."""
    if not has_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    async with board(size=size) as shown:
        await shown.until("✓ deploy mail")
        strips = shown.app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        picture = shown.app.export_screenshot()
        assert os.environ.get("NO_COLOR") == (None if has_colour else "1")

    colours = {style.color.name for style in styles if style.color is not None} - {"default"}
    assert bool(colours) == has_colour
    assert "deploy&#160;login" in picture

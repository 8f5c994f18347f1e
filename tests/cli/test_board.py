"""The live board, drawn on a simulated terminal."""

from rich.console import Console

from bkjob_async import (
    Event,
    HostChanged,
    HostKey,
    HostStatus,
    JobChanged,
    JobRef,
    RunStatus,
    Scope,
    StepChanged,
)
from bkjob_async.cli.board import CELL, COLOURS, Board, bar
from bkjob_async.model.status import Phase

JOB = JobRef(Scope.biz(2), 100)


def host(number: int, code: int, *, execute_count: int = 0, job: JobRef = JOB) -> HostChanged:
    """Return a change of one host."""
    return HostChanged(
        ref=job.step(200),
        host=HostKey(ip=f"10.0.0.{number}"),
        execute_count=execute_count,
        before=None,
        after=HostStatus(code),
    )


def drawn(*events: Event, width: int = 100, height: int = 30) -> str:
    """Return the board after these events."""
    console = Console(width=width, height=height, force_terminal=True)
    board = Board(console)
    for event in events:
        board.apply(event)
    with console.capture() as captured:
        console.print(board)
    return captured.get()


def row(text: str, name: str) -> str:
    """Return the row of a job."""
    return next(line for line in text.splitlines() if name in line)


STARTED = (
    JobChanged(ref=JOB, before=None, after=RunStatus(2), is_finished=False, name="login-1"),
    StepChanged(
        ref=JOB.step(200), execute_count=0, before=None, after=RunStatus(2), is_finished=False, name="restart"
    ),
)


def test_every_host_has_a_cell() -> None:
    """Three hosts, three cells, counted by phase."""
    line = row(drawn(*STARTED, host(1, 9), host(2, 7), host(3, 104)), "login-1")

    assert line.count(CELL) == 3
    assert "1/1 restart" in line
    assert "RUNNING" in line


def test_a_new_execution_starts_over() -> None:
    """Hosts of a retry wait again, until they are heard of."""
    board = Board(Console())
    for event in (host(1, 9), host(2, 104), host(2, 7, execute_count=1)):
        board.apply(event)

    assert board.rows[JOB].steps[JOB.step(200)].hosts == {
        "0:10.0.0.1": Phase.PENDING,
        "0:10.0.0.2": Phase.RUNNING,
    }


def test_running_jobs_have_room_first() -> None:
    """On a small terminal those that are over make room, and are counted."""
    over = [
        JobChanged(
            ref=JobRef(Scope.biz(2), n), before=None, after=RunStatus(3), is_finished=True, name=f"over-{n}"
        )
        for n in range(1, 40)
    ]
    text = drawn(*over, *STARTED, height=24)

    assert "login-1" in text
    assert "… and 28 more jobs" in text


def test_many_hosts_share_the_cells_there_are() -> None:
    """A thousand hosts fit; every phase keeps its share."""
    cells = bar([Phase.SUCCESS] * 750 + [Phase.FAILED] * 250, 40)

    assert cells.plain == CELL * 40
    assert sum(span.end - span.start for span in cells.spans if span.style == COLOURS[Phase.FAILED]) == 10


def test_every_phase_has_a_colour() -> None:
    """A new phase cannot break a running demo."""
    assert set(COLOURS) == set(Phase)


def test_a_name_cannot_steer_the_terminal() -> None:
    """Names come from the platform, where anybody may have written them."""
    nasty = JobChanged(ref=JOB, before=None, after=RunStatus(2), is_finished=False, name="\x1b[2J[red]x")
    text = drawn(nasty, STARTED[1], host(1, 9))

    assert "\x1b[2J" not in text
    assert "[red]x" in text

"""The simulator's history as the truth that a stream is compared with."""

from collections.abc import Iterable

from bkjob_async.simulator.world_history import History
from bkjob_async.testing.promise import Truth


def truth_of(history: History) -> Truth:
    """Return the codes that everything in *history* went through, without their times."""
    return Truth(
        hosts={run: codes_of(moves) for run, moves in history.hosts.items()},
        steps={ref: codes_of(moves) for ref, moves in history.steps.items()},
        jobs={ref: codes_of(moves) for ref, moves in history.jobs.items()},
    )


def codes_of(moves: Iterable[tuple[float, int]]) -> tuple[int, ...]:
    """Return the codes of moves, consecutive doubles removed."""
    codes: list[int] = []
    for _, code in moves:
        if not codes or codes[-1] != code:
            codes.append(code)
    return tuple(codes)

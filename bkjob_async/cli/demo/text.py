"""The texts that the demo prints before and after the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bkjob_async import Phase
from bkjob_async.cli.demo.check import DemoFigures
from bkjob_async.cli.lines import program_name

MAX_DISAGREEMENTS = 10


# How to read the lines that follow, where no board is drawn.
LEGEND = """A line has the time; business, job and step (2:100/200); from the second execution on its number (#1); the host, as network
area and address (0:10.0.0.1); its status before (∅: not seen yet) and after. "trouble" is about requests, never about a job.
"""


def opening(jobs: int, hosts: int, url: str, *, with_legend: bool) -> str:
    """Return two lines that say what is shown, and how lines are read."""
    return (
        f"A simulated BlueKing Job platform at {url} runs {jobs} jobs of 2 steps on {hosts} hosts each.\n"
        "A client watches them over real HTTP, shows every host as its status changes, and retries a job that fails.\n"
        + (LEGEND if with_legend else "")
    )


def table(watched: DemoFigures, happened: DemoFigures) -> str:
    """Return the figures of the watch and of the simulator, side by side."""
    rows = [("", "watched", "happened")]
    rows += compared("jobs", watched.jobs, happened.jobs)
    rows.append(("steps", str(watched.steps), str(happened.steps)))
    rows.append(("executions of steps", str(watched.executions), str(happened.executions)))
    rows += compared("hosts of steps", watched.hosts, happened.hosts)
    return "\n" + "\n".join(f"{name:<28}{left:>10}{right:>10}".rstrip() for name, left, right in rows)


def compared(
    what: str, watched: Mapping[Phase, int], happened: Mapping[Phase, int]
) -> list[tuple[str, str, str]]:
    """Return a total and one row per phase."""
    rows = [(what, str(sum(watched.values())), str(sum(happened.values())))]
    rows += [
        (f"  {phase}", str(watched.get(phase, 0)), str(happened.get(phase, 0)))
        for phase in Phase
        if watched.get(phase) or happened.get(phase)
    ]
    return rows


def closing(
    *,
    agree: bool,
    wrong: Sequence[str],
    seen: int,
    moved: int,
    polls: int,
    seconds: float,
    on_the_way: str = "",
) -> str:
    """Return whether the watch was right, and what to do next."""
    lines = [f"\n{seen} of {moved} host transitions seen, with {polls} requests, in {seconds:.1f} s."]
    lines += [on_the_way] if on_the_way else []
    if agree:
        lines.append(
            "The simulator's own records agree: every host's last status is right, and no other status was reported."
            "\nWhat came and went between two polls is not seen: it is replaced by what came next, never lost."
        )
    else:
        lines.append("The simulator's own records DISAGREE:")
        lines += [f"  {sentence}" for sentence in wrong[:MAX_DISAGREEMENTS]]
    simulate, watch = f"{program_name()} simulate", f"{program_name()} watch --url URL --biz 2 JOB"
    width = len(watch)
    lines += [
        "",
        f"Next:  {simulate:<{width}}  a platform of your own to try things on",
        f"       {watch:<{width}}  watch a job there, or on your real platform",
        f"       {'README.md':<{width}}  a first program in Python",
    ]
    return "\n".join(lines)

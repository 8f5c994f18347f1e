"""What a board costs: CPU of a watch with it beside the same watch without, at most a frame of it blocks the loop.

Both follow the same jobs over HTTP with at most 100 requests a second, each in a process of its own; the board draws on a
terminal that another process reads. The last column is the limit. *block* is the longest time that other tasks of the
event loop could not run, as CPU time of its thread, while the hosts of a target are open and paged; *first rows* is from
before the import of the board to the first frame with a target that was seen, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.compare.processes import interleaved
from benchmarks.scale import scaled
from benchmarks.table import show

JOBS, HOSTS = scaled(1_000, 20), 10
LARGE = scaled(10_000, 200)
SECONDS = scaled(10.0, 0.5)
LIVES = scaled(30.0, 3.0)
ROUNDS = scaled(2, 1)
# Enter opens the hosts; End twice opens their next page, and so on; Home opens the first one.
END, HOME = "\x1b[F", "\x1b[H"
KEYS = ["\r", END, END, END, END, END, HOME, END]
SMALL, WIDE = (80, 24), (200, 60)
# What a board may cost, in cores.
LIMITS = {"small": 0.07, "wide": 0.12, "large": 0.04}


def of_jobs(size: tuple[int, int] | None, keys: Sequence[str] = ()) -> str:
    """Return the code that measures many small jobs."""
    return (
        "from benchmarks.compare.boards import BIZ, FIRST_JOB, child, running_small_jobs\n"
        "import bkjob_async as bkjob\n"
        f"refs = [bkjob.JobRef(BIZ, FIRST_JOB + n) for n in range({JOBS})]\n"
        f"with running_small_jobs({JOBS}, {HOSTS}, {LIVES}) as server:\n"
        f"    child(server, refs, size={size}, seconds={SECONDS}, keys={keys!r})"
    )


def of_step(size: tuple[int, int] | None, keys: Sequence[str] = ()) -> str:
    """Return the code that measures one step of many hosts."""
    return (
        "from benchmarks.compare.boards import BIZ, child\n"
        "from benchmarks.compare.large_steps import running_large_steps\n"
        "import bkjob_async as bkjob\n"
        f"with running_large_steps({LARGE}, failing=0.03) as server:\n"
        f"    child(server, [bkjob.JobRef(BIZ, 1).step(1)], size={size}, seconds={SECONDS}, keys={keys!r})"
    )


def main() -> None:
    """Measure and print."""
    found = interleaved(
        {
            "jobs": of_jobs(None),
            "small": of_jobs(SMALL),
            "wide": of_jobs(WIDE),
            "step": of_step(None),
            "large": of_step(SMALL),
        },
        rounds=ROUNDS,
    )
    names = {
        "small": ("jobs", f"{JOBS} jobs of {HOSTS} hosts, 80x24"),
        "wide": ("jobs", f"{JOBS} jobs of {HOSTS} hosts, 200x60"),
        "large": ("step", f"one step of {LARGE} hosts, 80x24"),
    }
    rows = []
    for name, (without, title) in names.items():
        own, base = found[name], found[without]
        more = own["cores"] - base["cores"]
        first = f"{own['first_rows']:.2f}"
        rows.append(
            (title, f"{base['cores']:.3f}", f"{own['cores']:.3f}", f"{more:.3f}", LIMITS[name], first)
        )
    columns = ("watch", "cores without", "cores with", "more", "at most", "first rows (<= 0.7 s)")
    show("board: CPU", columns, rows)
    blocks = interleaved(
        {
            f"{JOBS} jobs, 200x60, without a board": of_jobs(None, KEYS),
            f"{JOBS} jobs, 200x60": of_jobs(WIDE, KEYS),
            f"one step of {LARGE} hosts, without a board": of_step(None, KEYS),
            f"one step of {LARGE} hosts, 200x60": of_step(WIDE, KEYS),
        },
        rounds=1,
    )
    show(
        "board: longest block of the event loop (ms, <= 25)",
        ("watch, hosts open and paged", "block", "without collections"),
        [(name, f"{f['block']:.1f}", f"{f['block without collections']:.1f}") for name, f in blocks.items()],
    )

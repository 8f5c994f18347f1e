"""Compared with what a strong engineer writes in sixty lines: CPU of following, growth, stalls, drift.

The competitor is `compare/strong.py`: aiohttp, URLs that are kept, minimal structs that the garbage collector does not
track, a dict of last states per step, due times, 32 requests in flight, one queue of tuples. It reports the same
changes: hosts and steps, at first sight and at each change of status. A *bare* reader, asyncio's streams with the same
structs and dicts, shows what is left for a client; it polls every step on a connection of its own, keeps no queue, and
survives no error.

* *following*: both follow the same steps over HTTP from beginning to end at the same interval; the simulated platform is
  another process. CPU is that of the following process, user and system, from the first request to the last event. In
  every life the hosts start within the first looks and end evenly over the whole time, so that some of a thousand hosts
  have moved at every look. The ratios of CPU are also printed per change reported and per poll made: whoever polls less often
  reports less. MB are those of all bodies received.
* *first look*: CPU of the first look at each of many steps: all hosts are new, and reported. The competitor reads ids and statuses
  alone; an event here has all names of its host, too, its tag, exit code and times, and a cursor.
* *growth*: CPU of one look at a step of one host, at as many looks a second whatever the number of targets, divided by
  that with 64 targets. A server of prepared responses.
* *stall*: the longest turn of the event loop in milliseconds of CPU, while four steps of 10 000 hosts are followed.
* *looks*: looks made, divided by those due, at steps whose platform answers late.

`--rows` takes parts of the names of rows, such as `1 000,growth`; `--rounds` how often each is measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from benchmarks import scale
from benchmarks.compare.life_server import Life
from benchmarks.compare.processes import interleaved
from benchmarks.compare.server import running_server
from benchmarks.scale import scaled
from benchmarks.table import show

ROUNDS = scale.rounds(3)
LOOKS_PER_SECOND, FEW_TARGETS = scaled(3000, 200), scaled(64, 8)
SECONDS = scaled(2.0, 0.3)
FAR, DISTANCE = scaled(500, 20), scaled(0.3, 0.05)


@frozen
class Row:
    """A row of the table: its name, what must be reached and what is aimed at."""

    name: str
    must: float
    aim: float


LIVES = {
    Row("1 host", 0.60, 0.50): (Life(steps=64, hosts=1, seconds=8.0), 0.1),
    Row("100 hosts", 0.85, 0.75): (Life(steps=32, hosts=100, seconds=12.0), 0.1),
    Row("1 000 hosts", 0.95, 0.80): (Life(steps=6, hosts=1_000, seconds=8.0), 0.1),
    Row("10 000 hosts", 0.85, 0.75): (Life(steps=1, hosts=10_000, seconds=8.0), 0.2),
}
FIRST = {
    Row("first look, 1 host", 1.15, 1.00): Life(steps=601, hosts=1, seconds=1e6),
    Row("first look, 100 hosts", 1.40, 1.10): Life(steps=101, hosts=100, seconds=1e6),
    Row("first look, 1 000 hosts", 1.50, 1.20): Life(steps=31, hosts=1_000, seconds=1e6),
    Row("first look, 10 000 hosts", 1.20, 1.00): Life(steps=5, hosts=10_000, seconds=1e6),
}
GROWTH = {
    Row("growth 8 000", 1.20, 1.10): scaled(8_000, 16),
    Row("growth 30 000", 1.20, 1.10): scaled(30_000, 16),
}
LARGE = Life(steps=4, hosts=scaled(10_000, 100), seconds=scaled(5.0, 0.5))
STALLS = {Row("stall, prompt reader", 60.0, 20.0): False, Row("stall, late reader", 60.0, 20.0): True}
DRIFT = Row("looks made", 0.95, 0.99)
Figures = dict[str, dict[str, float]]


def measured(rows: dict[Row, str], ways: Sequence[str] = ("ours", "strong")) -> dict[Row, Figures]:
    """Measure all wanted rows in turns; *rows* has code with `WAY` in it."""
    variants = {
        f"{row.name}; {way}": code.replace("WAY", repr(way))
        for row, code in rows.items()
        if scale.wants_row(row.name)
        for way in ways
    }
    found = interleaved(variants, rounds=ROUNDS)
    return {
        row: {way: found[f"{row.name}; {way}"] for way in ways} for row in rows if scale.wants_row(row.name)
    }


def following() -> None:
    """Measure whole lives."""
    found = measured(
        {
            row: "from benchmarks.compare.following import Life, child; "
            f"child(WAY, {shortened(life)!r}, {interval})"
            for row, (life, interval) in LIVES.items()
        },
        ("ours", "strong", "bare"),
    )
    rows = [
        (
            row.name,
            *(f"{1e3 * figures[way]['cpu']:.0f}" for way in figures),
            f"{ratio(figures, 'strong'):.2f}",
            f"{row.must:.2f}",
            f"{row.aim:.2f}",
            f"{ratio(figures, 'strong', per='changes'):.2f}",
            f"{ratio(figures, 'strong', per='polls'):.2f}",
            f"{ratio(figures, 'bare'):.2f}",
        )
        for row, figures in found.items()
    ]
    columns = ("step", "ours ms", "strong ms", "bare ms", "ratio", "must", "aim")
    ratios = ("per change", "per poll", "to bare")
    show("strong: CPU of following whole lives over HTTP", (*columns, *ratios), rows)
    counts = [
        (
            row.name,
            *(f"{each[way][kind]:.0f}" for kind in ("requests", "changes") for way in ("ours", "strong")),
            *(f"{each[way]['megabytes']:.2f}" for way in ("ours", "strong")),
        )
        for row, each in found.items()
    ]
    columns = ("step", "requests", "strong's", "changes", "strong's ", "MB", "strong's  ")
    show("strong: what was requested and reported", columns, counts)


def ratio(figures: Figures, other: str, *, per: str | None = None) -> float:
    """Return the CPU of ours divided by that of another way; *per* what was counted, if anything."""
    ours, theirs = (figures[way]["cpu"] / (figures[way][per] if per else 1.0) for way in ("ours", other))
    return ours / theirs


def shortened(life: Life) -> Life:
    """Return a life that is short under `--small`."""
    return scaled(life, evolve(life, steps=min(2, life.steps), hosts=min(200, life.hosts), seconds=0.5))


def first_looks() -> None:
    """Measure the first look at many steps."""
    found = measured(
        {
            row: f"from benchmarks.compare.following import Life, first_look; first_look(WAY, {shortened(life)!r})"
            for row, life in FIRST.items()
        }
    )
    rows = [
        (
            row.name,
            *(f"{figures[way]['cpu']:.0f}" for way in figures),
            f"{ratio(figures, 'strong'):.2f}",
            f"{row.must:.2f}",
            f"{row.aim:.2f}",
        )
        for row, figures in found.items()
    ]
    show(
        "strong: CPU of the first look at a step",
        ("step", "ours µs", "strong µs", "ratio", "must", "aim"),
        rows,
    )


def growth() -> None:
    """Measure looks with many targets."""
    numbers = {Row(f"growth {FEW_TARGETS}", 0.0, 0.0): FEW_TARGETS, **GROWTH}
    if scale.is_full():
        numbers |= {Row(f"growth {targets}", 0.0, 0.0): targets for targets in (1_000, 10_000, 100_000)}
    with running_server() as server:
        found = measured(
            {
                row: "from benchmarks.compare.following import look; "
                f"look(WAY, '{server}/plain/1', {targets}, {targets / LOOKS_PER_SECOND}, {SECONDS})"
                for row, targets in numbers.items()
            }
        )
    few = found.get(next(iter(numbers))) or next(iter(found.values()))
    rows = [
        (
            row.name,
            *(f"{figures[way]['cpu']:.1f}" for way in figures),
            *(f"{figures[way]['cpu'] / few[way]['cpu']:.2f}" for way in figures),
            f"{row.must:.2f}" if row.must else "-",
            f"{row.aim:.2f}" if row.aim else "-",
            *(f"{figures[way]['memory']:.0f}" for way in figures),
        )
        for row, figures in found.items()
    ]
    columns = (
        "targets",
        "ours µs",
        "strong µs",
        "ratio to few",
        "strong's",
        "must",
        "aim",
        "ours MB",
        "strong MB",
    )
    show("strong: CPU of one look with many targets", columns, rows)


def stalls() -> None:
    """Measure the longest turns of the loop."""
    found = measured(
        {
            row: "from benchmarks.compare.strong_stalls import Life, child; "
            f"child(WAY, {LARGE!r}, late={late})"
            for row, late in STALLS.items()
        }
    )
    rows = [
        (row.name, *(f"{figures[way]['stall']:.0f}" for way in figures), f"{row.must:.0f}", f"{row.aim:.0f}")
        for row, figures in found.items()
    ]
    show("strong: longest turn of the loop, ms", ("row", "ours ms", "strong ms", "must", "aim"), rows)


def drift() -> None:
    """Measure looks made of those due."""
    code = f"from benchmarks.compare.following import look_far_away; look_far_away(WAY, {FAR}, {DISTANCE}, {max(SECONDS, 3.0)})"
    rows = [
        (row.name, *(f"{figures[way]['made']:.2f}" for way in figures), f"{row.must:.2f}", f"{row.aim:.2f}")
        for row, figures in measured({DRIFT: code}).items()
    ]
    title = f"strong: looks made of those due, {FAR} targets {1e3 * DISTANCE:.0f} ms away"
    show(title, ("row", "ours", "strong", "must", "aim"), rows)


def main() -> None:
    """Measure and print."""
    if any(scale.wants_row(row.name) for row in LIVES):
        following()
    if any(scale.wants_row(row.name) for row in FIRST):
        first_looks()
    if any(scale.wants_row(row.name) for row in GROWTH):
        growth()
    if any(scale.wants_row(row.name) for row in STALLS):
        stalls()
    if scale.wants_row(DRIFT.name):
        drift()

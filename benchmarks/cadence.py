"""When to poll: how late ends are seen and for how many requests, in virtual time with fixed seeds.

The durations of runs are random: log-normal, half under 30 s, one in a hundred over 20 minutes; the real spread of a
plan is in `client.durations()`. Figures are medians of five seeds, of 25 for the hosts of a step. *Without rhythm* the
platform is assumed to know everything at once; *with rhythm* no interval is shorter than its own polls of 1 to 10 s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median

from benchmarks.many_clients import (
    NO_RHYTHM,
    PLATFORM_RHYTHM,
    Fleet,
    Plans,
    compared_with_fixed_interval,
    prediction,
    requests_for_host_lag,
)
from benchmarks.scale import scaled
from benchmarks.table import show
from benchmarks.virtual_watches import ends_of, five_steps, fleet_under_a_limit

SEEDS = range(1, scaled(6, 2))
LIVE, LIMIT = scaled((1000, 100.0), (20, 2.0))
RHYTHMS = {"without rhythm": NO_RHYTHM, "with rhythm": PLATFORM_RHYTHM}
# Share of callbacks, required and desired ratio of the mean lag.
LIMITED = (("no callbacks", 0.0, "0.40", "0.34"), ("90 % of callbacks", 0.9, "0.20", "0.13"))
LEARNT = (
    ("ten earlier runs", 10, 0.0, "0.40/0.65", "0.33/0.56"),
    ("ten earlier runs, 5 % outliers", 10, 0.05, "0.45/0.75", "0.40/0.70"),
    ("no earlier run", 0, 0.0, "0.90/1.15", "0.85/1.12"),
)


def main() -> None:
    """Measure, and print."""
    equal_requests()
    under_a_limit()
    fewer_requests()
    whole_library()
    lists_instead_of_polls()
    cpu_of_a_decision()


def equal_requests() -> None:
    """Compare with a fixed interval, with ten requests per run."""
    rows = []
    for what, past, outliers, must, aim in LEARNT:
        for words, intervals in RHYTHMS.items():
            pairs = [
                compared_with_fixed_interval(seed, intervals, past=past, outliers=outliers) for seed in SEEDS
            ]
            rows.append((f"{what}, {words}", *medians(pairs), must, aim))
    columns = ("runs", "mean lag ÷ fixed", "p95 lag ÷ fixed", "must", "aim")
    show("cadence: lag at ten requests a run, spread 0.3", columns, rows)


def under_a_limit() -> None:
    """Compare with round-robin polling: 1000 live runs, 100 requests a second."""
    rows = []
    for what, callbacks, must, aim in LIMITED:
        for words, intervals in RHYTHMS.items():
            pairs = []
            for seed in SEEDS:
                round_robin = Fleet(seed, live=LIVE, limit=LIMIT).lags(None)
                priced = Fleet(seed, live=LIVE, limit=LIMIT, callbacks=callbacks).lags(intervals)
                pairs.append((priced.mean / round_robin.mean, priced.p95 / round_robin.p95))
            rows.append((f"{what}, {words}", *medians(pairs), must, aim))
    columns = ("fleet", "mean lag ÷ round-robin", "p95 lag ÷ round-robin", "must", "aim")
    show(f"cadence: {LIVE} live at {LIMIT:g} requests a second", columns, rows)


def fewer_requests() -> None:
    """Compare requests: for the same lag of hosts, and for the steps of a job."""
    pairs = [requests_for_host_lag(seed, 0.6) for seed in range(1, scaled(26, 2))]
    ratio, lag = medians(pairs)
    rows = [
        (f"1000 hosts seen 0.6 s late (the step {lag} s late)", ratio, "0.50", "0.40"),
        ("a job of 5 steps ÷ a polling loop per unfinished step", f"{five_steps():.3f}", "0.35", "0.34"),
    ]
    show("cadence: requests", ("what", "requests ÷ fixed interval", "must", "aim"), rows)


def whole_library() -> None:
    """Compare whole watches of 300 jobs at 30 requests a second, against the simulated platform."""
    live, limit = scaled((300, 30.0), (10, 1.0))
    fixed = fleet_under_a_limit(live=live, limit=limit, interval=10.0)
    priced = fleet_under_a_limit(live=live, limit=limit, interval=None)
    rows = [
        (name, f"{lags.requests:.1f}", f"{lags.mean / fixed.mean:.3f}", f"{lags.p95 / fixed.p95:.3f}")
        for name, lags in (("interval=10", fixed), ("adaptive", priced))
    ]
    columns = ("watch", "requests a second", "mean lag ÷ interval", "p95 lag ÷ interval")
    show("cadence: real watches of 300 jobs, limited to 30 requests a second", columns, rows)


def lists_instead_of_polls() -> None:
    """Compare watches with `DetailLevel.END_ONLY`, with and without lists of running jobs."""
    rows = []
    for jobs in scaled((60, 1000), (25,)):
        plain, listed = ends_of(jobs, lists=False), ends_of(jobs, lists=True)
        ratios = (listed.requests / plain.requests, listed.mean / plain.mean, listed.p95 / plain.p95)
        rows.append((f"{jobs} jobs of 20 to 300 s", *(f"{ratio:.3f}" for ratio in ratios)))
    columns = ("fleet", "requests ÷ no lists", "mean lag ÷ no lists", "p95 lag ÷ no lists")
    show("cadence: ends only, with lists of running jobs", columns, rows)


def cpu_of_a_decision() -> None:
    """Compare the CPU of one decision with parsing a small JSON body."""
    plans = Plans(1)
    durations = plans.duration_table(10)
    ages = [(plan, 0.05 * number * plans.run(plan)) for plan in range(80) for number in range(1, 25)]
    body = json.dumps({"data": [{"bk_host_id": n, "ip": "10.0.0.1", "status": 9} for n in range(10)]})

    def decide() -> None:
        for plan, age in ages:
            PLATFORM_RHYTHM.next_wait(
                age=age, expectation=prediction(durations, plan), cost=0.2, usual=10.0, hosts=10, moves=0.1
            )

    def read() -> None:
        for _ in ages:
            json.loads(body)

    rounds = [(cpu_of(decide) / len(ages), cpu_of(read) / len(ages)) for _ in range(5)]
    micros = median(decision for decision, _ in rounds) * 1e6
    ratio = median(decision / reading for decision, reading in rounds)
    columns = ("what", "CPU µs", "ratio")
    rows = [("one decision ÷ json.loads of 600 bytes", f"{micros:.1f}", f"{ratio:.2f}")]
    show("cadence: CPU of a decision", columns, rows)


def medians(pairs: list[tuple[float, float]]) -> tuple[str, str]:
    """Return the medians of two columns."""
    first, second = zip(*pairs, strict=True)
    return f"{median(first):.3f}", f"{median(second):.3f}"


def cpu_of(work: Callable[[], None]) -> float:
    """Return the CPU seconds of *work*."""
    start = time.process_time()
    work()
    return time.process_time() - start

"""The head of the board: how far all targets are, their hosts by phase, and how polling keeps up."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bkjob_async.cli.board.drawing.signs import WORDS, Signs
from bkjob_async.cli.board.drawing.spans import Line, Span, fitted_line, joined, with_right
from bkjob_async.model.status import Phase
from bkjob_async.report.phases import BAR_ORDER
from bkjob_async.report.times import short_clock

LATE = 30.0
WIDE = 100
DIM, STRONG, BAD = "dim", "strong", Phase.FAILED.value


@frozen(kw_only=True)
class HeadFigures:
    """What the head says; rates are per second, times are seconds, None where unknown."""

    over: int
    targets: int
    with_failures: int = 0
    waiting: int = 0
    lost: int = 0
    hosts: Mapping[Phase, int]
    hosts_per_second: float = 0.0
    ends_in: float | None = None
    elapsed: float = 0.0
    requests_per_second: float = 0.0
    budget: float | None = None
    oldest_unseen: float | None = None
    limit: str = ""
    outage: str = ""
    in_trouble: int = 0
    is_paused: bool = False


def head_lines(figures: HeadFigures, width: int, signs: Signs) -> list[Line]:
    """Return three lines."""
    return [
        over_line(figures, width, signs),
        joined(hosts_parts(figures, signs, has_words=width >= 80), width, gap="  "),
        polling_line(figures, width, signs),
    ]


def over_line(figures: HeadFigures, width: int, signs: Signs) -> Line:
    """Return how many targets are over, have failures, are lost, wait for a person, and when the last one is expected to end."""
    noun = "target" if figures.targets == 1 else "targets"
    parts: list[list[Span]] = [[(f"{figures.over:,} of {figures.targets:,}", STRONG), (f" {noun} over", "")]]
    if figures.with_failures:
        parts.append([(f"{signs.of[Phase.FAILED]} {figures.with_failures:,} with failures", BAD)])
    if figures.lost:
        parts.append([(f"{signs.of[Phase.UNKNOWN]} {figures.lost:,} lost", Phase.UNKNOWN.value)])
    if figures.waiting:
        text = f"{signs.of[Phase.WAITING]} {figures.waiting:,} {'waits' if figures.waiting == 1 else 'wait'} for you"
        parts.append([(text, Phase.WAITING.value)])
    if figures.over < figures.targets and figures.ends_in is not None:
        parts.append([("ends in ", ""), (f"~{short_clock(figures.ends_in)}", STRONG)])
    right: tuple[Span, ...] = ((short_clock(figures.elapsed), DIM),)
    if figures.is_paused:
        right = (("PAUSED, polling goes on", Phase.WAITING.value), ("  ", ""), *right)
    return with_right(joined(parts, width, gap="  " if width < WIDE else "   "), right, width)


def hosts_parts(figures: HeadFigures, signs: Signs, *, has_words: bool) -> list[list[Span]]:
    """Return the hosts by phase, how many are over, and how fast they end."""
    total = sum(figures.hosts.values())
    parts: list[list[Span]] = [[(f"{total:,} hosts", STRONG)]]
    parts += phase_parts(figures.hosts, signs, has_words=has_words)
    if figures.hosts_per_second >= 0.05:
        parts.append([(f"{rate(figures.hosts_per_second)} hosts/s", DIM)])
    return parts


def phase_parts(counts: Mapping[Phase, int], signs: Signs, *, has_words: bool = True) -> list[list[Span]]:
    """Return how many hosts there are in each phase that has some."""
    return [
        [(f"{signs.of[phase]} {counts[phase]:,}" + (f" {WORDS[phase]}" if has_words else ""), phase.value)]
        for phase in BAR_ORDER
        if counts.get(phase)
    ]


def polling_line(figures: HeadFigures, width: int, signs: Signs) -> Line:
    """Return trouble, how many requests of how many are sent, and the target that was not seen for longest."""
    parts: list[list[Span]] = []
    if figures.outage:
        text = f"{signs.of[Phase.ABNORMAL]} the platform does not answer: "
        return fitted_line([(text, BAD), (signs.text(figures.outage), "")], width)
    if figures.in_trouble:
        some = f"{figures.in_trouble:,} targets cannot be read at the moment"
        parts.append([(f"{signs.of[Phase.ABNORMAL]} {some}", BAD)])
    budget = "" if figures.budget is None else f" of {rate(figures.budget).removesuffix('.0')}"
    parts.append([(f"{rate(figures.requests_per_second)}{budget} requests/s", DIM)])
    if figures.limit:
        parts.append([(f"held up by {figures.limit}", Phase.WAITING.value)])
    if figures.oldest_unseen is not None:
        role = Phase.WAITING.value if figures.oldest_unseen > LATE else DIM
        seconds = figures.oldest_unseen
        age = f"{seconds:.1f} s" if seconds < 60 else short_clock(seconds)
        parts.append([("oldest unseen ", DIM), (age, role)])
    return joined(parts, width)


def rate(value: float) -> str:
    """Return a rate with one digit behind the point where it is small."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"

"""Charts as SVG, from numbers alone; every text stands beside them as HTML.

Charts are as wide as their place. Shapes are stretched to it, and patterns are not: a shape is the clip path of a
rectangle in units of that rectangle. Colours and patterns are those of the page's style.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from bkjob_async.report.durations import Durations
from bkjob_async.report.figures import Course, StepFigures
from bkjob_async.report.phases import BAR_ORDER
from bkjob_async.report.reading.rows import NUMBER_OF

# Units of a shape: it is stretched to the chart.
WIDE, HIGH = 1000, 500
SPARK_WIDTH, SPARK_HEIGHT = 200, 20
MIN_GAP = 0.3

Point = tuple[float, float]


def stepped_path(points: Iterable[Point], end: float, base: float) -> str:
    """Return the area under values that each hold until the next one, down to *base*; steps are relative, which is shorter."""
    parts: list[str] = []
    x = y = 0
    for at, height in points:
        column, row = round(at), round(height)
        if not parts:
            parts.append(f"M{column} {base:.0f}V{row}")
        elif row != y:
            parts.append(f"h{column - x}v{row - y}" if column != x else f"v{row - y}")
        else:
            continue
        x, y = column, row
    return f"{''.join(parts)}H{end:.0f}V{base:.0f}" if parts else ""


def course_chart(course: Course) -> Markup:
    """Return how many hosts were in each phase as time passed, one layer above the other."""
    most = course.most
    numbers, shapes, fills = list[int](), list[str](), list[str]()
    for phase in BAR_ORDER:  # from the bottom up: what failed is seen on the base line
        numbers.append(NUMBER_OF[phase])
        if not any(counts[NUMBER_OF[phase]] for _, counts in course.points):
            continue
        heights = ((at, sum(counts[number] for number in numbers)) for at, counts in course.points)
        path = stepped_path(
            ((at / course.seconds * WIDE, HIGH * (1 - height / most)) for at, height in heights), WIDE, HIGH
        )
        name = phase.lower()
        shapes.append(
            f'<clipPath id="shape-{name}" clipPathUnits="objectBoundingBox">'
            f'<path transform="scale({1 / WIDE} {1 / HIGH})" d="{path}"/></clipPath>'
        )
        # The highest layer is drawn first: those below it cover their part of it.
        fills.insert(
            0, f'<rect width="100%" height="100%" class="area {name}" clip-path="url(#shape-{name})"/>'
        )
    gaps = "".join(gap_rect(since / course.seconds, until / course.seconds) for since, until in course.gaps)
    return svg("course", f"<defs>{''.join(shapes)}</defs>{''.join(fills)}{gaps}")


def gap_rect(since: float, until: float) -> str:
    """Return the hatched part without observation, from one share of the time to another."""
    begin, end = max(0.0, since) * 100, min(1.0, until) * 100
    width = max(MIN_GAP, end - begin)
    return f'<rect x="{min(begin, 100 - width):.2f}%" width="{width:.2f}%" height="100%" class="gap"/>'


def histogram(durations: Durations) -> Markup:
    """Return a bar for each bin, and a line for each percentile, which ends in the row of its label."""
    bins = [*durations.bins, *([durations.beyond] if durations.beyond else [])]
    most, width = max(bins), 100 / len(bins)
    bars = []
    for place, count in enumerate(bins):
        if count:
            # Even one host is seen.
            height = max(1.0, 100 * count / most)
            kind = "bar beyond" if place == len(durations.bins) else "bar"
            bars.append(
                f'<rect x="{place * width + width * 0.06:.2f}%" y="{100 - height:.1f}%"'
                f' width="{width * 0.88:.2f}%" height="{height:.1f}%" class="{kind}"/>'
            )
    lines = "".join(
        f'<line x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%" class="percentile"/>'
        for x in percentile_places(durations)
    )
    return svg("histogram", "".join(bars) + lines)


def percentile_places(durations: Durations) -> list[float]:
    """Return where the percentiles stand, in percent of the width."""
    span = durations.end - durations.begin
    if durations.beyond:
        span += durations.width
    return [min(100.0, 100 * (each.seconds - durations.begin) / span) for each in durations.percentiles]


def sparkline(step: StepFigures, seconds: float) -> Markup:
    """Return how a step went on within the run: its hosts, those of them that are over, and that failed."""
    points, most = step.points, max((point.hosts for point in step.points), default=0)
    if not most or seconds <= 0:
        return Markup()
    across, up = SPARK_WIDTH / seconds, SPARK_HEIGHT / most
    end = SPARK_WIDTH if step.row.ended is None else min(SPARK_WIDTH, points[-1].at * across + 2)

    def path(heights: Iterable[int]) -> str:
        places = zip((max(0.0, point.at) * across for point in points), heights, strict=True)
        shape = stepped_path(((x, SPARK_HEIGHT - height * up) for x, height in places), end, SPARK_HEIGHT)
        return f'<path d="{shape}"/>'

    # Their colours follow from their order.
    paths = path(point.hosts for point in points) + path(point.over for point in points)
    if step.failed:
        paths += path(point.failed for point in points)
    # S704: numbers alone.
    return Markup(f'<svg viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}">{paths}</svg>')  # noqa: S704 - see above


def share_bar(share: float) -> Markup:
    """Return a bar that fills this *share* of its place; a share above 0 is seen."""
    width = min(100.0, max(1.0, 100 * share))
    return svg("share", f'<rect width="{width:.1f}%" height="100%" class="area failed"/>')


def swatch(name: str) -> Markup:
    """Return a small square in the colour and pattern of a phase, or of time without observation."""
    kind = "gap" if name == "gap" else f"area {name}"
    return svg("swatch", f'<rect width="100%" height="100%" class="{kind}"/>')


def svg(name: str, content: str, attributes: str = "") -> Markup:
    """Return an SVG element; its *content* is made of numbers and the names of phases."""
    return Markup(f'<svg class="{name}" aria-hidden="true"{attributes}>{content}</svg>')  # noqa: S704 - as said

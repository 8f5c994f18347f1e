"""The report as one HTML page: no script, nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache, partial
from hashlib import sha256

from attrs import define, field, frozen
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from bkjob_async.model.text.printing import printable
from bkjob_async.report.durations import Durations
from bkjob_async.report.figures import Figures
from bkjob_async.report.formats import svg
from bkjob_async.report.formats.version import package_version
from bkjob_async.report.hosts import code_name, names_within
from bkjob_async.report.palette import palette, read_file
from bkjob_async.report.phases import SIGNS
from bkjob_async.report.times import clock
from bkjob_async.report.verdict import counted_large

# Longer tables are cut, and say so; so are longer texts.
MAX_ROWS = 200
MAX_TEXT = 80
# Names of failed hosts that are ready to copy take so many bytes, those of all causes together.
NAMES_BYTES = 32_000
# Seconds between two ticks of an axis, which has fewer of them than so many.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
MAX_TICKS = 7
read = partial(read_file, "bkjob_async.report.formats")


@frozen
class Label:
    """A text at a place beside a chart; *place* is the name of a rule of the style."""

    text: str
    place: str
    kind: str = ""


@define
class Places:
    """Horizontal places as rules of the style: the page allows no style elsewhere."""

    _used: set[int] = field(factory=set, init=False)

    def rule(self, percent: float) -> str:
        """Return the name of the rule for a place in percent."""
        tenths = max(0, min(1000, round(percent * 10)))
        self._used.add(tenths)
        return f"x{tenths}"

    def style(self) -> str:
        """Return the rules that were used."""
        return "".join(f".x{tenths}{{left:{tenths / 10:g}%}}" for tenths in sorted(self._used))


def page_of(figures: Figures) -> Iterator[str]:
    """Yield the page, piece by piece."""
    places = Places()
    axis = axis_labels(0.0, figures.seconds, places) if figures.course else []
    percentiles = percentile_labels(figures.durations, places) if figures.durations else []
    histogram_axis = duration_labels(figures.durations, places) if figures.durations else []
    style = stylesheet() + places.style()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    shown_steps = figures.steps[:MAX_ROWS]
    return (
        environment()
        .get_template("page.html")
        .generate(
            f=figures,
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            style=Markup(style),  # noqa: S704 - our own rules, and numbers
            axis=axis,
            percentiles=percentiles,
            histogram_axis=histogram_axis,
            names=list(names_within(figures.groups, NAMES_BYTES)),
            steps=shown_steps,
            more_steps=len(figures.steps) - len(shown_steps),
            failed=figures.failed[:MAX_ROWS],
            more_failed=len(figures.failed) - MAX_ROWS,
            patterned=[phase.lower() for phase in figures.hosts],
            max_rows=MAX_ROWS,
            version=package_version(),
        )
    )


def axis_labels(begin: float, end: float, places: Places, *, width: float = 1.0) -> list[Label]:
    """Return labels for the ticks of an axis, which is this share of the *width* of its place.

    Every other one may be left out on narrow screens.
    """
    span = max(end - begin, 1e-9)
    labels = []
    for number, tick in enumerate(ticks(begin, end)):
        percent = 100 * width * (tick - begin) / span
        side = "first" if percent < 4 else "last" if percent > 94 else ""
        labels.append(Label(clock(tick), places.rule(percent), f"{side} odd" if number % 2 else side))
    return labels


def ticks(begin: float, end: float) -> Sequence[int]:
    """Return round durations from *begin* to *end*, at most seven."""
    span = max(end - begin, 1.0)
    step = next((step for step in STEPS if span / step < MAX_TICKS), 0)
    if not step:
        step = STEPS[-1]
        while span / step >= MAX_TICKS:
            step *= 2
    first = -int(-begin // step) * step
    return range(first, int(end) + 1, step)


def duration_labels(durations: Durations, places: Places) -> list[Label]:
    """Return labels for the ticks below the histogram, whose last bin may be of all longer durations."""
    bins = len(durations.bins)
    share = bins / (bins + 1) if durations.beyond else 1.0
    return axis_labels(durations.begin, durations.end, places, width=share)


def percentile_labels(durations: Durations, places: Places) -> list[Label]:
    """Return a label for each percentile; each has a row of its own, so that none covers another."""
    return [
        Label(
            f"{each.label} {clock(each.seconds)}", places.rule(percent), "left" if percent > 50 else "right"
        )
        for each, percent in zip(durations.percentiles, svg.percentile_places(durations), strict=True)
    ]


# The template -----------------------------------------------------------------------------------------------------------


def short(text: object, most: int = MAX_TEXT) -> str:
    """Return a text of the platform in one printable line of bounded length."""
    shown = printable(str(text))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def names_text(names: Sequence[str]) -> str:
    """Return names as lines, ready to copy."""
    return "\n".join(map(printable, names))


def offset(moment: datetime) -> str:
    """Return the distance of a time's zone from UTC: `+08:00`."""
    text = moment.isoformat(timespec="seconds")[19:]
    return "" if text == "+00:00" else text


@cache
def stylesheet() -> str:
    """Return the style of every report."""
    return palette() + read("page.css")


@cache
def environment() -> Environment:
    """Return the templates; every value is escaped."""
    made = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        optimized=False,  # it is rendered once
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short=short,
        clock=clock,
        offset=offset,
        sign=SIGNS.__getitem__,
        names=names_text,
        code_name=code_name,
        counted=counted_large,
        number="{:,}".format,
    )
    made.globals.update(svg=svg)
    return made

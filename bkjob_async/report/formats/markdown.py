"""The report as Markdown, short enough for a chat or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bkjob_async.model.text.printing import counted, printable
from bkjob_async.report.figures import Figures
from bkjob_async.report.hosts import FailureGroup, names_within
from bkjob_async.report.phases import SIGNS
from bkjob_async.report.reading.rows import JobRow
from bkjob_async.report.times import clock
from bkjob_async.report.verdict import counted_large

# Chats refuse longer messages; in bytes of UTF-8.
MAX_BYTES = 4096
MAX_TEXT = 60
MAX_GROUPS, MAX_STEPS, MAX_NOTES = 8, 8, 5
NAMES_BYTES = 1200


def markdown_of(figures: Figures) -> Iterator[str]:
    """Yield the report line by line, at most 4096 bytes; what is left out is counted."""
    lines = [*head(figures), *causes(figures), *slowest(figures), *notes(figures)]
    size = 0
    for number, line in enumerate(lines):
        size += len(line.encode(errors="replace")) + 1
        if size > MAX_BYTES - 60:
            yield f"\n… {counted(len(lines) - number, 'more line')}: `bkjob report --format html`\n"
            return
        yield f"{line}\n"


def head(figures: Figures) -> Iterator[str]:
    """Yield the verdict, when it was, and the counts."""
    verdict = figures.verdict
    yield f"**{verdict.sign} {verdict.sentence}**" + (f" ({verdict.detail})" if verdict.detail else "")
    yield ""
    when = ""
    if figures.began is not None:
        when = f", from {figures.began.isoformat(sep=' ', timespec='seconds')}, {clock(figures.seconds)} long"
    yield f"{code(figures.title)}: {counted_large(figures.job_count, 'job')}{when}"
    yield ""
    if figures.hosts:
        yield "| hosts | |"
        yield "| ---: | --- |"
        for phase, count in figures.hosts.items():
            yield f"| {count:,} | {SIGNS[phase]} {phase.lower()} |"
        yield ""


def causes(figures: Figures) -> Iterator[str]:
    """Yield why hosts failed, with names as far as they fit."""
    if not figures.groups:
        return
    yield "**Why hosts failed**"
    yield ""
    for group, names in names_within(figures.groups[:MAX_GROUPS], NAMES_BYTES):
        more = len(group.hosts) - len(names)
        listed = " ".join(map(printable, names)) + (f" … and {more:,} more" if more else "")
        yield f"* ✗ **{group.count:,}** × {cause(group)}: {code(listed, most=None)}"
    if len(figures.groups) > MAX_GROUPS:
        yield f"* … and {counted(len(figures.groups) - MAX_GROUPS, 'rarer cause')}"
    yield ""


def cause(group: FailureGroup) -> str:
    """Return what a group of hosts has in common."""
    exit_code = "" if group.exit_code is None else f", exit code {group.exit_code}"
    return f"{code(group.name)}{exit_code}" + (f", tag {code(group.tag)}" if group.tag else "")


def slowest(figures: Figures) -> Iterator[str]:
    """Yield the first steps: most failures, then the slowest."""
    if not figures.steps:
        return
    yield "| job | step | hosts | failed | took |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for step in figures.steps[:MAX_STEPS]:
        name = f"{SIGNS[step.phase]} {code(step.row.name or step.row.key)}"
        failed = f"✗ {step.failed:,}" if step.failed else ""
        took = "" if step.took is None else clock(step.took)
        yield f"| {named(step.job)} | {name} | {step.hosts:,} | {failed} | {took} |"
    if len(figures.steps) > MAX_STEPS:
        yield ""
        yield f"{counted(len(figures.steps) - MAX_STEPS, 'more step')}, with fewer failures and quicker."
    yield ""


def notes(figures: Figures) -> Iterator[str]:
    """Yield what else is to be known."""
    percentiles = figures.durations.percentiles if figures.durations else ()
    if percentiles:
        yield "Hosts ran: " + ", ".join(f"{each.label} {clock(each.seconds)}" for each in percentiles) + "."
    for word, items in (
        ("waits for a person", [*map(named, figures.waiting)]),
        ("failed without a failed host", [*map(named, figures.failed_alone)]),
        ("lost", [*map(code, figures.lost)]),
    ):
        for item in items[:MAX_NOTES]:
            yield f"* {item} {word}"
        if len(items) > MAX_NOTES:
            yield f"* … and {len(items) - MAX_NOTES:,} more"
    if figures.outage_count:
        yield f"* polling failed {counted(figures.outage_count, 'time')}"


def named(job: JobRow) -> str:
    """Return the name of a job, which others may have too, and its id."""
    return f"{code(job.name)} {code(job.key)}" if job.name else code(job.key)


def code(text: str, most: int | None = MAX_TEXT) -> str:
    """Return *text* as code, in which no sign has a meaning, also within a table."""
    shown = printable(text).replace("|", "¦") or " "
    if most is not None and len(shown) > most:
        shown = shown[: most - 1] + "…"
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"

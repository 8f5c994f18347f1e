"""The report as JSON: all figures, nothing cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from attrs import asdict

from bkjob_async.model.status import Phase
from bkjob_async.model.text.escapes import json_escaped
from bkjob_async.report.durations import Durations
from bkjob_async.report.figures import Figures, StepFigures
from bkjob_async.report.formats.version import package_version
from bkjob_async.report.hosts import code_name
from bkjob_async.report.phases import counts_json

# Raised when a field changes its meaning or goes away.
FORMAT = 1


def json_of(figures: Figures) -> Iterator[str]:
    """Yield the report as one JSON object, piece by piece."""
    encoder = json.JSONEncoder(ensure_ascii=False, indent=1)
    # Half of a surrogate pair, which UTF-8 cannot carry, is written as JSON's own escape.
    yield from map(json_escaped, encoder.iterencode(plain(figures)))
    yield "\n"


def plain(figures: Figures) -> dict[str, Any]:
    """Return the figures as plain values: times ISO 8601, durations seconds, refs text, phases their names."""
    began, verdict = figures.began, figures.verdict
    return {
        "format": FORMAT,
        "bkjob": package_version(),
        "title": figures.title,
        "verdict": {"phase": verdict.phase.value, "sentence": verdict.sentence, "detail": verdict.detail},
        "began": None if began is None else began.isoformat(),
        "seconds": figures.seconds,
        "events": figures.events,
        "openings": figures.openings,
        "damaged_lines": figures.damaged_lines,
        "hosts": counts_json(figures.hosts),
        "jobs": counts_json(figures.jobs),
        "causes": [
            {
                "code": group.code,
                "name": group.name,
                "tag": group.tag,
                "exit_code": group.exit_code,
                "count": group.count,
                "steps": group.steps,
                "hosts": group.hosts,
            }
            for group in figures.groups
        ],
        "durations": None if figures.durations is None else durations_plain(figures.durations),
        "unmeasured": figures.unmeasured,
        "steps": [step_plain(step) for step in figures.steps],
        "failed": [
            {
                "host": host.label,
                "step": host.step.key,
                "code": host.code,
                "name": code_name(host.code),
                "tag": host.tag,
                "exit_code": host.exit_code,
                "seconds": host.took,
            }
            for host in figures.failed
        ],
        "waiting": [job.key for job in figures.waiting],
        "lost": dict(figures.lost),
        "outages": [
            {
                "ref": outage.ref,
                "error": outage.error,
                "message": outage.message,
                "seconds": None if outage.until is None else outage.until - outage.since,
            }
            for outage in figures.outages
        ],
        "course": None
        if figures.course is None
        else {
            "phases": [phase.value for phase in Phase],
            "points": [[at, *counts] for at, counts in figures.course.points],
            "unobserved": [[*gap] for gap in figures.course.gaps],
        },
    }


def durations_plain(durations: Durations) -> dict[str, Any]:
    """Return durations as plain values."""
    percentiles = {str(each.percent): each.seconds for each in durations.percentiles}
    return {**asdict(durations, recurse=False), "percentiles": percentiles}


def step_plain(step: StepFigures) -> dict[str, Any]:
    """Return a step as plain values."""
    row = step.row
    return {
        "ref": row.key,
        "name": row.name,
        "job": {"ref": step.job.key, "name": step.job.name},
        "phase": step.phase.value,
        "execute_count": row.execute_count,
        "hosts": counts_json(dict(zip(Phase, row.counts, strict=True))),
        "failed": step.failed,
        "seconds": step.took,
        "is_exact": step.is_exact,
    }

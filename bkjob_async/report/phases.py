"""Phases as people see them: the sign of each, their order, and which of them are good or bad."""

from __future__ import annotations

from collections.abc import Mapping

from bkjob_async.model.status import Phase

SIGNS = {
    Phase.PENDING: "·",
    Phase.RUNNING: "▸",
    Phase.WAITING: "?",
    Phase.STOPPING: "↓",
    Phase.SUCCESS: "✓",
    Phase.FAILED: "✗",
    Phase.SKIPPED: "»",
    Phase.IGNORED: "≈",
    Phase.STOPPED: "■",
    Phase.ABNORMAL: "!",
    Phase.UNKNOWN: "¿",
}

OPEN = frozenset({Phase.PENDING, Phase.RUNNING, Phase.WAITING, Phase.STOPPING})
BAD = frozenset({Phase.FAILED, Phase.STOPPED, Phase.ABNORMAL})
# An unknown code may be a failure: people should look.
UNSUCCESSFUL = BAD | {Phase.UNKNOWN}

# What asks for attention comes first, then what moves, then what is over.
SHOWN_FIRST = (
    Phase.FAILED,
    Phase.ABNORMAL,
    Phase.STOPPED,
    Phase.UNKNOWN,
    Phase.WAITING,
    Phase.STOPPING,
    Phase.RUNNING,
    Phase.PENDING,
    Phase.IGNORED,
    Phase.SKIPPED,
    Phase.SUCCESS,
)

# In this order the parts of a bar or a chart are drawn: what needs a person first.
BAR_ORDER = (
    Phase.FAILED,
    Phase.ABNORMAL,
    Phase.UNKNOWN,
    Phase.STOPPED,
    Phase.WAITING,
    Phase.SUCCESS,
    Phase.IGNORED,
    Phase.SKIPPED,
    Phase.STOPPING,
    Phase.RUNNING,
    Phase.PENDING,
)


def counts_json(counts: Mapping[Phase, int]) -> dict[str, int]:
    """Return counts by the names of phases, without zeros."""
    return {phase.value: count for phase, count in counts.items() if count}

"""How phases are shown to people: a sign and a word for each, besides its colour."""

from __future__ import annotations

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

"""The parts of the page as JSON values, made from the board's model: changed rows, the head, the last failures."""

from __future__ import annotations

from itertools import islice
from typing import Any

from attrs import asdict

from bkjob_async import Batch, HostChanged, Ref
from bkjob_async.cli.board.source import BoardSource
from bkjob_async.cli.board.target_row import TargetRow
from bkjob_async.cli.board.views.head import HeadFigures
from bkjob_async.cli.board.views.views import host_name
from bkjob_async.cli.live_page.page_state import PageState
from bkjob_async.cli.tables import step_text
from bkjob_async.model.text.printing import printable
from bkjob_async.report.phases import counts_json

# Figures of the head change without a batch; rows get other times: so many of them are looked at for each message.
HEAD_SECONDS = 5.0
ROWS_CHECKED = 20
SHOWN_FAILURES = 8


class PageFeed:
    """Applies batches to the board's model, and what they changed to the state of the page."""

    def __init__(self, source: BoardSource, state: PageState) -> None:
        """Feed *state* from *source*."""
        self._source = source
        self._state = state
        self._changed: set[Ref] = set()
        self._shown: set[Ref] = set()
        self._to_check: list[TargetRow] = []
        self._flushed_at = float("-inf")

    def apply(self, batch: Batch) -> None:
        """Apply a batch."""
        self._changed.update(row.ref for row in self._source.apply(batch))

    def flush(self, now: float, *, is_over: bool = False) -> bool:
        """Begin a revision of the state if there is anything new; return whether there was."""
        source, model = self._source, self._source.model
        source.prepare((), now)
        is_due = now - self._flushed_at >= HEAD_SECONDS
        gone = self._shown - model.rows.keys()
        new = model.rows.keys() - self._shown if len(model.rows) != len(self._shown) - len(gone) else set()
        if not (self._changed or new or gone or is_due or is_over):
            return False
        for row in self._rows_to_check():
            self._changed.add(row.ref)
        rows = {ref: model.rows[ref] for ref in self._changed | new if ref in model.rows}
        self._state.update(
            head_json(source.figures(), now),
            {str(ref): row_json(row) for ref, row in rows.items()},
            gone=map(str, gone),
            failures=[
                failure_json(event, model.title_of(event.ref), at)
                for at, event in islice(reversed(model.failures), SHOWN_FAILURES)
            ],
            is_over=is_over,
        )
        self._shown = (self._shown | rows.keys()) - gone
        self._changed.clear()
        self._flushed_at = now
        return True

    def _rows_to_check(self) -> list[TargetRow]:
        """Return the next few rows; those of which nothing is reported get other times all the same."""
        if not self._to_check:
            self._to_check = [row for row in self._source.model.rows.values() if not row.is_over]
        some, self._to_check = self._to_check[:ROWS_CHECKED], self._to_check[ROWS_CHECKED:]
        return some


def row_json(row: TargetRow) -> dict[str, Any]:
    """Return a row as plain values; its times are those of the event loop's clock."""
    return {
        "ref": str(row.ref),
        "title": row.title,
        "step": step_text(row.steps),
        "phase": row.shown_phase.value,
        "over": row.is_over,
        "hosts": counts_json(row.expected_counts),
        "done": row.done,
        "failed": row.failed,
        "began": tenths(row.began_at),
        "ends": tenths(row.ends_at),
        "took": tenths(row.took),
        "note": printable(row.trouble or ("waits for a person" if row.waits else "")),
        "order": [int(part) for part in row.order],
    }


def head_json(figures: HeadFigures, now: float) -> dict[str, Any]:
    """Return the head as plain values."""
    return {
        **asdict(figures, recurse=False),
        "now": now,
        "hosts": counts_json(figures.hosts),
        "ends_in": tenths(figures.ends_in),
        "oldest_unseen": tenths(figures.oldest_unseen),
        "limit": printable(figures.limit),
    }


def failure_json(event: HostChanged, title: str, at: float) -> dict[str, Any]:
    """Return a host that failed as plain values."""
    return {
        "host": host_name(event.host),
        "ref": str(event.ref),
        "title": title,
        "phase": event.after.phase.value,
        "name": event.after.name,
        "exit_code": event.exit_code,
        "tag": printable(event.tag or ""),
        "at": at,
    }


def tenths(seconds: float | None) -> float | None:
    """Return a time in tenths of a second: finer ones would make a change of every row."""
    return None if seconds is None else round(seconds, 1)

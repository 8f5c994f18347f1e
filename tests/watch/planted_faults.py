"""Faults planted in the journal, and the search for a random history that shows a planted one."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.watch.journaling.fleet_journal import FleetJournal

Patch = pytest.MonkeyPatch


class Found(Exception):
    """A history shows the fault."""


def is_found(
    histories: SearchStrategy[Any], run: Callable[[Any], list[str]], *, most: int, errors: Any = Exception
) -> bool:
    """Return whether one of so many histories breaks a promise, or raises one of these *errors*."""

    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(histories)
    def search(history: Any) -> None:
        try:
            broken = run(history)
        except errors:
            raise Found from None
        if broken:
            raise Found

    try:
        search()
    except (Found, Flaky):  # a planted fault may have a memory: then the same history does not show it again
        found = True
    else:
        found = False
    gc.collect()  # what a history that raised left behind is reported now, and not in a later test
    return found


def forget_hosts(patch: Patch) -> None:
    """Restore steps and jobs, and no host."""
    patch.setattr(Fold, "_apply_hosts", lambda *_: None)


def show_before_storing(patch: Patch) -> None:
    """Give readers a batch before it is stored."""
    start = FleetJournal.start

    def start_at_once(self: FleetJournal, learnt: Any) -> None:
        records, put = self.records, self.records.put

        def at_once(batch: Any, job: Any = None) -> None:
            put(batch, job)
            self._watch.stream.append(batch)
            records._waiting[-1].batch = None

        patch.setattr(records, "put", at_once)
        start(self, learnt)

    patch.setattr(FleetJournal, "start", start_at_once)

"""The report of a run, in code without an event loop."""

from __future__ import annotations

from bkjob_async.report import run_report
from bkjob_async.sync.run_alone import run_alone
from bkjob_async.wire.tracebacks import hide_call_arguments


class RunReport(run_report.RunReport):
    """A report of a run, as far as it was reported: verdict, causes, durations, steps.

    Give it the batches of a watch, a journal or a fleet, or let it read a journal or lines; then take its `text`. With
    *targets*, refs or their texts, it is about these alone.

    >>> report = bkjob_async.sync.RunReport()
    >>> with client.watch(job) as watch:
    ...     for batch in watch.batches():
    ...         report.apply(batch)
    >>> print(report)
    1 of 3 hosts failed
    >>> page = report.text("html", title="night")
    """

    @hide_call_arguments  # the URL may contain a password
    def read_journal(self, url: str, name: str) -> None:  # type: ignore[override]  # no coroutine here
        """Take what a journal has of the fleet *name*; raises `FleetNotFound` and other errors of `JournalError`."""
        run_alone(super().read_journal)(url, name)

"""The report of the twin; written by `python -m tests.generate`: change bkjob_async/report/run_report.py."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from bkjob_async.model.events import Batch
from bkjob_async.model.refs import Ref
from bkjob_async.report import run_report
from bkjob_async.report.figures import Figures
from bkjob_async.sync.run_alone import run_alone
from bkjob_async.wire.tracebacks import hide_call_arguments


class RunReport:
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

    def __init__(self, targets: Iterable[Ref | str] = ()) -> None:
        """Begin with nothing."""
        self._report = run_report.RunReport(targets)

    def __str__(self) -> str:
        """Return the verdict, one sentence."""
        return self._report.__str__()

    @property
    def damaged_lines(self) -> int:
        """How many of the lines that were read are no events."""
        return self._report.damaged_lines

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any target."""
        return self._report.is_empty

    def apply(self, batch: Batch) -> None:
        """Take what one poll showed; batches come in their order."""
        self._report.apply(batch)

    def read_lines(self, lines: Iterable[bytes]) -> None:
        """Take lines of JSON, as `bkjob watch --json` writes them; raise `UsageError` where none is an event."""
        self._report.read_lines(lines)

    @hide_call_arguments
    def read_journal(self, url: str, name: str) -> None:
        """Take what a journal has of the fleet *name*; raises `FleetNotFound` and other errors of `JournalError`."""
        run_alone(self._report.read_journal(url, name))

    def figures(self, *, title: str = "", zone: tzinfo | None = None) -> Figures:
        """Return what the report says; its fields are not stable yet, `text("json")` is."""
        return self._report.figures(title=title, zone=zone)

    def text(self, form: str = "html", *, title: str = "report", zone: tzinfo | None = None) -> str:
        """Return the report as `html`, a page; `md`, Markdown for a chat; `json`, all figures; `junit`, test results.

        *zone* is that of the times, by default the machine's own. Raises `UsageError` for another *form*.
        """
        return self._report.text(form, title=title, zone=zone)

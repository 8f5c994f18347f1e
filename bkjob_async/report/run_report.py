"""Report on a run: from batches of a watch, from a journal, or from lines of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from importlib import import_module

from bkjob_async.errors import UsageError
from bkjob_async.model.base_error import WrongType, kind_of
from bkjob_async.model.events import UNKNOWN_TIME, Batch
from bkjob_async.model.refs import Ref
from bkjob_async.report.figures import Figures, figures_of
from bkjob_async.report.reading.read_lines import LineReader
from bkjob_async.report.reading.run_model import RunModel

# The function that yields a report in this format; its module is imported when it is chosen.
FORMATS = {
    "html": ("page", "page_of"),
    "md": ("markdown", "markdown_of"),
    "json": ("as_json", "json_of"),
    "junit": ("junit", "junit_of"),
}


class RunReport:
    """A report of a run, as far as it was reported: verdict, causes, durations, steps.

    Give it the batches of a watch, a journal or a fleet, or let it read a journal or lines; then take its `text`. With
    *targets*, refs or their texts, it is about these alone.

    >>> report = bkjob.RunReport()
    >>> async with client.watch(job) as watch:
    ...     async for batch in watch.batches():
    ...         report.apply(batch)
    >>> print(report)
    1 of 3 hosts failed
    >>> page = report.text("html", title="night")
    """

    def __init__(self, targets: Iterable[Ref | str] = ()) -> None:
        """Begin with nothing."""
        if isinstance(targets, str | bytes) or not isinstance(targets, Iterable):
            raise WrongType(
                f"targets are several refs or their texts: RunReport(['2:100']), not {kind_of(targets)}"
            )
        self._run = RunModel(frozenset(map(str, targets)))
        self._reader = LineReader(self._run)

    def __str__(self) -> str:
        """Return the verdict, one sentence."""
        return self.figures().verdict.sentence

    @property
    def damaged_lines(self) -> int:
        """How many of the lines that were read are no events."""
        return self._reader.damaged

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any target."""
        return not (self._run.jobs or self._run.lost)

    def apply(self, batch: Batch) -> None:
        """Take what one poll showed; batches come in their order."""
        self._run.set_time(None if batch.at == UNKNOWN_TIME else batch.at.timestamp())
        # Events as values take longer to import than most reports from a file or a journal.
        import_module(f"{__package__}.reading.read_checkpoint").apply_events(self._run, batch.events)

    def read_lines(self, lines: Iterable[bytes]) -> None:
        """Take lines of JSON, as `bkjob watch --json` writes them; raise `UsageError` where none is an event."""
        self._reader.read(lines)
        if self._reader.lines == self._reader.damaged:
            raise UsageError("no line is an event: bkjob watch --json, or journal export, writes them")

    async def read_journal(self, url: str, name: str) -> None:
        """Take what a journal has of the fleet *name*; raises `FleetNotFound` and other errors of `JournalError`."""
        reading = import_module(f"{__package__}.reading.read_journal")
        try:
            store = reading.store_of(url)
        finally:
            del url  # it may contain a password, and the frames of an error are kept by error trackers
        await reading.read_journal(self._run, store, name)

    def figures(self, *, title: str = "", zone: tzinfo | None = None) -> Figures:
        """Return what the report says; its fields are not stable yet, `text("json")` is."""
        return figures_of(self._run, title=title, zone=zone, damaged_lines=self._reader.damaged)

    def text(self, form: str = "html", *, title: str = "report", zone: tzinfo | None = None) -> str:
        """Return the report as `html`, a page; `md`, Markdown for a chat; `json`, all figures; `junit`, test results.

        *zone* is that of the times, by default the machine's own. Raises `UsageError` for another *form*.
        """
        if form not in FORMATS:
            raise UsageError(f"a report is {', '.join(FORMATS)}, not {form!r:.40}")
        return "".join(pieces_of(self.figures(title=title, zone=zone), form))


def pieces_of(figures: Figures, form: str) -> Iterator[str]:
    """Yield the report in a format, piece by piece."""
    module, name = FORMATS[form]
    pieces: Callable[[Figures], Iterator[str]] = getattr(
        import_module(f"{__package__}.formats.{module}"), name
    )
    return pieces(figures)

"""Make a report: read a journal or a file, work out the figures, write them in a format."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from bkjob_async.cli.configuration.journals import journal_url
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.report.figures import Figures, figures_of
from bkjob_async.cli.report.reading.read_lines import LineReader
from bkjob_async.cli.report.reading.run_model import RunModel
from bkjob_async.cli.report.writing import check_target, write_report
from bkjob_async.configuration.gathering import gather
from bkjob_async.errors import UsageError
from bkjob_async.model.text.printing import counted, first_of

STDIN = "-"
# How the URL of a journal begins; no file does.
JOURNALS = ("sqlite:", "redis:", "rediss:", "redis+unix:", "memory:")


# The function that yields a report in this format; its module is imported when it is chosen.
FORMATS = {
    "html": ("page", "page_of"),
    "md": ("markdown", "markdown_of"),
    "json": ("as_json", "json_of"),
    "junit": ("junit", "junit_of"),
}


async def report(
    *,
    words: Sequence[str],
    name: str | None,
    title: str | None,
    form: str,
    output: str,
    overwrite: bool,
    biz: int | None,
    biz_set: int | None,
) -> ExitCode:
    """Report on what *words* name; return success whatever the report says."""
    check_target(output, overwrite=overwrite)
    first = words[0] if words else ""
    url = first if first.startswith(JOURNALS) else None
    if name is None and url is not None:
        raise UsageError("which fleet of this journal? give --name; bkjob journal show lists them")
    if name is None and not first:
        raise UsageError("a report of what? give a file of events, or --name for a fleet of a journal")
    settings = gather({"journal": url, "biz": biz, "biz_set": biz_set}, None)
    rest = words if name is not None and url is None else words[1:]
    targets = frozenset(map(str, targets_from(rest, settings.scope)))
    run = RunModel(targets)
    with without_collection():
        if name is None:
            figures = figures_in_file(run, first, title)
        else:
            figures = await figures_in_journal(run, journal_url(settings), name, title)
        if targets and not (figures.job_count or figures.lost):
            raise UsageError(
                f"none of {first_of(sorted(targets, reverse=True))} is in the run: no report is written"
            )
        write_report(written(figures, form), output, overwrite=overwrite)
    return ExitCode.ALL_SUCCEEDED


@contextmanager
def without_collection() -> Iterator[None]:
    """Let the collector of cycles rest: rows of hosts are in none, and looking at all of them takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


async def figures_in_journal(run: RunModel, url: str, name: str, title: str | None) -> Figures:
    """Return the figures of the fleet *name* in a journal."""
    # A report on a file needs nothing of journals, which take a while to import.
    await import_module(f"{__package__}.reading.read_journal").read_journal(run, url, name)
    return figures_of(run, title=title or name, zone=None)


def figures_in_file(run: RunModel, file: str, title: str | None) -> Figures:
    """Return the figures of the lines of a file; raise `UsageError`."""
    reader = read_file(run, file)
    return figures_of(
        run,
        title=title or ("events" if file == STDIN else Path(file).name),
        zone=None,
        has_times=reader.has_times,
        damaged_lines=reader.damaged,
    )


def written(figures: Figures, form: str) -> Iterator[str]:
    """Yield the report in a format, piece by piece."""
    module, name = FORMATS[form]
    pieces: Callable[[Figures], Iterator[str]] = getattr(
        import_module(f"{__package__}.formats.{module}"), name
    )
    return pieces(figures)


def read_file(run: RunModel, name: str) -> LineReader:
    """Apply the lines of a file; raise `UsageError` where it cannot be read, or none of them is an event."""
    reader = LineReader(run)
    try:
        if name == STDIN:
            reader.read(sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                reader.read(file)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from error
    if reader.lines == reader.damaged:
        raise UsageError(f"no line of {name} is an event: bkjob watch --json, or journal export, writes them")
    if reader.damaged:
        write_note(
            f"{counted(reader.damaged, 'line')} of {name} could not be read, and counted in the report"
        )
    return reader

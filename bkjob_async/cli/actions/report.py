"""Make a report: read a journal or a file, and write what it amounts to in a format."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bkjob_async.cli.configuration.journals import journal_url
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.writing import check_target, write_report
from bkjob_async.configuration.gathering import gather
from bkjob_async.errors import UsageError
from bkjob_async.model.text.printing import counted, first_of
from bkjob_async.report.run_report import RunReport, pieces_of

STDIN = "-"
# How the URL of a journal begins; no file does.
JOURNALS = ("sqlite:", "redis:", "rediss:", "redis+unix:", "memory:")


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
    run = RunReport(targets)
    with without_collection():
        if name is None:
            read_file(run, first)
        else:
            await run.read_journal(journal_url(settings), name)
        if targets and run.is_empty:
            raise UsageError(
                f"none of {first_of(sorted(targets, reverse=True))} is in the run: no report is written"
            )
        usual = name or ("events" if first == STDIN else Path(first).name)
        write_report(pieces_of(run.figures(title=title or usual), form), output, overwrite=overwrite)
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


def read_file(run: RunReport, name: str) -> None:
    """Apply the lines of a file; raise `UsageError` where it cannot be read, or none of them is an event."""
    try:
        if name == STDIN:
            run.read_lines(sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                run.read_lines(file)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}") from error
    if run.damaged_lines:
        write_note(
            f"{counted(run.damaged_lines, 'line')} of {name} could not be read, and counted in the report"
        )

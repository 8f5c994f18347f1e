"""`bkjob report`: make a page, Markdown, JSON or test results of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bkjob_async.cli.configuration.options import biz_option, biz_set_option
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode

EPILOG = """\b
SOURCE is a file that bkjob watch --json or bkjob journal export wrote, - for stdin,
or with --name the URL of a journal (default: that of the environment or the profile).
TARGETs limit the report to these jobs and steps: 2:100, 2:100/200, links, @FILE;
bare ids are in --biz or --biz-set.
The exit code says whether the report was written, not what it says.
"""
# The format of a file by the end of its name.
SUFFIXES = {".htm": "html", ".html": "html", ".md": "md", ".json": "json", ".xml": "junit"}


@click.command(name="report", epilog=EPILOG)
@click.option("--name", metavar="NAME", help="Report on the fleet of this name in a journal.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("html", "md", "json", "junit")),
    help="A page, Markdown for a chat, all figures, test results.  [default: as FILE ends, else html]",
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    show_default="stdout",
    help="Write to FILE, whole or not at all.",
)
@click.option("--force", "overwrite", is_flag=True, help="Overwrite FILE.")
@click.option(
    "--title", metavar="TEXT", help="The name of the run.  [default: that of the fleet or the file]"
)
@biz_option
@biz_set_option
@click.argument("words", nargs=-1, metavar="[SOURCE] [TARGET]...")
def report_command(*, form: str | None, output: str, **options: Any) -> ExitCode:
    """Report on a run: verdict, causes, durations, steps.

    A page needs no network and no script.
    """
    form = form or SUFFIXES.get(Path(output).suffix.lower(), "html")
    return run_action("bkjob_async.cli.report.make:report", form=form, output=output, **options)

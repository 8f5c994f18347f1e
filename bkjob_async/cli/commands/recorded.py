"""`bkjob journal`, `bkjob report` and `bkjob decode`: read what was recorded, without the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bkjob_async.cli.configuration.options import biz_option, biz_set_option
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.configuration.gathering import DEFAULT_DIALECT
from bkjob_async.dialects.names import DIALECTS

ACTIONS = "bkjob_async.cli.actions.journal"
HELP = """\
URL is sqlite:///PATH, redis://HOST, rediss://HOST, redis+unix:///SOCKET or redis+sentinel://HOST,HOST/SERVICE. Without it,
BKJOB_JOURNAL of the environment or the journal of the profile is used; a URL with a password is taken from the environment
only.
"""
REPORT_HELP = """\
SOURCE is a file that bkjob watch --json or bkjob journal export wrote, - for stdin, or with --name the URL of a journal
(default: that of the environment or the profile). TARGETs limit the report to these jobs and steps: 2:100, 2:100/200, links,
@FILE; bare ids are in --biz or --biz-set.

The exit code says whether the report was written, not what it says.
"""
# The format of a file by the end of its name.
SUFFIXES = {".htm": "html", ".html": "html", ".md": "md", ".json": "json", ".xml": "junit"}

url_argument = click.argument("url", required=False)
name_option = click.option("--name", required=True, metavar="NAME", help="The name of the fleet.")
after_option = click.option("--after", metavar="CURSOR", help="Begin behind this cursor.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON objects, one a line.")


@click.group(name="journal", epilog=HELP)
def journal_command() -> None:
    """Read what watches with --journal recorded."""


@journal_command.command(name="show", epilog=HELP)
@url_argument
@json_option
def show_command(**options: Any) -> ExitCode:
    """List the fleets: targets, term, holder, last sign of life."""
    return run_action(f"{ACTIONS}:show", **options)


@journal_command.command(name="follow", epilog=HELP)
@url_argument
@name_option
@after_option
@json_option
def follow_command(**options: Any) -> ExitCode:
    """Write what was and is reported of a fleet, until interrupted."""
    return run_action(f"{ACTIONS}:follow", live=True, **options)


@journal_command.command(name="export", epilog=HELP)
@url_argument
@name_option
@after_option
def export_command(**options: Any) -> ExitCode:
    """Write what was reported of a fleet as lines of JSON, and end."""
    return run_action(f"{ACTIONS}:follow", live=False, as_json=True, **options)


@click.command(name="report", epilog=REPORT_HELP)
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
    return run_action("bkjob_async.cli.actions.report:report", form=form, output=output, **options)


@click.command(name="decode")
@click.option(
    "--operation",
    metavar="NAME",
    help="The operation that was called, such as get_job_instance_status.  [default: by what the file holds]",
)
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default=DEFAULT_DIALECT,
    show_default=True,
    help="The interface that answered.",
)
@click.option(
    "--http-status",
    type=click.IntRange(100, 599),
    default=200,
    show_default=True,
    metavar="N",
    help="The HTTP status of the response.",
)
@click.option("--data-only", is_flag=True, help="The file holds the data without its envelope.")
@click.argument("file", metavar="FILE|-")
def decode_command(**options: Any) -> ExitCode:
    """Read a recorded response or callback as the library does, and write it as JSON.

    An error that the response reports goes to stderr, with who must act; the exit code is 1.
    """
    return run_action("bkjob_async.cli.actions.decode:decode_file", **options)

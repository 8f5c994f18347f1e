"""`bkjob journal`: the fleets in a journal, and what was reported of them, without the platform."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode

ACTIONS = "bkjob_async.cli.actions.journal"
HELP = """\b
URL is sqlite:///PATH, redis://HOST, rediss://HOST or redis+unix:///SOCKET. Without it, BKJOB_JOURNAL
of the environment or the journal of the profile is used; a URL with a password is taken
from the environment only.
"""

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

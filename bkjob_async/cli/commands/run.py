"""`bkjob run`: launch a script, a plan or a file transfer, and watch it."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.watching.options import journal_option, watch_options
from bkjob_async.model.operations.codes import ScriptLanguage

ACTIONS = "bkjob_async.cli.actions.launch"
HOSTS = "cloud:ip, a bare address or #id, several with commas; @FILE has one a line. May be repeated."

detach_option = click.option("--detach", is_flag=True, help="Write the job's name to stdout and end.")
name_option = click.option("--name", metavar="NAME", help="The name of the job.")
fleet_option = click.option(
    "--fleet",
    metavar="NAME",
    help="Record the watch under this name in the journal.  [default: the job's ref]",
)
account_option = click.option(
    "--account", default="root", show_default=True, metavar="NAME|ID", help="The account on the hosts."
)
hosts_option = click.option(
    "--hosts", multiple=True, required=True, metavar="HOST,...|@FILE", help=f"Where: {HOSTS}"
)
timeout_option = click.option(
    "--timeout",
    "seconds",
    type=click.IntRange(min=1),
    metavar="S",
    help="The platform ends the job after S seconds.",
)


@click.group(name="run")
def run_command() -> None:
    """Launch a job, then show it as bkjob watch does.

    A launch is sent once. When no answer comes, the exit code is 6: it may run. With --journal, bkjob watch --name
    continues the watch in another process.
    """


@run_command.command(name="script")
@detach_option
@name_option
@account_option
@timeout_option
@hosts_option
@click.option(
    "--language",
    type=click.Choice([each.name.lower() for each in ScriptLanguage]),
    help="What it is written in.  [default: by its suffix or first line, else shell]",
)
@click.option("--args", "parameters", metavar="TEXT", help="The arguments of the script, in one text.")
@click.argument("file", metavar="FILE|-")
@journal_option
@fleet_option
@watch_options
@connection_options
def script_command(**options: Any) -> ExitCode:
    """Run the script in FILE, or from stdin, on hosts."""
    return run_action(f"{ACTIONS}:send_script", **options)


@run_command.command(name="plan")
@detach_option
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable's text. May be repeated."
)
@click.option(
    "--var-file",
    "variable_files",
    multiple=True,
    metavar="NAME=FILE",
    help="A variable's text from a file, or - for stdin: others cannot read it.",
)
@click.option(
    "--var-hosts", "variable_hosts", multiple=True, metavar="NAME=HOST,...|@FILE", help="A variable's hosts."
)
@click.argument("plan", type=click.IntRange(min=1), metavar="ID")
@journal_option
@fleet_option
@watch_options
@connection_options
def plan_command(**options: Any) -> ExitCode:
    """Run the plan with this ID."""
    return run_action(f"{ACTIONS}:send_plan", **options)


@run_command.command(name="file")
@detach_option
@name_option
@account_option
@timeout_option
@hosts_option
@click.option(
    "--from", "source", multiple=True, required=True, metavar="HOST", help=f"From which hosts: {HOSTS}"
)
@click.option("--to", "destination", required=True, metavar="PATH", help="The directory on the hosts.")
@click.argument("files", nargs=-1, required=True, metavar="SRC...")
@journal_option
@fleet_option
@watch_options
@connection_options
def file_command(**options: Any) -> ExitCode:
    """Send files from hosts to hosts."""
    return run_action(f"{ACTIONS}:send_files", **options)

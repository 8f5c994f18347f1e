"""The command group: each command is imported when it is run, and none for the help of all."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click
from attrs import frozen
from click.shell_completion import CompletionItem

from bkjob_async.cli.dispatch import guarded
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import discard_output, open_closed_streams, set_output_encoding


@frozen
class Entry:
    """The *module* in this folder that defines a command as `NAME_command`, and what the list of commands says of it."""

    module: str
    help: str


# In the order of the help.
COMMANDS = {
    "watch": Entry("watch", "Watch jobs and steps until they are over."),
    "run": Entry("run", "Launch a job, then show it as bkjob watch does."),
    "wait": Entry("watch", "Wait for jobs and steps, and write one line at the end."),
    "status": Entry("status", "Show how jobs and steps stand."),
    "jobs": Entry("status", "List the jobs of --biz or --biz-set, the newest first."),
    "explain": Entry(
        "status", "Say what jobs and steps do, why they fail, what they wait for, and what comes next."
    ),
    "logs": Entry("status", "Write the logs of hosts, each line with its host."),
    "retry": Entry("operate", "Run the failed hosts of a job or step again, and watch it."),
    "operate": Entry("operate", "Confirm, skip, continue or end a step or a job."),
    "journal": Entry("recorded", "Read what watches with --journal recorded."),
    "fleet": Entry("fleet", "Watch a fleet in shards, each of which a process on any machine runs."),
    "report": Entry("recorded", "Report on a run: verdict, causes, durations, steps."),
    "decode": Entry(
        "recorded", "Read a recorded response or callback as the library does, and write it as JSON."
    ),
    "check": Entry("config", "Check the way to the platform, step by step, and say who must act."),
    "config": Entry("config", "Show the settings, and where each comes from."),
    "completion": Entry("config", "Write the completion script of a shell to stdout."),
    "simulate": Entry("simulate", "Run a simulated platform on the loopback interface until interrupted."),
    "demo": Entry("simulate", "Watch a simulated platform for half a minute."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed, so that help and completion are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Return the names of all commands."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click passes it
        """Return the command of this name, None when there is none."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(
            import_module(f"{__package__}.{entry.module}"), f"{cmd_name}_command"
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click passes it
        """Write the list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with *incomplete*, without importing one, and the options."""
        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click passes it
    """Write the version, which takes longer to find than the rest."""
    if asked:
        version = import_module("bkjob_async").__version__
        click.echo(f"bkjob, version {version}")
        ctx.exit()


@click.group(
    name="bkjob",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="See it work, without any platform: bkjob demo",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Show the version and exit.",
)
def bkjob() -> None:
    """Watch BlueKing Job (蓝鲸作业平台) instances: see every host move."""


def run() -> int:
    """Run the command that this process was started with; return its exit code."""
    # What is logged is also shown, as an event or on the board, and would be written across that.
    logging.getLogger("bkjob_async").addHandler(logging.NullHandler())
    open_closed_streams()
    set_output_encoding()
    return guarded(run_command)


def run_command() -> ExitCode:
    """Run the command; errors of its arguments become exit codes."""
    try:
        return ExitCode(bkjob.main(standalone_mode=False) or ExitCode.ALL_SUCCEEDED)
    except click.ClickException as error:
        error.show(sys.stderr)
        return ExitCode(error.exit_code) if error.exit_code == ExitCode.USAGE else ExitCode.COULD_NOT_WATCH
    except click.Abort:
        return ExitCode.INTERRUPTED
    except SystemExit as ended:
        # So click ends where the reader of a help text has gone away, and after a completion.
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:
            discard_output()
            return ExitCode.NOBODY_LISTENS
        return ExitCode(ended.code if isinstance(ended.code, int) else 0)

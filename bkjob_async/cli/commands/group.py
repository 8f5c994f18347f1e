"""The command group: each command is imported when it is run or listed."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from bkjob_async import JournalError, UsageError, __version__
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import set_utf8_output, write_note

# Command, its module, its name there, in the order of the help.
COMMANDS = {
    "demo": ("bkjob_async.cli.demo", "demo_command"),
    "simulate": ("bkjob_async.cli.simulating", "simulate_command"),
    "watch": ("bkjob_async.cli.commands.watch", "watch_command"),
    "journal": ("bkjob_async.cli.commands.journal", "journal_command"),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed, so that `bkjob --version` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Return the names of all commands."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click passes it
        """Return the command of this name, None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    name="bkjob",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="See it work, without any platform: bkjob demo",
)
@click.version_option(__version__, prog_name="bkjob")
def bkjob() -> None:
    """Watch BlueKing Job (蓝鲸作业平台) instances: see every host move."""


def run() -> int:
    """Run the command that this process was started with; return its exit code."""
    set_utf8_output()
    try:
        return int(bkjob.main(standalone_mode=False) or ExitCode.ALL_SUCCEEDED)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except UsageError as error:
        write_note(f"bkjob: {error}")
        return ExitCode.USAGE
    except JournalError as error:
        write_note(f"bkjob: {error}")
        return ExitCode.COULD_NOT_WATCH
    except click.Abort:
        return ExitCode.INTERRUPTED

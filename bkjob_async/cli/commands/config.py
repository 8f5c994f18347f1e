"""`bkjob config`, `bkjob check` and `bkjob completion`: the settings and their sources, the way to the platform, shells."""

from __future__ import annotations

import os
from typing import Any

import click
from click.shell_completion import get_completion_class

from bkjob_async.cli.configuration.options import connection_options
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.configuration.profiles import EXAMPLE, config_path
from bkjob_async.configuration.settings import SECRETS, Found, Settings
from bkjob_async.model.text.printing import printable

HELP = """\b
A setting comes from its option, else from its variable, else from the
profile that --profile, BKJOB_PROFILE or the file's own default names:
{example}

\b
A secret is named by where it is kept, one place or several in their order:
  env:NAME                          a variable of the environment
  keyring:NAME                      the keyring's entry NAME, service bkjob
  command:["pass", "show", "NAME"]  the first line that a program writes
A terminal is asked for what no place has. A secret in the file is refused.
"""


@click.group(
    name="config", epilog=HELP.format(example="\n".join(f"  {line}" for line in EXAMPLE.splitlines() if line))
)
def config_command() -> None:
    """Show the settings, and where each comes from."""


@config_command.command(name="path")
def path_command() -> ExitCode:
    """Write the path of the file of profiles, whether it exists or not."""
    write_out(str(config_path(os.environ)))
    return ExitCode.ALL_SUCCEEDED


@config_command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
@connection_options
def show_command(*, settings: Settings, as_json: bool) -> ExitCode:
    """Write the settings with their sources.

    Secrets are neither fetched nor shown.
    """
    rows = [(name, shown(name, found), found.source) for name, found in settings.found.items()]
    if as_json:
        write_out(json_text({name: {"value": value, "source": source} for name, value, source in rows}))
    else:
        for name, value, source in rows:
            write_out(printable(f"{name:<16} {value}  ({source})"))
    if not rows:
        write_note("nothing is set; see bkjob config --help")
    return ExitCode.ALL_SUCCEEDED


def shown(name: str, found: Found) -> str:
    """Return a setting as text; of a secret only where it is kept."""
    if name in SECRETS:
        return "hidden" if isinstance(found.value, str) else ", ".join(map(str, found.value))
    if name == "journal":
        place, at, rest = str(found.value).rpartition("@")
        return f"{place.split('//')[0]}//…@{rest}" if at else rest
    return str(found.value)


@click.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per step.")
@connection_options
def check_command(**options: Any) -> ExitCode:
    """Check the way to the platform, step by step, and say who must act.

    Settings, DNS, TLS, the server's clock, credentials, scope, limits. It reads only. The exit code is 3 when a step
    failed.
    """
    return run_action("bkjob_async.cli.actions.check:check", **options)


PLACES = """\b
bash: bkjob completion bash > ~/.local/share/bash-completion/completions/bkjob
zsh:  bkjob completion zsh > "${fpath[1]}/_bkjob"
fish: bkjob completion fish > ~/.config/fish/completions/bkjob.fish
"""


@click.command(name="completion", epilog=PLACES)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion_command(ctx: click.Context, *, shell: str) -> ExitCode:
    """Write the completion script of a shell to stdout."""
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click has these three
    script = completion(ctx.find_root().command, {}, "bkjob", "_BKJOB_COMPLETE")
    # The text itself: `source()` would first run bash to learn its version.
    write_out(script.source_template % script.source_vars())
    return ExitCode.ALL_SUCCEEDED

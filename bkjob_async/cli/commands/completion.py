"""`bkjob completion`: the completion scripts of shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_out

SHELLS = ("bash", "zsh", "fish")


PLACES = """\b
bash: bkjob completion bash > ~/.local/share/bash-completion/completions/bkjob
zsh:  bkjob completion zsh > "${fpath[1]}/_bkjob"
fish: bkjob completion fish > ~/.config/fish/completions/bkjob.fish
"""


@click.command(name="completion", epilog=PLACES)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, *, shell: str) -> ExitCode:
    """Write the completion script of a shell to stdout."""
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click has these three
    script = completion(ctx.find_root().command, {}, "bkjob", "_BKJOB_COMPLETE")
    # The text itself: `source()` would first run bash to learn its version.
    write_out(script.source_template % script.source_vars())
    return ExitCode.ALL_SUCCEEDED

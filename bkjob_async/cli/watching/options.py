"""The options of every command that watches, and the `WatchFlags` that they set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from attrs import fields, frozen

from bkjob_async.cli.configuration.options import positive, with_options

F = TypeVar("F", bound=Callable[..., Any])


@frozen(kw_only=True)
class WatchFlags:
    """How a watch is shown, and when it ends before its targets do."""

    as_json: bool = False
    board: bool | None = None
    read_only: bool = False
    deadline: float | None = None
    interval: float | None = None
    fail_fast: bool = False
    fail_on_waiting: bool = False
    web: int | None = None
    web_host: str = "127.0.0.1"


MAX_PORT = 65_535


def port_of(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Return the port that was given; a target that was taken for one is explained."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal() and int(value) <= MAX_PORT:
        return int(value)
    raise click.BadParameter(f"{value!r:.80} is no port: give --web behind the targets, or --web=PORT")


WATCH_OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="Write one JSON object per event."),
    click.option(
        "--board/--no-board",
        default=None,
        help="Draw a live board on stderr, or none; by default on a terminal, without --json.",
    ),
    click.option("--read-only", is_flag=True, help="The board offers no operation."),
    click.option("--deadline", type=positive, metavar="S", help="Give up after S seconds."),
    click.option(
        "--interval",
        type=positive,
        metavar="S",
        help="Poll every S seconds; without it, intervals adapt to the jobs.",
    ),
    click.option("--fail-fast", is_flag=True, help="End at the first failed host, with exit code 1."),
    click.option(
        "--fail-on-waiting", is_flag=True, help="End when a job waits for a person, with exit code 5."
    ),
    click.option(
        "--web",
        callback=port_of,
        is_flag=False,
        flag_value="0",
        metavar="[PORT]",
        help="Serve a live page, read only, on this machine; without PORT on a free one.",
    ),
    click.option(
        "--web-host",
        metavar="HOST",
        help="Where the page is served; others than 127.0.0.1 can be reached by others.  [default: 127.0.0.1]",
    ),
)


journal_option = click.option("--journal", metavar="URL", help="Record the watch in this journal.")


def watch_options(command: F) -> F:
    """Add the options of a watch; *command* receives them as `flags`."""
    names = [each.name for each in fields(WatchFlags)]

    def with_flags(**given: Any) -> Any:
        values = {name: given.pop(name) for name in names}
        if values["web_host"] is None:
            del values["web_host"]
        elif values["web"] is None:
            raise click.UsageError("--web-host goes with --web")
        flags = WatchFlags(**values)
        return command(flags=flags, **given)

    return with_options(command, with_flags, WATCH_OPTIONS)

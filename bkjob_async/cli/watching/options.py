"""The options of every command that watches, and what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from attrs import fields, frozen

from bkjob_async.cli.configuration.options import positive

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
)


def watch_options(command: F) -> F:
    """Add the options of a watch; *command* receives them as `flags`."""
    names = [each.name for each in fields(WatchFlags)]

    @wraps(command)
    def with_flags(**given: Any) -> Any:
        flags = WatchFlags(**{name: given.pop(name) for name in names})
        return command(flags=flags, **given)

    decorated: Any = with_flags
    for option in reversed(WATCH_OPTIONS):
        decorated = option(decorated)
    result: F = decorated
    return result

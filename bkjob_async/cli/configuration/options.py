"""The options that every command has that connects to a platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

from bkjob_async.configuration.gathering import DEFAULT_DIALECT, gather
from bkjob_async.configuration.settings import OPTIONS
from bkjob_async.dialects.names import DIALECTS

F = TypeVar("F", bound=Callable[..., Any])

positive = click.FloatRange(min=0, min_open=True)

profile_option = click.option(
    "--profile", metavar="NAME", help="The profile of config.toml; see bkjob config."
)
url_option = click.option("--url", help="The gateway's stage, or the ESB's root.")
biz_option = click.option(
    "--biz", type=click.IntRange(min=1), metavar="ID", help="The business that bare job ids are in."
)
biz_set_option = click.option(
    "--biz-set", type=click.IntRange(min=1), metavar="ID", help="The business set, instead."
)
tenant_option = click.option("--tenant", metavar="ID", help="The tenant, on platforms that have several.")
CONNECTION = (
    profile_option,
    url_option,
    click.option(
        "--dialect",
        type=click.Choice(DIALECTS),
        help=f"The interface that it offers.  [default: {DEFAULT_DIALECT}]",
    ),
    biz_option,
    biz_set_option,
    tenant_option,
    click.option(
        "--ca-file", metavar="FILE", help="The authorities that sign the platform's certificate, as PEM."
    ),
    click.option("--rate", type=positive, metavar="N", help="Send at most N requests a second."),
    click.option(
        "--request-timeout",
        type=positive,
        metavar="S",
        help="Wait S seconds for one response.  [default: 30]",
    ),
)


def with_options(command: F, called: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> F:
    """Return *command* with *options*, in this order; *called* is given them, and calls it."""
    decorated: Any = wraps(command)(called)
    for option in reversed(options):
        decorated = option(decorated)
    result: F = decorated
    return result


def connection_options(command: F) -> F:
    """Add the options of a connection; *command* receives them as `settings`, each from its strongest source."""

    def with_settings(**given: Any) -> Any:
        profile = given.pop("profile")
        options = {name: given.pop(name) for name in OPTIONS if name in given}
        return command(settings=gather(options, profile), **given)

    return with_options(command, with_settings, CONNECTION)

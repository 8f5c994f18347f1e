"""`bkjob watch`: every event of some jobs and steps as a line, and an exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence

from attrs import frozen

from bkjob_async import (
    BkJobError,
    Credentials,
    DeadlineExceeded,
    Ref,
    Scope,
    Trouble,
    UsageError,
    connect,
)
from bkjob_async.cli.environment import credentials_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import Tell, json_line, note, plain_line, say
from bkjob_async.cli.outcome import Outcome
from bkjob_async.model.ref_input import ScopeMissing, as_ref


@frozen(kw_only=True)
class WatchOptions:
    """What is to be watched, where, and for how long."""

    url: str
    dialect: str
    refs: tuple[Ref, ...]
    deadline: float | None = None
    interval: float | None = None


def refs_from(names: Sequence[str], scope: Scope | None) -> tuple[Ref, ...]:
    """Read `JOB`, `JOB/STEP` or links within *scope*, or whole names such as `2:100/200`; raise `UsageError`."""
    refs = []
    for name in names:
        try:
            refs.append(as_ref(name, scope))
        except ScopeMissing:
            raise UsageError(f"in which scope is {name}? give --biz or --biz-set") from None
        except UsageError:
            raise UsageError(f"{name!r} names neither a JOB nor a JOB/STEP") from None
    return tuple(refs)


def show_lines(*, as_json: bool) -> Tell:
    """Return what puts events on stdout."""
    line = json_line if as_json else plain_line
    return lambda event: say(line(event))


async def watch(wish: WatchOptions, tell: Tell) -> ExitCode:
    """Tell every event of the wish's targets until they are over."""
    outcome = Outcome()
    try:
        await follow(wish, credentials_from(os.environ), tell, outcome)
    except DeadlineExceeded as error:
        note(f"{outcome}; {error}")
        return ExitCode.DEADLINE_PASSED
    except Hopeless as hopeless:
        note(f"could not watch: {hopeless}")
        return ExitCode.COULD_NOT_WATCH
    note(str(outcome))
    return outcome.exit_code


class Hopeless(BkJobError):
    """Nothing was seen, and nothing will be."""


async def follow(wish: WatchOptions, credentials: Credentials, tell: Tell, outcome: Outcome) -> None:
    """Carry events to *tell* and *outcome*; raise `Hopeless` when nothing will come."""
    client = connect(wish.url, credentials, dialect=wish.dialect, interval=wish.interval)
    async with client, client.watch(wish.refs, deadline=wish.deadline) as news:
        async for event in news:
            tell(event)
            outcome.take(event)
            if outcome.is_hopeless(event):
                raise Hopeless(event.message if isinstance(event, Trouble) else str(event))

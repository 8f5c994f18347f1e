"""Follow an open client's watch to its end, and say what it amounts to."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bkjob_async import BkJobError, DeadlineExceeded, JobClient, Ref, Trouble
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.consumers import OpenWatch, WatchConsumer, run_consumers
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.watch.watch import notices


@frozen(kw_only=True)
class WatchOptions:
    """The targets to watch, for how long, and where that is recorded."""

    refs: tuple[Ref, ...] = ()
    deadline: float | None = None
    journal: str | None = None
    name: str | None = None


class Hopeless(BkJobError):
    """Nothing was seen, and nothing will be seen."""


class OutcomeReader:
    """Reads what a watch amounts to."""

    def __init__(self, outcome: Outcome) -> None:
        """Apply events to *outcome*."""
        self._outcome = outcome

    async def consume(self, opened: OpenWatch) -> None:
        """Read all events but those of hosts; leave when none will come."""
        async for events in notices(opened.watch):
            for event in events:
                self._outcome.apply(event)
                if self._outcome.is_hopeless(event):
                    opened.leave()
                    raise Hopeless(event.message if isinstance(event, Trouble) else str(event))


async def follow(client: JobClient, options: WatchOptions, consumers: Sequence[WatchConsumer]) -> ExitCode:
    """Let *consumers* read a watch of an open *client* to its end; return the exit code."""
    outcome = Outcome()
    try:
        async with client.watch(
            options.refs, deadline=options.deadline, journal=options.journal, name=options.name
        ) as watch:
            await run_consumers([OutcomeReader(outcome), *consumers], OpenWatch(client, watch))
    except DeadlineExceeded as error:
        write_note(f"{outcome}; {error}")
        return ExitCode.DEADLINE_PASSED
    except Hopeless as hopeless:
        write_note(f"could not watch: {hopeless}")
        return ExitCode.COULD_NOT_WATCH
    write_note(str(outcome))
    return outcome.exit_code

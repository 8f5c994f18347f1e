"""Follow a watch of an open client to its end, and report its outcome."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module

from bkjob_async import DeadlineExceeded, FirstFailure, JobClient, JobResult, Ref, UsageError, Watch
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.terminal import can_ask, can_redraw, is_terminal
from bkjob_async.cli.watching.consumers import Consumer, OpenWatch, run_consumers, write_lines
from bkjob_async.cli.watching.failures import report_failures
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.cli.watching.resuming import WatchRequest, resume_command, waits_for_person
from bkjob_async.configuration.settings import Settings
from bkjob_async.report.phases import BAD


def consumers_for(flags: WatchFlags) -> list[Consumer]:
    """Return everything that shows the watch; this is the place where another consumer is attached.

    The board and the page are imported where they are needed: textual and a server take longer than the rest.
    """
    consumers: list[Consumer] = []
    notes: list[str] = []
    if flags.web is not None:
        announced_page = import_module("bkjob_async.cli.live_page.consumer").announced_page
        page = announced_page(host=flags.web_host, port=flags.web)
        consumers.append(page.consume)
        notes.append(f"live page: {page.link}")
    has_board = can_ask() and (
        flags.board if flags.board is not None else can_redraw(sys.stdout) and not flags.as_json
    )
    if flags.board and not has_board:
        write_note("there is no terminal for a board: only lines are written")
    if has_board:
        board = import_module("bkjob_async.cli.board.consumer").BoardConsumer
        consumers.append(board(read_only=flags.read_only, notes=notes).consume)
    if has_board and flags.as_json and is_terminal(sys.stdout):
        raise UsageError("--json and --board cannot share a terminal: send stdout to a file")
    # Lines on the terminal that the board is drawn on would destroy it.
    if not (has_board and is_terminal(sys.stdout)):
        consumers.append(partial(write_lines, as_json=flags.as_json))
    return consumers


async def read_outcome(opened: OpenWatch, outcome: Outcome, flags: WatchFlags) -> None:
    """Read what a watch amounts to into *outcome*, and leave it early where its user wants that."""
    async for batch in opened.watch.batches():
        outcome.apply(batch)
        if is_enough(opened.watch, outcome, flags):
            opened.stop()
            return


def is_enough(watch: Watch, outcome: Outcome, flags: WatchFlags) -> bool:
    """Return True when no more need be seen; hosts are counted by the watch."""
    if outcome.hopeless or (flags.fail_on_waiting and outcome.waiting):
        return True
    if flags.fail_fast:
        outcome.host_failed = bool(FirstFailure().holds(watch.counts(), over=False))
    return flags.fail_fast and (outcome.host_failed or bool(outcome.failures))


async def follow(client: JobClient, settings: Settings, request: WatchRequest, flags: WatchFlags) -> ExitCode:
    """Show a watch of an open *client* until it ends; return the exit code."""
    outcome = Outcome()
    read: Consumer = partial(read_outcome, outcome=outcome, flags=flags)
    consumers = [read, *consumers_for(flags)]
    watch = client.watch(request.refs, deadline=flags.deadline, journal=request.journal, name=request.name)
    opened = OpenWatch(client, watch)
    try:
        async with watch:
            await run_consumers(consumers, opened)
    except asyncio.CancelledError:
        say_how_to_resume(outcome, watch, settings, request)
        raise
    except DeadlineExceeded as error:
        write_note(outcome.at_deadline(error))
        await report(client, watch, outcome, settings)
        return ExitCode.DEADLINE_PASSED
    if request.name is not None:
        outcome.add_earlier(await watch.results())
    return await conclude(opened, outcome, settings, request)


async def conclude(
    opened: OpenWatch, outcome: Outcome, settings: Settings, request: WatchRequest
) -> ExitCode:
    """Say what a watch amounts to that has ended or was left; return the exit code."""
    if outcome.hopeless:
        write_note(f"could not watch: {outcome.hopeless}")
        return ExitCode.COULD_NOT_WATCH
    left = outcome.unfinished(opened.watch.targets)
    if not left or not (opened.is_left or opened.is_stopped):
        write_note(str(outcome))
        await report(opened.client, opened.watch, outcome, settings)
        return outcome.exit_code
    if not opened.is_stopped:
        say_how_to_resume(outcome, opened.watch, settings, request)
        return ExitCode.INTERRUPTED
    await report(opened.client, opened.watch, outcome, settings)
    has_failed = outcome.host_failed or bool(outcome.failures)
    if not has_failed:
        ref, operation = next(iter(outcome.waiting.items()))
        write_note(waits_for_person(ref, operation, settings))
    say_how_to_resume(outcome, opened.watch, settings, request)
    return ExitCode.SOMETHING_FAILED if has_failed else ExitCode.WAITS_FOR_PERSON


async def report(client: JobClient, watch: Watch, outcome: Outcome, settings: Settings) -> None:
    """Write the failed hosts of all targets."""
    await report_failures(client, settings, [*failed_so_far(watch, outcome)])


def failed_so_far(watch: Watch, outcome: Outcome) -> Iterator[JobResult]:
    """Yield the results of targets that failed, and those so far of targets with failed hosts."""
    yield from outcome.failures.values()
    for ref in outcome.unfinished(watch.targets):
        if any(watch.counts(ref).get(phase) for phase in BAD):
            result = watch.progress(ref)
            if result is not None:
                yield result


def say_how_to_resume(outcome: Outcome, watch: Watch, settings: Settings, request: WatchRequest) -> None:
    """Say that the jobs go on, and by which command they are watched again."""
    left: Sequence[Ref] = outcome.unfinished(watch.targets or set(request.refs))
    if left:
        again = resume_command(left, settings, request)
        write_note(f"{outcome}; {len(left)} not over: the jobs go on; watch them again: {again}")

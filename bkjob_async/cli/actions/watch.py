"""Watch targets until they are over, or wait for them and write one line at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.journals import recording_journal
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note, write_out
from bkjob_async.cli.watching.follow import follow
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.cli.watching.resuming import WatchRequest, next_command
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import counted, first_of


async def watch(
    settings: Settings, flags: WatchFlags, *, name: str | None, targets: Sequence[str]
) -> ExitCode:
    """Show a watch of the targets that were named, and of those of the fleet *name*."""
    journal = recording_journal(settings, name)
    if journal is not None and name is None:
        raise bkjob.UsageError("under which name is it recorded? give --name, by which it is continued")
    if not targets:
        if journal is None or name is None:
            raise bkjob.UsageError("which jobs? give targets, or --name for those of a journal")
        await check_fleet(journal, name)
    refs = targets_from(targets, settings.scope)
    request = WatchRequest(refs=refs, words=tuple(targets), journal=journal, name=name)
    async with client_of(settings, interval=flags.interval) as client:
        return await follow(client, settings, request, flags)


async def check_fleet(url: str, name: str) -> None:
    """Raise `FleetNotFound` or `UsageError` where a journal has no targets to go on with: a name may be misspelt."""
    async with bkjob.open_journal(url) as journal:
        found = next((fleet for fleet in await journal.fleets() if fleet.name == name), None)
        if found is None:
            raise bkjob.FleetNotFound(f"there is no fleet {name!r}")
        if not found.targets:
            raise bkjob.UsageError(f"the fleet {name!r} has no targets: give some")


def parse_condition(text: str) -> bkjob.Condition | None:
    """Return the condition that *text* names, None for the end of the target; raise `UsageError`."""
    kind, equals, share = text.partition("=")
    if text == "finished":
        return None
    if text == "first-failure":
        return bkjob.FirstFailure()
    if kind == "hosts-done" and equals:
        try:
            return bkjob.HostsDone(float(share))
        except ValueError:
            pass
    raise bkjob.UsageError(
        f"--until is finished, first-failure or hosts-done=SHARE (0 to 1), not {text!r:.40}"
    )


async def wait(
    settings: Settings, *, targets: Sequence[str], until: str, deadline: float | None, interval: float | None
) -> ExitCode:
    """Wait until the targets have ended or fulfil a condition; write one line."""
    condition = parse_condition(until)
    refs = targets_from(targets, settings.scope)
    waiting = WaitProgress(refs, condition)
    async with (
        client_of(settings, interval=interval) as client,
        client.watch(refs, deadline=deadline) as watch,
    ):
        try:
            async for batch in watch.batches():
                waiting.apply(batch, watch)
                if waiting.is_over:
                    break
        except asyncio.CancelledError:
            again = next_command(["wait"], refs, settings, ["--until", until])
            write_note(f"the jobs go on; wait for them again: {again}")
            raise
        except bkjob.DeadlineExceeded as error:
            write_note(waiting.outcome.at_deadline(error))
            return ExitCode.DEADLINE_PASSED
    return waiting.conclude(until)


@define
class WaitProgress:
    """How far each target is from what is waited for."""

    refs: Sequence[bkjob.Ref]
    condition: bkjob.Condition | None
    outcome: Outcome = field(factory=Outcome, init=False)
    fulfilled: dict[bkjob.Ref, None] = field(factory=dict, init=False)
    unreachable: dict[bkjob.Ref, None] = field(factory=dict, init=False)
    _by_job: Mapping[bkjob.JobRef, Sequence[bkjob.Ref]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Sort the targets by their jobs: most batches are about one job."""
        by_job: dict[bkjob.JobRef, list[bkjob.Ref]] = {}
        for ref in self.refs:
            by_job.setdefault(ref.job, []).append(ref)
        self._by_job = by_job

    def apply(self, batch: bkjob.Batch, watch: bkjob.Watch) -> None:
        """Take in a batch; hosts are counted, their events are not made."""
        self.outcome.apply(batch)
        if self.condition is not None:
            job = batch.job
            self._check(self.refs if job is None else self._by_job.get(job, ()), self.condition, watch)

    def _check(self, refs: Iterable[bkjob.Ref], condition: bkjob.Condition, watch: bkjob.Watch) -> None:
        for ref in refs:
            if ref in self.fulfilled or ref in self.unreachable:
                continue
            end = self.outcome.ends.get(ref)
            holds = condition.holds(watch.counts(ref), over=end is not None)
            if holds:
                self.fulfilled[ref] = None
            elif holds is None or isinstance(end, bkjob.Lost):
                self.unreachable[ref] = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to wait for; the end of all targets is the end of the watch itself."""
        if self.outcome.hopeless:
            return True
        if isinstance(self.condition, bkjob.FirstFailure) and self.fulfilled:
            return True
        return self.condition is not None and len(self.fulfilled) + len(self.unreachable) == len(self.refs)

    def conclude(self, until: str) -> ExitCode:
        """Write one line; return the exit code."""
        if self.outcome.hopeless:
            write_note(f"could not watch: {self.outcome.hopeless}")
            return ExitCode.COULD_NOT_WATCH
        if self.condition is None:
            ends = [*self.outcome.ends.values()]
            write_out(str(ends[0]) if len(ends) == 1 else str(self.outcome))
            return self.outcome.exit_code
        is_true = (
            bool(self.fulfilled) if isinstance(self.condition, bkjob.FirstFailure) else not self.unreachable
        )
        named = first_of([*(self.fulfilled if is_true else self.unreachable)])
        state = "is true" if is_true else "cannot become true any more"
        write_out(f"{until} {state} for {counted(len(self.refs), 'target')}: {named}")
        if is_true:
            return ExitCode.ALL_SUCCEEDED
        return ExitCode.COULD_NOT_WATCH if self.outcome.lost else ExitCode.SOMETHING_FAILED

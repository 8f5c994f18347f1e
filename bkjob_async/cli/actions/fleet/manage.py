"""Carry out `bkjob fleet`: create a fleet in shards, run shards, and show them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

import bkjob_async as bkjob
from bkjob_async.cli.actions.check import write_finding
from bkjob_async.cli.actions.fleet.claim import FATAL, Claims
from bkjob_async.cli.actions.fleet.health import HealthFiles, findings
from bkjob_async.cli.actions.fleet.lines import numbers_of, shard_lines, shards_json, summary
from bkjob_async.cli.configuration.journals import lasting_journal
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note, write_out
from bkjob_async.cli.terminal import confirm
from bkjob_async.cli.watching.consumers import write_batches
from bkjob_async.configuration.gathering import DEFAULT_DIALECT, gather
from bkjob_async.configuration.settings import Settings
from bkjob_async.journal.shards import no_such_fleet
from bkjob_async.many.environment import ENVIRONMENT_CREDENTIALS
from bkjob_async.many.logs import log_to_stderr
from bkjob_async.many.metrics import fleet_metrics
from bkjob_async.many.upkeep import WORKS_SECONDS, pause_before
from bkjob_async.model.json_values import converter
from bkjob_async.model.text.printing import counted

# What takes a setting away.
NONE = "none"
# The units of ages, in seconds, and of sizes, in bytes.
AGES: Mapping[str, int] = {"m": 60, "h": 3600, "d": 86_400}
SIZES: Mapping[str, int] = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# `stop` waits so many seconds for the runners to end, and asks so often.
STOP_SECONDS, LOOK_SECONDS = 30.0, 0.5


@asynccontextmanager
async def opened(
    name: str, *, profile: str | None, shards: int | None = None, **options: Any
) -> AsyncIterator[tuple[bkjob.Fleet, Settings]]:
    """Give the fleet in the journal of the options, the environment or the profile, and all settings."""
    settings = gather(options, profile)
    async with bkjob.Fleet(name, journal=lasting_journal(settings), shards=shards) as fleet:
        yield fleet, settings


async def create(
    name: str,
    *,
    shards: int,
    interval: float | None,
    detail_level: str,
    wide: Sequence[str],
    keep: str | None,
    **options: Any,
) -> ExitCode:
    """Create a fleet, or start again one that was stopped."""
    async with opened(name, shards=shards, **options) as (fleet, settings):
        await fleet.create(
            url=settings.url,
            dialect=settings.get("dialect", DEFAULT_DIALECT),
            credentials=own_credentials(settings),
            requests_per_second=settings.get("rate"),
            interval=interval,
            detail_level=level_of(detail_level),
            wide=wide_from(wide),
            keep=None if keep is None else bkjob.Keep(**keep_parts(keep)),
            tenant=settings.get("tenant"),
        )
    write_note(f"the fleet {name} has {counted(shards, 'shard')}")
    return ExitCode.ALL_SUCCEEDED


async def set_settings(
    name: str, *, journal: str | None, profile: str | None, detail_level: str | None, **options: Any
) -> ExitCode:
    """Change those settings of a fleet that were given on the command line."""
    names = {"rate": "requests_per_second"}
    changes: dict[str, Any] = {
        names.get(option, option): value for option, value in options.items() if value is not None
    }
    changes = {setting: None if value == NONE else value for setting, value in changes.items()}
    if detail_level is not None:
        changes["detail_level"] = level_of(detail_level)
    keep = None if changes.get("keep") is None else keep_parts(changes["keep"])
    if not changes:
        raise bkjob.UsageError("give what is to be changed: --rate, --interval, --url and so on")
    async with opened(name, journal=journal, profile=profile) as (fleet, _):
        if keep is not None:  # an age alone leaves the size as it is
            changes["keep"] = evolve((await fleet.settings()).keep or bkjob.Keep(), **keep)
        await fleet.update(**changes)
    write_note(f"the fleet {name} is changed; its runners follow within about two seconds")
    return ExitCode.ALL_SUCCEEDED


async def copy(name: str, *, copy: str, shards: int, wide: Sequence[str], **where: Any) -> ExitCode:
    """Create another fleet with the targets of this one, in the same journal."""
    async with opened(name, **where) as (fleet, _):
        other = bkjob.Fleet(copy, journal=fleet.journal, shards=shards)
        await fleet.copy(other, wide=wide_from(wide) if wide else None)
        made = await other.status()
    waiting = ", and what waits in its inboxes" if any(each.waiting for each in made.shards) else ""
    write_note(
        f"the fleet {copy} has {counted(shards, 'shard')}, with {counted(made.targets, 'target')} of {name}{waiting}"
    )
    return ExitCode.ALL_SUCCEEDED


def level_of(word: str) -> bkjob.DetailLevel:
    """Return the level that an option names."""
    return bkjob.DetailLevel[word.upper().replace("-", "_")]


def wide_from(words: Sequence[str]) -> Mapping[bkjob.Scope, int]:
    """Return over how many shards each scope is spread; raise `UsageError`."""
    try:
        pairs = [word.rpartition("=") for word in words]
        return {bkjob.Scope.parse(scope): int(count) for scope, _, count in pairs}
    except ValueError:
        raise bkjob.UsageError("--wide is SCOPE=N: 2=4, biz_set:9=8") from None


def keep_parts(text: str) -> Mapping[str, Any]:
    """Return what `7d,1G`, `12h` or `512M` says of a `Keep`; raise `UsageError`."""
    parts: dict[str, Any] = {}
    for part in text.split(","):
        found = re.fullmatch(r"(\d{1,9})([mhdKMG])", part.strip())
        kind = "bytes" if found is None or found[2] in SIZES else "age"
        if found is None or kind in parts:
            raise bkjob.UsageError("--keep is an age, a size or both: 7d,1G, with m, h or d and K, M or G")
        number = int(found[1])
        parts[kind] = (
            timedelta(seconds=number * AGES[found[2]]) if kind == "age" else number * SIZES[found[2]]
        )
    return parts


def own_credentials(settings: Settings) -> str:
    """Return the name of the function that is called for credentials: the one that was given, or that reads the environment."""
    name: str = settings.get("credentials", ENVIRONMENT_CREDENTIALS)
    return name


async def put(name: str, *, targets: Sequence[str], is_added: bool, **where: Any) -> ExitCode:
    """Add targets, or drop them."""
    async with opened(name, **where) as (fleet, settings):
        refs = targets_from(targets, settings.scope)
        await (fleet.add(*refs) if is_added else fleet.drop(*refs))
    write_note(f"{counted(len(refs), 'target')} {'added' if is_added else 'dropped'}")
    return ExitCode.ALL_SUCCEEDED


async def run(
    name: str,
    *,
    shards: Sequence[int],
    claim: int | None,
    standby: bool,
    health: str | None,
    journal_timeout: float | None,
    **where: Any,
) -> ExitCode:
    """Run shards until all of them have ended; *health* is a folder for files that probes look at.

    With *claim* they are so many at a time of those that nobody runs; on *standby* it looks for them all the time.

    One that fails is run again after 1 to 60 seconds, and the others go on meanwhile; where it is the only one, or where
    nothing but a person can help, the error ends all of them. So does a journal that has not answered one of them for
    *journal_timeout* seconds.
    """
    log_to_stderr()
    files = None if health is None else HealthFiles(Path(health), shards)
    async with opened(name, **where) as (fleet, settings):
        own = {
            "credentials": own_credentials(settings),
            "url": settings.get("url"),
            "journal_timeout": journal_timeout,
        }
        runner = LocalRunner(fleet, own, files)
        with nullcontext() if files is None else files.kept():
            if claim is not None:
                # What takes long to import or to make is there before a shard is free.
                _, _ = bkjob.run_shard, converter()
                claims = Claims(fleet, runner.run_claimed)
                await (claims.stand_by(claim) if standby else claims.keep(claim))
                return ExitCode.ALL_SUCCEEDED
            run_each = runner.run if len(shards) == 1 else runner.run_again
            tasks = [asyncio.create_task(run_each(shard)) for shard in shards]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
        ends = [task.result() for task in sorted(tasks, key=asyncio.Task.cancelled)]
    return ExitCode.SUPERSEDED if bkjob.ShardEnd.SUPERSEDED in ends else ExitCode.ALL_SUCCEEDED


@frozen
class LocalRunner:
    """Runs shards of a *fleet* with what this command has of its *own*, and keeps the *files* for probes, if any."""

    fleet: bkjob.Fleet
    own: Mapping[str, Any]
    files: HealthFiles | None

    async def run(self, shard: int, *, takeover: bool = True) -> bkjob.ShardEnd:
        """Run one shard; say how it ended."""
        on_condition = None if self.files is None else self.files.observer_of(shard)
        end = await bkjob.run_shard(
            self.fleet, shard, on_condition=on_condition, takeover=takeover, **self.own
        )
        write_note(f"shard {shard}: {end.value}")
        return end

    async def run_claimed(self, claimed: bkjob.ShardStatus) -> bkjob.ShardEnd:
        """Run a shard that was claimed unless another process has it meanwhile; once it has ended, it does not count for probes."""
        write_note(f"shard {claimed.shard}: claimed" + (" from a silent runner" if claimed.is_held else ""))
        try:
            return await self.run(claimed.shard, takeover=False)
        finally:
            if self.files is not None:
                self.files.forget(claimed.shard)

    async def run_again(self, shard: int) -> bkjob.ShardEnd:
        """Run one shard of several, again and again while it fails; raise what ends the others as well.

        One that has ended, as it is run elsewhere, does not count for probes.
        """
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            begun = loop.time()
            try:
                end = await self.run(shard)
            except FATAL:
                raise
            except Exception as error:  # also a defect must not end the other shards
                if (
                    isinstance(error, bkjob.JournalUnavailable)
                    and self.own.get("journal_timeout") is not None
                ):
                    raise  # the journal is one for all
                failures = 1 if loop.time() - begun > WORKS_SECONDS else failures + 1
                pause = pause_before(failures)
                write_note(f"shard {shard} failed ({type(error).__name__}: {error}); again in {pause:g} s")
            else:
                if self.files is not None:
                    self.files.forget(shard)
                return end
            if self.files is not None:
                self.files.note(shard, is_well=False)
            await asyncio.sleep(pause)


async def status(name: str, *, as_json: bool, metrics: bool, **where: Any) -> ExitCode:
    """Write a line for each shard, and name those that are ill."""
    async with opened(name, **where) as (fleet, _):
        found = await fleet.status()
    if metrics:
        write_out(fleet_metrics(found).rstrip("\n"))
        return ExitCode.ALL_SUCCEEDED
    for line in shards_json(found) if as_json else shard_lines(found):
        write_out(line)
    for line in summary(found):
        write_note(line)
    return ExitCode.COULD_NOT_WATCH if found.ill else ExitCode.ALL_SUCCEEDED


async def check(name: str, *, as_json: bool, **where: Any) -> ExitCode:
    """Write what is wrong with the fleet, and who must act."""
    async with opened(name, **where) as (fleet, _):
        found = await fleet.status()
    return max(write_finding(finding, as_json=as_json) for finding in findings(found))


async def stop(name: str, **where: Any) -> ExitCode:
    """Stop the fleet, and wait until its runners have ended."""
    loop = asyncio.get_running_loop()
    async with opened(name, **where) as (fleet, _):
        await fleet.stop()
        end = loop.time() + STOP_SECONDS
        held = (await fleet.status()).held
        while held and loop.time() < end:
            await asyncio.sleep(LOOK_SECONDS)
            held = (await fleet.status()).held
    if held:
        write_note(f"these shards still have runners: {numbers_of(held)}")
        return ExitCode.COULD_NOT_WATCH
    write_note(f"the fleet {name} is stopped")
    return ExitCode.ALL_SUCCEEDED


async def forget(name: str, *, yes: bool, **where: Any) -> ExitCode:
    """Remove a fleet that nobody runs, with everything reported of it."""
    async with opened(name, **where) as (fleet, _):
        if (
            await fleet.journal.shards.record(name) is None
        ):  # one that is left half removed, or half copied, is there
            raise no_such_fleet(name)
        confirm(f"remove the fleet {name} and everything reported of it?", yes=yes)
        await fleet.forget()
    write_note(f"the fleet {name} is removed")
    return ExitCode.ALL_SUCCEEDED


async def follow(name: str, *, after: str | None, once: bool, as_json: bool, **where: Any) -> ExitCode:
    """Write a line for each event of all shards; at the end the cursor."""
    async with (
        opened(name, **where) as (fleet, _),
        fleet.reader(after=after, live=not once) as reader,
    ):
        try:
            await write_batches(reader, as_json=as_json)
        finally:
            write_note(f"cursor: {reader.cursor or 'none'}")
    return ExitCode.ALL_SUCCEEDED

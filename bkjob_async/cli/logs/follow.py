"""Write the logs of hosts as they grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from attrs import define, field

from bkjob_async import BkJobError, HostChanged, HostKey, JobClient, JobRef, Lost, Ref, StepRef, Watch
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.targets import hosts_from, targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.logs.hosts import HostFilter, KnownHosts, read_logs
from bkjob_async.cli.logs.lines import LogTail, LogWriter, text_of
from bkjob_async.cli.logs.show import WHOLE_JOB_LOGS, say_absent
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.client.operations.batch_logs import is_same
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.status import Phase


@define
class FollowedHost:
    """A host whose log is read until it has been read once after the host's end."""

    key: HostKey
    execute_count: int
    is_finished: bool
    tail: LogTail = field(factory=LogTail)


@define
class FollowedHosts:
    """The hosts whose logs are to be read, by step; those that are done with are left out."""

    hosts: HostFilter
    by_step: dict[StepRef, dict[str, FollowedHost]] = field(factory=dict)
    met: KnownHosts = field(factory=KnownHosts, init=False)

    def apply(self, event: HostChanged) -> None:
        """Follow a host that runs, and read the log of one that has finished once more; a retry begins anew."""
        after = event.after
        is_wanted = after.is_finished and not after.is_success if self.hosts.failed else True
        if after.phase is Phase.PENDING or not is_wanted or not self.hosts.takes(event.host):
            return
        if self.hosts.keys:
            self.met.add(event.host)
        step = self.by_step.setdefault(event.ref, {})
        known = step.get(event.host.label)
        if known is None or known.execute_count != event.execute_count:
            step[event.host.label] = FollowedHost(event.host, event.execute_count, after.is_finished)
        else:
            known.is_finished = after.is_finished

    def due(self) -> list[tuple[StepRef, dict[str, FollowedHost]]]:
        """Return the hosts to read now; those that have finished are not returned again."""
        found = []
        for step, hosts in self.by_step.items():
            found.append((step, dict(hosts)))
            self.by_step[step] = {label: host for label, host in hosts.items() if not host.is_finished}
        return [(step, hosts) for step, hosts in found if hosts]


async def follow_logs(
    settings: Settings,
    *,
    targets: Sequence[str],
    hosts: Sequence[str],
    failed: bool,
    tail: int | None,
    as_json: bool,
    interval: float,
) -> ExitCode:
    """Write the logs of the targets until these are over; of what a host has logged before, the last lines, *tail*."""
    refs = targets_from(targets, settings.scope)
    followed = FollowedHosts(HostFilter(hosts_from(hosts), failed))
    is_one_step = len(refs) == 1 and not isinstance(refs[0], JobRef)
    reader = LogFollower(
        followed,
        LogWriter(as_json=as_json, with_steps=not is_one_step),
        tail=tail,
        interval=interval,
        in_portions=settings.get("dialect") != WHOLE_JOB_LOGS,
    )
    try:
        async with client_of(settings) as client, client.watch(refs) as watch:
            await reader.follow(client, watch)
            absent = await say_absent(
                client, reader.readable(refs), followed.met.without(followed.hosts.keys)
            )
    except asyncio.CancelledError:
        again = next_command(["logs"], refs, settings, ["--follow"])
        write_note(f"the jobs go on; follow their logs again: {again}")
        raise
    return ExitCode.COULD_NOT_WATCH if absent or reader.outcome.lost else ExitCode.ALL_SUCCEEDED


@define(eq=False)
class LogFollower:
    """Reads logs every few seconds, of the hosts that run and of those that have just finished."""

    _followed: FollowedHosts
    _writer: LogWriter
    _tail: int | None = field(alias="tail", kw_only=True)
    _interval: float = field(alias="interval", kw_only=True)
    _in_portions: bool = field(alias="in_portions", kw_only=True)
    outcome: Outcome = field(factory=Outcome, init=False)

    def readable(self, refs: Sequence[Ref]) -> list[Ref]:
        """Return those of *refs* that can still be read."""
        return [ref for ref in refs if ref not in self.outcome.lost]

    async def follow(self, client: JobClient, watch: Watch) -> None:
        """Read until the watch has ended and every log was read after the end of its host."""
        reading = asyncio.create_task(self._read_events(watch))
        try:
            while not reading.done():
                await asyncio.wait([reading], timeout=self._interval)
                await self._read_due(client)
            await reading
        finally:
            reading.cancel()

    async def _read_events(self, watch: Watch) -> None:
        async for batch in watch.batches():
            self.outcome.apply(batch)
            for event in batch.events:
                if isinstance(event, HostChanged):
                    self._followed.apply(event)
                elif isinstance(event, Lost):
                    write_note(str(event))
            if self.outcome.hopeless:
                raise BkJobError(self.outcome.hopeless)

    async def _read_due(self, client: JobClient) -> None:
        for step, hosts in self._followed.due():
            try:
                await self._read_step(client, step, hosts)
            except BkJobError as error:
                write_note(f"{step}: logs cannot be read: {error}")
                # Those of finished hosts are read next time.
                self._followed.by_step[step] = {**hosts, **self._followed.by_step.get(step, {})}

    async def _read_step(self, client: JobClient, step: StepRef, hosts: dict[str, FollowedHost]) -> None:
        keys = [host.key for host in hosts.values()]
        async for log in read_logs(client, step, keys, in_portions=self._in_portions):
            # It may be named otherwise than its events name it.
            others = (host for host in hosts.values() if is_same(host.key, log.host))
            host = hosts.get(log.host.label) or next(others, None)
            if host is not None:
                lines = host.tail.new_lines(text_of(log), is_final=host.is_finished, tail=self._tail)
                self._writer.write(step, host.key, lines)

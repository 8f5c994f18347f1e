"""The health of a fleet for its operators: findings with who must act, and files for probes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.client.checks import Finding, FindingState
from bkjob_async.model.text.printing import counted

# The file `alive` is written again after so many seconds.
ALIVE_SECONDS = 2.0
# So many causes of one kind are named at most, and of the shards that have them so many numbers.
CAUSES, NUMBERS = 5, 12


def findings(found: bkjob.FleetStatus) -> Iterator[Finding]:
    """Yield what there is to say of a fleet: whether it has runners, and whether these see and store anything."""
    if found.is_stopped:
        yield Finding(
            "fleet",
            FindingState.WARNING,
            "it was stopped",
            "you: create it with the same values to start it again",
        )
        return
    shards = found.shards
    yield Finding(
        "fleet", FindingState.OK, f"{counted(len(shards), 'shard')}, {counted(found.targets, 'target')}"
    )
    yield from causes(
        "runners",
        shards,
        lambda each: "had no runner for more than 30 s" if each.is_unplaced else None,
        "whoever runs the runners: start `bkjob fleet run`, and read its log; else the network between it and the journal",
    )
    yield from causes(
        "failures", shards, lambda each: each.failure, "see the message; the log of the runner has more"
    )
    yield from causes(
        "store",
        shards,
        lambda each: each.store_trouble,
        "whoever runs the store: see the message; events wait in the runners, and nothing is lost while these live",
    )
    yield from causes(
        "platform",
        shards,
        lambda each: each.platform_trouble,
        "see the message; `bkjob check` on the machine of a runner goes the way to the platform step by step",
    )


def causes(
    step: str,
    shards: Sequence[bkjob.ShardStatus],
    cause_of: Callable[[bkjob.ShardStatus], str | None],
    act: str,
) -> Iterator[Finding]:
    """Yield a finding for each cause that some of the *shards* have, with their numbers; one that all is well without any."""
    by_cause: dict[str, list[bkjob.ShardStatus]] = {}
    for shard in shards:
        if cause := cause_of(shard):
            by_cause.setdefault(cause, []).append(shard)
    for cause, some in [*by_cause.items()][:CAUSES]:
        yield Finding(step, FindingState.FAILED, f"{numbered(some)}: {cause}", act)
    if not by_cause:
        yield Finding(step, FindingState.OK, "")


def numbered(shards: Sequence[bkjob.ShardStatus]) -> str:
    """Return the numbers of shards as text, the first of them if there are many."""
    more = f" and {len(shards) - NUMBERS} more" if len(shards) > NUMBERS else ""
    return f"shard {', '.join(str(each.shard) for each in shards[:NUMBERS])}{more}"


# A runner's own ------------------------------------------------------------------------------------------------------


class HealthFiles:
    """Two files in a folder for probes: `alive` is written every two seconds, `ready` is there while all shards are well.

    A shard is well when it stores and sees what there is; before its first sign of life it is not.
    """

    def __init__(self, folder: Path, shards: Sequence[int]) -> None:
        """Make the folder; nothing is ready yet. Raises `UsageError` where there can be none."""
        self._alive, self._ready = folder / "alive", folder / "ready"
        self._wells = dict.fromkeys(shards, False)
        self._has_failed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._ready.unlink(missing_ok=True)
        except OSError as error:
            raise bkjob.UsageError(f"--health {folder}: {error.strerror}") from None

    def observer_of(self, shard: int) -> Callable[[bkjob.ShardCondition], None]:
        """Return what is told the condition of this shard."""
        return lambda condition: self.note(shard, is_well=condition.is_well)

    def note(self, shard: int, *, is_well: bool) -> None:
        """Note how a shard is."""
        self._wells[shard] = is_well
        self._show()

    def forget(self, shard: int) -> None:
        """Note that a shard is not run here any more."""
        self._wells.pop(shard, None)
        self._show()

    def _show(self) -> None:
        with self._said():
            if all(self._wells.values()):
                touch(self._ready)
            else:
                self._ready.unlink(missing_ok=True)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write `alive` while the context lasts and the event loop turns; remove both files at the end."""
        self._show()
        task = asyncio.get_running_loop().create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            for file in (self._alive, self._ready):
                with self._said():
                    file.unlink(missing_ok=True)

    async def _keep(self) -> None:
        while True:
            with self._said():
                touch(self._alive)
                self._has_failed = False
            await asyncio.sleep(ALIVE_SECONDS)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Say once that files cannot be written, and go on: no shard is run elsewhere for that."""
        try:
            yield
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                write_note(f"the files for probes cannot be written: {error}")


def touch(file: Path) -> None:
    """Write a file anew, with its folder, which may have been removed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()

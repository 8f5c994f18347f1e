"""The status of a fleet in shards and of each shard, read from its store alone."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bkjob_async.journal.store import Holder

# A shard without a runner is named after so many seconds; a runner without a sign of life for so long has gone.
UNPLACED_SECONDS = 30.0
SILENT_SECONDS = 10.0


@frozen(kw_only=True)
class ShardStatus:
    """The *shard* of this number: its *targets*, how many of them are *active* (not over).

    *waiting* is how many entries its inbox has, each a part of what was added or dropped at once. *term* counts its
    runners, and *holder* is the newest, which *is_held* says has not ended. *silence* is seconds since its last sign
    of life, or since the fleet was created. *refused* counts what runners that were superseded still sent. *failure*
    is the error that ended the last runner, None once another one has worked for a minute.
    """

    shard: int
    targets: int = 0
    active: int = 0
    waiting: int = 0
    term: int = 0
    holder: Holder | None = None
    is_held: bool = False
    silence: float = 0.0
    refused: int = 0
    failure: str | None = None

    @property
    def has_runner(self) -> bool:
        """Whether a runner holds the shard and gave a sign of life within ten seconds."""
        return self.is_held and self.silence <= SILENT_SECONDS

    @property
    def is_unplaced(self) -> bool:
        """Whether the shard has had no runner for 30 seconds."""
        return self.silence > UNPLACED_SECONDS


@frozen(kw_only=True)
class FleetStatus:
    """The fleet *name* of the platform at *url*: its *shards* by number, and whether it *is_stopped*."""

    name: str
    url: str
    is_stopped: bool
    shards: Sequence[ShardStatus]

    @property
    def targets(self) -> int:
        """How many targets all shards have."""
        return sum(each.targets for each in self.shards)

    @property
    def active(self) -> int:
        """How many targets are not over."""
        return sum(each.active for each in self.shards)

    @property
    def unplaced(self) -> Sequence[ShardStatus]:
        """The shards that have had no runner for 30 seconds; none of a fleet that was stopped."""
        return () if self.is_stopped else tuple(each for each in self.shards if each.is_unplaced)

    @property
    def failing(self) -> Sequence[ShardStatus]:
        """The shards whose last runner ended with an error; none of a fleet that was stopped."""
        return () if self.is_stopped else tuple(each for each in self.shards if each.failure)

    @property
    def held(self) -> Sequence[ShardStatus]:
        """The shards that have a runner."""
        return tuple(each for each in self.shards if each.has_runner)

"""The status of a fleet in shards and of each shard, read from its store alone; and what a runner says of itself there."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from attrs import frozen

from bkjob_async.journal.keep import KEEP, Keep
from bkjob_async.journal.store import Holder

# A shard without a runner is named after so many seconds; a runner without a sign of life for so long has gone.
UNPLACED_SECONDS = 30.0
SILENT_SECONDS = 10.0
# A store is given so many characters of each error.
LONGEST = 500


@frozen(kw_only=True)
class ShardStatus:
    """The *shard* of this number: its *targets*, how many of them are *active* (not over).

    *waiting* is how many entries its inbox has, each a part of what was added or dropped at once. *term* counts its
    runners, and *holder* is the newest, which *is_held* says has not ended. *silence* is seconds since its last sign
    of life, or since the fleet was created. *refused* counts what runners that were superseded still sent. *failure*
    is the error that ended the last runner, None once another one has worked for a minute; or what is damaged in the store.

    *appended* is seconds since the newest record that is stored was made, None where none is kept; where nothing changes
    nothing is stored. *unstored* counts events that wait for the store. *store_trouble* is the error because of which
    nothing is stored, *platform_trouble* the one because of which no target is seen; None while all is well. Both are
    what the runner said with its last sign of life. *size* is the bytes of the shard's records in the store.
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
    appended: float | None = None
    unstored: int = 0
    store_trouble: str | None = None
    platform_trouble: str | None = None
    size: int = 0

    @property
    def has_runner(self) -> bool:
        """Whether a runner holds the shard and gave a sign of life within ten seconds."""
        return self.is_held and self.silence <= SILENT_SECONDS

    @property
    def is_unplaced(self) -> bool:
        """Whether the shard has had no runner for 30 seconds."""
        return self.silence > UNPLACED_SECONDS

    @property
    def is_ill(self) -> bool:
        """Whether the shard fails, stores nothing, sees nothing, or has had no runner for 30 seconds."""
        return bool(self.is_unplaced or self.failure or self.store_trouble or self.platform_trouble)


@frozen(kw_only=True)
class FleetStatus:
    """The fleet *name* of the platform at *url*: its *shards* by number, whether it *is_stopped*, and what it is to *keep*."""

    name: str
    url: str
    is_stopped: bool
    keep: Keep = KEEP
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
    def size(self) -> int:
        """The bytes of all records in the store: at most those of *keep*, or in a shard as many as its present state has."""
        return sum(each.size for each in self.shards)

    @property
    def unplaced(self) -> Sequence[ShardStatus]:
        """The shards that have had no runner for 30 seconds; none of a fleet that was stopped."""
        return () if self.is_stopped else tuple(each for each in self.shards if each.is_unplaced)

    @property
    def failing(self) -> Sequence[ShardStatus]:
        """The shards whose last runner ended with an error; none of a fleet that was stopped."""
        return () if self.is_stopped else tuple(each for each in self.shards if each.failure)

    @property
    def ill(self) -> Sequence[ShardStatus]:
        """The shards that somebody must look after; none of a fleet that was stopped."""
        return () if self.is_stopped else tuple(each for each in self.shards if each.is_ill)

    @property
    def held(self) -> Sequence[ShardStatus]:
        """The shards that have a runner."""
        return tuple(each for each in self.shards if each.has_runner)


class ShardCondition(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a runner is, in *term* of its shard.

    *store* is the error that the last attempt to store something ended with, *platform* the one because of which no target
    can be polled; None while all is well. *unstored* counts the events that wait for the store, 0 while it keeps up.
    *failure* is the error that ended the runner before, until this one has worked for a minute.
    """

    term: int = 0
    store: str | None = None
    platform: str | None = None
    unstored: int = 0
    failure: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether what the platform says is seen and stored."""
        return self.store is None and self.platform is None

    def encode(self) -> str:
        """Return the condition as text, none where there is nothing to say."""
        if self.is_well and not self.unstored and self.failure is None:
            return ""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> ShardCondition:
        """Read back what `encode` returned; any other text is what ended a runner."""
        if not text:
            return cls()
        try:
            return msgspec.json.decode(text.encode(), type=cls)
        except msgspec.DecodeError:
            return cls(failure=text)

    def in_term(self, term: int) -> ShardCondition:
        """Return what of this holds for the runner of *term*: of an earlier one only how it ended."""
        return self if self.term == term else ShardCondition(term, failure=self.failure)


def shortened(text: object) -> str:
    """Return what a store is given of a text; half a surrogate, as in the name of a file, becomes a question mark."""
    return f"{text}"[:LONGEST].encode(errors="replace").decode()

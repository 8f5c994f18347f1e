"""The share that one shard has of the fleet's requests per second.

A small part of the rate is shared equally, so that a shard whose first targets arrive can begin with them. The rest is
divided by targets: each runner claims its part of it with its sign of life, and the store grants no more than the others'
claims leave over. A runner gives up at once what it has too much, and reports that with its next sign of life; then others
are granted theirs. So the rates of all shards together never exceed the whole, whatever changes and whoever dies, and a
shard without a runner keeps its share.
"""

from __future__ import annotations

from attrs import define, field

from bkjob_async.journal.shards import ShardFigures
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.settings import FleetSettings

EQUAL_PART = 0.02
# Claims are whole millionths of a request per second, so that sums are exact.
MILLION = 1_000_000


@define(kw_only=True)
class RequestShare:
    """The share of a runner, in a fleet with *total_rate* requests per second and so many *shards*.

    `claim` is what the next sign of life asks for, `limit` what all claims together must not exceed; both in millionths.
    `rate` is how many requests per second the runner may send.
    """

    total_rate: float
    shards: int
    claim: int = field(init=False, default=0)
    rate: float = field(init=False)
    limit: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.limit = int(self.total_rate * (1.0 - EQUAL_PART) * MILLION)
        self._hold(0)

    def begin(self, claimed: int) -> None:
        """Begin with what the runner before had *claimed* for this shard."""
        self.claim = claimed
        self._hold(claimed)

    def at(self, total_rate: float) -> RequestShare:
        """Return the share of this runner in a fleet with another *total_rate*; the next answer fits it to that."""
        share = RequestShare(total_rate=total_rate, shards=self.shards)
        share.begin(min(self.claim, share.limit))
        return share

    def on_answer(self, granted: int, *, own: int, everyone: int) -> None:
        """Follow an answer: what was *granted*, the runner's *own* targets, and those that *everyone* has together."""
        self.claim = self.limit // self.shards if everyone <= 0 else self.limit * own // max(own, everyone)
        self._hold(min(granted, self.claim))

    def _hold(self, held: int) -> None:
        self.rate = self.total_rate * EQUAL_PART / self.shards + held / MILLION


async def first_share(fleet: Fleet, shard: int, settings: FleetSettings) -> RequestShare | None:
    """Return the share of a new runner: what its shard had before; None where the fleet has no limit."""
    if settings.requests_per_second is None:
        return None
    figures = await fleet.journal.shards.figures(fleet.name)
    share = RequestShare(total_rate=settings.requests_per_second, shards=settings.placement.shards)
    share.begin(figures.get(shard, ShardFigures()).claim)
    return share

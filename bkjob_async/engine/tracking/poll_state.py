"""What is remembered of one target to decide when it is looked at next."""

from math import inf

from msgspec import Struct

# How much of the newest rate counts; the rest is what was seen before.
NEWEST = 0.7


class PollState(Struct, eq=False, gc=False):
    """One target's place in the fleet: what it weighs, when it is due, how old it is, how its hosts have been moving.

    `cost` is how many requests its last round took, `began` when what now runs is thought to have begun, by its being
    seen running `since`.
    """

    weight: float = 0.0
    due: float = inf
    step: float = 0.0
    began: float = 0.0
    since: float | None = None
    cost: int = 1
    looks: int = 0
    moves: float = 0.0
    opened: int = 0
    seen_at: float | None = None
    nudged: bool = False

    def came_due(self, now: float) -> float:
        """Return how late a look at *now* is; one that nobody planned is not late."""
        late = max(0.0, now - self.due)
        self.due = inf
        return late

    def saw(self, unfinished: int, now: float) -> None:
        """Take note of how many hosts are not finished at *now*."""
        if self.seen_at is not None and now > self.seen_at and (self.moves or unfinished != self.opened):
            rate = max(0, self.opened - unfinished) / (now - self.seen_at)
            self.moves += NEWEST * (rate - self.moves)
        self.opened = unfinished
        self.seen_at = now
